"""The static scorer: a vector for every word piece, looked at with its neighbours, by NumPy alone.

A piece's state is made from its own vector and those beside it (a convolution over static vectors), and each label has
a query of its own that looks over the states, as in the encoder, whose answers it is taught by. What stands anywhere in
a text, the largest and the summed states, gives the labels a further push. So a logit is a sum over word pieces here
too, and a constant of the text, and can be traced back to the pieces.

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
from compersion_nlp.scorers.wordpieces import PieceIds, WordPieces, cuts_words_alone

WEIGHTS, TOKENIZER = "weights.safetensors", "tokenizer.json"

# Matrices are multiplied in blocks of so many rows, filled up with zeros: how a product is summed depends on its size,
# and a neighbour would change a text's row. They are for pieces, for the different ones among them, and for texts.
_PIECES, _DIFFERENT, _TEXTS = 256, 512, 64

_AT_ONCE = 2**16  # pieces; a text of more is read by itself

_SHARPEST = 40.0  # what a query makes of a piece is kept within, so that its exponential is finite

Floats = npt.NDArray[np.float32]


class Weights(msgspec.Struct, frozen=True, eq=False):
    """The arrays of the network, for V word pieces, windows of W pieces, states of width K, L labels and S stances.

    ``vectors`` (V, D), int8, are each to be multiplied by their ``scales`` (V,). ``window`` (W, D, K) and ``bias``
    (K,) make states of them. For each label, ``queries``, ``felt`` and ``mentioned`` are (L, K), and their biases (L,).
    ``stances`` (S, K) and ``stances_bias`` (L, S) say in which stance a label is mentioned, if it is. ``context``
    (2K, C) and ``context_bias`` (C,) make a text's context of its largest and its summed states, and ``push`` (C, 2L)
    what that adds to each label's being felt, and mentioned.
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
    context: Floats
    context_bias: Floats
    push: Floats

    def odd(self, n_labels: int, n_pieces: int) -> str | None:
        """Returns what does not fit together, or None."""
        if any(np.ndim(array) == 0 for array in msgspec.structs.astuple(self)):
            return "an array is a single number"
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
            "context": ((2 * k, len(self.context_bias)), np.float32),
            "context_bias": ((len(self.context_bias),), np.float32),
            "push": ((len(self.context_bias), 2 * n_labels), np.float32),
        }
        for name, (shape, kind) in expected.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != kind:
                return f"{name} is {array.dtype} of shape {array.shape}; expected {np.dtype(kind)} of {shape}"
        return None


