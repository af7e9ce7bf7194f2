"""Recipes of runtime packs: their content, as data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib.metadata import requires

from edgekit.errors import OptionError, PackError, UnknownName, suggest
from edgekit.ir.artifact import Format
from edgekit.runner.machine.runtime_versions import DISTRIBUTIONS

ARCHITECTURE = "arm64"
MACHINE = "aarch64"
"""Names in Debian and in `uname -m` of the architecture that packs are for."""
PYTHON = "python3.11"
PACKAGES = ("libexpat1", "libffi8", "libpython3.11-stdlib", "libstdc++6", "python3.11-minimal", "zlib1g")
LOADER = "ld-linux-aarch64.so.1"
LIBRARIES = (
    LOADER,
    *("libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0", "librt.so.1", "libutil.so.1"),
    *("libexpat.so.1", "libffi.so.8", "libgcc_s.so.1", "libstdc++.so.6", "libz.so.1"),
)


@dataclass(frozen=True)
class Files:
    """Selection of a package's files: those that match one of `kept`, but none of `dropped`. A `*` also matches `/`."""

    kept: tuple[str, ...] = ("*",)
    dropped: tuple[str, ...] = ()
    emptied: tuple[str, ...] = ()
    """Modules that the package imports, and that do nothing which a device needs: they are replaced by empty files."""

    def chosen(self, paths: Iterable[str]) -> list[str]:
        return sorted(path for path in paths if _matches(path, self.kept) and not _matches(path, self.dropped))

    def blank(self, paths: Iterable[str]) -> list[str]:
        return [path for path in self.chosen(paths) if _matches(path, self.emptied)]


STANDARD_LIBRARY = Files(
    dropped=(
        *("test/*", "*/test/*", "*/tests/*", "*/__pycache__/*", "sitecustomize.py", "EXTERNALLY-MANAGED"),
        # Programs, and what they are shown on.
        *("idlelib/*", "tkinter/*", "turtle*", "curses/*", "pydoc*", "pdb.py", "this.py", "antigravity.py"),
        # What builds and installs.
        *("ensurepip/*", "venv/*", "distutils/*", "lib2to3/*", "config-3.11-*", "_sysconfigdata_*", "zipapp.py"),
        # Servers, clients and formats of the internet, but for http.client, which applications need; databases.
        *("asyncio/*", "wsgiref/*", "xmlrpc/*", "http/cookie*", "http/server.py", "sqlite3/*", "dbm/*", "mailbox.py"),
        *("smtp*", "imaplib.py"),
        *("ftplib.py", "nntplib.py", "poplib.py", "telnetlib.py", "cgi*", "webbrowser.py", "ssl.py", "xml/*", "html/*"),
        *("aifc.py", "sunau.py", "wave.py", "plistlib.py", "socketserver.py", "smtpd.py", "mailcap.py"),
        # Tests, and processes beside ours.
        *("unittest/*", "doctest.py", "multiprocessing/*", "lib-dynload/_multiprocessing*", "lib-dynload/_posixshmem*"),
        # Modules in C that are tests, or want libraries that are not in the pack.
        *("lib-dynload/_test*", "lib-dynload/_xx*", "lib-dynload/xx*", "lib-dynload/_codecs_*", "lib-dynload/audioop*"),
        *("lib-dynload/_bz2*", "lib-dynload/_lzma*", "lib-dynload/_hashlib*", "lib-dynload/_ssl*", "lib-dynload/nis*"),
        *("lib-dynload/_sqlite3*", "lib-dynload/_curses*", "lib-dynload/_dbm*", "lib-dynload/_crypt*"),
        *("lib-dynload/_uuid*", "lib-dynload/readline*", "lib-dynload/ossaudiodev*", "lib-dynload/_ctypes_test*"),
    ),
)
UNREAD = ("*.pyi", "*.h", "*.a", "*.c", "*.pxd", "*.pyx", "*/tests/*", "*.dist-info/RECORD")
NUMPY_1 = Files(
    dropped=(
        *UNREAD,
        *("numpy/f2py/*", "numpy/distutils/*", "numpy/_pyinstaller/*", "numpy/doc/*", "numpy/*/examples/*"),
        "numpy/*/_simd.*.so",
    ),
    # They write documentation into functions, a fifth of what importing numpy costs.
    emptied=("numpy/*core/_add_newdocs*.py",),
)
NUMPY_2 = Files(
    dropped=(
        *NUMPY_1.dropped,
        # What numpy 2 imports only for those who use it; functions of preprocessing may use fft, and ma by median.
        *("numpy/random/*", "numpy/polynomial/*", "numpy/testing/*", "numpy/core/*"),
        "numpy/*_tests.*.so",
    ),
    emptied=NUMPY_1.emptied,
)


