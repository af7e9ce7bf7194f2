"""Readers of untrusted input: bytes, names and words of devices, servers, bundles and reports."""
