"""Operators of a model file that an accelerator will not take, by its documented rules, before anything is shipped."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from edgekit.ir.artifact import Format
from edgekit.ir.graph_step import GraphStep
from edgekit.specs.accelerator_kind import AcceleratorKind, TargetAccelerator

FLOAT, INTEGER = ("float32", "float64"), ("int8", "uint8", "int16", "uint16")
SHOWN = 4
"""Largest count of operators that a sentence names."""


@dataclass(frozen=True)
class LeftOperator:
    """Operator that stays on the CPU."""

    step: GraphStep
    why: str
    instead: str
    """Form to write in its place; empty where nothing is known."""


@dataclass(frozen=True)
class AcceleratorFit:
    """Result of the check of one file for one accelerator."""

    kind: str
    operators: int
    left: tuple[LeftOperator, ...]
    hand_overs: int
    """Tensors that go from the accelerator to the CPU, or back, within the network."""

    @property
    def sentence(self) -> str:
        """The result in words, with the first operators that stay, by kind."""
        if not self.left:
            return f"{self.kind} takes all {self.operators} operators, by its documented rules"
        counts = Counter((each.step.operator, each.why, each.instead) for each in self.left)
        first = {(each.step.operator, each.why, each.instead): each.step.where for each in reversed(self.left)}
        named = [_named(key, count, first[key]) for key, count in counts.most_common(SHOWN)]
        more = " …" if len(counts) > SHOWN else ""
        overs = f"{self.hand_overs} hand-over{'' if self.hand_overs == 1 else 's'} between it and the CPU"
        accelerated = self.operators - len(self.left)
        start = f"{self.kind} takes {accelerated} of {self.operators} operators, with {overs}"
        return f"{start}; not {'; '.join(named)}{more}"


def accelerator_fit(
    facts: AcceleratorKind, accelerator: TargetAccelerator, steps: tuple[GraphStep, ...], free: str = ""
) -> AcceleratorFit:
    """Check every operator. free: name of a length that the model leaves free; empty for fixed shapes."""
    left = []
    for step in steps:
        why, instead = _refusal(facts, accelerator, step, free)
        if why:
            left.append(LeftOperator(step, why, instead))
    return AcceleratorFit(facts.id, len(steps), tuple(left), _hand_overs(steps, left))


def graph_steps(path: Path, format: Format) -> tuple[GraphStep, ...]:
    """Operators of a model file; none for a format whose accelerators have no rules here."""
    if format == "tflite":
        from edgekit.backends.tflite.graph_steps import graph_steps as of_tflite

        return of_tflite(path)
    if format == "onnx":
        from edgekit.backends.onnx.graph_steps import graph_steps as of_onnx

        return of_onnx(path)
    return ()


def _refusal(facts: AcceleratorKind, accelerator: TargetAccelerator, step: GraphStep, free: str) -> tuple[str, str]:
    """Reason why the operator is not taken, and what to write instead; two empty texts if it is."""
    rule = next((rule for rule in facts.rule if step.operator in rule.operators), None)
    instead = rule.instead if rule else ""
    if free and not facts.dynamic_shapes:
        return f"length '{free}' is free, and it takes fixed shapes", "state one length under [inputs]"
    if step.operator not in facts.takes:
        return "it has no such operator", instead
    least, most = (min(rule.ranks), max(rule.ranks)) if rule and rule.ranks else (0, facts.ranks)
    rank = next((rank for rank in step.ranks if rank and (rank < least or (most and rank > most))), None)
    if rank is not None:
        limit = f"{least} to {most}" if least else f"at most {most}"
        return f"a tensor of {rank} axes, and it takes {limit}", instead or "reshape to fewer axes before it"
    number = next((number for number in step.numbers if not _takes(facts, accelerator, number)), None)
    if number is not None:
        able = ", ".join(facts.numbers or accelerator.activations)
        return f"{number}, and it computes in {able}", _another_number(number, accelerator)
    return "", ""


def _another_number(number: str, accelerator: TargetAccelerator) -> str:
    if number == "int8" and "uint8" in accelerator.activations:
        return 'set activations = "uint8" in the [[runtime]] of the target'
    return "take a profile of static int8" if number in FLOAT else "use another type there"


def _takes(facts: AcceleratorKind, accelerator: TargetAccelerator, number: str) -> bool:
    if facts.numbers:
        return number in facts.numbers
    if number in FLOAT:  # floating point is computed in half precision there
        return "float32" in accelerator.activations or "float16" in accelerator.activations
    return number not in INTEGER or number in accelerator.activations


def _hand_overs(steps: tuple[GraphStep, ...], left: list[LeftOperator]) -> int:
    """Count tensors that one side writes and the other reads."""
    stays = {id(each.step) for each in left}
    maker = {name: id(step) in stays for step in steps for name in step.writes}
    crossing = {name for step in steps for name in step.reads if name in maker and maker[name] != (id(step) in stays)}
    return len(crossing)


def _named(key: tuple[str, str, str], count: int, where: str) -> str:
    operator, why, instead = key
    times = f"{count} × {operator}, first in {where}" if count > 1 else f"{operator} in {where}"
    return f"{times}: {why}" + (f"; {instead}" if instead else "")
