"""Perturbations of pictures: raw pixels uint8 [N, H, W, C]."""
