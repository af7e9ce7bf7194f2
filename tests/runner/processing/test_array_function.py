"""Array functions compute what numpy computes, and can do nothing else: whatever text a bundle brings."""

from __future__ import annotations

import ast
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.ir.measurement import Array
from edgekit.runner.errors import RunnerError
from edgekit.runner.processing import array_budget
from edgekit.runner.processing.array_function import SubsetError, parse_function
from edgekit.runner.processing.array_operations import BUILTINS, FUNCTIONS, METHODS

PICTURE = np.random.default_rng(0).integers(0, 256, (30, 41, 3), dtype=np.uint8)
WAVE = np.random.default_rng(1).standard_normal(4000).astype(np.float32)
CENTRE = """
def prepare(picture):
    '''Centre square, eight by eight, as planes.'''
    if picture.ndim == 2:
        picture = np.stack([picture, picture, picture], axis=-1)
    x = picture.astype(np.float32) / 255
    x -= np.array([0.485, 0.456, 0.406], np.float32)
    height, width = x.shape[:2]
    side = min(height, width)
    x = x[(height - side) // 2 : (height + side) // 2, (width - side) // 2 : (width + side) // 2]
    rows = np.linspace(0, side - 1, 8).astype(int)
    x = x[rows][:, rows]
    for i in range(3):
        x[..., i] *= i + 1
    return np.clip(x, -1, 1).transpose(2, 0, 1)
"""
SPECTRUM = """
def prepare(wave):
    wave = wave - wave.mean()
    wave = np.concatenate([wave[:1], wave[1:] - 0.97 * wave[:-1]])
    starts = np.arange(0, 3600, 160)
    frames = wave[starts[:, None] + np.arange(400)[None, :]] * np.hanning(400).astype(np.float32)
    power = np.abs(np.fft.rfft(frames, 512)) ** 2
    bands = power[:, :256].reshape(23, 32, 8).sum(axis=2)
    x = np.log(np.maximum(bands, 1e-6))
    return ((x - x.mean(axis=0)) / (x.std(axis=0) + 1e-5)).astype(np.float32)
"""
LEVELS = """
def prepare(x):
    grey = (0.299 * x[..., 0] + 0.587 * x[..., 1]) + 0.114 * x[..., 2]
    low, high = np.percentile(grey, [2, 98])
    y = np.clip((grey - low) / (high - low), 0, 1)
    y = np.where(y > 0.5, y, y ** 2)
    y = np.pad(y, ((1, 1), (2, 2)), mode="reflect")
    return np.round(y * 255).astype("uint8")[::-1, ::2, np.newaxis]
"""
PLAIN = """
def prepare(x):
    total = int(x.sum() % 7) + len(x.shape)
    y = np.zeros((4, 3), np.int64) + total
    y[1] = np.arange(3)
    y[:, 1] += 2 << 3
    y = (y & 255) @ np.ones((3, 2), np.int64)
    return y if not total < 0 else -y
"""


def by_numpy(source: str, array: Array) -> Array:
    """What Python gives for the same text."""
    names: dict[str, Any] = {"np": np}
    exec(source, names)
    return np.asarray(names["prepare"](array.copy()))


