"""The fitter: for each label, the words that set its passages apart."""

from collections import Counter

import msgspec
import numpy as np
import numpy.typing as npt

from compersion_keywords.scorer import KeywordScorer, words_of
from compersion_nlp.training.data import Part
from compersion_nlp.training.setting import Setting


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``most`` words a label are kept."""

    most: int = 5


def fit(options: Options, part: Part, labels: tuple[str, ...], setting: Setting) -> KeywordScorer:
    """Returns a scorer fitted on the texts of ``part`` and their gold, of shape (n, L): 1, 0 or nan for unknown."""
    words = [words_of(text) for text in part.texts]
    return KeywordScorer({label: _choose(words, part.gold[:, i], options.most) for i, label in enumerate(labels)})


def _choose(words: list[set[str]], gold: npt.NDArray[np.float32], most: int) -> list[str]:
    counts: Counter[str] = Counter()
    for found, mark in zip(words, gold, strict=True):
        if not np.isnan(mark):
            counts.update(dict.fromkeys(found, 1 if mark else -1))
    chosen = [(-count, word) for word, count in counts.items() if count > 0]
    return [word for _, word in sorted(chosen)[:most]]
