"""Readers."""
from scripts.fuzzing.outcome import Folder, Tally
def readers(count: int, seed: int, folder: Folder) -> Tally:
    return Tally(1.0)
