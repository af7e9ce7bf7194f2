"""Modules that run inside a server's own Python: a model of the runner for its requests. Nothing else of edgekit."""
