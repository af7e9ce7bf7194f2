"""What runs inside a server's own Python: the runner's model, asked for batches. Imports nothing else of edgekit."""
