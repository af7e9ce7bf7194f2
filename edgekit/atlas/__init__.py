"""Atlas: one page of all runs found."""
