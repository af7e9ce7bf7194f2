"""Order of the commands in `edgekit --help`: by what a person wants to do, with an example and where to read on."""

from __future__ import annotations

from typing import NamedTuple

BUILD = "Build a model for a device"
FIELD = "Put it on devices"
MEASURE = "Measure and compare"
UNDERSTAND = "Understand a result"
NAMES = "Look up names, keys and runtimes"
OTHERS = "Other commands"


class Guide(NamedTuple):
    """Group of a command in the help, an example of it, and the page of the documentation to read on."""

    panel: str
    example: str
    page: str

    @property
    def epilog(self) -> str:
        """Last lines of the command's help."""
        return f"Example: {self.example}\n\nRead on: docs/{self.page}"


GUIDES = {
    "init": Guide(BUILD, "edgekit init --yes --build raspberry-pi", "first-hour.md"),
    "build": Guide(BUILD, "edgekit build --example digits --target raspberry-pi", "report.md"),
    "run": Guide(BUILD, "edgekit run --example digits --target raspberry-pi --device emulated", "report.md"),
    "plan": Guide(BUILD, "edgekit plan --example digits --target all", "compression.md"),
    "export": Guide(FIELD, "edgekit export model.edgekit --out exported", "export.md"),
    "flash": Guide(FIELD, "edgekit flash model.edgekit --device kitchen", "devices.md"),
    "status": Guide(FIELD, "edgekit status --device kitchen", "devices.md"),
    "history": Guide(FIELD, "edgekit history --group lab", "devices.md"),
    "commit": Guide(FIELD, "edgekit commit --device kitchen", "devices.md"),
    "rollback": Guide(FIELD, "edgekit rollback --device kitchen", "devices.md"),
    "device": Guide(FIELD, "edgekit device add kitchen ssh://pi@kitchen --group lab", "devices.md"),
    "monitor": Guide(FIELD, "edgekit monitor --group lab", "monitor.md"),
    "predict": Guide(MEASURE, "edgekit predict model.edgekit picture.jpg", "first-hour.md"),
    "probe": Guide(MEASURE, "edgekit probe --device kitchen --example digits", "probe.md"),
    "compare": Guide(MEASURE, "edgekit compare out/reference.json out/candidate.json", "statistics.md"),
    "reference": Guide(MEASURE, "edgekit reference serve --example digits", "serving.md"),
    "report": Guide(UNDERSTAND, "edgekit report edgekit-out --format pr", "ci.md"),
    "inspect": Guide(UNDERSTAND, "edgekit inspect model.edgekit --placement", "bundle.md"),
    "diagnose": Guide(UNDERSTAND, "edgekit diagnose --example digits --target raspberry-pi", "compression.md"),
    "ablate": Guide(UNDERSTAND, "edgekit ablate --example digits --target raspberry-pi", "ablation.md"),
    "atlas": Guide(UNDERSTAND, "edgekit atlas edgekit-out", "atlas.md"),
    "evidence": Guide(UNDERSTAND, "edgekit evidence model.edgekit --out evidence", "evidence.md"),
    "verify-source": Guide(
        UNDERSTAND, "edgekit verify-source weights --oms model.sig --key signer.pub", "signed-weights.md"
    ),
    "doctor": Guide(UNDERSTAND, "edgekit doctor --devices", "first-hour.md"),
    "explain": Guide(UNDERSTAND, "edgekit explain EK105", "README.md"),
    "targets": Guide(NAMES, "edgekit targets --family raspberry-pi", "accelerators.md"),
    "profiles": Guide(NAMES, "edgekit profiles show jetson-int8", "compression.md"),
    "keys": Guide(NAMES, "edgekit keys new release", "bundle.md"),
    "cache": Guide(NAMES, "edgekit cache show", "first-hour.md"),
    "runtime": Guide(NAMES, "edgekit runtime build tflite", "devices.md"),
}
"""Guides by command, in the order of the help. A command without one is among the others."""


def panel_of(command: str) -> str:
    """Group of a command in the help."""
    return GUIDES[command].panel if command in GUIDES else OTHERS
