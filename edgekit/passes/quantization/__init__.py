"""Post-training quantization of a float program."""
