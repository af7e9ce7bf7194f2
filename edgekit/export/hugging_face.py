"""Files of a folder of the Hugging Face Hub beside a model: YAML before its README, and rules for large files."""

from __future__ import annotations

import json
from collections.abc import Iterator
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
    task = hub_task(contract)
    if task:
        yield f"pipeline_tag: {task}"
    tags = ("edgekit", "quantized", contract.lineage.precision, contract.lineage.backend, contract.lineage.target)
    yield from ("tags:", *(f"- {json.dumps(tag)}" for tag in dict.fromkeys(tags)))


def hub_task(contract: Contract) -> str | None:
    """Name of the task on the Hub; None where it has none for this kind of input."""
    first = contract.inputs[0]
    if any(each.tokenizer for each in contract.inputs) or contract.task in ("language-model", "tagging"):
        return TEXTS.get(contract.task)
    if any(each.audio for each in contract.inputs) or contract.task == "audio-events":
        return SOUNDS.get(contract.task)
    picture = first.steps is not None or (first.dtype == "uint8" and len(first.shape) == 4)
    return PICTURES.get(contract.task) if picture else OTHERS.get(contract.task)
