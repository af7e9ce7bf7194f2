"""Perturbations of texts, before the tokenizer: typing errors, case, spaces, punctuation and accents.

Changes are of the text; its new token ids are made by the project's tokenizer, and end where the network's window does.
"""
