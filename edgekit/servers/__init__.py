"""Real servers on loopback, each in a virtual environment of its own, that answer with the runner."""
