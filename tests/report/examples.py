"""Reports of one small network, by how they ended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from edgekit.ir.measurement import Environment, ServerTime
from edgekit.ir.signature import Affine, Signature, TensorSpec
from edgekit.ir.stage_record import StageRecord
from edgekit.parity.compare import compare
from edgekit.parity.comparison import Comparison
from edgekit.parity.gate_inputs import Device, GateInputs
from edgekit.parity.gates import judge
from edgekit.parity.numeric import NumericParity, parity_sentence
from edgekit.report.assemble import BuildFacts, ProbeFacts, report
from edgekit.report.record import ArtifactRecord, BundleRecord, File, FragmentsRecord
from edgekit.report.report import Report
from edgekit.samples import Sampling
from edgekit.specs.compression import Quantize
from edgekit.specs.cost import Cost
from edgekit.specs.profile import Gates, Profile
from edgekit.specs.target import Cpu, Deploy, Emulation, Memory, RuntimeSpec, Target
from edgekit.tasks.classification import Classification
from tests.parity.examples import environment, pair, probed, served_by, timed

TARGET = Target(
    schema_version=1,
    id="raspberry-pi-5",
    title="Raspberry Pi 5",
    family="raspberry-pi",
    sources=("https://example.org",),
    cpu=Cpu(cores=("4x cortex-a76",)),
    memory=Memory(ram_mb=4096),
    runtime=(RuntimeSpec(backend="executorch", delegates=("xnnpack",)),),
    deploy=Deploy(transport="ssh", root="/opt/edgekit"),
)
GATES = Gates.model_validate(
    {
        "accuracy_drop": {"max": 0.01, "confidence": 0.95},
        "agreement": {"min": 0.98},
        "size_ratio": {"max": 0.35},
        "latency_p50_ms": {"max": 5.0},
    }
)
ARTIFACT = ArtifactRecord(
    format="pte",
    files=(File(path="model.pte", bytes=315_048, sha256="c0ffee" * 10 + "abcd"),),
    size_bytes=315_048,
    float_size_bytes=1_099_176,
    size_ratio=315_048 / 1_099_176,
    integer_share=1.0,
    integer_macs_share=0.996,
    delegated_share=0.9995,
    fallback_share=0.0005,
    fragments=FragmentsRecord(delegates=2, kernels=1, boundary_bytes=5_322),
    macs=40_813_184,
    placement_basis="read off the graph as its runtime loaded it",
    signature=Signature(
        inputs=(TensorSpec("image", "uint8", (1, 32, 32, 3)),),
        outputs=(TensorSpec("output", "int8", (1, 10), Affine(0.125, -3)),),
    ),
)
STAGES = (
    StageRecord(name="capture", seconds=1.25, cached=False),
    StageRecord(name="quantize", seconds=0.01, cached=True),
    StageRecord(name="lower", seconds=8.5, cached=False),
)
BUNDLE = BundleRecord(path="out/net.edgekit", digest="d" * 64, signer="ed25519:0123456789abcdef")


INT8 = Quantize()


def profile(quantize: Quantize | None = INT8, gates: Gates = GATES) -> Profile:
    name = "raspberry-pi-int8" if quantize else "float32"
    return Profile(
        schema_version=1, id=name, summary="a recipe", families=("raspberry-pi",), quantize=quantize, gates=gates
    )


def compared(lost: int, where: Environment, runs: int = 128, invalid: str | None = None) -> Comparison:
    """10,000 samples of which the candidate loses `lost`, and regains 40; `runs` inferences of 2.5 ms each."""
    reference, candidate = pair(10_000, lost, 40, wrong=1000)
    candidate = replace(timed(candidate, np.full(runs, 2_500_000), invalid), environment=where)
    return compare(timed(reference, np.full(700, 4_000_000)), candidate, Classification())


def made(
    comparison: Comparison,
    device: str | None = "ssh://pi-lab-01",
    recipe: Profile | None = None,
    artifact: ArtifactRecord = ARTIFACT,
    bundle: BundleRecord | None = BUNDLE,
    target: Target = TARGET,
    training_s: float = 0.0,
    **more: Any,
) -> Report:
    recipe = recipe or profile()
    emulated = comparison.candidate.environment.kind == "emulated"
    kind: Device = "emulated" if emulated else "real" if device else "none"
    inputs = GateInputs(
        comparison=comparison,
        size_ratio=artifact.size_ratio,
        integer_share=artifact.integer_share,
        integer_macs_share=artifact.integer_macs_share,
        fallback_share=artifact.fallback_share,
        device=kind,
        baseline=more["earlier"].baseline if more.get("earlier") else None,
    )
    versions = {"torch": "2.13.0", "executorch": "1.5.1"}
    return report(
        BuildFacts(target, recipe, "executorch", artifact, STAGES, bundle, versions, training_s),
        ProbeFacts(device, comparison, judge(recipe.gates, inputs), **more),
    )


def passed() -> Report:
    """A run on the board that passed every gate."""
    return made(compared(60, environment()))


def failed() -> Report:
    """A run on the board that lost too many answers."""
    return made(compared(500, environment(), runs=40, invalid="it ran for 0.1 s of 10 s"))


def built() -> Report:
    """A build: the host stood in, and nothing was timed."""
    return made(compared(60, environment("local", host_stand_in=True), runs=0), device=None)


def stood_in() -> Report:
    """`local://`: the host stood in and was timed."""
    return made(compared(60, environment("device", host_stand_in=True)), device="local://")


def served(server: ServerTime | None = None, cost: Cost | None = None) -> Report:
    """A run on the board with all facts of a probe, against a server."""
    reference, candidate = pair(10_000, 60, 40, wrong=1000)
    rng = np.random.default_rng(5)
    ours = probed(timed(candidate, (2_400_000 + rng.exponential(80_000, 1024)).astype(np.int64)))
    theirs = served_by(timed(reference, (9_000_000 * rng.lognormal(0, 0.2, 1024)).astype(np.int64)), server)
    recipe = profile().model_copy(update={"cost": cost})
    return made(compare(theirs, ours, Classification()), recipe=recipe, training_s=5400.0)


COUNTED = Gates.model_validate({"instructions_ratio": {"max": 1.02}})
PARITY = NumericParity(
    sentence=parity_sentence(0.997, 0.125, 1, 15.4, 1.0),
    samples=10_000,
    equal_share=0.997,
    within_one_step_share=1.0,
    worst=0.125,
    worst_steps=1,
    value_range=15.4,
    same_answers=1.0,
)
ORIN = TARGET.model_copy(
    update={
        "id": "jetson-orin-nano",
        "title": "Jetson Orin Nano",
        "emulation": Emulation(qemu_cpu="cortex-a76", stands_in="QEMU 10 has no cortex-a78ae"),
    }
)


def emulated(instructions: int | None = 138_398, gates: Gates | None = None, **changed: Any) -> Report:
    """A run on an emulated device, 10,000 of 60,000 samples; nothing was timed."""
    where = replace(environment("emulated"), cpu="cortex-a76")
    comparison = compared(60, where, runs=0, invalid="an emulated device has no time of its own")
    counted = replace(comparison, candidate=comparison.candidate.model_copy(update={"instructions": instructions}))
    both = GATES.model_copy(update={"instructions_ratio": COUNTED.instructions_ratio})
    more = {"sampling": Sampling(10_000, 60_000, stratified=True), "host_parity": PARITY, **changed}
    return made(counted, "emulated://raspberry-pi-5", profile(gates=gates or both), **more)
