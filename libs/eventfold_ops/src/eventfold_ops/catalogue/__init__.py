"""The catalogue of public events: one `Catalogue`, shown as a page for people and as an AsyncAPI document."""
