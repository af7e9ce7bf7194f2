"""Output of an earlier build, read back: bundle, profile and report."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.bundle.archive import Bundle
from edgekit.bundle.manifest import Manifest
from edgekit.bundle.signing import PublicKey
from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.ir.signature import TensorSpec
from edgekit.ir.sqnr import sqnr_db
from edgekit.pipeline.request import BuildRequest, resolve_requests
from edgekit.report.report import Report, read_reports
from edgekit.runner.model.tensors import dequantize
from edgekit.specs import override
from edgekit.specs.override import Override
from edgekit.specs.profile import Profile
from edgekit.specs.project import Project
from edgekit.specs.spec import parse
from edgekit.untrusted import json_text
from edgekit.untrusted.npy import read_from

PROFILE = "profile.json"
"""Profile that a build writes beside its report, with the changes of `--set`."""
SAME_DB = 6.0
"""SQNR in dB from which golden outputs and the project's outputs are of one network; another has about 0 dB."""


@dataclass(frozen=True)
class BuildOutput:
    """Output of a build: its bundle, and the profile and report if they lie beside it."""

    bundle: Bundle
    profile: Profile | None
    report: Report | None

    @classmethod
    def open(cls, path: Path, trusted: Sequence[PublicKey]) -> BuildOutput:
        """Open the output in a folder, or beside a bundle. Raises DataError if there is none, and as `Bundle.open`."""
        bundle = Bundle.open(_bundle_in(path) if path.is_dir() else path, trusted)
        folder = bundle.path.parent
        known = (bundle.digest, bundle.file_sha256)  # older reports name the file's
        report = next((r for r in _reports(folder) if r.bundle and r.bundle.digest in known), None)
        return cls(bundle, _profile(folder / PROFILE, bundle.manifest), report)

    def request(self, project: Project, changes: Sequence[str]) -> BuildRequest:
        """Order of that build, with `changes` as `--set` takes them. Raises UsageError if a name in it is unknown."""
        manifest = self.bundle.manifest
        if self.profile is None:
            return resolve_requests(project, manifest.target, manifest.backend, manifest.profile, changes)[0]
        # The target's family has a default profile; the one that was used replaces it.
        request = resolve_requests(
            project, manifest.target, manifest.backend, None, [c for c in changes if not _of_profile(c)]
        )[0]
        profile = override.apply(self.profile, "profile", [Override.parse(change) for change in changes])
        profile.check(request.target, request.runtime, request.backend.refuses)
        return replace(request, profile=profile)

    def golden(self, inputs: Sequence[TensorSpec]) -> list[Array]:
        """Read the golden inputs of the bundle. Raises DataError if a model with these inputs does not take them."""
        columns = []
        for spec in inputs:
            values = self._array(f"golden/inputs/{spec.name}.npy")
            if values is None or values.shape[1:] != spec.shape[1:] or values.dtype.name != spec.dtype:
                raise DataError(
                    f"the project's model takes {spec}, and '{self.bundle.path.name}' was built for another",
                    hint="edgekit build makes the bundle anew; --project DIR names another project",
                )
            columns.append(values)
        return columns

    def changed(self, answers: Mapping[str, Array]) -> list[str]:
        """Compare golden outputs of the bundle with `answers` of the project's model: a sentence if they differ."""
        name = self.bundle.path.name
        for spec in self.bundle.manifest.signature.outputs:
            golden, now = self._array(f"golden/outputs/{spec.name}.npy"), answers.get(spec.name)
            if golden is None or now is None or golden.shape != now.shape:
                return [f"the project's model does not give the outputs of '{name}': build it again"]
            if spec.affine:
                golden = dequantize(golden, spec.affine.scale, spec.affine.zero_point)
            near = sqnr_db(golden, now)
            if not near >= SAME_DB:
                return [
                    f"the project's model has changed since '{name}' was built: its golden answers are {near:.1f} dB "
                    "from those of now, which this is about. Build it again"
                ]
        return []

    def _array(self, name: str) -> Array | None:
        if name not in {file.path for file in self.bundle.manifest.files}:
            return None
        content = self.bundle.read(name)
        try:
            return read_from(io.BytesIO(content), len(content))
        except ValueError as error:
            raise DataError(f"'{name}' in '{self.bundle.path.name}' is no array: {error}") from error


def _bundle_in(folder: Path) -> Path:
    bundles = sorted(folder.glob("*.edgekit"))
    if not bundles:
        deeper = sorted(folder.glob("*/*.edgekit"))
        hint = f"edgekit diagnose '{deeper[0].parent}'" if deeper else "edgekit build leaves one in --out"
        raise DataError(f"there is no bundle in '{folder}'", hint=hint)
    if len(bundles) > 1:
        raise DataError(f"there are {len(bundles)} bundles in '{folder}'", hint=f"edgekit diagnose '{bundles[0]}'")
    return bundles[0]


def _reports(folder: Path) -> tuple[Report, ...]:
    path = folder / "report.json"
    return read_reports(path) if path.is_file() else ()


def _profile(path: Path, manifest: Manifest) -> Profile | None:
    """Profile in a file beside the report; None if there is none, or if it is of another bundle."""
    if not path.is_file():
        return None
    try:
        values = json_text.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"'{path}' cannot be read: {error}", hint="edgekit build writes it anew") from error
    profile = parse(Profile, values, str(path))
    return profile if profile.id == manifest.profile else None


def _of_profile(change: str) -> bool:
    return change.startswith("profile.")
