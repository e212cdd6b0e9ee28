"""Who earned how much: balanced double-entry postings of paid orders."""
