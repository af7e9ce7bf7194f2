"""The client library for applications: `edgekit_client.py`, one file to copy, which imports nothing of edgekit."""
