"""Pruning of channels, attention heads and weights."""
