"""Passages and what is known of them, as arrays over the network's queries; unknown is nan, never zero."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from compersion_nlp.labels import FELT, SCHEME
from compersion_nlp.scorers.wordpieces import WordPieces
from compersion_nlp.training.data import Auxiliary, Part

UNKNOWN_STANCE = -1

Floats = npt.NDArray[np.float32]


class Examples(msgspec.Struct, frozen=True, eq=False):
    """``n`` texts as word pieces, and what is known of them.

    ``gold`` has shape (n, Q): 1, 0 or nan, the L labels first and then those of each public set. ``mentioned`` has
    shape (n, L), nan where marks are unknown; ``stances`` (n, L) the place in the scheme's order, -1 where there is no
    mention or nothing is known. ``own`` says which rows are annotated by the scheme; the others are a public set's.
    """

    ids: tuple[npt.NDArray[np.int64], ...]
    gold: Floats
    mentioned: Floats
    stances: npt.NDArray[np.int64]
    own: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ids)


def head_columns(labels: Sequence[str], auxiliary: Sequence[Auxiliary]) -> dict[str, slice]:
    """Returns the columns of each public set's own labels among the queries, after the ``labels``."""
    columns, start = {}, len(labels)
    for head in auxiliary:
        columns[head.name] = slice(start, start + len(head.labels))
        start += len(head.labels)
    return columns


def make_examples(part: Part, labels: Sequence[str], pieces: WordPieces) -> Examples:
    """Returns the passages of ``part`` and of its public sets; a long text gives its first chunk only."""
    columns = head_columns(labels, part.auxiliary)
    width = len(labels) + sum(len(head.labels) for head in part.auxiliary)
    own = len(part.annotations)
    total = own + sum(len(head.texts) for head in part.auxiliary)
    gold = np.full((total, width), np.nan, np.float32)
    mentioned = np.full((total, len(labels)), np.nan, np.float32)
    mentioned[:own] = part.mentioned
    stances = np.full((total, len(labels)), UNKNOWN_STANCE, np.int64)
    gold[:own, : len(labels)] = part.gold
    for row, annotation in enumerate(part.annotations):
        for column, label in enumerate(labels):
            if part.mentioned[row, column] == 1:
                stances[row, column] = SCHEME.stance_names.index(annotation.feelings.get(label, FELT))
    start = own
    for head in part.auxiliary:
        gold[start : start + len(head.texts), columns[head.name]] = head.gold
        start += len(head.texts)
    texts = [*part.texts, *(text for head in part.auxiliary for text in head.texts)]
    ids = tuple(chunks[0].ids for chunks in pieces.cut(texts))
    return Examples(ids, gold, mentioned, stances, np.arange(total) < own)
