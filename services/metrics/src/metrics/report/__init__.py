"""`metrics report`: a month of a creator, or of the whole platform, as a page and as a PDF."""
