"""Rules of the house for `edgekit/` that no other tool holds: names, docstrings, imports. See CONTRIBUTING.md."""

from __future__ import annotations

import ast
import itertools
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import edgekit
from scripts.import_graph import circle, module_graph, whole_graph

ROOT = Path(edgekit.__file__).parent
ROOMS = sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))
OPENERS = frozenset({"What", "How", "Whether", "Which", "Where", "Who", "Of", "As", "By"})
"""A docstring that begins with one of these needs the line above it to be read."""
EMPTY_NAMES = frozenset({"found", "said", "asked", "taken"})
"""Names that say that there is a result or a request, and not which."""
MODULES = frozenset(path.stem for path in ROOT.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists())
OUTSIDE = {
    "Only the compiler wing sees torch": {"backends", "passes", "frontend", "pipeline", "scaffold", "examples"},
    "Only the CLI talks to a terminal": {"cli"},
}
"""Rooms that a contract of imports allows what it forbids all others."""

PLURAL = re.compile(
    r" (?:(?!of\b|without\b)[a-z-]+ )?(samples|slices|groups|classes|gates|layers|inferences|conditions|attacks|tokens|"
    r"devices|labels|sequences|perturbations|runs|channels)\b"
)
"""A noun of things that a report counts, in the plural, behind a number."""
COUNTING_ROOMS = ("parity", "report", "evidence", "pipeline")
SEVERAL = {
    "more_samples.py: measured": "one sample has words of its own",
    "poisoning_readings.py: patch.pasted": "a patch is tried on many samples",
    "slice_readings.py: gap.groups": "a gap is between two groups at least",
    "slices.py: gap.groups": "a gap is between two groups at least",
    "probe.py: first.shape[0]": "a batch of one is no fault",
    "labels.py: tokenizer.size": "a vocabulary",
    "timing.py: _between(counts, 0)": "a range of counts",
}
"""Numbers that are never one, by module and expression, with the reason."""


def parse(folder: Path) -> dict[str, ast.Module]:
    """The modules below a folder, by their path in it."""
    paths = sorted(folder.rglob("*.py"))
    return {path.relative_to(folder).as_posix(): ast.parse(path.read_text()) for path in paths}


def shared_class_names(modules: Mapping[str, ast.Module]) -> dict[str, list[str]]:
    """Class names that more than one class has, each with the modules of these classes."""
    owners: dict[str, list[str]] = defaultdict(list)
    for name, module in modules.items():
        for node in ast.walk(module):
            if isinstance(node, ast.ClassDef):
                owners[node.name].append(name)
    return {name: places for name, places in owners.items() if len(places) > 1}


def unruled_plurals(module: ast.Module) -> list[str]:
    """Numbers before a plural that nothing makes a singular: `edgekit.ir.plural.counted` does. A constant is a name in
    capitals."""
    return [
        ast.unparse(number.value)
        for node in ast.walk(module)
        if isinstance(node, ast.JoinedStr)
        for number, noun in itertools.pairwise(node.values)
        if isinstance(number, ast.FormattedValue) and isinstance(noun, ast.Constant)
        if PLURAL.match(str(noun.value))
        if not ast.unparse(number.value).isupper() and "counted(" not in ast.unparse(number.value)
    ]


