"""The terminal: the one room that prints or exits."""
