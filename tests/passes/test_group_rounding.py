"""int4 by calibration data: outputs change less than by nearest rounding, and backends find the same integers again."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.export import export

from edgekit.errors import PassError
from edgekit.passes.quantization.group_rounding import GroupRounding, changed_weights, with_weights
from edgekit.passes.quantization.group_scales import grouped_weight
from edgekit.specs.compression import Quantize, Rounding, Weights

WIDTH, GROUP = 64, 32


class Net(nn.Module):
    """Two layers, one of which groups do not fill, and a table that is the output layer too."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(WIDTH, 44, bias=False), nn.Linear(44, WIDTH)
        self.table, self.head = nn.Embedding(16, WIDTH), nn.Linear(WIDTH, 16, bias=False)
        self.head.weight = self.table.weight

    def forward(self, x: Tensor, token: Tensor) -> Tensor:
        output: Tensor = self.head(self.down(self.up(x).relu()) + self.table(token))
        return output


def samples(count: int = 64) -> list[tuple[Tensor, ...]]:
    """Inputs that go together, as those of trained layers do."""
    x = torch.randn(count, 6) @ torch.randn(6, WIDTH) + 0.1 * torch.randn(count, WIDTH)
    return [(row[None], torch.tensor([3])) for row in x]


def recipe(rounding: Rounding = "gptq", skip: tuple[str, ...] = ()) -> Quantize:
    weights = Weights(dtype="int4", granularity="per-group", group=GROUP, rounding=rounding)
    return Quantize(mode="weight-only", weights=weights, skip=skip)


@pytest.mark.parametrize("rounding", ["gptq", "adaround"])
def test_outputs_change_less_than_by_nearest_rounding(rounding: Rounding) -> None:
    torch.manual_seed(0)
    net, data = Net(), samples()
    exported = export(net, data[0])
    rewritten = GroupRounding(recipe(rounding), data, short_groups=True).rewrite(exported)
    weights = changed_weights(exported, rewritten.exported)
    assert set(weights) == {"up.weight", "down.weight"}, "the table is read twice"
    x = torch.cat([row for row, _ in data])
    right = net.up.weight.detach()
    nearest = grouped_weight(right, GROUP).real
    lost = [(x @ (right - each).T).square().mean() for each in (nearest, weights["up.weight"])]
    assert lost[1] < 0.6 * lost[0]
    assert (right - weights["up.weight"]).square().mean() < 9 * (right - nearest).square().mean()
    for weight in weights.values():
        assert torch.equal(grouped_weight(weight, GROUP).real, weight), "a backend finds other integers"
    share = dict(rewritten.findings)["rounding error"]
    assert share.endswith("% of nearest rounding's, 2 layers")
    assert int(share.partition("%")[0]) < 80


def test_layers_that_int4_leaves_alone_stay_as_they_are() -> None:
    torch.manual_seed(0)
    data = samples(8)
    exported = export(Net(), data[0])
    for step in (
        GroupRounding(recipe(), data, short_groups=False),
        GroupRounding(recipe(skip=("down",)), data, short_groups=True),
    ):
        assert set(changed_weights(exported, step.rewrite(exported).exported)) == {"up.weight"}


def test_entry_points_get_the_same_weights() -> None:
    torch.manual_seed(0)
    data = samples(8)
    exported = export(Net(), data[0])
    rounded = GroupRounding(recipe(), data, short_groups=True).rewrite(exported).exported
    entry = export(Net(), (torch.ones(4, WIDTH), torch.tensor([1, 2, 3, 4])))
    weights = changed_weights(exported, rounded)
    other = with_weights(entry, {**weights, "another": torch.ones(1)}).state_dict
    assert torch.equal(other["up.weight"], rounded.state_dict["up.weight"])
    assert torch.equal(other["down.bias"], entry.state_dict["down.bias"])


def test_without_calibration_data_it_is_refused() -> None:
    with pytest.raises(PassError, match="rounding = 'gptq' needs a calibration set"):
        GroupRounding(recipe(), (), short_groups=True).requires(export(Net(), samples(1)[0]))
