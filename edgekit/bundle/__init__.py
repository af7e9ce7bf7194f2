"""The signed bundle: its manifest, its archive, its signature and the keys."""
