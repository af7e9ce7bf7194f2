"""One HTML file around a body: no script, nothing fetched, and one stylesheet, which its content policy names."""

from __future__ import annotations

import base64
import hashlib
from html import escape

from edgekit.untrusted.direction import isolated


def document(title: str, stylesheet: str, body: str, mark: str = "") -> str:
    """Write the file. mark: comment for its second line, by which edgekit knows a page of its own."""
    marked = f"{mark}\n" if mark else ""
    return (
        f'<!DOCTYPE html>\n{marked}<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(stylesheet)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(isolated(title))}</title>\n"
        f"<style>{stylesheet}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )


def _policy(stylesheet: str) -> str:
    """Content security policy: this one stylesheet, and pictures in the page itself; no script, and no request."""
    digest = base64.b64encode(hashlib.sha256(stylesheet.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
