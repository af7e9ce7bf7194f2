"""Weights of an architecture: random with the means of batch norms and a head that are fitted, or trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from scripts.coverage_table.architecture import Architecture
from scripts.coverage_table.samples import Arrays

FITTED, TRAINED = 300, 600
"""Samples that a head is fitted to, and that a network is trained on."""
FITTING_SEED, BATCH = 2, 32
RIDGE, SLOWER = 0.1, 20


def weighted(architecture: Architecture) -> nn.Module:
    """Network in evaluation mode with its weights, the same at every call."""
    torch.manual_seed(0)
    network = architecture.make()
    if architecture.state:
        return network.eval()
    if architecture.steps:
        _train(network, architecture)
        return network.eval()
    samples = architecture.samples(FITTED if architecture.task == "classification" else BATCH, FITTING_SEED)
    _settle(network, samples)
    if architecture.task == "classification":
        _fit_head(network, samples)
    return network.eval()


def inputs_of(samples: Arrays, chosen: slice | np.ndarray[Any, np.dtype[Any]]) -> list[Tensor]:
    """Inputs of the chosen samples, [N, …] each, in the order of `forward`."""
    return [
        torch.from_numpy(np.ascontiguousarray(array[chosen])) for name, array in samples.items() if name != "labels"
    ]


def _settle(network: nn.Module, samples: Arrays) -> None:
    """Set the statistics of batch norms to those of a batch, so that random layers neither vanish nor explode."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]
    if not norms:
        return
    for norm in norms:
        norm.momentum = None  # the mean of all batches
    network.train()
    with torch.no_grad():
        network(*inputs_of(samples, slice(BATCH)))


def _fit_head(network: nn.Module, samples: Arrays) -> None:
    """Fit the layer `head` to the labels by ridge regression, sample by sample."""
    head, features = network.get_submodule("head"), []
    assert isinstance(head, nn.Linear)
    hook = head.register_forward_pre_hook(lambda _, arguments: features.append(arguments[0].detach()))
    network.eval()
    labels = torch.from_numpy(samples["labels"])
    with torch.no_grad():
        for place in range(len(labels)):
            network(*inputs_of(samples, slice(place, place + 1)))
        hook.remove()
        known = torch.cat(features).double()
        centre, scale = known.mean(0), known.std(0) + 1e-6
        plain = (known - centre) / scale
        wanted = 4.0 * nn.functional.one_hot(labels, head.out_features).double()
        gram = plain.T @ plain + RIDGE * len(labels) * torch.eye(plain.shape[1], dtype=torch.float64)
        weight = torch.linalg.solve(gram, plain.T @ (wanted - wanted.mean(0))).T / scale
        head.weight.copy_(weight)
        head.bias.copy_(wanted.mean(0) - weight @ centre)


def _train(network: nn.Module, architecture: Architecture) -> None:
    """Train with Adam, on classes by cross-entropy, on images by squared error."""
    samples, random = architecture.samples(TRAINED, FITTING_SEED), np.random.default_rng(0)
    labels = torch.from_numpy(samples["labels"])
    loss = nn.functional.cross_entropy if architecture.task == "classification" else nn.functional.mse_loss
    slow = [each for name in architecture.slow for each in network.get_submodule(name).parameters()]
    others = [each for each in network.parameters() if all(each is not one for one in slow)]
    optimizer = torch.optim.Adam([{"params": part} for part in (others, slow) if part])
    rates = [architecture.rate, architecture.rate / SLOWER][: len(optimizer.param_groups)]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, architecture.steps)
    network.train()
    for _ in range(architecture.steps):
        chosen = random.integers(0, len(labels), BATCH)
        with _products(architecture.bfloat16):
            outputs = network(*inputs_of(samples, chosen))
        value = loss(outputs.float(), labels[torch.from_numpy(chosen)])
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()


@contextmanager
def _products(bfloat16: bool) -> Iterator[None]:
    """Products in bfloat16, and attention of two products, whose derivatives take half of the fused kernel's time."""
    if not bfloat16:
        yield
        return
    with sdpa_kernel(SDPBackend.MATH), torch.autocast("cpu", torch.bfloat16):
        yield
