"""Power cuts at random points of a flash, and what must hold after each."""
