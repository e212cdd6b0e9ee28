"""What there is to say about public events: one `Catalogue`, as a page for people and as an AsyncAPI document."""
