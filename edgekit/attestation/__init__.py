"""Signed statements about files: DSSE envelopes, in-toto statements, and OpenSSF Model Signing."""
