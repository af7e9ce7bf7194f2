"""Constructs of Python and torch that cannot become a part of a program, each with its sign and a rewrite."""