@pytest.mark.parametrize(
    ("source", "array"),
    [(CENTRE, PICTURE), (CENTRE, PICTURE[..., 0]), (SPECTRUM, WAVE), (LEVELS, PICTURE), (PLAIN, PICTURE)],
)
def test_a_function_gives_what_python_gives(source: str, array: Array) -> None:
    ours, theirs, before = parse_function(source)(array), by_numpy(source, array), array.copy()
    assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize(
    ("body", "line", "construct"),
    [
        ("import os\n return x", 2, "'import os' is not known"),
        ("return np.load('a')", 2, r"the call of 'np\.load' is not known"),
        ("return np.lib.format.open_memmap(x)", 2, r"the call of 'np\.lib\.format\.open_memmap' is not known"),
        ("return x.tofile", 2, r"the attribute '\.tofile' is not known; known are T, dtype"),
        ("return x.tofile('a')", 2, r"the call of 'x\.tofile' is not known"),
        ("y = x\n return y.__class__", 3, r"the attribute '\.__class__' is not known"),
        ("return eval('1')", 2, "the call of 'eval' is not known"),
        ("return prepare(x)", 2, "the call of 'prepare' is not known"),
        ("return (lambda: x)()", 2, "is not known"),
        ("return [a for a in x]", 2, r"'\[a for a in x\]' is not known"),
        ("return f'{x}'", 2, "is not known"),
        ("return (y := x)", 2, "is not known"),
        ("return __builtins__", 2, "'__builtins__' is no variable of the function"),
        ("return np", 2, "'np' is no variable of the function"),
        ("np = x\n return x", 1, "'np' is a name of Python or numpy"),
        ("while True:\n  x = x\n return x", 2, "'while' is not known"),
        ("try:\n  return x\n finally:\n  pass", 2, "'try' is not known"),
        ("with x:\n  return x", 2, "'with' is not known"),
        ("global y\n return x", 2, "'global y' is not known"),
        ("del x\n return x", 2, "'del x' is not known"),
        ("yield x", 2, "'yield x' is not known"),
        ("x.flags = 1\n return x", 2, r"'x\.flags' cannot be assigned to"),
        ("return x.astype('O')", 2, "''O'' is not known"),
        ("return np.zeros(3, 'U9')", 2, "''U9'' is not known"),
        ("return np.sum(x, out=x)", 2, r"'np\.sum' takes no 'out' here; keywords: axis, keepdims"),
        ("return np.sum(*x)", 2, "takes 2 arguments by position"),
        ("return np.sum(**x)", 2, "takes no 'None' here"),
        ("return x.sum(0, 1, 2)", 2, r"'x\.sum' takes 1 arguments by position"),
        ("return 1 < x < 2", 2, "is not known"),
        ("return 1j * x", 2, "'1j' is not known"),
        ("for i in x:\n  y = i\n return x", 2, "a loop is over range"),
        ("for i in range(65):\n  x = x + 1\n return x", 2, "a loop has 64 rounds at most"),
        ("for i in range(99999999999999999999):\n  x = x\n return x", 2, "a loop is over range"),
        ("y = x", 1, "it returns nothing"),
        ("return 99999999999999999999 + x", 2, "is not known"),
        ("return " + "-" * 900 + "x", 2, "more than 40 within each other"),
        ("return " + "-" * 1100 + "x", 2, "more than 1,000 operators"),
        ("return " + "x," * 3200, 2, "more than 3,000 parts"),
        ("return " + "(" * 300 + "x" + ")" * 300, None, "nested parenthes|cannot be parsed|it is no Python"),
        ("return x +", 2, "it is no Python"),
        ("return '\0'", None, "it cannot be parsed|it is no Python"),
    ],
)
def test_other_constructs_are_refused_by_their_line(body: str, line: int | None, construct: str) -> None:
    with pytest.raises(SubsetError, match=construct) as caught:
        parse_function(f"def prepare(x):\n {body}\n")
    assert line in (None, caught.value.line)  # None: versions of Python differ


@pytest.mark.parametrize(
    "source",
    [
        "x = 1",
        "",
        "def f(x): return x\ndef g(x): return x",
        "def f(x, y): return x",
        "def f(x=1): return x",
        "def f(*x): return x",
        "@f\ndef f(x): return x",
        "async def f(x): return x",
        "class f: pass",
        "def f(x): return " + "1+" * 5000 + "x",
    ],
)
def test_what_is_no_function_of_one_array_is_refused(source: str) -> None:
    with pytest.raises(SubsetError):
        parse_function(source)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return np.zeros((100000, 1000))", "an array of 100,000,000 values is larger than 32 million"),
        ("return np.tile(x, (9999, 9999, 1))", "is larger than 32 million"),
        ("return np.repeat(x, 99999)", "is larger than 32 million"),
        ("return np.pad(x, 99999)", "is larger than 32 million"),
        ("return np.broadcast_to(x, (99999, 30, 41, 3))", "is larger than 32 million"),
        ("return np.arange(1e9)", "is larger than 32 million"),
        ("return np.linspace(0, 1, 10 ** 9)", "is larger than 32 million"),
        ("return np.outer(np.arange(9999), np.arange(9999))", "is larger than 32 million"),
        ("return np.arange(9999)[:, None] * np.arange(9999)", "is larger than 32 million"),
        ("return np.hanning(10 ** 9)", "is larger than 32 million"),
        ("return np.fft.rfft(x, 10 ** 9)", "is larger than 32 million"),
        ("return x[np.zeros(9999999, np.int64)]", "is larger than 32 million"),
        ("return np.matmul(np.ones((4000, 4000)), np.ones((4000, 4000)))", "more than 2,048 million operations"),
        ("return np.convolve(np.ones(99999), np.ones(99999))", "more than 2,048 million operations"),
        ("for i in range(60):\n  for j in range(60):\n   for k in range(60):\n    x = x\n return x", "20,000 steps"),
        ("return x * (9 ** 9 ** 9)", "an exponent of a whole number is from 0 to 63"),
        ("return x * (1 << 10 ** 9)", "an exponent of a whole number"),
        ("y = 2 ** 60\n y = y * y\n return x", "a whole number has 63 bits at most"),
        ("y = (1, 2)\n for i in range(60):\n  y = (y, y)\n return x", "a tuple has 4,096 parts at most"),
        ("y = (1, 2)\n for i in range(60):\n  y = (y,)\n return x", "a tuple has 4,096 parts at most, 8 within"),
        ("y = (1, 2)\n for i in range(60):\n  y = y + y\n return x", "a tuple has 4,096 parts at most"),
        (
            "a = np.zeros((4000, 8000))\n b = (a + 1, a)\n c = a + 2\n d = a + 3\n e = (a + 4, a)\n return x",
            "its variables take more than 1,024 MB",
        ),
        ("return x + 300", "300 does not fit into uint8"),
        ("return (x * 2.0).astype(np.uint8)", "do not fit into uint8: np.clip them first"),
        ("y = np.zeros(2, np.uint8)\n y[0] = 256.0\n return y", "do not fit into uint8"),
        ("return np.log(x * 0.0).astype(int)", "do not fit into int64"),
        ("return np.array([[1, 2], [3]])", "ValueError"),
        ("return np.array(['same'])", "is none of numbers"),
        ("return x if x > 1 else x", "a condition is a number"),
        ("return y if x.ndim == 3 else x\n y = 1", "'y' has no value yet"),
        ("return x.shape", "without the return of an array"),
        ("if x.ndim == 2:\n  return x", "without the return of an array"),
        ("return np.float32", "without the return of an array"),
        ("return x.reshape(7, 7)", "line 2: ValueError"),
        ("return 1 / (x.ndim - 3)", "ZeroDivisionError"),
    ],
)
def test_what_would_take_too_much_or_differ_between_machines_fails(body: str, message: str) -> None:
    with pytest.raises(RunnerError, match=message) as caught:
        parse_function(f"def prepare(x):\n {body}\n")(PICTURE)
    assert caught.value.kind == "data"


