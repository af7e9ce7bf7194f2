"""What runs on the device: the standard library, numpy and one runtime; as `edgekit.runner` or as a bare folder."""
