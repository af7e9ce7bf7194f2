"""Tokens a second and memory of edgekit's decoders and of llama.cpp at the same precision, taking turns here.

The model is of the Llama architecture: stories260K, or with --parameters one of 100 million random weights.
llama.cpp is the package `llama-cpp-python`, which is compiled as it is installed; --llama names the Python that has it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from scripts.benchmark.processes import ROOT
from scripts.benchmark.random_llama import SIZES, write_random
from tests.stories_project import WEIGHTS, write_stories

SAME = {"float32": "f32", "dynamic-int8": "q8_0", "weight-only-int4": "q4_0"}
"""Precision of llama.cpp by edgekit's profile."""
GATES = ("size_ratio.max=2", "accuracy_drop.max=9", "agreement.min=0", "integer_share.min=0")
PROMPT = (1,)
NOT_INSTALLED = """llama.cpp: not installed in {python}
  hint: python3 -m venv llama && llama/bin/pip install llama-cpp-python gguf, then --llama llama/bin/python"""


@dataclass
class Contender:
    """Process that generates by one decoder, and what it answered."""

    name: str
    file_bytes: int
    process: subprocess.Popen[str]
    answers: list[dict[str, Any]] = field(default_factory=list)

    def generate(self, count: int) -> None:
        """Generate one text. Raises RuntimeError if the process ended."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"prompt": PROMPT, "count": count}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with {self.process.wait()}")
        self.answers.append(json.loads(line))

    @property
    def tokens_per_s(self) -> float:
        """Median over texts, without the first, which warms up; of the tokens behind each text's first."""
        timed = self.answers[1:] or self.answers
        return float(median((len(one["tokens"]) - 1) / one["rest_s"] for one in timed))

    def row(self, tokens: Sequence[int]) -> str:
        """Line of the table. tokens: those of the first contender."""
        ours, last = self.answers[0]["tokens"], self.answers[-1]
        alike = next((i for i, pair in enumerate(zip(ours, tokens, strict=True)) if pair[0] != pair[1]), len(ours))
        memory = f"{last['peak_bytes'] / 1e6:11.1f}{(last['peak_bytes'] - last['empty_bytes']) / 1e6:11.1f}"
        return f"{self.name:32}{self.file_bytes:13,}{self.tokens_per_s:11.1f}{memory}{alike:8}"


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench generate", description=__doc__)
    parser.add_argument("--weights", type=Path, help="a version-0 export; default: stories260K beside the repository")
    parser.add_argument("--parameters", choices=SIZES, help="random weights of that many parameters")
    parser.add_argument("--backend", action="append", choices=("executorch", "onnx", "tflite"))
    parser.add_argument("--profile", action="append", choices=SAME, help="default: float32 and dynamic-int8")
    parser.add_argument("--bundle", type=Path, action="append", help="a bundle of that model, in place of building one")
    parser.add_argument("--llama", type=Path, default=Path(sys.executable), help="Python that has llama-cpp-python")
    parser.add_argument("--count", type=int, default=100, help="tokens of a text")
    parser.add_argument("--rounds", type=int, default=7, help="turns that each has, behind one to warm up")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = args.weights or (write_random(folder, args.parameters) if args.parameters else WEIGHTS)
        if not weights.is_file():
            parser.error(f"no file {weights}; --weights FILE, or --parameters {next(iter(SIZES))}")
        profiles = args.profile or ["float32", "dynamic-int8"]
        bundles = args.bundle or _built(weights, args.backend or ["onnx", "tflite"], profiles, folder)
        contenders = [_edgekit(bundle, folder, args.threads) for bundle in bundles]
        contenders += _llama(weights, list(dict.fromkeys(SAME[profile] for profile in profiles)), folder, args)
        for _ in range(args.rounds + 1):
            for contender in contenders:
                contender.generate(args.count)
        print(f"{'':32}{'bytes':>13}{'tokens/s':>11}{'peak MB':>11}{'of it own':>11}{'alike':>8}")
        for contender in contenders:
            print(contender.row(contenders[0].answers[0]["tokens"]))
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


def _edgekit(bundle: Path, folder: Path, threads: int) -> Contender:
    slot = folder / "slots" / bundle.stem
    zipfile.ZipFile(bundle).extractall(slot)
    size = sum(path.stat().st_size for path in slot.iterdir() if path.suffix in (".onnx", ".bin", ".pte", ".tflite"))
    argv = [sys.executable, "-m", "scripts.benchmark.decoder_worker", str(slot), str(threads)]
    return Contender(f"edgekit {bundle.stem.partition('-host-')[2]}", size, _started(argv))


def _llama(weights: Path, precisions: Sequence[str], folder: Path, args: argparse.Namespace) -> list[Contender]:
    """llama.cpp on the same weights; nothing, and a hint, where it is not installed."""
    tried = subprocess.run([args.llama, "-c", "import gguf, llama_cpp"], check=False, capture_output=True)
    if tried.returncode:
        print(NOT_INSTALLED.format(python=args.llama))
        return []
    contenders = []
    for precision in precisions:
        file = folder / f"{precision}.gguf"
        argv = [str(args.llama), "-m", "scripts.benchmark.llama_cpp_worker"]
        subprocess.run([*argv, "convert", str(weights), str(file), precision], check=True, cwd=ROOT)
        process = _started([*argv, "generate", str(file), str(args.threads)])
        contenders.append(Contender(f"llama.cpp {precision}", file.stat().st_size, process))
    return contenders


def _started(argv: Sequence[str]) -> subprocess.Popen[str]:
    # ExecuTorch's runtime writes to standard error as it loads.
    return subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
