"""Recurrent networks: GRU and LSTM of one and two layers and of both directions, and a voice net with an LSTMCell."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scripts.coverage_table.architecture import Architecture
from scripts.coverage_table.samples import normal, sequences, tones

STEPS, FEATURES, HIDDEN = 20, 16, 32


class Recurrent(nn.Module):
    """GRU or LSTM over 20 steps, and a linear layer on the mean of its answers."""

    def __init__(self, kind: type[nn.RNNBase], layers: int, both: bool) -> None:
        super().__init__()
        self.cell = kind(FEATURES, HIDDEN, num_layers=layers, batch_first=True, bidirectional=both)  # type: ignore[call-arg, arg-type]
        self.head = nn.Linear(HIDDEN * (1 + both), 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.cell(x)[0].mean(1))


class Voice(nn.Module):
    """Frame of 256 samples, convolutions, an LSTMCell whose state is carried, a score: as silero's voice detector."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(1, 32, 32, 16), nn.ReLU(), nn.Conv1d(32, 48, 3, 2, 1), nn.ReLU(), nn.Conv1d(48, 64, 3, 2, 1),
            nn.ReLU(),
        )  # fmt: skip
        self.cell, self.score = nn.LSTMCell(64, 64), nn.Linear(64, 1)
        with torch.no_grad():
            for weight in (self.cell.weight_ih, self.score.weight):
                weight *= 16  # else the score of random weights hardly moves

    def forward(self, audio: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h, c = self.cell(self.layers(audio).mean(2), (h, c))
        return torch.sigmoid(self.score(torch.relu(h))), h, c


def _row(name: str, kind: type[nn.RNNBase], layers: int, both: bool) -> Architecture:
    directions = "both directions" if both else "one direction"
    return Architecture(
        name, f"{layers} × {HIDDEN}, {directions}, {STEPS} steps", lambda: Recurrent(kind, layers, both),
        tones(STEPS, FEATURES), "classification", steps=150, calibration=256, evaluation=256,
    )  # fmt: skip


ARCHITECTURES = (
    _row("gru-1", nn.GRU, 1, False),
    _row("gru-2", nn.GRU, 2, False),
    _row("gru-both", nn.GRU, 1, True),
    _row("lstm-1", nn.LSTM, 1, False),
    _row("lstm-2", nn.LSTM, 2, False),
    _row("lstm-both", nn.LSTM, 1, True),
    Architecture(
        "voice-lstm-cell", "3 convolutions, LSTMCell of 64, one frame a step", Voice,
        sequences(normal(audio=(1, 256)), 24),
        state=(
            'h = { from = "h_out", shape = [1, 64] }',
            'c = { from = "c_out", shape = [1, 64] }',
        ),
        outputs=("score", "h_out", "c_out"),
        calibration=8, evaluation=12,
    ),
)  # fmt: skip
