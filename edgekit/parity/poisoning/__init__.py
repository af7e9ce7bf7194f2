"""Screen of calibration data for samples that were put there: by ranges, equality, labels, and patches."""
