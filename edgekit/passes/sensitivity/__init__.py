"""What rounding does to each layer, and what to leave alone."""
