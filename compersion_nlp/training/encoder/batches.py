"""Passages of about the same length in one step, so that little is padded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Ids = Sequence[npt.NDArray[np.int64]]

# Passages are sorted by length within pools of this size: a step holds like lengths, an epoch is still well mixed.
_POOL = 4096


def deal(ids: Ids, rows: npt.NDArray[np.int64], pieces: int, draw: np.random.Generator) -> list[npt.NDArray[np.int64]]:
    """Returns ``rows`` in steps of at most ``pieces`` word pieces with the padding counted, in random order."""
    lengths = np.array([len(ids[row]) for row in rows])
    shuffled = draw.permutation(len(rows))
    steps: list[npt.NDArray[np.int64]] = []
    for start in range(0, len(rows), _POOL):
        pool = shuffled[start : start + _POOL]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        steps.extend(rows[part] for part in _fill(pool, lengths, pieces))
    return [steps[place] for place in draw.permutation(len(steps))]


def in_order(ids: Ids, pieces: int) -> Iterator[npt.NDArray[np.int64]]:
    """Yields all rows in steps of at most ``pieces`` word pieces, shortest first."""
    lengths = np.array([len(one) for one in ids])
    yield from _fill(np.argsort(lengths, kind="stable"), lengths, pieces)


def _fill(rows: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], pieces: int) -> Iterator[npt.NDArray[np.int64]]:
    first = 0
    for last in range(1, len(rows) + 1):
        if last == len(rows) or (last - first + 1) * lengths[rows[last]] > pieces:
            yield rows[first:last]
            first = last


def collate(ids: Ids, rows: npt.NDArray[np.int64], padding: int) -> tuple[Tensor, Tensor]:
    """Returns the word pieces of ``rows`` and their mask, both int64 of shape (n, t)."""
    longest = max(len(ids[row]) for row in rows)
    batch = np.full((len(rows), longest), padding, np.int64)
    mask = np.zeros((len(rows), longest), np.int64)
    for place, row in enumerate(rows):
        batch[place, : len(ids[row])] = ids[row]
        mask[place, : len(ids[row])] = 1
    return torch.from_numpy(batch), torch.from_numpy(mask)
