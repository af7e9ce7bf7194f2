"""Comparison with the vendors' plain int8 recipes: architecture × backend × precision, and the table of it."""