class _Run(NamedTuple):
    """Texts one after the other as T word pieces, and gaps between them.

    ``states`` have shape (T, K). ``looks`` (T, L) is how much each query looks at each piece, of all that it looks at
    in the text; ``values`` (T, L) is what each piece says for each label's being felt, and then, where all was asked
    for, (T, 2L), mentioned. ``push`` (n, 2L) is what each text's context adds. ``bounds`` (n, 2) says where each text
    stands.
    """

    states: Floats
    looks: Floats
    values: Floats
    push: Floats
    bounds: npt.NDArray[np.int64]


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
        n_labels = len(self._labels)
        rows = [np.empty((0, n_labels), np.float32)]
        for ids in _groups(self._ids.cut(texts)):
            run = self._read(ids, self._felt_heads)
            felt = _summed(run.looks * run.values, run.bounds) + self.weights.felt_bias
            rows.append(felt + run.push[:, :n_labels])
        return np.concatenate(rows)

    def answer(self, texts: Sequence[str]) -> Answers:
        """Returns logits of what is felt and mentioned, (n, L), and of the stances of mentions, (n, L, S)."""
        runs = (self._read(ids, self._all_heads) for ids in _groups(self._ids.cut(texts)))
        return self._joined([self._answers(run) for run in runs])

    def trace(self, texts: Sequence[str]) -> tuple[Answers, list[Trace]]:
        """Returns what ``answer`` returns, and what each word piece of each text adds to the logits."""
        n_labels = len(self._labels)
        pieces = [chunks[0] for chunks in self._pieces.cut(texts)]
        answers: list[Answers] = []
        traces: list[Trace] = []
        for ids in _groups([one.ids.tolist() for one in pieces]):
            run = self._read(ids, self._all_heads)
            answers.append(self._answers(run))
            added = np.tile(run.looks, 2) * run.values
            for start, end in run.bounds.tolist():
                offsets = pieces[len(traces)].offsets
                traces.append(Trace(offsets, added[start:end, :n_labels], added[start:end, n_labels:]))
        return self._joined(answers), traces

    def save(self, folder: Path) -> None:
        """Writes the arrays and the vocabulary."""
        save_file(msgspec.structs.asdict(self.weights), folder / WEIGHTS)
        (folder / TOKENIZER).write_text(self._pieces.tokenizer.to_str(), "utf-8")

    def _answers(self, run: _Run) -> Answers:
        n_labels, weights = len(self._labels), self.weights
        biases = np.concatenate([weights.felt_bias, weights.mentioned_bias])
        # One half after the other, as in ``score``: how a column is summed depends on how many stand beside it.
        halves = [_summed(run.looks * half, run.bounds) for half in np.split(run.values, 2, axis=1)]
        both = np.concatenate(halves, axis=1) + biases + run.push
        stances = np.empty((len(run.bounds), *weights.stances_bias.shape), np.float32)
        for row, (start, end) in enumerate(run.bounds.tolist()):
            seen = run.looks[start:end].T @ run.states[start:end]
            stances[row] = seen @ weights.stances.T + weights.stances_bias
        return Answers(both[:, :n_labels], both[:, n_labels:], stances)

    def _joined(self, parts: Sequence[Answers]) -> Answers:
        shape = self.weights.stances_bias.shape
        none = Answers(*(np.empty((0, *rest), np.float32) for rest in (shape[:1], shape[:1], shape)))
        return Answers(*(np.concatenate(found) for found in zip(none, *parts, strict=True)))

    def _read(self, ids: Sequence[Sequence[int]], heads: Floats) -> _Run:
        """Reads texts that are cut into word pieces; ``heads`` (K, H) are queries and then what values come from."""
        n_labels, reach = len(self._labels), self._reach
        lengths = np.array([len(one) for one in ids], np.int64)
        ends = np.cumsum(lengths + reach)
        bounds = np.stack([ends - reach - lengths, ends - reach], axis=1)
        # Between texts stand pieces that say nothing, as many as a window reaches: no text sees another.
        gap = [-1] * reach
        flat = gap.copy()
        for one in ids:
            flat += one
            flat += gap
        states = self._states(np.array(flat, np.int32))
        outcomes = _product(states, heads, _PIECES)
        weights: Floats = np.exp(np.clip(outcomes[:, :n_labels], -_SHARPEST, _SHARPEST))
        texts = np.repeat(np.arange(len(ids)), lengths + reach)
        looks: Floats = weights[: len(texts)] / _summed(weights, bounds)[texts]
        return _Run(states, looks, outcomes[: len(texts), n_labels:], self._push(states, bounds), bounds)

    def _states(self, flat: npt.NDArray[np.int32]) -> Floats:
        """Returns a state for each piece but the reach at each end, and rows without a meaning up to a whole block."""
        weights, reach = self.weights, self._reach
        different, places = np.unique(flat, return_inverse=True)
        rows = -(-len(flat) // _PIECES) * _PIECES
        places = np.concatenate([places, np.zeros(rows + 2 * reach - len(places), places.dtype)])
        vectors = np.zeros((len(different), weights.vectors.shape[1]), np.float32)
        real = np.flatnonzero(different >= 0)  # what says nothing adds nothing
        vectors[real] = weights.vectors[different[real]] * weights.scales[different[real], None]
        # What each piece adds to a state, by where it stands in the window.
        shares = [_product(vectors, matrix, _DIFFERENT) for matrix in weights.window]
        shares[0] += weights.bias
        states = np.empty((rows, len(weights.bias)), np.float32)
        added = np.empty((_PIECES, len(weights.bias)), np.float32)
        for start in range(0, rows, _PIECES):
            state = states[start : start + _PIECES]
            for offset, share in enumerate(shares):
                chosen = places[start + offset : start + offset + _PIECES]
                # mode: with the default one, what is taken goes through a buffer
                np.take(share, chosen, axis=0, out=added if offset else state, mode="clip")
                if offset:
                    state += added
            np.maximum(state, 0, out=state)
        return states

    def _push(self, states: Floats, bounds: npt.NDArray[np.int64]) -> Floats:
        weights = self.weights
        summed = _summed(states, bounds) / np.sqrt(bounds[:, 1:] - bounds[:, :1], dtype=np.float32)
        seen = np.concatenate([_largest(states, bounds), summed], axis=1)
        context = _product(seen, weights.context, _TEXTS)
        pushed = _product(np.maximum(context + weights.context_bias, 0), weights.push, _TEXTS)
        return pushed[: len(bounds)]


def _product(rows: Floats, matrix: Floats, block: int) -> Floats:
    """Returns ``rows @ matrix`` block by block, with rows of zeros up to a whole block."""
    whole = -(-len(rows) // block) * block
    if whole != len(rows):
        rows = np.concatenate([rows, np.zeros((whole - len(rows), rows.shape[1]), np.float32)])
    product: Floats = (rows.reshape(-1, block, rows.shape[1]) @ matrix).reshape(whole, matrix.shape[1])
    return product


def _groups(ids: Sequence[Sequence[int]]) -> Iterator[list[Sequence[int]]]:
    """Yields texts in groups of a bounded number of pieces, so that memory is bounded too."""
    group: list[Sequence[int]] = []
    size = 0
    for one in ids:
        if group and size + len(one) > _AT_ONCE:
            yield group
            group, size = [], 0
        group.append(one)
        size += len(one)
    if group:
        yield group


def _summed(values: Floats, bounds: npt.NDArray[np.int64]) -> Floats:
    """Returns the sums over the rows of each text, (n, ...)."""
    # Text by text this takes a fifth of the time of np.add.reduceat; a product with ones takes as long, and how many
    # threads it is parted among would show in its last digits.
    summed = np.empty((len(bounds), values.shape[1]), np.float32)
    for row, (start, end) in enumerate(bounds.tolist()):
        values[start:end].sum(axis=0, out=summed[row])
    return summed


def _largest(values: Floats, bounds: npt.NDArray[np.int64]) -> Floats:
    """Returns the largest values over the rows of each text, (n, ...)."""
    largest = np.empty((len(bounds), values.shape[1]), np.float32)
    for row, (start, end) in enumerate(bounds.tolist()):
        values[start:end].max(axis=0, out=largest[row])
    return largest


def load(folder: Path, labels: tuple[str, ...]) -> StaticScorer:
    """Reads the scorer that ``save`` wrote; raises BadBundle where its files do not fit together."""
    try:
        arrays: dict[str, Any] = load_file(folder / WEIGHTS)
        tokenizer = Tokenizer.from_str((folder / TOKENIZER).read_text("utf-8"))
        weights = Weights(**arrays)
    except Exception as error:  # the libraries raise bare exceptions of their own
        raise BadBundle(f"{folder} does not hold a static scorer: {type(error).__name__}: {error}", _AGAIN) from error
    if not cuts_words_alone(tokenizer):
        raise BadBundle(f"{folder / TOKENIZER} does not cut words as an uncased BERT does.", _AGAIN)
    if (odd := weights.odd(len(labels), tokenizer.get_vocab_size())) is not None:
        raise BadBundle(f"{folder / WEIGHTS}: {odd}.", _AGAIN)
    return StaticScorer(labels, tokenizer, weights)


_AGAIN = "Train the bundle again, or get a whole copy of it."
