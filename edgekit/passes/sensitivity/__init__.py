"""Sensitivity analysis: quantization noise by layer, and mixed precision."""
