"""Build the documentation site: `scripts/docs [FOLDER]`. A link that leads nowhere is an error."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from edgekit.atomic import partial_beside
from scripts.documentation.links import faults
from scripts.documentation.sources import ROOT, write_sources

LIMIT_S = 600


def main() -> int:
    """Return the exit code: 0, or 1 if the site has a fault; then the folder is as it was before."""
    parser = argparse.ArgumentParser(prog="scripts/docs", description=__doc__)
    parser.add_argument(
        "folder", nargs="?", type=Path, default=ROOT / "site", help="by default site/, which git ignores"
    )
    options = parser.parse_args()
    if options.folder.exists() and not (options.folder / "sitemap.xml").exists():
        parser.error(f"'{options.folder}' is there and is no site: name another folder")
    told = build(options.folder)
    if told:
        print("\n".join(told), file=sys.stderr)
        return 1
    print(f"site: {options.folder}/index.html")
    return 0


def build(out: Path) -> list[str]:
    """Build the site in `out`; return its faults. With any, `out` stays as it was."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_sources(folder)
        ended = subprocess.run(
            [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", str(folder / "mkdocs.yml")],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
        if ended.returncode:
            # Below what it found stands the traceback that --strict ends with.
            told = (ended.stdout + ended.stderr).partition("Traceback")[0].splitlines()
            return [*told, f"zensical ended with exit code {ended.returncode}"]
        told = list(faults(folder / "site"))
        if not told:
            replace(folder / "site", out)
        return told


def replace(site: Path, out: Path) -> None:
    """Put the site where another may be: written beside it, then renamed."""
    with partial_beside(out) as partial:
        shutil.copytree(site, partial)
        shutil.rmtree(out, ignore_errors=True)
        partial.rename(out)


if __name__ == "__main__":
    sys.exit(main())
