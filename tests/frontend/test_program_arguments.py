"""Arguments that passes calibrate a program by: of free lengths, each sample as long as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgekit.frontend.capture import capture
from edgekit.frontend.load import batches, load
from edgekit.frontend.sequences import program_arguments
from edgekit.samples import load_samples
from tests.backends.free_networks import free_project


def test_samples_of_free_lengths_are_cut_to_theirs_unless_outputs_are_to_be_joined(tmp_path: Path) -> None:
    project = free_project(tmp_path, "convolutional")
    program, samples = capture(load(project)), load_samples(project, "calibration")
    arguments, expected = program_arguments(program, samples), batches(samples, project)
    assert len({sample[0].shape for sample in arguments}) == 4
    for sample, same in zip(arguments, expected, strict=True):
        np.testing.assert_array_equal(sample[0].numpy(), same[0].numpy())
    assert {tuple(sample[0].shape) for sample in program_arguments(program, samples, padded=True)} == {(1, 64, 96, 3)}
