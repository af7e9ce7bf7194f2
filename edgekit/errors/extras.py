"""Hint that installs an optional part of edgekit or of a plug-in, from where it was installed itself.

`pip install 'edgekit[npu]'` asks an index, where the name may be nobody's or a stranger's: edgekit comes as a
checkout or a wheel.
"""

from __future__ import annotations

import json
import re
import shlex
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

_EXTRA = re.compile(r"""(?:\s+and\s+)?\(?extra\s*==\s*["']([^"']+)["']\)?""")


def extra_hint(extra: str, package: str = "edgekit") -> str:
    """Command that installs the extra of a package: from its checkout or wheel while that is there, else by what it
    names.
    """
    try:
        installed = distribution(package)
    except PackageNotFoundError:
        return f"in a checkout of {package}: pip install {shlex.quote(f'.[{extra}]')}"
    source = _source(installed)
    if source:
        option, place = source
        return f"pip install {option}{shlex.quote(f'{place}[{extra}]')}"
    wanted = _requirements(installed, extra)
    if not wanted:
        return f"from the wheel or checkout of {package}: pip install {shlex.quote(f'PATH[{extra}]')}"
    return f"pip install {' '.join(map(shlex.quote, wanted))}"


def _source(installed: Distribution) -> tuple[str, Path] | None:
    """Option of pip and the local checkout or wheel that it was installed from (PEP 610), if it is there still."""
    try:
        origin = json.loads(installed.read_text("direct_url.json") or "{}")
        parts = urlsplit(origin["url"])
        place = Path(unquote(parts.path))
        if parts.scheme != "file" or not place.exists():
            return None
        return "-e " if origin.get("dir_info", {}).get("editable") else "", place
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        return None


def _requirements(installed: Distribution, extra: str) -> list[str]:
    """Requirements of the extra, each with the rest of its marker."""
    wanted = []
    for requirement in installed.requires or ():
        name, _, marker = requirement.partition(";")
        if extra in _EXTRA.findall(marker):
            rest = _EXTRA.sub("", marker).strip()
            wanted.append(f"{name.strip()}; {rest}" if rest else name.strip())
    return wanted
