"""`scripts/mutants`: which changes it makes, and that it tells a test that notices from one that does not."""

from __future__ import annotations

import ast
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from scripts.mutation.equivalent import EQUIVALENT, reason
from scripts.mutation.operators import mutants
from scripts.mutation.scope import SCOPES
from scripts.mutation.trial import Copy

CHECKOUT = Path(__file__).parents[2]
SOURCE = '''"""Not changed: 1 < 2."""
from typing import Literal
Kind = Literal["a"]
def limit(value: int, most: int = 3) -> int:
    assert most is not None
    if value > most and value:
        raise ValueError(f"{value} is more than", "most")
    return call(value, key="é", hint="type this", plain=False)
'''


@pytest.mark.parametrize(
    ("source", "changed"),
    [
        ("a < b", ["(a <= b)"]),
        ("a is not b", ["(a is b)"]),
        ("a + b", ["(a - b)"]),
        ("a or b", ["((a) and (b))"]),
        ("not a", ["(a)"]),
        ("x = 1.5", ["x = 4.0"]),
        ("x = True", ["x = False"]),
        ("x = 'é'", ["x = 'éXX'"]),
        ("f(x=y)", ["f(x=None)"]),
        ("f(x=False)", ["f(x=True)"]),
        ("a += b", ["a -= b"]),
        ("a if b else c", ["(c if b else a)"]),
        ("(a or b) < c", ["((a or b) <= c)", "(((a) and (b))) < c"]),
        ("(a + b) * c", ["((a + b) / c)", "((a - b)) * c"]),
        ("a if b else (c if d else e)", ["((c if d else e) if b else a)", "a if b else ((e if d else c))"]),
        ("'é' and a < b", ["(('é') or (a < b))", "'éXX' and a < b", "'é' and (a <= b)"]),
    ],
)
def test_each_operator_changes_one_place(source: str, changed: list[str]) -> None:
    made = {mutant.applied(source.encode()).decode() for mutant in mutants(source.encode())}
    assert made - {"pass"} == set(changed)


def test_what_is_only_read_by_people_or_type_checkers_is_not_changed() -> None:
    made_of = mutants(SOURCE.encode())
    made = [mutant.applied(SOURCE.encode()).decode() for mutant in made_of]
    for text in made:
        ast.parse(text)
        assert text != SOURCE
        for kept in ('"""Not changed: 1 < 2."""', 'Literal["a"]', "value: int", "assert most is not None"):
            assert kept in text
        assert 'hint="type this"' in text or "return None" in text
        assert '"most")' in text or "pass" in text
    assert {mutant.line for mutant in made_of} == {4, 6, 7, 8}
    assert any("raise" not in text for text in made)
    assert any("return None" in text for text in made)
    assert any("key=None" in text for text in made)


def test_a_mutant_that_a_test_notices_is_told_from_one_that_none_does(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    (checkout / "limits.py").write_text("def least(a, b):\n    return a if a < b else b\n")
    (checkout / "test_limits.py").write_text(
        "from limits import least\n\ndef test_least():\n    assert least(1, 2) == 1\n"
    )
    subprocess.run(["git", "init", "-q"], cwd=checkout, check=True, timeout=60)
    copy = Copy.of(checkout, tmp_path / "copy")
    source = Path("limits.py")
    assert copy.test(["test_limits.py"], 200)[0] == "survived"
    outcomes = {}
    for mutant in mutants((checkout / source).read_bytes()):
        with copy.mutated(source, mutant):
            outcomes[mutant.after] = copy.test(["test_limits.py"], 200)[0]
    assert outcomes == {"return None": "killed", "(b if a < b else a)": "killed", "(a <= b)": "survived"}
    assert (copy.root / source).read_bytes() == (checkout / source).read_bytes()
    with pytest.raises(RuntimeError, match="nothing to run"):
        copy.test(["test_of_nothing.py"], 200)


def test_every_module_that_is_mutated_has_its_tests() -> None:
    for scope in SCOPES:
        sources = scope.sources(CHECKOUT)
        assert sources, scope.folder
        assert {source.stem for source in sources} >= set(scope.modules)
        for source in sources:
            files = scope.ordered(source, CHECKOUT)
            assert files, source
            assert [file for file in files if not (CHECKOUT / file).is_file()] == []


def test_every_mutant_that_is_listed_as_equivalent_is_one_of_a_module_as_it_is() -> None:
    listed = {}
    for module in {module for module, *_ in EQUIVALENT}:
        text = (CHECKOUT / module).read_text("utf-8")
        known = [reason(Path(module), text, mutant) for mutant in mutants(text.encode())]
        listed[module] = sum(why is not None for why in known)
    assert listed == Counter(module for module, *_ in EQUIVALENT)
