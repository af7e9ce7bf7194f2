"""Perturbed signals have the same bytes on every machine: digests that were written once, on x86-64 with numpy 2.4.

Where one differs on purpose, its perturbation needs a new `version`, and a line here: reports of both are not alike.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path

import numpy as np

from edgekit.perturb.input_domain import InputDomain
from edgekit.perturb.perturbation import Perturbation
from edgekit.perturb.recordings.perturbations import RECORDINGS
from edgekit.perturb.series.perturbations import SERIES, SPECTROGRAMS
from edgekit.perturb.texts.perturbations import TEXTS
from edgekit.samples import Samples
from tests.perturb.signal_sets import domain_of, perturbed
from tests.perturb.test_texts import PLAIN, TEXT, project_of, read

DIGESTS = Path(__file__).with_name("signal_digests.json")
"""blake2b of 8 bytes by perturbation and version, over all severities."""
WHOLE = (np.arange(3 * 4800, dtype=np.int64) ** 2 * 7919 % 40_000 - 20_000).reshape(3, 4800)


def sets(folder: Path) -> list[tuple[tuple[Perturbation, ...], Samples, InputDomain]]:
    labels = np.zeros(3, np.int64)
    wave = domain_of({"shape": [4800], "signal": {"kind": "recordings", "rate": 16_000}})
    series = domain_of({"shape": [2400, 2], "signal": "series"})
    mels = domain_of({"shape": [40, 120], "signal": "spectrograms"})
    reals = (WHOLE / 32768).astype(np.float32)
    texts = read(project_of(folder, TEXT, PLAIN, "Café, s'il vous plaît"))
    return [
        (RECORDINGS, Samples({"x": reals}, labels), wave),
        (SERIES, Samples({"x": reals.reshape(3, 2400, 2)}, labels), series),
        (SPECTROGRAMS, Samples({"x": reals.reshape(3, 40, 120)}, labels), mels),
        (TEXTS, *texts),
    ]


def digests(folder: Path) -> dict[str, str]:
    made = {}
    for perturbations, samples, domain in sets(folder):
        for each in perturbations:
            sha = blake2b(digest_size=8)
            for severity in each.severities:
                sha.update(perturbed(each.name, severity, samples, domain).inputs[domain.name].tobytes())
            made[f"{each.name} v{each.version}"] = sha.hexdigest()
    return made


def test_the_bytes_are_those_that_were_written(tmp_path: Path) -> None:
    assert digests(tmp_path) == json.loads(DIGESTS.read_text())
