"""Cross-compilation of the library that runs ExecuTorch programs without torch, by Debian's compiler."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.cache import Cache
from edgekit.devices import debian, process
from edgekit.devices.packs.recipe import LIBRARIES, LOADER
from edgekit.errors import PackError

SOURCE = Path(__file__).with_name("executorch.cpp")
LIBRARY = "libedgekit_executorch.so"
COMPILER = ("g++-12-aarch64-linux-gnu",)
COMPILE_S = 300.0
PREFIX, GCC = "usr/aarch64-linux-gnu", "usr/lib/gcc-cross/aarch64-linux-gnu/12"
FLAGS = ("-std=c++17", "-O2", "-fPIC", "-w", "-D_GNU_SOURCE", "-DC10_USING_CUSTOM_GENERATED_MACROS")
# Headers of executorch 1.5.1 use what these declare, and leave it to others to include them.
INCLUDED = ("-include", "cstdlib", "-include", "cstring")


def compile_library(headers: Path, libraries: Path, folder: Path, cache: Cache) -> None:
    """Write the library into `folder`, against the wheel's headers and the libraries that the pack will hold.

    Raises ToolsMissing if the compiler cannot be had, PackError if it fails.
    """
    tools = debian.fetched(COMPILER, debian.host(), cache)
    scratch = [folder / f"{LIBRARY}{ending}" for ending in (".s", ".o")]
    # Step by step, each program by its own loader. The driver `g++` would start them with this machine's libraries,
    # and Debian's `libc.so` is a script for the linker that names files under /usr.
    try:
        _run_tool(
            tools, f"{GCC}/cc1plus", "-quiet", *FLAGS, *INCLUDED, *_search(tools, headers), SOURCE, "-o", scratch[0]
        )
        _run_tool(tools, "usr/bin/aarch64-linux-gnu-as", scratch[0], "-o", scratch[1])
        _run_tool(tools, "usr/bin/aarch64-linux-gnu-ld.bfd", *_linked(tools, libraries, scratch[1], folder / LIBRARY))
    finally:
        for path in scratch:
            path.unlink(missing_ok=True)


def _search(tools: Path, headers: Path) -> list[str]:
    standard = f"{PREFIX}/include/c++/12"
    system = (standard, f"{standard}/aarch64-linux-gnu", f"{GCC}/include", f"{PREFIX}/include")
    own = (headers, headers / "executorch/runtime/core/portable_type/c10")
    return [*(f"-I{path}" for path in own), *(word for path in system for word in ("-isystem", str(tools / path)))]


def _linked(tools: Path, libraries: Path, compiled: Path, out: Path) -> list[str | Path]:
    runtime = sorted(libraries.glob("libexecutorch*.so"))
    system = [libraries / name for name in LIBRARIES if name != LOADER]
    start, end = tools / GCC / "crtbeginS.o", tools / GCC / "crtendS.o"
    options = ("-shared", "-znow", "--eh-frame-hdr", "--hash-style=gnu", "--build-id=none", "--strip-all")
    # Kernels and delegates register themselves when they are loaded: nothing calls them by name.
    kept: list[str | Path] = ["--no-as-needed", *runtime, "--as-needed", *system, tools / GCC / "libgcc.a"]
    return [*options, "--no-undefined", "--allow-shlib-undefined", start, compiled, *kept, end, "-o", out]


def _run_tool(tools: Path, program: str, *argv: str | Path) -> None:
    ended = process.run([*debian.command(tools, program), *map(str, argv)], timeout=COMPILE_S)
    if ended.returncode:
        error = _first_error(ended.stderr.splitlines())
        raise PackError(f"'{SOURCE.name}' could not be compiled for the device: {error}")


def _first_error(lines: Sequence[str]) -> str:
    return next((line for line in lines if "error" in line or "undefined" in line), " | ".join(lines[-3:]))
