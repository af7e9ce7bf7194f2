"""edgekit: trained PyTorch models, compressed, lowered, flashed and measured on edge devices."""

__version__ = "0.1.0"