def docstrings(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of each docstring: of the module, of classes and functions, and of attributes, below them."""
    for node in ast.walk(module):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                text = statement.value.value
                if isinstance(text, str):
                    yield statement.lineno, text.strip()


def bad_docstrings(module: ast.Module) -> list[str]:
    """Docstrings that begin with a word of OPENERS, each after its line."""
    return [f"{line}: {text.splitlines()[0]}" for line, text in docstrings(module) if first_word(text) in OPENERS]


def first_word(text: str) -> str:
    return text.split(maxsplit=1)[0].rstrip(",.:;") if text else ""


def empty_names(module: ast.Module) -> list[str]:
    """Variables and parameters that have a name of EMPTY_NAMES, each after its line.

    Fields of classes are left out: they may be keys of documents that others read.
    """
    names = []
    classes = [node for node in ast.walk(module) if isinstance(node, ast.ClassDef)]
    fields = {statement.target for node in classes for statement in node.body if isinstance(statement, ast.AnnAssign)}
    for node in ast.walk(module):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node not in fields:
            names.append((node.lineno, node.id))
        elif isinstance(node, ast.arg):
            names.append((node.lineno, node.arg))
    return [f"{line}: {name}" for line, name in names if name in EMPTY_NAMES]


@pytest.fixture(scope="module")
def modules() -> dict[str, ast.Module]:
    return parse(ROOT)


def test_a_class_name_is_unique(modules: dict[str, ast.Module]) -> None:
    # An application copies the client, where `Model` is the one that it knows.
    assert shared_class_names({name: each for name, each in modules.items() if not name.startswith("client/")}) == {}


def test_a_docstring_begins_with_a_verb_or_a_noun_of_the_field(modules: dict[str, ast.Module]) -> None:
    assert {name: bad for name, module in modules.items() if (bad := bad_docstrings(module))} == {}


def test_a_result_and_a_parameter_are_named_for_what_they_are(modules: dict[str, ast.Module]) -> None:
    assert {name: bad for name, module in modules.items() if (bad := empty_names(module))} == {}


def test_a_report_counts_one_thing_in_the_singular(modules: dict[str, ast.Module]) -> None:
    rooms = {name: module for name, module in modules.items() if name.split("/")[0] in COUNTING_ROOMS}
    plurals = {f"{Path(name).name}: {number}" for name, each in rooms.items() for number in unruled_plurals(each)}
    assert plurals == set(SEVERAL)


def test_no_room_has_a_circle_of_imports() -> None:
    whole = whole_graph()
    circles = {room: circle(module_graph(room, whole=whole)) for room in ROOMS}
    assert {room: names for room, names in circles.items() if names} == {}


@pytest.mark.parametrize("name", OUTSIDE)
def test_what_a_contract_forbids_it_forbids_every_room(name: str) -> None:
    """A new room is named in pyproject.toml, or here, with a reason in the review."""
    sources = {room for contract in contracts() if contract["name"] == name for room in contract["source_modules"]}
    assert rooms_of(sources) == MODULES - OUTSIDE[name] - {"__init__", "__main__"}


def test_every_room_has_a_layer_and_is_forbidden_to_the_runner() -> None:
    layers = {
        room
        for contract in contracts()
        if contract.get("containers") == ["edgekit"]
        for layer in contract["layers"]
        for room in layer.split(" | ")
    }
    runner = next(each for each in contracts() if each["name"] == "The runner imports nothing of edgekit")
    assert layers == MODULES - {"__init__", "__main__"}
    assert rooms_of(runner["forbidden_modules"]) == layers - {"runner"}


def contracts() -> list[dict[str, Any]]:
    settings = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())
    listed: list[dict[str, Any]] = settings["tool"]["importlinter"]["contracts"]
    return listed


def rooms_of(modules: Iterable[str]) -> set[str]:
    return {module.removeprefix("edgekit.") for module in modules}


def test_a_class_name_that_two_modules_have_is_told_with_both() -> None:
    modules = {"a.py": ast.parse("class One: ...\nclass Two: ..."), "b.py": ast.parse("def f():\n class Two: ...")}
    assert shared_class_names(modules) == {"Two": ["a.py", "b.py"]}


def test_a_number_before_a_plural_is_found() -> None:
    source = "f'{n:,} samples'; f'{len(x)} of {m} judged slices'; f'{FEW} samples'; f'{counted(n, 1)} of samples'"
    assert unruled_plurals(ast.parse(source)) == ["n", "m"]


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ('"""Whether it is."""', ["1: Whether it is."]),
        ('"""Verify it.\n\nWhether it is."""', []),
        ('class A:\n    """As the device has it."""', ["2: As the device has it."]),
        ('def f():\n    """By name."""', ["2: By name."]),
        ('class A:\n    size: int\n    """Of the file, in bytes."""', ["3: Of the file, in bytes."]),
        ('LIMIT = 3\n"""How many, at most."""', ["2: How many, at most."]),
        ('"""Offset in bytes."""\nOf = "Of"', []),
        ('def f():\n    """"""', []),
    ],
)
def test_a_docstring_that_does_not_stand_alone_is_told_with_its_line(source: str, lines: list[str]) -> None:
    assert bad_docstrings(ast.parse(source)) == lines


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("found = 1", ["1: found"]),
        ("for said, word in x: ...", ["1: said"]),
        ("def f(asked, *, taken=1): ...", ["1: asked", "1: taken"]),
        ("with x as found: ...", ["1: found"]),
        ("print(found)\nx.found = 1\nfound_at = 2", []),
        ("class A:\n    taken: int", []),
    ],
)
def test_a_name_that_says_nothing_is_told_with_its_line(source: str, lines: list[str]) -> None:
    assert empty_names(ast.parse(source)) == lines
