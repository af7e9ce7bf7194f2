"""Architectures of the table, a family a module: definitions of our own, small, with the operators of the real ones."""
