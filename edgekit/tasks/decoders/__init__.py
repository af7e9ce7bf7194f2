"""Decoders of detectors: raw outputs become boxes and scores, one kind of network a file."""
