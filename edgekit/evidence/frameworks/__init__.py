"""Frameworks of governance as tables: number and title of each requirement, the facts that answer it, what stays open.

Titles are short and in our own words, or those of public tables of contents; the text of a standard is in none of them.
"""
