"""Hostile answers and files, generated from a seed."""
