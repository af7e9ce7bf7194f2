"""Measure duplicate detection on CIFAR-10: `python -m scripts.duplicate_recall FOLDER`, of train.zip and test.zip.

The list is that of Barz and Denzler 2020 ("Do we train on test data?", J. Imaging 6(6)): 286 test pictures with a twin
in training, judged by people. Its ids are places in the original order; `cifair10.csv` names files of the archives,
found by the order of labels and, for test pictures, by content (docs/data-governance.md). The list is not complete, so
that the precision by it is a lower bound. A limit that is chosen by a list is too good on it: so the test pictures are
halved, the limit is chosen on one half, and recall and precision are those on the other.
"""

from __future__ import annotations

import argparse
import io
import time
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import numpy as np
from PIL import Image

from edgekit.ir.measurement import Array
from edgekit.parity.data.fingerprints import Fingerprints
from edgekit.parity.data.nearest import nearest_hash
from edgekit.parity.data.twins import most_similar, near_limit

LIST = Path(__file__).parent / "cifair10.csv"
LEVELS = (0.95, 0.92, 0.9, 0.87, 0.85, 0.82, 0.8)
"""Limits of similarity that are shown beside the one of the gate."""
GRID = tuple(np.round(np.arange(0.75, 0.99, 0.01), 2).tolist())
"""Limits that one is chosen of on a half."""
BITS = (0, 2, 4, 6, 8, 10)
"""Hamming distances up to which a hash alone calls two pictures twins."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    started = time.process_time()
    names, test = pictures(folder / "test.zip")
    training_names, training = pictures(folder / "train.zip")
    listed, pairs = listed_pairs(names, training_names)
    ours, theirs = (Fingerprints.of({"image": each}) for each in (test, training))
    print(f"{len(test):,} and {len(training):,} pictures read, {time.process_time() - started:.0f} s of CPU")
    known = set(theirs.digests)
    exact = np.array([digest in known for digest in ours.digests])
    show("exact hashing", exact, listed)
    for title, a, b in zip(("dHash alone", "pHash alone"), ours.hashes, theirs.hashes, strict=True):
        started = time.process_time()
        distance = nearest_hash(a, b)[1]
        seconds = time.process_time() - started
        for most in BITS:
            show(f"{title}, at most {most} bits", distance <= most, listed)
        print(f"  {len(a) * len(b) / seconds / 1e6:,.0f} million pairs a second of CPU")
    started = time.process_time()
    limit = near_limit(ours)
    partner, similarity = most_similar(ours, theirs, None)
    print(f"{time.process_time() - started:.0f} s of CPU for the gate; its limit is {limit:.3f}")
    for level in sorted({limit, *LEVELS}, reverse=True):
        show(f"the gate, similarity {level:.2f}", similarity >= level, listed)
    show_halves(names, similarity, listed)
    hits = np.array([partner[place] == pairs[place] for place in pairs])
    print(f"the most similar training picture is the listed one for {hits.sum()} of {len(hits)}")


def pictures(archive: Path) -> tuple[list[str], Array]:
    """Names of the pictures in a zip, sorted, and their pixels uint8 [N, 32, 32, 3]."""
    with zipfile.ZipFile(archive) as files:
        names = sorted(name for name in files.namelist() if name.endswith(".jpg"))
        rows = [np.asarray(Image.open(io.BytesIO(files.read(name))).convert("RGB")) for name in names]
    return names, np.stack(rows)


def listed_pairs(names: list[str], training_names: list[str]) -> tuple[Array, Mapping[int, int]]:
    """Flag of each test picture, bool [N]: it is in the list; and the place of its listed twin by its own."""
    places, others = ({name: i for i, name in enumerate(each)} for each in (names, training_names))
    rows = [line.split(",") for line in LIST.read_text().split()[1:]]
    pairs = {places[test]: others[training] for test, training, _ in rows}
    listed = np.zeros(len(names), bool)
    listed[list(pairs)] = True
    return listed, pairs


def show_halves(names: list[str], similarity: Array, listed: Array) -> None:
    """Print recall and precision on each half of the test pictures, by the limit that is best on the other half."""
    first = np.array([sha256(name.encode()).digest()[0] % 2 == 0 for name in names])
    for half, title in ((first, "second"), (~first, "first")):
        level = max(GRID, key=lambda limit: f_score(similarity[half] >= limit, listed[half]))
        print(f"chosen on the other half ({half.sum():,} pictures, {listed[half].sum()} listed): {level:.2f}")
        show(f"the {title} half, similarity {level:.2f}", similarity[~half] >= level, listed[~half])


def f_score(flagged: Array, listed: Array) -> float:
    """Harmonic mean of recall and precision of flags, bool [N], by the list."""
    return 2 * float((flagged & listed).sum()) / max(1, int(flagged.sum() + listed.sum()))


def show(title: str, flagged: Array, listed: Array) -> None:
    """Print recall and precision of flags, bool [N], by the list."""
    hits, count = int((flagged & listed).sum()), int(flagged.sum())
    precision = f"{hits / count:.3f}" if count else "-"
    recall = f"{hits / listed.sum():.3f}"
    print(f"{title:36} {count:6,} flagged, recall {recall}, precision by the list {precision}", flush=True)


if __name__ == "__main__":
    main()
