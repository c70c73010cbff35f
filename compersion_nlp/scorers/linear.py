"""The linear scorer: TF-IDF of word and character n-grams, and one logistic regression a label.

It can be joined with the rules scorer: whose feeling a word is, and whether it is felt at all, is more than n-grams can
tell. What the rules find felt are further columns, and what they find not felt is taken out of the text.

The features are made by scikit-learn's vectorizers, rebuilt from their n-grams and weights: nothing is unpickled.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfVectorizer

from compersion_nlp.errors import BadBundle
from compersion_nlp.folding import fold
from compersion_nlp.scorers.protocol import Scores
from compersion_nlp.scorers.rules import RulesScorer
from compersion_nlp.scorers.rules import load as load_rules

FEATURES, WEIGHTS = "features.json", "weights.safetensors"

# One-letter words count ("I" is the word that tells whose feeling it is), and contractions are one word.
_WORD = r"\w+(?:'\w+)*"

Length = Annotated[int, msgspec.Meta(ge=1, le=10)]


class Features(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which n-grams are counted, and how; the columns are ``words``, ``chars``, and with ``rules`` one a label.

    ``word_ngrams`` and ``char_ngrams`` are the shortest and the longest length. Character n-grams do not cross white
    space. ``sublinear_tf`` counts ``1 + log(n)`` for n occurrences.
    """

    word_ngrams: tuple[Length, Length]
    char_ngrams: tuple[Length, Length]
    sublinear_tf: bool
    words: tuple[str, ...]
    chars: tuple[str, ...]
    rules: bool = False


def normalise(text: str) -> str:
    """Returns the text as the scorer reads it: folded and in lower case."""
    return fold(text).lower()


def word_vectorizer(lengths: tuple[int, int], **options: Any) -> TfidfVectorizer:
    """Returns a vectorizer of word n-grams; ``options`` are scikit-learn's."""
    return TfidfVectorizer(
        ngram_range=lengths, token_pattern=_WORD, preprocessor=normalise, dtype=np.float32, **options
    )


def char_vectorizer(lengths: tuple[int, int], **options: Any) -> TfidfVectorizer:
    """Returns a vectorizer of character n-grams inside words; ``options`` are scikit-learn's."""
    return TfidfVectorizer(ngram_range=lengths, analyzer="char_wb", preprocessor=normalise, dtype=np.float32, **options)


class TfIdf:
    """Term frequencies weighted by how rare the term is; words and characters each of unit length."""

    def __init__(self, features: Features, idf: npt.NDArray[np.float32]) -> None:
        self.features = features
        self.idf = idf
        self._words = word_vectorizer(
            features.word_ngrams, sublinear_tf=features.sublinear_tf, vocabulary=features.words
        )
        self._chars = char_vectorizer(
            features.char_ngrams, sublinear_tf=features.sublinear_tf, vocabulary=features.chars
        )
        self._words.idf_, self._chars.idf_ = np.split(idf, [len(features.words)])

    def blocks(self, texts: Sequence[str]) -> tuple[csr_array, csr_array]:
        """Returns the float32 rows of ``texts``, of which there is at least one: word columns, character columns."""
        return self._words.transform(texts), self._chars.transform(texts)


class LinearScorer:
    """Scores texts by n-grams, and by rules where it has them.

    ``coefficients`` has shape (columns, L) and ``intercepts`` shape (L,).
    """

    def __init__(
        self,
        labels: tuple[str, ...],
        tfidf: TfIdf,
        coefficients: npt.NDArray[np.float32],
        intercepts: npt.NDArray[np.float32],
        rules: RulesScorer | None = None,
    ) -> None:
        self._labels = labels
        self.tfidf = tfidf
        self.rules = rules
        self.coefficients = np.ascontiguousarray(coefficients, dtype=np.float32)
        self.intercepts = np.asarray(intercepts, dtype=np.float32)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the columns."""
        return self._labels

    def score(self, texts: Sequence[str]) -> Scores:
        """Returns logits, float32 of shape (n, L)."""
        if not texts:
            return np.zeros((0, len(self._labels)), np.float32)  # scikit-learn refuses an empty list
        blocks = feature_blocks(self.tfidf, self.rules, texts)
        parts = np.split(self.coefficients, np.cumsum([block.shape[1] for block in blocks])[:-1])
        scores = sum((block @ part for block, part in zip(blocks, parts, strict=True)), self.intercepts)
        return np.asarray(scores, dtype=np.float32)

    def save(self, folder: Path) -> None:
        """Writes the n-grams as JSON and the numbers as safetensors."""
        (folder / FEATURES).write_bytes(msgspec.json.encode(self.tfidf.features))
        weights = {"idf": self.tfidf.idf, "coefficients": self.coefficients, "intercepts": self.intercepts}
        save_file(weights, folder / WEIGHTS)
        if self.rules:
            self.rules.save(folder)


def feature_blocks(tfidf: TfIdf, rules: RulesScorer | None, texts: Sequence[str]) -> list[Any]:
    """Returns the rows of ``texts``: word columns, character columns, and with rules a column a label, 0 to 1.

    With rules, n-grams see a text without the words of feelings that are not felt in it: in "I am not jealous" there is
    nothing jealous to be seen.
    """
    if rules is None:
        return list(tfidf.blocks(texts))
    found = rules.read(texts)
    return [*tfidf.blocks(found.own_words), found.strengths]


def load(folder: Path, labels: tuple[str, ...]) -> LinearScorer:
    """Reads the scorer that ``save`` wrote; raises BadBundle where its files do not fit together."""
    features = _read_features(folder / FEATURES)
    ngrams = len(features.words) + len(features.chars)
    columns = ngrams + len(labels) * features.rules
    shapes = {"idf": (ngrams,), "coefficients": (columns, len(labels)), "intercepts": (len(labels),)}
    weights = _read_weights(folder / WEIGHTS, shapes)
    rules = load_rules(folder, labels) if features.rules else None
    return LinearScorer(labels, TfIdf(features, weights["idf"]), weights["coefficients"], weights["intercepts"], rules)


def _read_features(path: Path) -> Features:
    try:
        features = msgspec.json.decode(path.read_bytes(), type=Features)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadBundle(f"{path} does not list the features of a linear scorer: {error}.", _AGAIN) from error
    for kind, ngrams in (("words", features.words), ("chars", features.chars)):
        if not ngrams or len(set(ngrams)) != len(ngrams):
            raise BadBundle(f"{path}: $.{kind} lists no n-gram, or one twice.", _AGAIN)
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
