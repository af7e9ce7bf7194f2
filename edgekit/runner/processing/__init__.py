"""Processing of raw pictures before a model, in numpy: one implementation for host, reference and device."""
