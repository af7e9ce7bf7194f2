"""Find files of targets, profiles and kinds of accelerators, by id or family."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import SpecError, UnknownName, suggest
from edgekit.plugins import load_all
from edgekit.specs.accelerator_kind import KINDS, AcceleratorKind, Kind
from edgekit.specs.profile import Profile
from edgekit.specs.spec import S, parse, read_toml
from edgekit.specs.target import Target


def builtin_root() -> Path:
    """Locate the built-in catalogue: inside the package in a wheel, at the top of a checkout."""
    packaged = Path(__file__).parents[1] / "_catalog"
    return packaged if packaged.is_dir() else Path(__file__).parents[2]


@dataclass(frozen=True)
class Catalog:
    """An ordered search path of folders with `targets/`, `profiles/` and `accelerators/`; the first with an id wins."""

    roots: tuple[Path, ...]

    @classmethod
    def default(cls, project: Path | None = None) -> Catalog:
        """Make the search path: the project's folder, plug-ins (group `edgekit.catalogs`), the built-in catalogue."""
        plugins = tuple(Path(folder()) for folder in load_all("catalogs").values())
        return cls((project or Path.cwd(), *plugins, builtin_root()))

    def targets(self) -> list[Target]:
        return [self._target(path) for path in self._files("targets")]

    def profiles(self) -> list[Profile]:
        return [self._read("profiles", path, Profile) for path in self._files("profiles")]

    def target(self, name: str) -> Target:
        """Find the target with that id, or the default board of that family. Raises UnknownName."""
        path = next((path for path in self._files("targets") if path.stem == name), None)
        if path:
            return self._target(path)
        targets = self.targets()
        for target in targets:
            if target.family == name and target.default:
                return target
        raise _unknown("target", name, {t.id for t in targets} | {t.family for t in targets})

    def profile(self, name: str) -> Profile:
        """Find the profile with that id. Raises UnknownName."""
        match = self._find("profiles", name, Profile)
        if match:
            return match
        raise _unknown("profile", name, {profile.id for profile in self.profiles()})

    def accelerators(self) -> list[AcceleratorKind]:
        return [self._read("accelerators", path, AcceleratorKind) for path in self._files("accelerators")]

    def accelerator(self, kind: Kind) -> AcceleratorKind:
        """Find the facts of a kind of accelerator. Raises UnknownName if no file has them."""
        match = self._find("accelerators", kind, AcceleratorKind)
        if match:
            return match
        known = [path.stem for path in self._files("accelerators")]
        raise UnknownName(
            f"no file states the accelerator '{kind}'", hint=suggest(kind, known, f"write accelerators/{kind}.toml")
        )

    def default_profile(self, target: Target) -> Profile:
        """Find the profile that the target's family uses when none is named. Raises UnknownName if it has none."""
        for profile in self.profiles():
            if profile.default and target.family in profile.families:
                return profile
        raise UnknownName(f"family '{target.family}' has no default profile", hint="name one: --profile ID")

    def _target(self, path: Path) -> Target:
        """Read a target. Raises SpecError for an accelerator of a kind that no file states."""
        target = self._read("targets", path, Target)
        known = {*KINDS, *(file.stem for file in self._files("accelerators"))} if target.accelerator else set()
        for place, accelerator in enumerate(target.accelerator):
            if accelerator.kind not in known:
                raise SpecError(
                    f"targets/{path.name}: 'accelerator.{place}.kind': no file states '{accelerator.kind}'",
                    hint=suggest(accelerator.kind, known, f"write accelerators/{accelerator.kind}.toml"),
                )
        return target

    def _files(self, kind: str) -> Iterator[Path]:
        seen = set()
        for root in self.roots:
            for path in sorted((root / kind).glob("*.toml"), key=lambda file: file.stem):
                if path.stem not in seen:
                    seen.add(path.stem)
                    yield path

    def _find(self, kind: str, name: str, model: type[S]) -> S | None:
        path = next((path for path in self._files(kind) if path.stem == name), None)
        return self._read(kind, path, model) if path else None

    def _read(self, kind: str, path: Path, model: type[S]) -> S:
        return parse(model, read_toml(path), f"{kind}/{path.name}", derived={"id": path.stem})


def _unknown(kind: str, name: str, known: set[str]) -> UnknownName:
    return UnknownName(f"no {kind} is named '{name}'", hint=suggest(name, known, f"`edgekit {kind}s` lists them"))
