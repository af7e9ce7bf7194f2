"""Tests that continuous integration leaves to the night: one more case of a promise that another test holds.

Each takes a fifth of a minute to two minutes of a core. What is left runs in under 40 minutes on two cores, and holds
every promise once: each verb, each format, each kind of fault, each kind of device. `scripts/test --nightly` runs all.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

NIGHTLY = {
    "tests/backends/test_executorch_resnet20.py": ("*",),
    "tests/backends/test_free_lengths.py": (
        "*encoder-executorch-dynamic*",
        "*encoder-executorch-float32*",
        "*encoder-onnx-static*",
        "*encoder-tflite-d*",
    ),
    "tests/devices/emulation/test_board_faults.py": ("*whose_power_is_cut*", "*of_two_runs_at_once*"),
    "tests/devices/emulation/test_emulation_faults.py": ("*what_is_stopped*kill -9*", "*an_image_that_is_damaged*"),
    "tests/devices/emulation/test_faults.py": ("*lost_link*pixel-8*", "*middle_of_a_push*", "*clock*-315360000*"),
    "tests/devices/emulation/test_flash_faults.py": ("*link_that_stays_lost*", "*host_that_is_killed*"),
    "tests/devices/emulation/test_packs_disk.py": ("*android-arm64*", "*outlives_a_power_cut*"),
    "tests/devices/emulation/test_served_board.py": ("*",),
    "tests/devices/packs/test_bare_board.py": ("*tflite-runtime*", "*executorch*", "*ai-edge-litert*"),
    "tests/devices/test_damage_campaign.py": ("*after_damage_to_any_file*whole*",),
    "tests/frontend/test_unsupported_models.py": ("*by_its_construct*masked_select*", "*by_its_construct*complex*"),
    "tests/measure/device/test_model_file.py": ("*damaged*pte*", "*as_a_bundle_does*pte*"),
    "tests/pipeline/test_audio_line.py": ("*tflite*",),
    "tests/pipeline/test_decoder_line.py": ("*excerpt-executorch*", "*excerpt-tflite*"),
    "tests/pipeline/test_emulated_fleet.py": ("*",),
    "tests/pipeline/test_emulated_line.py": ("*a_device_that_is_up_counts*",),
    "tests/pipeline/test_line.py": ("*two_builds_in_two_places*tflite*", "*two_builds_in_two_places*onnx*"),
    "tests/pipeline/test_rollback_of_worse_model.py": ("*calibrated_in_the_dark*",),
    "tests/pipeline/test_state_line.py": (
        "*thousand_steps*",
        "*voice_activity*tflite*",
        "*to_a_device*tflite*",
        "*to_a_device*executorch*",
    ),
    "tests/pipeline/test_ways_in.py": ("*onnx-executorch*", "*onnx-tflite*", "*program-onnx*"),
    "tests/projects/test_dense.py": (
        "*sentences-tflite*",
        "*keywords-tflite*",
        "*tagger-onnx*",
        "*segmenter-onnx*",
        "*siamese-onnx*",
        "*details_that_are_added*",
    ),
    "tests/projects/test_emulated.py": ("*segmenter*", "*every_length*", "*keywords*"),
    "tests/projects/test_vision.py": ("*face*", "*int8*pose-tflite*", "*boxes_and_scores*", "*pose-dynamic-int8*"),
    "tests/scripts/test_chaos.py": ("*five*",),
    "tests/test_tutorials.py": ("*does_what_it_shows*",),
}
"""By file, patterns of `fnmatch` for the names of its tests, with their parameters."""


def is_nightly(item: pytest.Item) -> bool:
    """Tell whether continuous integration leaves this test out."""
    path = item.nodeid.partition("::")[0]
    return any(fnmatchcase(item.name, pattern) for pattern in NIGHTLY.get(path, ()))


def unmatched(items: list[pytest.Item]) -> list[str]:
    """Patterns that match none of these tests, which are to be all."""
    names = {(item.nodeid.partition("::")[0], item.name) for item in items}
    return [
        f"{path}::{pattern}"
        for path, patterns in NIGHTLY.items()
        for pattern in patterns
        if not any(file == path and fnmatchcase(name, pattern) for file, name in names)
    ]
