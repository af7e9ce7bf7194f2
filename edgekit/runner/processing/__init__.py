"""Processing of inputs and outputs on the device, in numpy alone."""
