"""Calibration of probabilities: how often the answers are right that a model is so sure of."""
