"""Takes channels, heads and weights out of a model."""
