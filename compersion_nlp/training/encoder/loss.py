"""The loss: what is known of a passage, and what a teacher answers.

References:
    Tal Ridnik et al., Asymmetric Loss for Multi-Label Classification, ICCV 2021.
    Geoffrey Hinton et al., Distilling the Knowledge in a Neural Network, 2015.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from compersion_nlp.training.encoder.examples import Examples
from compersion_nlp.training.encoder.network import Output
from compersion_nlp.training.encoder.options import Losses


class Answered(NamedTuple):
    """A teacher's logits for ``n`` passages: labels (n, Q), mentioned (n, L), stances (n, L, S)."""

    labels: npt.NDArray[np.float32]
    mentioned: npt.NDArray[np.float32]
    stances: npt.NDArray[np.float32]


def marks_loss(output: Output, examples: Examples, rows: npt.NDArray[np.int64], losses: Losses) -> Tensor:
    """Returns the mean over passages of their mean loss over what is known of them; unknown is left out."""
    gold = torch.from_numpy(examples.gold[rows])
    weight = torch.where(torch.from_numpy(examples.own[rows]), 1.0, losses.auxiliary)
    total = (_known_mean(output.labels, gold, losses.focus) * weight).mean()
    mentioned = torch.from_numpy(examples.mentioned[rows])
    total = total + losses.mentioned * _known_mean(output.mentioned, mentioned, losses.focus).mean()
    stances = torch.from_numpy(examples.stances[rows])
    told = stances >= 0
    if told.any():
        by_mention = functional.cross_entropy(output.stances[told], stances[told])
        total = total + losses.stances * by_mention * told.any(dim=1).float().mean()
    return total


def teacher_loss(
    output: Output, answered: Answered, rows: npt.NDArray[np.int64], losses: Losses, n_labels: int
) -> Tensor:
    """Returns how far the answers are from the teacher's, with the same weights as the marks'."""
    labels = torch.sigmoid(torch.from_numpy(answered.labels[rows]))
    by_label = functional.binary_cross_entropy_with_logits(output.labels, labels, reduction="none")
    total = by_label[:, :n_labels].mean()
    if by_label.shape[1] > n_labels:
        total = total + losses.teacher_auxiliary * by_label[:, n_labels:].mean()
    mentioned = torch.sigmoid(torch.from_numpy(answered.mentioned[rows]))
    total = total + losses.mentioned * functional.binary_cross_entropy_with_logits(output.mentioned, mentioned)
    stances = torch.from_numpy(answered.stances[rows]).softmax(-1)
    by_stance = -(output.stances.log_softmax(-1) * stances).sum(-1)
    return total + losses.stances * (by_stance * mentioned).sum() / mentioned.sum()


def _known_mean(logits: Tensor, gold: Tensor, focus: float) -> Tensor:
    """Returns each row's mean loss over its known cells, of shape (n,); 0 for a row of which nothing is known."""
    known = ~gold.isnan()
    target = gold.nan_to_num()
    loss = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    if focus:
        loss = torch.where(target > 0, loss, loss * torch.sigmoid(logits) ** focus)
    return (loss * known).sum(dim=1) / known.sum(dim=1).clamp(min=1)
