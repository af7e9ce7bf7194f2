"""Tokens a second and memory of edgekit's decoders and of llama.cpp at the same precision, taking turns here.

The model is of the Llama architecture: stories260K, or with --parameters one of 100 million random weights.
On a busy machine only CPU time is worth a comparison, and with more than one thread only the wall is.
llama.cpp is the package `llama-cpp-python`, which is compiled as it is installed; --llama names the Python that has it.
"""

from __future__ import annotations

import argparse
import os
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from scripts.benchmark.contender import Contender, table
from scripts.benchmark.processes import ROOT
from scripts.benchmark.random_llama import SIZES, write_random
from tests.stories_project import WEIGHTS, write_stories

SAME = {"float32": "f32", "dynamic-int8": "q8_0", "weight-only-int4": "q4_0"}
"""Precision of llama.cpp by edgekit's profile."""
GATES = ("size_ratio.max=2", "accuracy_drop.max=9", "agreement.min=0", "integer_share.min=0")
NOT_INSTALLED = """llama.cpp: not installed in {python}
  hint: python3 -m venv llama && llama/bin/pip install llama-cpp-python gguf, then --llama llama/bin/python"""


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench generate", description=__doc__)
    parser.add_argument("--weights", type=Path, help="a version-0 export; default: stories260K beside the repository")
    parser.add_argument("--parameters", choices=SIZES, help="random weights of that many parameters")
    parser.add_argument("--backend", action="append", choices=("executorch", "onnx", "tflite"))
    parser.add_argument("--profile", action="append", choices=SAME, help="default: float32 and dynamic-int8")
    parser.add_argument("--bundle", type=Path, action="append", help="a bundle of that model, in place of building one")
    parser.add_argument("--llama", type=Path, default=Path(sys.executable), help="Python that has llama-cpp-python")
    parser.add_argument("--prompt", type=int, default=1, help="tokens of the prompt")
    parser.add_argument("--count", type=int, default=100, help="tokens of a text")
    parser.add_argument("--rounds", type=int, default=7, help="turns that each has, behind one to warm up")
    parser.add_argument("--threads", type=int, action="append", help="default: 1; more than once: each in every turn")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = args.weights or (write_random(folder, args.parameters) if args.parameters else WEIGHTS)
        if not weights.is_file():
            parser.error(f"no file {weights}; --weights FILE, or --parameters {next(iter(SIZES))}")
        profiles = args.profile or ["float32", "dynamic-int8"]
        cache_bytes = _cache_bytes(weights)
        bundles = args.bundle or _built(weights, args.backend or ["onnx", "tflite"], profiles, folder)
        threads = args.threads or [1]
        contenders = [_edgekit(bundle, folder, count, cache_bytes) for bundle in bundles for count in threads]
        precisions = list(dict.fromkeys(contender.precision for contender in contenders))
        contenders += _llama(weights, precisions, folder, args.llama, threads)
        prompt = [1 + place % 200 for place in range(args.prompt)]
        for _ in range(args.rounds + 1):
            for contender in contenders:
                contender.generate(prompt, args.count)
        print("\n".join(table(contenders)))
        for contender in contenders:
            contender.process.communicate()


def _built(weights: Path, backends: Sequence[str], profiles: Sequence[str], folder: Path) -> list[Path]:
    """Build a bundle of each. Raises RuntimeError if one fails."""
    project = write_stories(folder / "project", count=4, steps=16, weights=weights)
    bundles = []
    for profile in profiles:
        for backend in backends:
            out = folder / f"{backend}-{profile}"
            argv = [sys.executable, "-m", "edgekit", "build", "--project", project, "--target", "host", "--out", out]
            argv += ["--backend", backend, "--profile", profile]
            argv += [word for gate in GATES for word in ("--set", f"profile.gates.{gate}")]
            ended = subprocess.run(list(map(str, argv)), check=False, capture_output=True, text=True, cwd=ROOT)
            made = list(out.glob("*.edgekit"))
            if not made:
                raise RuntimeError(f"{backend} {profile} ended with {ended.returncode}: {ended.stderr[-2000:]}")
            bundles += made
    return bundles


def _edgekit(bundle: Path, folder: Path, threads: int, cache_bytes: int) -> Contender:
    slot = folder / "slots" / bundle.stem
    zipfile.ZipFile(bundle).extractall(slot)
    size = sum(path.stat().st_size for path in slot.iterdir() if path.suffix in (".onnx", ".bin", ".pte", ".tflite"))
    built = bundle.stem.partition("-host-")[2]
    precision = next((theirs for profile, theirs in SAME.items() if built.endswith(profile)), "")
    argv = [sys.executable, "-m", "scripts.benchmark.decoder_worker", str(slot), str(threads)]
    return Contender(_name(f"edgekit {built}", threads), precision, threads, size, cache_bytes, _started(argv))


def _name(decoder: str, threads: int) -> str:
    return decoder if threads == 1 else f"{decoder}, {threads} threads"


def _cache_bytes(weights: Path) -> int:
    """Size of the keys and values of a version-0 export, in float32."""
    with weights.open("rb") as file:
        sizes: tuple[int, ...] = struct.unpack("7i", file.read(28))
    size, _, layers, heads, groups, _, longest = sizes
    return 2 * 4 * layers * groups * longest * (size // heads)


def _llama(
    weights: Path, precisions: Sequence[str], folder: Path, python: Path, threads: Sequence[int]
) -> list[Contender]:
    """llama.cpp on the same weights; nothing, and a hint, where it is not installed."""
    tried = subprocess.run([python, "-c", "import gguf, llama_cpp"], check=False, capture_output=True)
    if tried.returncode:
        print(NOT_INSTALLED.format(python=python))
        return []
    contenders = []
    for precision in filter(None, precisions):
        file = folder / f"{precision}.gguf"
        argv = [str(python), "-m", "scripts.benchmark.llama_cpp_worker"]
        subprocess.run([*argv, "convert", str(weights), str(file), precision], check=True, cwd=ROOT)
        size, cache = file.stat().st_size, _cache_bytes(weights)
        for count in threads:
            name, process = _name(f"llama.cpp {precision}", count), _started([*argv, "generate", str(file), str(count)])
            contenders.append(Contender(name, precision, count, size, cache, process))
    return contenders


def _started(argv: Sequence[str]) -> subprocess.Popen[str]:
    # ExecuTorch's runtime writes to standard error as it loads.
    return subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
