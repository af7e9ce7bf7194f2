"""Package URL of a Python package (https://github.com/package-url/purl-spec), the same in every document."""

from __future__ import annotations

from urllib.parse import quote


def package_url(name: str, version: str) -> str:
    """Write the URL: the name in small letters, with `-` for `_`, as the index has it."""
    return f"pkg:pypi/{quote(name.lower().replace('_', '-'), safe='')}@{quote(version, safe='')}"
