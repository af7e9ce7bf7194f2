"""Networks that answer or load differently each time, and those that write into what they are given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import FloatDisagreement, LoadError, Nondeterministic, UnstableFactory
from edgekit.frontend.capture import capture
from edgekit.frontend.eager import Eager
from edgekit.frontend.load import batches, load, load_twice
from edgekit.pipeline.stages.float_parity import check_float_parity
from edgekit.samples import load_samples
from edgekit.specs.catalog import Catalog
from edgekit.specs.project import Project
from tests.networks import MODEL, TOML, substitute, write_project
from tests.parity.examples import pair

PLAIN = substitute("preprocess = {", "# preprocess = {", TOML)
HEAD = "return self.head(self.block(self.stem(x)).mean((2, 3)))"


def project(folder: Path, model: str = MODEL, toml: str = TOML) -> Project:
    return Project.read(write_project(folder / "project", model, toml))


def floats(folder: Path, model: str) -> Project:
    """A project without preprocessing: samples are what the network itself takes."""
    made = project(folder, model, PLAIN)
    images = np.random.default_rng(0).random((8, 3, 8, 8), np.float32)
    np.savez(made.root / "data.npz", image=images, labels=np.arange(8) % 4)
    return made


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("return torch.relu(x", "return torch.dropout(torch.relu(x", r"module 'block' \(Block\) at model\.py:13"),
        (HEAD, substitute("(x)", "(x + torch.rand(1))", HEAD), r"the network \(Net\) at model\.py:24"),
        (
            HEAD,
            f"self.last = getattr(self, 'last', 0) + x.mean()\n        {HEAD} + self.last",
            r"\(Net\) at model\.py:24",
        ),
    ],
    ids=["dropout", "noise", "state"],
)
def test_what_begins_another_answer_is_named(tmp_path: Path, old: str, new: str, where: str) -> None:
    model = substitute(old, new)
    if "dropout" in new:
        model = substitute("self.bn(self.conv(x)))", "self.bn(self.conv(x))), 0.5, True)", model)
    with pytest.raises(Nondeterministic, match=f"{where} in forward does not answer"):
        load(project(tmp_path, model))


def test_a_factory_that_gives_other_weights_each_time_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UnstableFactory, match=r"'model\.py:net' gives another network each time: are the weights loaded"
    ):
        load_twice(project(tmp_path, substitute("    torch.manual_seed(0)\n", "")))


def test_a_factory_that_gives_the_same_weights_gives_two_networks_that_share_none(tmp_path: Path) -> None:
    first, second = load_twice(project(tmp_path))
    weights = [model.module.get_parameter("model.head.weight") for model in (first, second)]
    assert weights[0] is not weights[1]


@pytest.mark.parametrize(
    "forward",
    ["x.sub_(0.5).mul_(2)", "x[:, 0] = 0", "x = torch.nn.functional.relu(x.sub_(0.5), inplace=True)"],
    ids=["whole", "part", "activation"],
)
def test_samples_stay_as_they_are_whatever_the_network_writes(tmp_path: Path, forward: str) -> None:
    model = load(floats(tmp_path, substitute(HEAD, f"{forward}\n        {HEAD}")))
    samples = load_samples(model.project, "evaluation")
    digest = samples.digest
    wanted = Eager(lambda: model).measure(samples, None).outputs["output"]
    module = capture(model).exported.module()
    answers = np.concatenate([module(*sample).detach().numpy() for sample in batches(samples, model.project)])
    np.testing.assert_allclose(answers, wanted, atol=1e-5)
    assert samples.digest == digest


@pytest.mark.parametrize(
    ("made", "word"),
    [
        ("torch.nn.Sequential(torch.jit.script(Net()))", "module '0' is TorchScript"),
        ("Net().state_dict()", "returned OrderedDict"),
    ],
    ids=["inside", "state dict"],
)
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_what_is_no_network_is_called_what_it_is(tmp_path: Path, made: str, word: str) -> None:
    with pytest.raises(LoadError, match=word) as caught:
        load(project(tmp_path, substitute("return found", f"return {made}")))
    assert caught.value.hint


def test_a_float_file_that_is_another_function_is_an_error(tmp_path: Path) -> None:
    catalog = Catalog.default(tmp_path)
    plain, int8 = catalog.profile("float32"), catalog.profile("host-int8")
    same, other = pair(40, 0, 0)
    check_float_parity(plain, same, other)
    few, most = pair(40, 10, 0), pair(40, 30, 0)
    check_float_parity(plain, *few)
    check_float_parity(int8, *most)
    with pytest.raises(FloatDisagreement, match="nothing was quantized"):
        check_float_parity(plain, *most)
