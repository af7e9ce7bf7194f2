"""Hints for a module that a project's code imports and that is not there: typed as they stand, they do no harm."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

DISTRIBUTIONS = {
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "Crypto": "pycryptodome",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "PIL": "pillow",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "PyYAML",
}
"""Distribution of a module that has another name: `pip install MODULE` would find nothing, or a stranger's."""
OF_TORCH = {
    "accelerate": "accelerate",
    "effdet": "effdet",
    "efficientnet_pytorch": "efficientnet_pytorch",
    "facenet_pytorch": "facenet-pytorch",
    "fvcore": "fvcore",
    "kornia": "kornia",
    "lightning": "lightning",
    "monai": "monai",
    "open_clip": "open_clip_torch",
    "peft": "peft",
    "pytorch_lightning": "pytorch-lightning",
    "segmentation_models_pytorch": "segmentation-models-pytorch",
    "sentence_transformers": "sentence-transformers",
    "silero_vad": "silero-vad",
    "speechbrain": "speechbrain",
    "thop": "thop",
    "timm": "timm",
    "torch_geometric": "torch_geometric",
    "torchmetrics": "torchmetrics",
    "ultralytics": "ultralytics",
}
"""Packages that depend on torch: pip would replace it by another build, with gigabytes of CUDA."""
PLAIN = {
    "albumentations", "einops", "ftfy", "h5py", "imageio", "librosa", "matplotlib", "networkx", "numba",
    "omegaconf", "onnx", "onnxruntime", "pandas", "pyarrow", "regex", "requests", "safetensors", "scipy",
    "sentencepiece", "soundfile", "sympy", "tokenizers", "tqdm", "transformers",
}  # fmt: skip
"""Packages whose module has their own name, and which do not depend on torch."""
SEARCH_FILES = 20_000
"""Limit of the entries of a project that are looked through."""


def missing_module_hint(module: str, root: Path, file: Path) -> str:
    """Hint for `import module`, which failed in `file` of the project `root`, or below it.

    A file or folder of the user comes before any package; a name that nothing is known of is no reason to install.
    """
    top = module.partition(".")[0]
    own = own_module(top, root, file)
    if own is not None:
        return own
    if top != module and _there(top):
        return f"the installed '{top}'{_of_version(top)} has no '{module}': is the code for another version of it?"
    if top in ("torchvision", "torchaudio"):
        wheel = f"{top}=={companion(top)}" if companion(top) else top
        return f'pip install --no-deps "{wheel}", the CPU build, as of torch: its dependencies would replace torch'
    if top in OF_TORCH:
        return f"pip install --no-deps {OF_TORCH[top]}, then what else it lacks: its dependencies would replace torch"
    if top in DISTRIBUTIONS or top in PLAIN:
        return f"pip install {DISTRIBUTIONS.get(top, top)}"
    return f"edgekit knows no package with '{top}': if it is a file of yours, put it into '{root}'"


def own_module(name: str, root: Path, file: Path) -> str | None:
    """Hint if a file or folder of the user has the name of the module that is missing."""
    for path in _places(name, root):
        where = path.relative_to(root)
        if where.parent == Path():
            return f"'{where}' is yours, but no module that can be imported: is it a .py file, or a folder of such?"
        dotted = ".".join(where.with_suffix("").parts)
        return f"'{where}' is not beside '{file.name}': import it as '{dotted}', or move it there"
    for path in (root.parent / f"{name}.py", root.parent / name / "__init__.py"):
        if path.is_file():
            return f"'{path}' lies outside of the project: copy it into '{root}'"
    return None


def companion(package: str) -> str:
    """Version of torchvision or torchaudio that was built for the installed torch, such as `0.28.*`; "" if unknown."""
    try:
        major, minor = version("torch").split(".")[:2]
    except PackageNotFoundError:
        return ""
    # torchvision counts 15 on from torch 2.0: https://github.com/pytorch/vision#installation
    return f"{major}.{minor}.*" if package == "torchaudio" else f"0.{int(minor) + 15}.*" if major == "2" else ""


def _places(name: str, root: Path) -> Iterator[Path]:
    looked_at = 0
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(each for each in folders if not each.startswith((".", "__")) and each != "site-packages")
        looked_at += len(folders) + len(files)
        if f"{name}.py" in files:
            yield Path(folder, f"{name}.py")
        if name in folders:
            yield Path(folder, name)
        if looked_at > SEARCH_FILES:
            return


def _there(name: str) -> bool:
    try:
        return name in sys.modules or importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _of_version(name: str) -> str:
    try:
        return f" {version(DISTRIBUTIONS.get(name, name))}"
    except PackageNotFoundError:
        return ""
