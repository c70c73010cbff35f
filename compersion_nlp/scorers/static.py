"""The static scorer: a vector for every word piece, looked at with its neighbours, by NumPy alone.

A piece's state is made from its own vector and those beside it (a convolution over static vectors), and each label has
a query of its own that looks over the states, as in the encoder, whose answers it is taught by. So a logit is a sum
over word pieces here too, and can be traced back to them.

References:
    Yoon Kim, Convolutional Neural Networks for Sentence Classification, EMNLP 2014.
    Stephan Tulkens and Thomas van Dongen, Model2Vec: Fast State-of-the-Art Static Embeddings, 2024.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from compersion_nlp.errors import BadBundle
from compersion_nlp.labels import SCHEME
from compersion_nlp.scorers.protocol import Answers, Scores, Trace
from compersion_nlp.scorers.wordpieces import PieceIds, WordPieces

WEIGHTS, TOKENIZER = "weights.safetensors", "tokenizer.json"

# Matrices are multiplied in blocks of so many rows, filled up with zeros: how a product is summed depends on its size,
# and a neighbour would change a text's row.
_BLOCK = 2048
_FEW = 512  # the same for the vectors of the different pieces in a call

_SHARPEST = 40.0  # what a query makes of a piece is kept within, so that its exponential is finite

Floats = npt.NDArray[np.float32]


class Weights(msgspec.Struct, frozen=True, eq=False):
    """The arrays of the network, for V word pieces, windows of W pieces, states of width K, L labels and S stances.

    ``vectors`` (V, D), int8, are each to be multiplied by their ``scales`` (V,). ``window`` (W, D, K) and ``bias``
    (K,) make states of them. For each label, ``queries``, ``felt`` and ``mentioned`` are (L, K), and their biases (L,).
    ``stances`` (S, K) and ``stances_bias`` (L, S) say in which stance a label is mentioned, if it is.
    """

    vectors: npt.NDArray[np.int8]
    scales: Floats
    window: Floats
    bias: Floats
    queries: Floats
    felt: Floats
    felt_bias: Floats
    mentioned: Floats
    mentioned_bias: Floats
    stances: Floats
    stances_bias: Floats

    def odd(self, n_labels: int, n_pieces: int) -> str | None:
        """Returns what does not fit together, or None."""
        if self.window.ndim != 3 or len(self.window) % 2 == 0:
            return f"window has the shape {self.window.shape}; expected three dimensions, the first of them odd"
        width, depth, k = self.window.shape
        n_stances = len(SCHEME.stance_names)
        expected: dict[str, tuple[tuple[int, ...], type]] = {
            "vectors": ((n_pieces, depth), np.int8),
            "scales": ((n_pieces,), np.float32),
            "window": ((width, depth, k), np.float32),
            "bias": ((k,), np.float32),
            **dict.fromkeys(("queries", "felt", "mentioned"), ((n_labels, k), np.float32)),
            **dict.fromkeys(("felt_bias", "mentioned_bias"), ((n_labels,), np.float32)),
            "stances": ((n_stances, k), np.float32),
            "stances_bias": ((n_labels, n_stances), np.float32),
        }
        for name, (shape, kind) in expected.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != kind:
                return f"{name} is {array.dtype} of shape {array.shape}; expected {np.dtype(kind)} of {shape}"
        return None


class _Run(NamedTuple):
    """Texts one after the other as T word pieces, and gaps between them.

    ``looks`` (T, L) is how much each query looks at each piece, of all that it looks at in the text; ``values`` (T, L)
    is what each piece says for each label's being felt, and then, where all was asked for, (T, 2L), mentioned.
    ``bounds`` (n, 2) says where each text stands. ``states`` has shape (T, K), or no rows.
    """

    looks: Floats
    values: Floats
    bounds: npt.NDArray[np.int64]
    states: Floats


class StaticScorer:
    """Scores texts with static vectors."""

    def __init__(self, labels: tuple[str, ...], tokenizer: Tokenizer, weights: Weights) -> None:
        self._labels = labels
        self.weights = weights
        self._pieces = WordPieces(tokenizer, longest=None)
        self._ids = PieceIds(self._pieces)
        self._reach = len(weights.window) // 2
        self._felt_heads = np.ascontiguousarray(np.concatenate([weights.queries, weights.felt]).T)
        self._all_heads = np.ascontiguousarray(np.concatenate([weights.queries, weights.felt, weights.mentioned]).T)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the columns."""
        return self._labels

    def score(self, texts: Sequence[str]) -> Scores:
        """Returns logits, float32 of shape (n, L)."""
        run = self._read(self._ids.cut(texts), whole=False)
        return _summed(run.looks * run.values, run.bounds) + self.weights.felt_bias

    def answer(self, texts: Sequence[str]) -> Answers:
        """Returns logits of what is felt and mentioned, (n, L), and of the stances of mentions, (n, L, S)."""
        return self._answers(self._read(self._ids.cut(texts), whole=True))

    def trace(self, texts: Sequence[str]) -> tuple[Answers, list[Trace]]:
        """Returns what ``answer`` returns, and what each word piece of each text adds to the logits."""
        n_labels = len(self._labels)
        pieces = [chunks[0] for chunks in self._pieces.cut(texts)]
        run = self._read([one.ids.tolist() for one in pieces], whole=True)
        added = np.tile(run.looks, 2) * run.values
        traces = [
            Trace(one.offsets, added[start:end, :n_labels], added[start:end, n_labels:])
            for one, (start, end) in zip(pieces, run.bounds.tolist(), strict=True)
        ]
        return self._answers(run), traces

    def save(self, folder: Path) -> None:
        """Writes the arrays and the vocabulary."""
        save_file(msgspec.structs.asdict(self.weights), folder / WEIGHTS)
        (folder / TOKENIZER).write_text(self._pieces.tokenizer.to_str(), "utf-8")

    def _answers(self, run: _Run) -> Answers:
        n_labels, weights = len(self._labels), self.weights
        both = _summed(np.tile(run.looks, 2) * run.values, run.bounds)
        stances = np.empty((len(run.bounds), *weights.stances_bias.shape), np.float32)
        for row, (start, end) in enumerate(run.bounds.tolist()):
            seen = run.looks[start:end].T @ run.states[start:end]
            stances[row] = seen @ weights.stances.T + weights.stances_bias
        return Answers(both[:, :n_labels] + weights.felt_bias, both[:, n_labels:] + weights.mentioned_bias, stances)

    def _read(self, ids: Sequence[Sequence[int]], whole: bool) -> _Run:
        """Reads texts that are cut into word pieces; without ``whole``, only for what is felt, and keeping no states."""
        n_labels, reach = len(self._labels), self._reach
        lengths = np.array([len(one) for one in ids], np.int64)
        ends = np.cumsum(lengths + reach)
        bounds = np.stack([ends - reach - lengths, ends - reach], axis=1)
        # Between texts stand pieces that say nothing, as many as a window reaches: no text sees another.
        gap = [-1] * reach
        flat = np.array([*gap, *(piece for one in ids for piece in (*one, *gap))], np.int64)
        heads = self._all_heads if whole else self._felt_heads
        states, outcomes = (np.concatenate(parts) for parts in zip(*self._blocks(flat, heads, whole), strict=True))
        weights = np.exp(np.clip(outcomes[:, :n_labels], -_SHARPEST, _SHARPEST))
        texts = np.repeat(np.arange(len(ids)), lengths + reach)
        looks = weights[: len(texts)] / _summed(weights, bounds)[texts]
        return _Run(looks, outcomes[: len(texts), n_labels:], bounds, states)

    def _blocks(self, flat: npt.NDArray[np.int64], heads: Floats, with_states: bool) -> Iterator[tuple[Floats, Floats]]:
        """Yields states (block, K), or none, and what the heads make of them, for all pieces but the reach at each end.

        There is always at least one row more than there are pieces, for the sums.
        """
        weights, reach = self.weights, self._reach
        different, places = np.unique(flat, return_inverse=True)
        shares = self._shares(different)
        rows = (len(flat) - reach) // _BLOCK * _BLOCK + _BLOCK
        places = np.concatenate([places, np.zeros(rows + 2 * reach - len(places), places.dtype)])
        state, added = (np.empty((_BLOCK, len(weights.bias)), np.float32) for _ in range(2))
        for start in range(0, rows, _BLOCK):
            state[:] = weights.bias
            for offset, share in enumerate(shares):
                # mode: with the default one, what is taken goes through a buffer
                np.take(share, places[start + offset : start + offset + _BLOCK], axis=0, out=added, mode="clip")
                state += added
            np.maximum(state, 0, out=state)
            yield state.copy() if with_states else state[:0], state @ heads

    def _shares(self, pieces: npt.NDArray[np.int64]) -> list[Floats]:
        """Returns what each of ``pieces`` adds to a state, (n, K), for each place in the window; -1 adds nothing."""
        weights = self.weights
        rows = -(-len(pieces) // _FEW) * _FEW
        vectors = np.zeros((rows, weights.vectors.shape[1]), np.float32)
        real = np.flatnonzero(pieces >= 0)
        vectors[real] = weights.vectors[pieces[real]] * weights.scales[pieces[real], None]
        parts = vectors.reshape(-1, _FEW, vectors.shape[1])
        return [(parts @ matrix).reshape(rows, -1) for matrix in weights.window]


def _summed(values: Floats, bounds: npt.NDArray[np.int64]) -> Floats:
    """Returns the sums over the rows of each text, (n, ...)."""
    if not len(bounds):
        return values[:0]
    summed: Floats = np.add.reduceat(values, bounds.reshape(-1), axis=0)[::2]
    return summed


def load(folder: Path, labels: tuple[str, ...]) -> StaticScorer:
    """Reads the scorer that ``save`` wrote; raises BadBundle where its files do not fit together."""
    try:
        arrays: dict[str, Any] = load_file(folder / WEIGHTS)
        tokenizer = Tokenizer.from_str((folder / TOKENIZER).read_text("utf-8"))
        weights = Weights(**arrays)
    except Exception as error:  # the libraries raise bare exceptions of their own
        raise BadBundle(f"{folder} does not hold a static scorer: {type(error).__name__}: {error}", _AGAIN) from error
    if (odd := weights.odd(len(labels), tokenizer.get_vocab_size())) is not None:
        raise BadBundle(f"{folder / WEIGHTS}: {odd}.", _AGAIN)
    return StaticScorer(labels, tokenizer, weights)


_AGAIN = "Train the bundle again, or get a whole copy of it."
