"""Processing around a model, in numpy alone: raw pictures before it, boxes after it, on host and device alike."""
