"""Readers of what nobody vouches for: bytes, names and words of devices, servers, bundles and reports."""
