"""Perturbations of recordings: noise, level, telephone band, echo, and shifts in time.

Waves are float64 [C, T], full scale 1. Severities are 1 to 5; each module says where its parameters come from.
"""
