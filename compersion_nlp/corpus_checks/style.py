"""How well two files of passages are told apart by the style of their writing alone."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from spacy.lang.en.stop_words import STOP_WORDS

from compersion_nlp.folding import fold
from compersion_nlp.records import Annotation

FOLDS = 5
FEWEST = 50  # groups on either side; with fewer, the figure says nothing
_TOKEN = re.compile(r"[^\W_]+|\n+|[^\w\s]|_")
_ENDINGS = {"s", "t", "m", "d", "re", "ve", "ll"}  # what is left of a word after an apostrophe


def style_auc(one: Sequence[Annotation], other: Sequence[Annotation], seed: int = 0) -> float | None:
    """Returns the area under the ROC curve, 0 to 1, of a linear classifier that tells ``other`` from ``one``.

    It sees style, not topics: function words, punctuation, line breaks and capitals, in runs of one to three, with
    every other word replaced by its shape. 0.5 is chance. Each passage is judged by a classifier that was fitted on
    other groups (cross-validation in 5 folds); the two files count the same, whatever their sizes. None where a file
    has fewer than 50 groups.
    """
    if min(len({annotation.group for annotation in side}) for side in (one, other)) < FEWEST:
        return None
    texts = [style_of(annotation.text) for annotation in (*one, *other)]
    groups = [annotation.group for annotation in (*one, *other)]
    target = np.array([0] * len(one) + [1] * len(other))
    classifier = make_pipeline(
        TfidfVectorizer(token_pattern=r"\S+", lowercase=False, ngram_range=(1, 3), min_df=5, sublinear_tf=True),
        LogisticRegression(class_weight="balanced", max_iter=1000),
    )
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    answers = cross_val_predict(classifier, texts, target, groups=groups, cv=folds, method="decision_function")
    return float(roc_auc_score(target, answers))


def style_of(text: str) -> str:
    """Returns what is left of a text without its topic.

    >>> style_of("My Wife, she's happy!")
    "my Xx , she ' s x !"
    """
    return " ".join(_shape(token) for token in _TOKEN.findall(fold(text)))


def _shape(token: str) -> str:
    lower = token.casefold()
    if token.startswith("\n"):
        return "¶"
    if not token[0].isalnum() or lower in STOP_WORDS or lower in _ENDINGS:
        return token if token.isupper() and len(token) > 1 else lower
    if token.isdigit():
        return "0"
    return "XX" if token.isupper() and len(token) > 1 else "Xx" if token[0].isupper() else "x"
