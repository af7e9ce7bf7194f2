"""Tokens a second and memory of edgekit's decoders and of llama.cpp at the same precision, taking turns here.

The model is of the Llama architecture: stories260K, or with --parameters one of 100 million random weights.
On a busy machine only CPU time is worth a comparison, and with more than one thread only the wall is.
llama.cpp is the package `llama-cpp-python`, which is compiled as it is installed; --llama names the Python that has it.
"""

from __future__ import annotations

import argparse
import json
import os
import struct
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
COLUMNS = ("file", "MB a token", "tokens/s", "CPU ms", "first ms", "first MB", "last MB", "peak MB", "own MB", "alike")
"""Bytes of the files; MB that a token reads at most, file and full cache; tokens a second by the wall; CPU time of a
token and of the prompt; resident memory behind the first token, behind the last, at its peak, and there without that of
an empty Python; number of tokens that are those of the first line."""
NOT_INSTALLED = """llama.cpp: not installed in {python}
  hint: python3 -m venv llama && llama/bin/pip install llama-cpp-python gguf, then --llama llama/bin/python"""


@dataclass
class Contender:
    """Process that generates by one decoder, and what it answered."""

    name: str
    file_bytes: int
    cache_bytes: int
    process: subprocess.Popen[str]
    answers: list[dict[str, Any]] = field(default_factory=list)

    def generate(self, prompt: Sequence[int], count: int) -> None:
        """Generate one text behind a prompt. Raises RuntimeError if the process ended."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"prompt": prompt, "count": count}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with {self.process.wait()}")
        self.answers.append(json.loads(line))

    def per_token_s(self, key: str) -> float:
        """Median over texts, without the first, which warms up, of the tokens behind each text's first."""
        return float(median(one[key] / (len(one["tokens"]) - 1) for one in self._timed))

    @property
    def _timed(self) -> Sequence[dict[str, Any]]:
        return self.answers[1:] or self.answers

    def row(self, tokens: Sequence[int]) -> str:
        """Line of the table. tokens: those of the first contender."""
        ours, last = self.answers[0]["tokens"], self.answers[-1]
        alike = next((i for i, pair in enumerate(zip(ours, tokens, strict=True)) if pair[0] != pair[1]), len(ours))
        first_ms = 1e3 * median(one["first_cpu_s"] for one in self._timed)
        memory = (*self.answers[0]["grown"], last["peak_bytes"], last["peak_bytes"] - last["empty_bytes"])
        numbers = [(self.file_bytes + self.cache_bytes) / 1e6, 1 / self.per_token_s("rest_s")]
        numbers += [1e3 * self.per_token_s("rest_cpu_s"), first_ms, *(size / 1e6 for size in memory)]
        return f"{self.name:32}{self.file_bytes:13,}" + "".join(f"{number:11.2f}" for number in numbers) + f"{alike:8}"


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
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = args.weights or (write_random(folder, args.parameters) if args.parameters else WEIGHTS)
        if not weights.is_file():
            parser.error(f"no file {weights}; --weights FILE, or --parameters {next(iter(SIZES))}")
        profiles = args.profile or ["float32", "dynamic-int8"]
        cache_bytes = _cache_bytes(weights)
        bundles = args.bundle or _built(weights, args.backend or ["onnx", "tflite"], profiles, folder)
        contenders = [_edgekit(bundle, folder, args.threads, cache_bytes) for bundle in bundles]
        contenders += _llama(weights, list(dict.fromkeys(SAME[profile] for profile in profiles)), folder, args)
        prompt = [1 + place % 200 for place in range(args.prompt)]
        for _ in range(args.rounds + 1):
            for contender in contenders:
                contender.generate(prompt, args.count)
        print(f"{'':32}{COLUMNS[0]:>13}" + "".join(f"{name:>11}" for name in COLUMNS[1:-1]) + f"{COLUMNS[-1]:>8}")
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


def _edgekit(bundle: Path, folder: Path, threads: int, cache_bytes: int) -> Contender:
    slot = folder / "slots" / bundle.stem
    zipfile.ZipFile(bundle).extractall(slot)
    size = sum(path.stat().st_size for path in slot.iterdir() if path.suffix in (".onnx", ".bin", ".pte", ".tflite"))
    argv = [sys.executable, "-m", "scripts.benchmark.decoder_worker", str(slot), str(threads)]
    return Contender(f"edgekit {bundle.stem.partition('-host-')[2]}", size, cache_bytes, _started(argv))


def _cache_bytes(weights: Path) -> int:
    """Size of the keys and values of a version-0 export, in float32."""
    with weights.open("rb") as file:
        sizes: tuple[int, ...] = struct.unpack("7i", file.read(28))
    size, _, layers, heads, groups, _, longest = sizes
    return 2 * 4 * layers * groups * longest * (size // heads)


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
        contenders.append(Contender(f"llama.cpp {precision}", file.stat().st_size, _cache_bytes(weights), process))
    return contenders


def _started(argv: Sequence[str]) -> subprocess.Popen[str]:
    # ExecuTorch's runtime writes to standard error as it loads.
    return subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
