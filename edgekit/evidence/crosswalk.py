"""A framework as a table: which fact answers what, where it stands, and what a person must still answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edgekit.evidence.facts import Facts
from edgekit.evidence.frameworks.eu_ai_act import EU_ANNEX_IV
from edgekit.evidence.frameworks.iso_42001 import ISO_42001
from edgekit.evidence.frameworks.nist_ai_rmf import NIST_AI_RMF
from edgekit.evidence.frameworks.requirement import Framework, Requirement
from edgekit.evidence.markdown_text import row
from edgekit.untrusted.markdown import cell

FRAMEWORKS = (NIST_AI_RMF, ISO_42001, EU_ANNEX_IV)
SHORT = 16
"""Hex digits of a digest in a table; the whole one stands below it."""


def crosswalk(framework: Framework, facts: Facts, sha256: Mapping[str, str], title: str) -> str:
    """Render the table of a framework in Markdown.

    sha256: digest of each file that facts stand in, in hex, by its path. title: name of the model.
    """
    return "\n".join(_lines(framework, facts, sha256, title)) + "\n"


def open_questions(framework: Framework) -> tuple[tuple[str, str], ...]:
    """Number and question of every requirement: all of them need a person, with facts or without."""
    return tuple((each.number, each.question) for each in framework.requirements)


def _lines(framework: Framework, facts: Facts, sha256: Mapping[str, str], title: str) -> Iterator[str]:
    answered = [each for each in framework.requirements if any(name in facts.by_name for name in each.facts)]
    yield f"# {framework.title}: {cell(title)}"
    yield ""
    yield framework.scope
    count = f"{len(answered)} of {len(framework.requirements)}"
    yield f"Facts of this bundle say something on {count} requirements; none is met by facts alone."
    yield ""
    yield row(("", "requirement", "what was recorded", "where, and SHA-256", "a person must still answer"))
    yield row(("---",) * 5)
    for each in framework.requirements:
        yield row((each.number, each.title, *_evidence(each, facts, sha256), each.question))
    yield ""
    yield "## Files"
    yield ""
    used = {facts.by_name[name].file for each in answered for name in each.facts if name in facts.by_name}
    for file in sorted(used):
        yield f"- [{file}]({file}): SHA-256 `{sha256[file]}`"


def _evidence(requirement: Requirement, facts: Facts, sha256: Mapping[str, str]) -> tuple[str, str]:
    """Cells of the words and of the places: a line each, with the facts that are missing after the others."""
    known = [facts.by_name[name] for name in requirement.facts if name in facts.by_name]
    missing = [facts.absent(name) for name in requirement.facts if name not in facts.by_name]
    words = [cell(fact.words) for fact in known] + [f"*not recorded:* {cell(reason)}" for reason in missing]
    places = [
        f"[{fact.file}]({fact.file}){f' `{fact.key}`' if fact.key else ''} `{sha256[fact.file][:SHORT]}`"
        for fact in known
    ]
    return "<br>".join(words) or "nothing", "<br>".join(dict.fromkeys(places)) or "-"
