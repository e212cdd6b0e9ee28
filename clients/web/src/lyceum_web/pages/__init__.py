"""The pages: what each address does."""