PARTS = (
    *"xy()[]{}.,:=+-*/@%~&|^<> \n",
    *("np.", "x.", "return ", "if ", "for i in range(3): ", "def f(x): ", "lambda x: ", "import os", "__class__"),
    *("np.sum(", "np.zeros((", "np.load(", "x.astype(", "x.T", "x.dot(", "np.repeat(", "np.pad(", "'float32'", "'O'"),
    *("1", "9", "1e9", "0.5", "None", "True", "...", "np.pi", "np.fft.rfft(", ".reshape(", "x[::2]", "x[x]", " ** "),
)


@given(seed=st.integers(0, 2**32))
def test_no_text_escapes_or_hangs(seed: int) -> None:
    chance = random.Random(seed)
    source = chance.choice((CENTRE, LEVELS, PLAIN, "def f(x):\n return x\n", "def f(x):\n return np.sum(x + 1)\n"))
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(source))
        source = (
            source[:at] + "".join(chance.choices(PARTS, k=chance.randrange(3))) + source[at + chance.randrange(4) :]
        )
    check_contained(source)


OPERATORS = ("+", "-", "*", "/", "//", "%", "**", "@", "<<", "&", "<", "==")
NAMES = ("x", "y", "np.pi", "x.shape", "x.T", "x.dtype", "None", "1", "2", "-3", "0.5", "1e30", "np.uint8", "'edge'")


def expression(chance: random.Random, depth: int) -> str:
    """Text of a random expression of the language."""
    if depth == 0 or chance.random() < 0.2:
        return chance.choice(NAMES)
    inner = [expression(chance, depth - 1) for _ in range(3)]
    return chance.choice(
        (
            f"({inner[0]} {chance.choice(OPERATORS)} {inner[1]})",
            f"np.{chance.choice(tuple(FUNCTIONS))}({', '.join(inner[: chance.randrange(4)])})",
            f"({inner[0]}).{chance.choice(tuple(METHODS))}({', '.join(inner[: chance.randrange(3)])})",
            f"({inner[0]})[{inner[1]}]",
            f"({inner[0]})[{inner[1]}:{inner[2]}, ..., None]",
            f"({inner[0]}, {inner[1]})",
            f"({inner[0]} if {inner[1]} else {inner[2]})",
            f"(not {inner[0]})",
            f"(-{inner[0]})",
            f"{chance.choice(tuple(BUILTINS))}({inner[0]})",
        )
    )


@given(seed=st.integers(0, 2**32))
def test_no_expression_escapes_or_hangs(seed: int) -> None:
    chance = random.Random(seed)
    lines = [f" y = {expression(chance, 2)}", f" x[{expression(chance, 1)}] = {expression(chance, 2)}"]
    chance.shuffle(lines)
    check_contained("def f(x):\n" + "\n".join(lines) + f"\n return {expression(chance, 3)}\n")


def check_contained(source: str) -> None:
    """The text is refused, fails by the one error, or gives an array of numbers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(array_budget, "WORK", 1 << 22)
        try:
            result = parse_function(source)(PICTURE[:6, :5])
        except RunnerError:
            return
    assert isinstance(result, np.ndarray)
    assert result.dtype.kind in "biufc"


def test_the_source_of_a_function_reads_back_as_itself() -> None:
    """What a bundle carries is what `ast.unparse` writes."""
    written = ast.unparse(ast.parse(SPECTRUM))
    np.testing.assert_array_equal(parse_function(written)(WAVE), parse_function(SPECTRUM)(WAVE))
