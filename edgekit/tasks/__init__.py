"""Tasks of models: labels, answers, metrics and agreement, one file a task."""
