"""State in torch: what must fit the network, and sequences run step by step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from edgekit.errors import ForwardError, SequenceError, SpecError, StateMismatch
from edgekit.frontend.capture import capture
from edgekit.frontend.eager import Eager
from edgekit.frontend.load import load
from edgekit.frontend.recurrent_cells import RecurrentCells
from edgekit.frontend.sequences import KEPT, prefill_arguments, program_arguments, run_steps
from edgekit.frontend.store import load_program, save_program
from edgekit.samples import Samples, load_samples
from edgekit.specs.project import Project
from tests.stateful_projects import ACCUMULATOR_TOML, write, write_accumulator


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('from = "total_out"', 'from = "totl_out"'), "comes from 'totl_out', the network gives sum, total_out"),
        (("shape = [1, 3]", "shape = [9, 3], append = 1"), r"total takes float32\[9, 1\] of each step, and its output"),
        (("shape = [1]", "shape = [2]"), r"\[state\] count is int64\[2\], and its output 'count_out' is int64\[2\]"),
        (('from = "total_out"', 'from = "steps"'), r"total is float32\[1, 3\], and its output 'steps' is float32\[1\]"),
        (('dtype = "int64"', 'dtype = "float32"'), "count"),
    ],
)
def test_state_that_does_not_fit_the_network_is_refused(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    project = Project.read(write_accumulator(tmp_path, ACCUMULATOR_TOML.replace(*change)))
    if change[1] in ("shape = [2]", 'dtype = "float32"'):  # this network takes them
        load(project)
        return
    with pytest.raises(StateMismatch, match=said) as caught:
        load(project)
    assert caught.value.code == "EK220"
    assert caught.value.hint


def test_a_state_of_a_size_that_the_network_cannot_take_is_told_as_one(tmp_path: Path) -> None:
    """Forward fails before any output is there: the hint names both tables that state shapes."""
    toml = ACCUMULATOR_TOML.replace("shape = [1, 3]", "shape = [1, 7]")
    with pytest.raises(ForwardError) as caught:
        load(Project.read(write_accumulator(tmp_path, toml)))
    assert "total [1, 7]" in str(caught.value)
    assert "[state] each whole shape, with a batch axis of 1" in str(caught.value.hint)


def test_the_eager_network_carries_its_state_and_begins_anew_with_each_sequence(tmp_path: Path) -> None:
    project = Project.read(write_accumulator(tmp_path))
    samples = load_samples(project, "evaluation")
    measured = Eager(lambda: load(project)).measure(samples, None)
    assert set(measured.outputs) == {"sum", "steps"}
    np.testing.assert_allclose(measured.outputs["sum"], samples.labels, rtol=1e-6)
    assert measured.outputs["steps"].tolist() == [[0, 1, 2, 3, 4]] * 6
    assert measured.length is not None
    assert measured.length.tolist() == [5] * 6


def test_passes_see_the_state_as_it_runs(tmp_path: Path) -> None:
    project = Project.read(write_accumulator(tmp_path))
    program = capture(load(project))
    samples = load_samples(project, "evaluation")
    arguments = program_arguments(program, samples)
    assert [int(step[2]) for step in arguments] == [0, 1, 2, 3, 4] * 6
    np.testing.assert_allclose(arguments[1][1].numpy()[0], samples.inputs["x"][0, 0])


def test_padding_is_not_run_and_steps_are_thinned_over_all_sequences(tmp_path: Path) -> None:
    project = Project.read(write_accumulator(tmp_path))
    program = capture(load(project))
    x = np.zeros((30, 50, 3), np.float32)
    samples = Samples({"x": x}, np.zeros(30), length=np.arange(1, 31))
    steps = list(run_steps(program.exported.module(), program.signature, samples))
    assert len(steps) == sum(range(1, 31))
    few = list(run_steps(program.exported.module(), program.signature, samples, 60))
    assert len(few) == 60
    assert max(int(arguments[2]) for arguments, _ in few) > 20
    assert KEPT >= 60


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru, self.lstm = nn.GRU(8, 16, 2, batch_first=True), nn.LSTM(16, 16)
        self.cell, self.plain = nn.GRUCell(16, 8), nn.LSTMCell(8, 8, bias=False)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
        y, last = self.gru(x, h)
        z, (end, _) = self.lstm(y.transpose(0, 1))
        return y, last, z, end, *self.plain(self.cell(z[-1]))


def test_recurrent_cells_are_written_out_as_products() -> None:
    torch.manual_seed(0)
    network, arguments = Recurrent().eval(), (torch.randn(1, 3, 8), torch.randn(2, 1, 16))
    with torch.no_grad():
        expected = network(*arguments)
        with RecurrentCells():
            written_out = network(*arguments)
    for one, other in zip(expected, written_out, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.filterwarnings("ignore:The tensor attributes")  # of every torch.nn.GRU that torch.export traces
def test_both_directions_stay_one_operator() -> None:
    layer, x = nn.GRU(4, 4, bidirectional=True).eval(), torch.randn(3, 1, 4)
    with RecurrentCells(), torch.no_grad():
        program = torch.export.export(nn.Sequential(layer), (x,))
    assert any("aten.gru" in str(node.target) for node in program.graph.nodes)


CACHE = '''
import torch


class Running(torch.nn.Module):
    """Mean of the entries so far; the cache is an entry a step."""

    def forward(self, x, cache, position):
        past = torch.where((torch.arange(6) < position)[None, :, None], cache, torch.zeros(()))
        return {"mean": (past.sum(1) + x) / (position + 1), "row": x[:, None], "position_out": position + 1}


def running():
    return Running().eval()
'''
CACHE_TOML = (
    ACCUMULATOR_TOML.replace("model.py:accumulator", "model.py:running")
    .replace(
        'total = { from = "total_out", shape = [1, 3] }', 'cache = { from = "row", shape = [1, 6, 3], append = 1 }'
    )
    .replace('count = { from = "count_out"', 'position = { from = "position_out"')
)


def test_a_cache_is_appended_to_and_every_step_keeps_its_own(tmp_path: Path) -> None:
    x = np.random.default_rng(0).standard_normal((2, 6, 3)).astype(np.float32)
    means = x.cumsum(1) / np.arange(1, 7)[:, None]
    project = Project.read(write(tmp_path, CACHE, CACHE_TOML, data={"x": x, "labels": means}))
    samples, model = load_samples(project, "evaluation"), load(project)
    measured = Eager(lambda: load(project)).measure(samples, None)
    np.testing.assert_allclose(measured.outputs["mean"], means, rtol=1e-5, atol=1e-6)
    program = capture(model)
    caches = [arguments[1] for arguments in program_arguments(program, samples)[:6]]
    assert [int((cache != 0).any(2).sum()) for cache in caches] == [0, 1, 2, 3, 4, 5]
    assert program.signature.state[0].append == 1


def test_a_sequence_longer_than_the_cache_is_refused_as_the_data_are_read(tmp_path: Path) -> None:
    data = {"x": np.zeros((2, 7, 3), np.float32), "labels": np.zeros((2, 7, 3), np.float32)}
    project = Project.read(write(tmp_path, CACHE, CACHE_TOML, data=data))
    with pytest.raises(SequenceError, match="sample 0 has 7 steps, the cache 'cache' holds 6"):
        load_samples(project, "evaluation")


DECODER = '''
import torch


class Decoder(torch.nn.Module):
    """Attends to the cache and to the tokens that it reads now; the cache has an entry a token."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.tokens, self.head = torch.nn.Embedding(7, 4), torch.nn.Linear(4, 7)

    def forward(self, token, cache, position):
        x, count = self.tokens(token), token.shape[1]
        past = (torch.arange(9) >= position) * -1e4
        own = torch.full((count, count), -1e4).triu(1)
        scores = torch.cat((x @ cache.transpose(1, 2) + past, x @ x.transpose(1, 2) + own), -1)
        mixed = scores.softmax(-1) @ torch.cat((cache, x), 1)
        return {"logits": self.head(mixed[:, -1]ALL), "row": x, "position_out": position + count}