@dataclass(frozen=True)
class Recipe:
    """A pack around one runtime."""

    distribution: str
    format: Format
    files: Files
    """Files of the runtime's wheel."""
    pinned: Mapping[str, str] = field(default_factory=dict)
    """Versions by distribution that neither a bundle nor edgekit's own requirements know."""
    numpy: Files = NUMPY_2


RECIPES = (
    Recipe(
        "ai-edge-litert",
        "tflite",
        # The interpreter, the library that traces, and neither the accelerator for WebGPU (17 MB) nor the tools that
        # convert and calibrate.
        Files(
            (
                *("ai_edge_litert-*", "ai_edge_litert/__init__.py", "ai_edge_litert/interpreter.py"),
                *("ai_edge_litert/metrics_*.py", "ai_edge_litert/libpywrap_litert_common.so"),
                *("ai_edge_litert/_pywrap_litert_interpreter_wrapper.so", "ai_edge_litert/libLiteRt.so"),
            ),
            UNREAD,
        ),
    ),
    # The last that was published under that name; it was built for numpy 1.
    Recipe("tflite-runtime", "tflite", Files(dropped=UNREAD), {"tflite-runtime": "2.14.0", "numpy": "1.26.4"}, NUMPY_1),
    Recipe(
        "onnxruntime",
        "onnx",
        # The module for Python holds all of the library that is for other languages.
        Files(
            ("onnxruntime-*", "onnxruntime/__init__.py", "onnxruntime/LICENSE", "onnxruntime/capi/*"),
            (*UNREAD, "*/libonnxruntime.so*", "*/training/*"),
        ),
    ),
    Recipe(
        "executorch",
        "pte",
        Files(("executorch-*", "executorch/lib/libexecutorch*.so"), (*UNREAD, "*_openvino.so")),
    ),
)


CHOICES = ("auto", "system", *(recipe.distribution for recipe in RECIPES))
"""Values of the option `--runtime`."""


def recipe_of(distribution: str) -> Recipe:
    """Recipe of a distribution's pack. Raises UnknownName (with the nearest) if there is none."""
    known = {recipe.distribution: recipe for recipe in RECIPES}
    if distribution not in known:
        hint = suggest(distribution, CHOICES, f"known: {', '.join(CHOICES)}")
        raise UnknownName(f"no runtime is named '{distribution}'", hint=hint)
    return known[distribution]


def recipe_for(format: str, runtime: str) -> Recipe:
    """Recipe of a pack for a format: of the preferred distribution for `auto`, else of the one that `runtime` names.

    Raises UnknownName if nothing has that name, OptionError if it does not run the format.
    """
    if runtime == "auto":
        return recipe_of(next(iter(DISTRIBUTIONS[format])))
    recipe = recipe_of(runtime)
    if recipe.format != format:
        able = ", ".join(other.distribution for other in RECIPES if other.format == format)
        raise OptionError(f"'{runtime}' runs .{recipe.format}, not .{format}", hint=f"--runtime auto, or {able}")
    return recipe


def versions_of(recipe: Recipe, versions: Mapping[str, str]) -> dict[str, str]:
    """Versions that go into the pack, by distribution: the recipe's, else that in `versions`, else edgekit's pin.

    Raises PackError if none of them has one.
    """
    return {
        name: recipe.pinned.get(name) or versions.get(name) or _pin(name) for name in (recipe.distribution, "numpy")
    }


def _pin(distribution: str) -> str:
    """Exact version that edgekit itself requires of a distribution. Raises PackError if it requires none."""
    for requirement in requires("edgekit") or ():
        match = re.match(rf"{re.escape(distribution)}==([^\s;,]+)", requirement)
        if match:
            return match.group(1)
    raise PackError(f"nobody says which version of '{distribution}' belongs in a pack", hint="reinstall edgekit")


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)
