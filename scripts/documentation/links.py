"""Check of the pages as a browser gets them: each link leads somewhere, and nothing is asked of another host."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

LOADING = {"src", "srcset", "poster", "data", "action", "formaction"}
"""Attributes by which a page fetches something, on any element."""
FETCHED = {"stylesheet", "icon", "preload", "prefetch", "preconnect", "dns-prefetch", "modulepreload", "manifest"}
"""Relations of `<link>` for which a browser asks its host."""
CSS_URL = re.compile(r"""(?:url\(\s*["']?|@import\s+["'])((?:https?:)?//[^"')\s]+)""")


class Page(HTMLParser):
    """Links, anchors and fetched addresses of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.fetched: list[str] = []
        self.feed(html)
        self.fetched += CSS_URL.findall(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if values.get(name)}
        self.fetched += [value for name, value in values.items() if name in LOADING]
        if tag == "link" and FETCHED & set(values.get("rel", "").split()):
            self.fetched.append(values.get("href", ""))
        elif tag in ("a", "area") and "href" in values:
            self.links.append(values["href"])


def faults(site: Path) -> Iterator[str]:
    """Yield a line for each link that leads nowhere, and each address of another host that a page or style fetches."""
    pages = {path: Page(path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(site)
        yield from (f"{name}: link to '{link}', which is not there" for link in page.links if _dead(link, path, pages))
        yield from (f"{name}: fetches '{address}'" for address in page.fetched if urlsplit(address).netloc)
    for path in sorted(site.rglob("*.css")):
        for address in CSS_URL.findall(path.read_text("utf-8")):
            yield f"{path.relative_to(site)}: fetches '{address}'"


def _dead(link: str, page: Path, pages: dict[Path, Page]) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc or page.name == "404.html":
        return False  # another host's, which a reader may follow; 404.html is served at any depth
    address, anchor = urldefrag(link)
    target = (page.parent / unquote(address.partition("?")[0])).resolve() if address else page
    target = target / "index.html" if target.is_dir() else target
    if not target.exists():
        return True
    return bool(anchor) and target in pages and unquote(anchor) not in pages[target].anchors