def decoder():
    return Decoder().eval()
'''
DECODER_TOML = CACHE_TOML.replace("model.py:running", "model.py:decoder").replace("[1, 6, 3]", "[1, 9, 4]")
DECODER_TOML = DECODER_TOML.replace("regression", "language-model").replace(
    "[inputs.x]\nshape = [3]", '[inputs.token]\nshape = [1]\ndtype = "int64"\nvocabulary = 7\nprefill = [2, 4]'
)


def test_a_decoder_is_captured_for_several_tokens_at_once(tmp_path: Path) -> None:
    text = np.random.default_rng(0).integers(0, 7, (2, 9, 1))
    data = {"token": text, "labels": text[:, :, 0]}
    project = Project.read(write(tmp_path, DECODER.replace("ALL", ""), DECODER_TOML, data=data))
    program = capture(load(project))
    save_program(program, tmp_path)
    program = load_program(tmp_path)
    assert program.signature.prefill == (2, 4)
    samples = load_samples(project, "evaluation")
    steps = [outputs for _, outputs in run_steps(program.exported.module(), program.signature, samples)]
    for entry, count in zip(program.prefill, (2, 4), strict=True):
        assert entry.signature.inputs[0].shape == (1, count)
        chunks = prefill_arguments(entry, samples)
        assert len(chunks) == 2 * (9 // count)
        for i, chunk in enumerate(chunks):
            logits, rows, position = pytree.tree_leaves(entry.exported.module()(*chunk))
            last = (i // (9 // count)) * 9 + (i % (9 // count) + 1) * count - 1
            torch.testing.assert_close(logits, steps[last][0])
            torch.testing.assert_close(rows[:, -1:], steps[last][1])
            assert position == steps[last][2]


def test_a_prefill_that_answers_for_every_token_is_refused(tmp_path: Path) -> None:
    text = np.zeros((2, 9, 1), np.int64)
    model = DECODER.replace("mixed[:, -1]ALL", "mixed.flatten(0, 1)")
    project = Project.read(write(tmp_path, model, DECODER_TOML, data={"token": text, "labels": text[:, :, 0]}))
    with pytest.raises(StateMismatch, match=r"a prefill of 2 tokens gives 'logits' as float32\[2, 7\]") as caught:
        capture(load(project))
    assert "the last token only" in str(caught.value.hint)


def test_a_prefill_beyond_the_cache_is_refused(tmp_path: Path) -> None:
    toml = DECODER_TOML.replace("prefill = [2, 4]", "prefill = [2, 16]")
    with pytest.raises(SpecError, match="a 'prefill' of 16, the cache 'cache' holds 9"):
        Project.read(write(tmp_path, DECODER, toml))
