"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli import completion, logs
from edgekit.specs.accelerator import AcceleratorName
from edgekit.specs.robustness import RobustnessMeasure


def _start_verbose(context: typer.Context, is_set: bool) -> None:
    if is_set and not context.resilient_parsing:  # that is completion
        from edgekit.cli.output import note

        context.find_root().call_on_close(logs.log_to_terminal(note))


def _start_log(context: typer.Context, file: Path | None) -> None:
    if file and not context.resilient_parsing:
        context.find_root().call_on_close(logs.log_to_file(file))


Verbose = Annotated[
    bool,
    typer.Option(
        "-v",
        "--verbose",
        is_eager=True,
        callback=_start_verbose,
        help="Show stages, and commands on devices, on stderr.",
    ),
]
Log = Annotated[
    Path | None,
    typer.Option(
        "--log", metavar="FILE", is_eager=True, callback=_start_log, help="Append the same, with times, to a file."
    ),
]
LOGGING = ("verbose", "log")
"""Names of the two options above, which the root has and hands to every command."""
Project = Annotated[
    Path | None, typer.Option("--project", metavar="DIR", help="Folder with an edgekit.toml; default: this one.")
]
Example = Annotated[
    str | None,
    typer.Option(
        "--example",
        metavar="NAME",
        help="An embedded example, such as digits.",
        autocompletion=completion.examples,
    ),
]
Target = Annotated[
    str,
    typer.Option(
        "--target",
        metavar="ID|FAMILY|all",
        help="A board, a family's default board, or all.",
        autocompletion=completion.targets,
    ),
]
Backend = Annotated[
    str | None,
    typer.Option(
        "--backend",
        metavar="B",
        help="executorch, onnx, tflite; build, plan: all; default: the target's first.",
        autocompletion=completion.backends,
    ),
]
Profile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="ID",
        help="Recipe and gates; default: the family's own.",
        autocompletion=completion.profiles,
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="K=V", help="Override one field: profile.gates.agreement.min=0.99"),
]
Accelerator = Annotated[
    AcceleratorName | None,
    typer.Option("--accelerator", help="What runs it; auto: what the device chooses, or its runtime takes."),
]
AcceleratorOption = Annotated[
    list[str] | None,
    typer.Option("--accelerator-option", metavar="NAME=VALUE", help="With --accelerator: docs/accelerators.md."),
]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Where bundle and report go.")]
Jobs = Annotated[int, typer.Option("--jobs", min=1, metavar="N", help="How many targets are built at once.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Reuse nothing, keep nothing.")]
Key = Annotated[str, typer.Option("--key", metavar="NAME|URI", help="What signs: a key's name, agent:… or pkcs11:….")]
Full = Annotated[bool, typer.Option("--full", help="Show every section, not only verdict, gates and what to do next.")]
ReportFile = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE", help="Also write it here: .html, .md, .txt, .json, .xml (JUnit), .sarif."),
]
Samples = Annotated[
    int | None,
    typer.Option("--samples", min=1, metavar="N", help="How many evaluation samples, of every class its share."),
]
Robustness = Annotated[
    RobustnessMeasure | None,
    typer.Option("--robustness", help="Also ask both for perturbed samples: docs/robustness.md."),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, everything else on stderr.")]
Runtime = Annotated[
    str | None,
    typer.Option(
        "--runtime",
        metavar="R",
        help="What runs models on the device: auto (a runtime pack), system (its own), or a pack's name, such as "
        "tflite-runtime; default: the target's own.",
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="NAME|URL",
        help="Where to: local:// is this machine.",
        autocompletion=completion.devices,
    ),
]
Devices = Annotated[
    list[str] | None,
    typer.Option(
        "--device",
        metavar="NAME|URL",
        help="Which one, once for each device; without it and --group, all that have a name are listed.",
        autocompletion=completion.devices,
    ),
]
Groups = Annotated[
    list[str] | None,
    typer.Option("--group", metavar="G", help="Every device in that group.", autocompletion=completion.device_groups),
]
DeviceArgument = Annotated[
    str,
    typer.Argument(metavar="NAME|URL", help="A device of yours, or ssh://user@host", autocompletion=completion.devices),
]
Family = Annotated[
    str | None,
    typer.Option("--family", metavar="F", help="Only of this family.", autocompletion=completion.families),
]
Generate = Annotated[
    int | None, typer.Option("--generate", min=1, metavar="N", help="Continue a prompt by N tokens, and time them.")
]
Prompt = Annotated[str | None, typer.Option("--prompt", metavar="TEXT", help="With --generate: begin with this text.")]
PromptTokens = Annotated[
    str | None, typer.Option("--prompt-tokens", metavar="1,42,…", help="With --generate: begin with these tokens.")
]


def project_words(project: Path | None, example: str | None) -> tuple[str, ...]:
    """Options that name the same project once more, for a command to type."""
    if example:
        return ("--example", example)
    return ("--project", str(project)) if project else ()
