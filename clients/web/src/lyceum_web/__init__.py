"""The web client: pages for the browser that speak to the gateway alone."""
