"""Robustness: what both endpoints lose on perturbed samples, and what compression adds to it (docs/robustness.md)."""
