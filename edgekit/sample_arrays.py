"""Samples as arrays, in a fixed order: the inputs as an artifact takes them, their labels, and what else is known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from edgekit.datasets.metadata import Metadata
from edgekit.ir.measurement import Array
from edgekit.sequences import read_sequences, save_sequences

LABELS = "labels.npy"
GROUPS = Path("groups") / "groups.npy"
"""Place of the groups in a folder of samples; in a folder of its own, as an input may have that name."""
RAW_FOLDER = "raw"
TEXTS = "texts.json"


@dataclass(frozen=True)
class Sampling:
    """Selection of samples from a larger set: their number, and the rule."""

    taken: int
    total: int
    """Size of the set, less the files that turned out not to be readable."""
    stratified: bool
    """True if every class has its share of them; else they are spread over the order of the set."""
    changes: tuple[str, ...] = ()
    """Changes to pictures among them, each with its count, such as an orientation applied (docs/data.md)."""
    left_out: tuple[str, ...] = ()
    """Sentences on files of the whole set that could not be read, on lines of metadata that are of no file of it, and
    on classes without a sample in it."""


@dataclass(frozen=True)
class Samples:
    """Inputs as the artifact takes them, with their labels, in a fixed order."""

    inputs: Mapping[str, Array]
    """Arrays [N, …] by input name, in the raw dtype. Of free lengths: padded, with the lengths, int64 [N], beside."""
    labels: Array
    """Labels as the task collects them: classes int64 [N], targets float64 [N, …]; int64 [N, 0] where there is none."""
    sampling: Sampling | None = None
    """Selection from the larger set; None where there is none."""
    length: Array | None = None
    """Steps of each sequence, int64 [N], for a model with state: inputs are [N, T, …]. None for single samples."""
    initial: Mapping[str, Array] = field(default_factory=dict)
    """State before the first step by input name, where it is not zero."""

    groups: Array | None = None
    """Group of each sample, int64 [N], such as its video; None where samples are independent."""
    raw: Mapping[str, Mapping[int, Array]] = field(default_factory=dict)
    """Some raw samples by input and place, of inputs that a function makes. Not saved with a part of the samples."""
    metadata: Metadata | None = None
    """Names and columns of the samples, for reports on this host; None where they are not known."""
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Texts that the token ids were made of, one a sample, by input; none where the data set gives token ids."""

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in self.inputs.items())
        return f"<Samples {shapes}>"

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def steps(self) -> int | None:
        """Steps of the longest sequence; None for single samples."""
        return None if self.length is None else int(next(iter(self.inputs.values())).shape[1])

    @property
    def inferences(self) -> int:
        """Number of inferences that answer all samples."""
        return len(self) * (self.steps or 1)

    @property
    def digest(self) -> str:
        """SHA-256 over names, dtypes, shapes and values, in order; not over metadata."""
        sha = hashlib.sha256()
        sequences = [] if self.length is None else [("length", self.length), *sorted(self.initial.items())]
        for name, array in [*sorted(self.inputs.items()), ("labels", self.labels), *sequences]:
            sha.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
            sha.update(np.ascontiguousarray(array).data)
        return sha.hexdigest()

    def save(self, folder: Path) -> None:
        """Write `<input>.npy` for every input, `labels.npy`, and what else there is: state, groups, metadata, texts."""
        for name, array in self.inputs.items():
            np.save(folder / f"{name}.npy", array, allow_pickle=False)
        np.save(folder / LABELS, self.labels, allow_pickle=False)
        if self.length is not None:
            save_sequences(self.length, self.initial, folder)
        if self.groups is not None:
            (folder / GROUPS).parent.mkdir(exist_ok=True)
            np.save(folder / GROUPS, self.groups, allow_pickle=False)
        if self.texts:
            (folder / TEXTS).write_text(json.dumps({name: list(texts) for name, texts in self.texts.items()}))
        for name, raw in self.raw.items():
            (folder / RAW_FOLDER).mkdir(exist_ok=True)
            for i, array in raw.items():
                np.save(folder / RAW_FOLDER / f"{name}.{i}.npy", array, allow_pickle=False)
        if self.metadata:
            self.metadata.save(folder)

    @classmethod
    def read(cls, folder: Path, mapped: bool = False) -> Samples:
        """Read the samples that `save` wrote to `folder`.

        mapped: inputs stay on disk, and the pages that are used come into memory, which the system may take back.
        """
        paths = sorted(path for path in folder.glob("*.npy") if path.name != LABELS)
        # Copy-on-write: torch takes no arrays that it may not write to.
        mode: Literal["c"] | None = "c" if mapped else None
        arrays = {path.stem: np.asarray(np.load(path, mode, allow_pickle=False)) for path in paths}
        length, initial = read_sequences(folder)
        groups = np.load(folder / GROUPS, allow_pickle=False) if (folder / GROUPS).is_file() else None
        labels = np.load(folder / LABELS, allow_pickle=False)
        metadata = Metadata.read(folder)
        written = json.loads((folder / TEXTS).read_text()) if (folder / TEXTS).exists() else {}
        texts = {name: tuple(each) for name, each in written.items()}
        return cls(arrays, labels, length=length, initial=initial, groups=groups, metadata=metadata, texts=texts)

    def take(self, indices: Sequence[int] | Array) -> Samples:
        """Select the samples at `indices`, in that order."""
        inputs = {name: array[indices] for name, array in self.inputs.items()}
        length = None if self.length is None else self.length[indices]
        metadata = self.metadata.take(indices) if self.metadata else None
        groups = None if self.groups is None else self.groups[indices]
        places = np.arange(len(self))[indices]
        texts = {name: tuple(each[i] for i in places) for name, each in self.texts.items()}
        return Samples(
            inputs,
            self.labels[indices],
            length=length,
            initial=self.initial,
            groups=groups,
            metadata=metadata,
            texts=texts,
        )

    def first_steps(self, count: int) -> Samples:
        """Cut every sequence after its first `count` steps, and labels of steps likewise."""
        assert self.length is not None
        inputs = {name: array[:, :count] for name, array in self.inputs.items()}
        per_step = self.labels.ndim > 1 and self.labels.shape[1] == self.steps
        labels = self.labels[:, :count] if per_step else self.labels
        return replace(self, inputs=inputs, labels=labels, length=np.minimum(self.length, count))
