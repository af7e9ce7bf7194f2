"""Pages of the reference, each made from the code when the site is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel

from edgekit.bundle.manifest import Manifest
from edgekit.report.report import Document
from edgekit.specs.profile import Profile
from edgekit.specs.project import Project
from edgekit.specs.target import Target
from scripts.documentation.command_reference import command_reference
from scripts.documentation.error_reference import error_reference
from scripts.documentation.python_reference import python_reference
from scripts.documentation.schema_reference import schema_reference


@dataclass(frozen=True)
class FilePage:
    """Page on a file: every field of the model that reads it."""

    title: str
    introduction: str
    model: type[BaseModel]
    hidden: frozenset[str] = frozenset()
    """Fields that come from the file's place."""

    def __call__(self) -> str:
        return schema_reference(self.title, self.introduction, self.model, self.hidden)


REPORT = """\
What `edgekit build` and `edgekit run` write, and `--json` prints. How to read it: [the report](../report.md).
The same as a [JSON schema](../report.schema.json)."""
PROJECT = """\
Keys of a project, whose name is that of its folder. `edgekit init` [writes one](../first-hour.md); options of
`[task]`: [tasks](../tasks.md)."""
PROFILE = """\
Keys of `profiles/ID.toml`: the recipe and the gates. `edgekit profiles show ID` prints one; what a recipe does:
[compression](../compression.md)."""
TARGET = "Keys of `targets/ID.toml`: the facts of a board. `edgekit targets show ID` prints one."
MANIFEST = """\
What a `.edgekit` bundle says of itself, and its signatures cover. How it is read: [the bundle](../bundle.md)."""
REFERENCE: dict[str, tuple[str, Callable[[], str]]] = {
    "reference/command-line.md": ("Command line", command_reference),
    "reference/errors.md": ("Error codes", error_reference),
    "reference/report-json.md": ("report.json", FilePage("report.json", REPORT, Document)),
    "reference/project-file.md": (
        "edgekit.toml",
        FilePage("edgekit.toml", PROJECT, Project, frozenset({"root", "name"})),
    ),
    "reference/profile-file.md": ("Profiles", FilePage("Profiles", PROFILE, Profile, frozenset({"id"}))),
    "reference/target-file.md": ("Targets", FilePage("Targets", TARGET, Target, frozenset({"id"}))),
    "reference/bundle-manifest.md": ("manifest.json", FilePage("manifest.json", MANIFEST, Manifest)),
    "reference/python-api.md": ("Python API", python_reference),
}
"""Pages by path, each with its title. A page names one as a code span, which becomes a link."""
