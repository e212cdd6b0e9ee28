"""An example of a consumer outside of the platform; begin with the README, then `following`."""
