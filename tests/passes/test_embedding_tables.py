"""Embedding tables in int8 with a scale for each row: numbers, sharing, and what stays in float. No converter runs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from edgekit.frontend.canonical import canonical
from edgekit.ir.sqnr import sqnr_db
from edgekit.passes.quantization.embedding_tables import (
    exported_with_integer_tables,
    integer_lookups,
    rounded_rows,
)

pytestmark = pytest.mark.filterwarnings("ignore:The tensor attributes:UserWarning")
WORDS, WIDTH = 40, 16


class Reader(nn.Module):
    """Embedding of tokens, rows by index that may be negative, positions, and a head tied to the table."""

    places: Tensor

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words, self.kinds = nn.Embedding(WORDS, WIDTH, padding_idx=0), nn.Parameter(torch.randn(5, WIDTH))
        self.positions, self.narrow = nn.Embedding(9, WIDTH), nn.Embedding(WORDS, 4)
        self.register_buffer("places", torch.arange(6)[None])
        self.head = nn.Linear(WIDTH, WORDS, bias=False)
        self.head.weight = self.words.weight
        with torch.no_grad():  # rows of very different size, which one scale for all of them would lose
            self.words.weight *= torch.logspace(-3, 1, WORDS)[:, None]

    def forward(self, tokens: Tensor, kinds: Tensor) -> Tensor:
        x = self.words(tokens) + self.kinds[kinds] + self.positions(self.places) + self.narrow(tokens).sum(2)[..., None]
        scores: Tensor = self.head(x)
        return scores


@pytest.fixture(scope="module")
def program() -> Any:
    tokens, kinds = torch.tensor([[0, 3, 39, 3, 20, 1]]), torch.tensor([[0, -1, 4, 2, -5, 1]])
    return canonical(torch.export.export(Reader().eval(), (tokens, kinds)))


def constants(exported: Any) -> dict[str, Tensor]:
    return {**exported.state_dict, **exported.constants}


def test_every_row_has_a_scale_of_its_own() -> None:
    table = torch.tensor([[0.001, -0.002], [0.0, 0.0], [50.0, -100.0]])
    integers, scales = rounded_rows(table)
    assert integers.tolist() == [[64, -127], [0, 0], [64, -127]]
    assert scales[:, 0].tolist() == pytest.approx([0.002 / 127, 0, 100 / 127], rel=1e-6, abs=1e-30)
    assert integers.dtype is torch.int8


def test_rows_are_looked_up_in_integers_and_multiplied_by_their_scales(program: Any) -> None:
    rounded = exported_with_integer_tables(program, ())
    tables = [each for each in constants(rounded).values() if each.dtype is torch.int8]
    assert sorted(tuple(each.shape) for each in tables) == [(5, WIDTH), (WORDS, WIDTH)]
    # The head keeps the float table; that of kinds is read by no one else and is gone.
    floats = [tuple(each.shape) for each in constants(rounded).values() if each.dtype is torch.float32]
    assert floats.count((WORDS, WIDTH)) == 1
    assert (5, WIDTH) not in floats
    assert len(list(integer_lookups(rounded.module()))) == 2
    samples = [(torch.randint(0, WORDS, (1, 6)), torch.randint(-5, 5, (1, 6))) for _ in range(8)]
    answers = [(program.module()(*sample), rounded.module()(*sample)) for sample in samples]
    quality = sqnr_db(*(torch.cat(part).detach().numpy() for part in zip(*answers, strict=True)))
    assert 35 < quality < 60


def test_a_skipped_module_keeps_its_table(program: Any) -> None:
    rounded = exported_with_integer_tables(program, ("words",))
    assert [tuple(each.shape) for each in constants(rounded).values() if each.dtype is torch.int8] == [(5, WIDTH)]


def test_a_program_without_tables_is_returned_as_it_is() -> None:
    exported = torch.export.export(nn.Linear(16, 16).eval(), (torch.zeros(1, 16),))
    assert exported_with_integer_tables(exported, ()) is exported


def test_positions_become_the_rows_that_are_read_and_pairs_of_positions_do_not(program: Any) -> None:
    shapes = {tuple(each.shape) for each in constants(program).values()}
    assert (1, 6, WIDTH) in shapes
    assert (9, WIDTH) not in shapes

    class Pairs(nn.Module):
        """Bias by distance for each pair of 6 positions, of 4 distances."""

        distance: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.bias = nn.Embedding(4, WIDTH)
            order = torch.arange(6)
            self.register_buffer("distance", (order[:, None] - order).abs().clamp(max=3))

        def forward(self, x: Tensor) -> Tensor:
            biased: Tensor = x + self.bias(self.distance)
            return biased

    pairs = torch.export.export(Pairs().eval(), (torch.zeros(6, 6, WIDTH),))
    assert canonical(pairs) is pairs
    assert exported_with_integer_tables(pairs, ()) is pairs


class Chosen(nn.Module):
    """Experts whose weights are looked up by index and multiplied, or added."""

    def __init__(self, multiplies: bool) -> None:
        super().__init__()
        self.multiplies = multiplies
        self.experts = nn.Parameter(torch.randn(3, WIDTH, WIDTH, generator=torch.Generator().manual_seed(0)))

    def forward(self, x: Tensor, expert: Tensor) -> Tensor:
        weights = self.experts[expert]
        return torch.matmul(x, weights) if self.multiplies else x + weights


def test_weights_of_experts_chosen_by_index_are_integers() -> None:
    inputs = torch.randn(1, 2, WIDTH, generator=torch.Generator().manual_seed(1)), torch.tensor([2])
    exported = torch.export.export(Chosen(multiplies=True).eval(), inputs)
    rounded = exported_with_integer_tables(exported, ())
    assert {tuple(each.shape): each.dtype for each in constants(rounded).values()} == {
        (3, WIDTH, WIDTH): torch.int8,
        (3, WIDTH, 1): torch.float32,
    }
    assert 35 < sqnr_db(*(each.module()(*inputs).detach().numpy() for each in (exported, rounded))) < 60


def test_a_table_of_matrices_that_are_not_multiplied_stays() -> None:
    inputs = torch.randn(1, WIDTH, WIDTH), torch.tensor([2])
    exported = torch.export.export(Chosen(multiplies=False).eval(), inputs)
    assert exported_with_integer_tables(exported, ()) is exported
