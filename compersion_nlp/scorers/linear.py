"""The linear scorer: TF-IDF of word and character n-grams, and one logistic regression a label.

The features are those of scikit-learn's ``TfidfVectorizer`` (a test compares them), made here in one pass that
looks each distinct word up once: faster, and without the second and a half that importing scikit-learn takes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from scipy.sparse import csr_array

from compersion_nlp.errors import BadBundle
from compersion_nlp.folding import fold
from compersion_nlp.scorers.protocol import Scores

FEATURES, WEIGHTS = "features.json", "weights.safetensors"

# One-letter words count ("I" is the word that tells whose feeling it is), and contractions are one word.
_WORD = re.compile(r"\w+(?:'\w+)*")

# Words whose character n-grams are remembered: a forum's vocabulary, some tens of megabytes.
_REMEMBERED = 50_000
_LONGEST_REMEMBERED = 40

Length = Annotated[int, msgspec.Meta(ge=1, le=10)]


class Features(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which n-grams are counted, and how; the columns are ``words``, then ``chars``, in their order.

    ``word_ngrams`` and ``char_ngrams`` are the shortest and the longest length. Character n-grams do not cross white
    space. ``sublinear_tf`` counts ``1 + log(n)`` for n occurrences.
    """

    word_ngrams: tuple[Length, Length]
    char_ngrams: tuple[Length, Length]
    sublinear_tf: bool
    words: tuple[str, ...]
    chars: tuple[str, ...]


def normalise(text: str) -> str:
    """Returns the text as the scorer reads it: folded and in lower case."""
    return fold(text).lower()


def word_ngrams(text: str, lengths: tuple[int, int]) -> Iterator[str]:
    """Yields the word n-grams of a normalised text, shortest first, words joined by a space."""
    words = _WORD.findall(text)
    for length in range(lengths[0], lengths[1] + 1):
        if length == 1:
            yield from words
        else:
            yield from map(" ".join, zip(*(words[start:] for start in range(length)), strict=False))


def char_ngrams(word: str, lengths: tuple[int, int]) -> Iterator[str]:
    """Yields the character n-grams of one word with a space on either side; a word shorter than n counts once."""
    padded = f" {word} "
    for length in range(lengths[0], lengths[1] + 1):
        for start in range(max(1, len(padded) - length + 1)):
            yield padded[start : start + length]
        if length >= len(padded):
            return


class _Counter:
    """Turns normalised texts into rows of counts."""

    def __init__(self, features: Features) -> None:
        self._features = features
        self._words = {ngram: column for column, ngram in enumerate(features.words)}
        self._chars = {ngram: column for column, ngram in enumerate(features.chars)}
        self._seen: dict[str, list[int]] = {}

    def words(self, texts: Sequence[str]) -> csr_array:
        lengths, columns = self._features.word_ngrams, self._words
        rows = [[columns[ngram] for ngram in word_ngrams(text, lengths) if ngram in columns] for text in texts]
        return _counts(rows, len(columns))

    def chars(self, texts: Sequence[str]) -> csr_array:
        rows = [list(chain.from_iterable(map(self._word_columns, text.split()))) for text in texts]
        return _counts(rows, len(self._chars))

    def _word_columns(self, word: str) -> list[int]:
        found = self._seen.get(word)
        if found is None:
            columns = self._chars
            found = [columns[ngram] for ngram in char_ngrams(word, self._features.char_ngrams) if ngram in columns]
            if len(word) <= _LONGEST_REMEMBERED:
                if len(self._seen) >= _REMEMBERED:
                    self._seen.clear()
                self._seen[word] = found
        return found


def _counts(rows: list[list[int]], width: int) -> csr_array:
    ends = np.cumsum([0, *map(len, rows)], dtype=np.int32)  # scikit-learn fits on 32-bit indices only
    columns = np.fromiter(chain.from_iterable(rows), dtype=np.int32, count=ends[-1])
    counts = csr_array((np.ones(len(columns), dtype=np.float32), columns, ends), shape=(len(rows), width))
    counts.sum_duplicates()
    return counts


