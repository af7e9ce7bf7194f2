"""Inputs changed on purpose, by the gradient of the float network: small changes, and patches that flip answers."""
