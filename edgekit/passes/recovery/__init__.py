"""Trains what is left."""
