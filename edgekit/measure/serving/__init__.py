"""A model behind a server as an endpoint."""
