"""Real inference servers on loopback, each in a virtual environment of its own, that run models by the runner."""
