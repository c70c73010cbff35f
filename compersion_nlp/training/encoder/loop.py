"""Fitting a network to examples: steps, rates, and the running mean of the weights.

References:
    Ilya Loshchilov and Frank Hutter, Decoupled Weight Decay Regularization, ICLR 2019.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from itertools import chain, islice

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from compersion_nlp.training.encoder.batches import collate, deal, in_order
from compersion_nlp.training.encoder.examples import Examples
from compersion_nlp.training.encoder.loss import Answered, marks_loss, teacher_loss
from compersion_nlp.training.encoder.network import Network
from compersion_nlp.training.encoder.options import Losses, Schedule
from compersion_nlp.training.setting import Progress

_WEIGHT_DECAY = 0.01
_BETAS = (0.9, 0.98)
_LONGEST_STEP = 1.0  # gradients are clipped to this norm
_TOLD_EVERY = 60.0  # seconds between two lines of progress

# What is read at once where nothing is learned from it.
_PIECES_READ = 8000


def sow(seed: int) -> None:
    """Makes what torch and Python draw the same for the same seed."""
    random.seed(seed)
    torch.manual_seed(seed)


def fit_network(
    network: Network,
    examples: Examples,
    padding: int,
    schedule: Schedule,
    losses: Losses,
    seed: int,
    progress: Progress,
    answered: Answered | None = None,
) -> None:
    """Fits ``network`` in place; with a teacher's answers for the same examples, to those too."""
    draw = np.random.default_rng(seed)
    rounds = _rounds(examples, schedule, draw)
    first = next(rounds)
    steps_in_all = max(1, round(len(first) * schedule.epochs))
    steps = islice(chain(first, chain.from_iterable(rounds)), steps_in_all)
    optimizer = torch.optim.AdamW(_parameter_groups(network, schedule), betas=_BETAS, fused=True)
    mean = _Mean(network, schedule.averaging, steps_in_all)
    began = told = time.monotonic()
    losses_since: list[float] = []
    network.train()
    for done, rows in enumerate(steps, start=1):
        _set_rates(optimizer, done - 1, steps_in_all, schedule.warm_up)
        with torch.autocast("cpu", torch.bfloat16):
            output = network(*collate(examples.ids, rows, padding))
        output = output._make(part.float() for part in output)
        loss = marks_loss(output, examples, rows, losses)
        if answered is not None:
            from_teacher = teacher_loss(output, answered, rows, losses, network.n_labels)
            loss = (1 - losses.teacher) * loss + losses.teacher * from_teacher
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), _LONGEST_STEP)
        optimizer.step()
        mean.add(network, done)
        losses_since.append(float(loss.detach()))
        if time.monotonic() - told > _TOLD_EVERY or done == steps_in_all:
            told = time.monotonic()
            left = (told - began) / done * (steps_in_all - done) / 60
            progress(f"Step {done} of {steps_in_all}, loss {np.mean(losses_since):.4f}, {left:.0f} minutes left")
            losses_since = []
    mean.put_into(network)
    network.eval()


@torch.no_grad()
def answer(network: Network, ids: tuple[npt.NDArray[np.int64], ...], padding: int) -> Answered:
    """Returns a network's logits for texts, in their order."""
    network.eval()
    found: list[tuple[npt.NDArray[np.int64], tuple[Tensor, ...]]] = []
    for rows in in_order(ids, _PIECES_READ):
        with torch.autocast("cpu", torch.bfloat16):
            found.append((rows, tuple(part.float() for part in network(*collate(ids, rows, padding)))))
    order = np.argsort(np.concatenate([rows for rows, _ in found]), kind="stable")
    parts = (torch.cat([output[place] for _, output in found]).numpy()[order] for place in range(3))
    return Answered(*parts)


def _rounds(examples: Examples, schedule: Schedule, draw: np.random.Generator) -> Iterator[list[npt.NDArray[np.int64]]]:
    """Yields the steps of each round: all passages of the scheme, and a share of the public sets' drawn anew."""
    own, others = np.flatnonzero(examples.own), np.flatnonzero(~examples.own)
    taken = round(len(others) * schedule.auxiliary_share)
    while True:
        rows = np.concatenate([own, draw.permutation(others)[:taken]])
        yield deal(examples.ids, rows, schedule.pieces_a_step, draw)


def _parameter_groups(network: Network, schedule: Schedule) -> list[dict[str, object]]:
    """Returns the parameters by learning rate and decay; those that are left as they are, are frozen."""
    layers = network.layers
    frozen = ("enc.embeddings.", *(f"enc.encoder.layer.{layer}." for layer in range(schedule.frozen_layers)))
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if schedule.frozen_layers and name.startswith(frozen):
            parameter.requires_grad = False
            continue
        if name.startswith("enc.encoder.layer."):
            below = layers - 1 - int(name.split(".")[3])
            rate = schedule.learning_rate * schedule.layer_decay**below
        elif name.startswith("enc.embeddings"):
            rate = schedule.learning_rate * schedule.layer_decay**layers
        else:
            rate = schedule.learning_rate if name.startswith("enc.") else schedule.head_learning_rate
        groups.setdefault((rate, _WEIGHT_DECAY if parameter.dim() > 1 else 0.0), []).append(parameter)
    return [
        {"params": parameters, "lr": rate, "weight_decay": decay, "full_rate": rate}
        for (rate, decay), parameters in groups.items()
    ]


def _set_rates(optimizer: torch.optim.Optimizer, done: int, steps: int, warm_up: float) -> None:
    """Sets each rate for the step after ``done``: rising evenly to its full height, then falling evenly to 0."""
    rising = max(1, round(warm_up * steps))
    height = min((done + 1) / rising, (steps - done) / max(1, steps - rising))
    for group in optimizer.param_groups:
        group["lr"] = group["full_rate"] * min(1.0, height)


class _Mean:
    """The running mean of a network's weights over the last two thirds of the steps (none with a decay of 0)."""

    def __init__(self, network: Network, decay: float, steps: int) -> None:
        self.decay = decay
        self.start = steps // 3
        self.weights: dict[str, Tensor] = {}

    def add(self, network: Network, done: int) -> None:
        if not self.decay or done < self.start:
            return
        for name, weight in network.state_dict().items():
            if not weight.is_floating_point():
                continue
            if name in self.weights:
                self.weights[name].lerp_(weight, 1 - self.decay)
            else:
                self.weights[name] = weight.detach().clone()

    def put_into(self, network: Network) -> None:
        network.load_state_dict(self.weights, strict=False)