class TfIdf:
    """Term frequencies weighted by how rare the term is; words and characters each of unit length."""

    def __init__(self, features: Features, idf: npt.NDArray[np.float32]) -> None:
        self.features = features
        self.idf = idf
        self._counter = _Counter(features)

    def blocks(self, texts: Sequence[str]) -> tuple[csr_array, csr_array]:
        """Returns the float32 rows of ``texts`` for the word columns and for the character columns."""
        normalised = [normalise(text) for text in texts]
        split = len(self.features.words)
        words, chars = self._counter.words(normalised), self._counter.chars(normalised)
        return self._weigh(words, self.idf[:split]), self._weigh(chars, self.idf[split:])

    def _weigh(self, counts: csr_array, idf: npt.NDArray[np.float32]) -> csr_array:
        # In double precision, because numpy's vectorised sums and logarithms depend in their last digit on where in
        # the array a number stands, and a text's row must not depend on the texts beside it.
        counted = counts.data.astype(np.float64)
        values = (1 + np.log(counted) if self.features.sublinear_tf else counted) * idf[counts.indices]
        lengths = np.diff(counts.indptr)
        # reduceat gives an empty row some other row's number; it has no values to be divided by it.
        squares = np.add.reduceat(np.append(values * values, 0.0), counts.indptr[:-1])
        counts.data = (values / np.repeat(np.sqrt(squares), lengths)).astype(np.float32)
        return counts


class LinearScorer:
    """Scores texts by n-grams; ``coefficients`` has shape (columns, L) and ``intercepts`` shape (L,)."""

    def __init__(
        self,
        labels: tuple[str, ...],
        tfidf: TfIdf,
        coefficients: npt.NDArray[np.float32],
        intercepts: npt.NDArray[np.float32],
    ) -> None:
        self._labels = labels
        self.tfidf = tfidf
        self.coefficients = np.ascontiguousarray(coefficients, dtype=np.float32)
        self.intercepts = np.asarray(intercepts, dtype=np.float32)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the columns."""
        return self._labels

    def score(self, texts: Sequence[str]) -> Scores:
        """Returns logits, float32 of shape (n, L)."""
        words, chars = self.tfidf.blocks(texts)
        split = words.shape[1]
        scores: Scores = words @ self.coefficients[:split] + chars @ self.coefficients[split:] + self.intercepts
        return scores

    def save(self, folder: Path) -> None:
        """Writes the n-grams as JSON and the numbers as safetensors."""
        (folder / FEATURES).write_bytes(msgspec.json.encode(self.tfidf.features))
        weights = {"idf": self.tfidf.idf, "coefficients": self.coefficients, "intercepts": self.intercepts}
        save_file(weights, folder / WEIGHTS)


def load(folder: Path, labels: tuple[str, ...]) -> LinearScorer:
    """Reads the scorer that ``save`` wrote; raises BadBundle where its files do not fit together."""
    features = _read_features(folder / FEATURES)
    columns = len(features.words) + len(features.chars)
    shapes = {"idf": (columns,), "coefficients": (columns, len(labels)), "intercepts": (len(labels),)}
    weights = _read_weights(folder / WEIGHTS, shapes)
    return LinearScorer(labels, TfIdf(features, weights["idf"]), weights["coefficients"], weights["intercepts"])


def _read_features(path: Path) -> Features:
    try:
        features = msgspec.json.decode(path.read_bytes(), type=Features)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadBundle(f"{path} does not list the features of a linear scorer: {error}.", _AGAIN) from error
    for kind, ngrams in (("words", features.words), ("chars", features.chars)):
        if len(set(ngrams)) != len(ngrams):
            raise BadBundle(f"{path}: $.{kind} lists an n-gram twice.", _AGAIN)
    return features


def _read_weights(path: Path, shapes: dict[str, tuple[int, ...]]) -> dict[str, npt.NDArray[Any]]:
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise BadBundle(f"{path} is not a safetensors file: {error}.", _AGAIN) from error
    if set(weights) != set(shapes):
        raise BadBundle(f"{path} holds {', '.join(sorted(weights))}; expected {', '.join(sorted(shapes))}.", _AGAIN)
    for name, shape in shapes.items():
        found = weights[name]
        if found.shape != shape or found.dtype != np.float32:
            raise BadBundle(
                f"{path}: {name} is {found.dtype} of shape {found.shape}; expected float32 {shape}.", _AGAIN
            )
        if not np.isfinite(found).all():
            raise BadBundle(f"{path}: {name} holds a value that is not finite.", _AGAIN)
    if (weights["idf"] <= 0).any():
        raise BadBundle(f"{path}: idf holds a value that is not positive.", _AGAIN)
    return weights


_AGAIN = "Train the bundle again, or get a whole copy of it."
