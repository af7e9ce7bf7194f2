"""Files of a folder of the Hugging Face Hub beside a model: YAML before its README, and rules for large files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from edgekit.export.contract import Contract

ATTRIBUTES = ".gitattributes"
LIBRARIES = {"onnx": "onnx", "tflite": "tflite", "pte": "executorch"}
"""Names of libraries on the Hub, by format."""
PICTURES = {
    "classification": "image-classification",
    "multi-label": "image-classification",
    "detection": "object-detection",
    "segmentation": "image-segmentation",
    "depth": "depth-estimation",
    "keypoints": "keypoint-detection",
    "embedding": "image-feature-extraction",
    "denoising": "image-to-image",
    "super-resolution": "image-to-image",
}
"""Names of tasks on the Hub for models of pictures, by ours."""
TEXTS = {
    "classification": "text-classification",
    "multi-label": "text-classification",
    "tagging": "token-classification",
    "embedding": "sentence-similarity",
    "similarity": "sentence-similarity",
    "language-model": "text-generation",
}
SOUNDS = {"classification": "audio-classification", "audio-events": "audio-classification"}
SOUNDS |= {"multi-label": "audio-classification", "sequence": "automatic-speech-recognition"}
OTHERS = {"forecasting": "time-series-forecasting"}


def front_matter(contract: Contract) -> str:
    """YAML between two rules, as the Hub's model cards begin. Every value is a JSON string, which YAML takes."""
    return "\n".join(["---", *_entries(contract), "---", "", ""])


def git_attributes(contract: Contract) -> str:
    """Rules by which git keeps the model's files in large file storage."""
    suffixes = sorted({PurePosixPath(path).suffix for path in contract.files})
    return "".join(f"*{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in suffixes if suffix)


def _entries(contract: Contract) -> Iterator[str]:
    # The bundle has the licences of the data, and not the model's: that is its owner's to say.
    yield "license: unknown"
    yield f"library_name: {LIBRARIES[contract.format]}"
    task = _task(contract)
    if task:
        yield f"pipeline_tag: {task}"
    tags = ("edgekit", "quantized", contract.lineage.precision, contract.lineage.backend, contract.lineage.target)
    yield from ("tags:", *(f"- {json.dumps(tag)}" for tag in dict.fromkeys(tags)))


def hub_task(task: str, *, texts: bool, sound: bool, picture: bool) -> str | None:
    """Name of the task on the Hub; None where it has none for this kind of input.

    texts, sound, picture: whether an input is made of texts, of a recording, of a picture; several may be.
    """
    if texts or task in ("language-model", "tagging"):
        return TEXTS.get(task)
    if sound or task == "audio-events":
        return SOUNDS.get(task)
    return PICTURES.get(task) if picture else OTHERS.get(task)


def is_pixels(dtype: str, shape: Sequence[int]) -> bool:
    """Tell whether an input without recorded steps takes pixels as they are."""
    return dtype == "uint8" and len(shape) == 4


def _task(contract: Contract) -> str | None:
    return hub_task(
        contract.task,
        texts=any(each.tokenizer for each in contract.inputs),
        sound=any(each.audio for each in contract.inputs),
        picture=any(each.steps is not None or is_pixels(each.dtype, each.shape) for each in contract.inputs),
    )
