"""Assembly of a runtime pack's folder: Debian's loader, libraries and Python, then wheels, then bytecode."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from edgekit.cache import Cache
from edgekit.devices import debian, process
from edgekit.devices.packs import native, wheels
from edgekit.devices.packs.recipe import ARCHITECTURE, LIBRARIES, PACKAGES, PYTHON, STANDARD_LIBRARY, Recipe
from edgekit.errors import PackError
from edgekit.runner.runtimes.litert_compiled_model import LIBRARY as LITERT

COMPILE_S = 300.0
# Under emulation compiling is most of a start: importing ai-edge-litert 2.3.0 takes 4.8 s from sources, 1.8 s without.
# No file of a pack ever changes, so bytecode is not compared with its source, and stands in its place.
COMPILE = """
import compileall, sys
from py_compile import PycInvalidationMode
whole = compileall.compile_dir(
    sys.argv[1], quiet=1, legacy=True, stripdir=sys.argv[1], invalidation_mode=PycInvalidationMode.UNCHECKED_HASH
)
sys.exit(not whole)
"""


def assemble(recipe: Recipe, versions: Mapping[str, str], folder: Path, cache: Cache) -> dict[str, str]:
    """Fill the folder, and return the versions of Debian's packages in it.

    Packages lie beside the standard library, so that Python finds them without looking for site folders.
    Raises PackError, ToolsMissing.
    """
    system = debian.fetched(PACKAGES, ARCHITECTURE, cache)
    modules = folder / "lib" / PYTHON
    _copy(system / "usr/bin", folder / "bin", [PYTHON])
    for name in LIBRARIES:
        _copy(next(iter(sorted(system.glob(f"**/{name}")))).parent, folder / "lib", [name])
    _copy(system / "usr/lib" / PYTHON, modules, STANDARD_LIBRARY.chosen(_files(system / "usr/lib" / PYTHON)))
    numpy = wheels.fetched("numpy", versions["numpy"], cache)
    _copy(numpy, modules, recipe.numpy.chosen(wheels.files(numpy)))
    for name in recipe.numpy.blank(wheels.files(numpy)):
        (modules / name).write_bytes(b"")
    runtime = wheels.fetched(recipe.distribution, versions[recipe.distribution], cache)
    _copy(runtime, modules, recipe.files.chosen(wheels.files(runtime)))
    if recipe.format == "pte":
        _add_executorch(runtime, folder, cache)
    tracing = modules / "ai_edge_litert" / LITERT
    if tracing.exists():
        # Importing the package would load it if it lay there; only what traces operators needs it.
        tracing.rename(folder / "lib" / LITERT)
    _compile(modules, cache)
    return {"python": _version(system, f"{PYTHON}-minimal"), "libc": _version(system, "libc6")}


def _add_executorch(wheel: Path, folder: Path, cache: Cache) -> None:
    """Move ExecuTorch's libraries beside the others, and compile the one that calls them: no Python of it is needed."""
    inside = folder / "lib" / PYTHON / "executorch"
    for library in sorted((inside / "lib").glob("*.so")):
        library.rename(folder / "lib" / library.name)
    shutil.rmtree(inside)
    native.compile_library(wheel / "executorch/include", folder / "lib", folder / "lib", cache)


def _compile(modules: Path, cache: Cache) -> None:
    """Replace sources by bytecode."""
    run_python(cache, COMPILE, str(modules))
    for source in sorted(modules.rglob("*.py")):
        source.unlink()


def run_python(cache: Cache, program: str, *arguments: str) -> None:
    """Run a program with Debian's Python for this machine: another version's bytecode differs.

    Raises PackError, for a Python module of it that cannot be compiled, ToolsMissing.
    """
    own = debian.fetched(PACKAGES, debian.host(), cache)
    argv = [*debian.command(own, f"usr/bin/{PYTHON}"), "-S", "-s", "-B", "-c", program, *arguments]
    # Bytecode holds sets in the order of their hashes.
    ended = process.run(argv, timeout=COMPILE_S, env={"PYTHONHASHSEED": "0"})
    if ended.returncode:
        lines = (ended.stdout + ended.stderr).strip().splitlines()[-3:]
        raise PackError(f"modules could not be compiled: {' | '.join(lines)}")


def _copy(source: Path, target: Path, names: Iterable[str]) -> None:
    """Copy files, and the targets of links: a pack holds no links, as not every device's disk can hold them."""
    for name in names:
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, path)


def _files(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]


def _version(system: Path, package: str) -> str:
    """Version of a package in the list of fetched packages: NAME_VERSION_ARCHITECTURE SHA-256."""
    lines = (system / debian.LISTED).read_text().splitlines()
    return next(line.split("_")[1] for line in lines if line.startswith(f"{package}_"))
