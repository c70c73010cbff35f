"""Fits the linear scorer: chooses the n-grams, and fits one logistic regression a label.

Before a label's regression, its columns are scaled by how much more often they stand in passages with the label than
in others, as in the NB-SVM; the scale is then part of the coefficients, so that scoring does not know of it.

References:
    Sida Wang and Christopher Manning, Baselines and Bigrams: Simple, Good Sentiment and Topic Classification,
    ACL 2012.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, hstack
from sklearn.linear_model import LogisticRegression

from compersion_nlp.errors import BadConfig
from compersion_nlp.lexicon import default_lexicon
from compersion_nlp.scorers.linear import (
    Features,
    Length,
    LinearScorer,
    TfIdf,
    char_vectorizer,
    feature_blocks,
    word_vectorizer,
)
from compersion_nlp.scorers.rules import RulesScorer
from compersion_nlp.stance import default_cues
from compersion_nlp.training.data import Part
from compersion_nlp.training.setting import Setting

# Below this many positives or negatives a label has nothing to learn from, and its logit is constant.
FEWEST = 2

Count = Annotated[int, msgspec.Meta(ge=1)]


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Options of the linear fitter; the defaults were chosen by grouped cross-validation.

    An n-gram is kept if it stands in ``min_df`` passages, and of those the ``max_words`` and ``max_chars`` most
    frequent. ``ratio_power`` is the power to which the ratios of the NB-SVM are raised: 1 is the paper's, 0 leaves them
    out. ``C`` is the inverse strength of the L2 penalty. ``balanced`` counts the passages with a label as much as those
    without; else every passage counts alike. ``rule_weight`` is what the strongest finding of the rules counts, where a
    passage's n-grams have the length 1; with 0 the scorer has no rules, and n-grams see the whole text.
    """

    word_ngrams: tuple[Length, Length] = (1, 3)
    char_ngrams: tuple[Length, Length] = (1, 5)
    min_df: Count = 2
    max_words: Count = 15_000
    max_chars: Count = 25_000
    sublinear_tf: bool = True
    ratio_power: Annotated[float, msgspec.Meta(ge=0, le=2)] = 0.5
    C: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    balanced: bool = True
    rule_weight: Annotated[float, msgspec.Meta(ge=0, le=10)] = 0.0


def fit(options: Options, part: Part, labels: tuple[str, ...], setting: Setting) -> LinearScorer:
    """Returns a scorer fitted on the texts of ``part``; gold that is unknown is left out label by label."""
    texts, gold = part.texts, part.gold
    if gold.shape != (len(texts), len(labels)):
        raise BadConfig(
            f"The linear fitter got gold of shape {gold.shape} for {len(texts)} texts and {len(labels)} labels.",
            f"Expected {(len(texts), len(labels))}.",
        )
    rules = RulesScorer(labels, default_lexicon(), default_cues()) if options.rule_weight else None
    own_words = texts if rules is None else rules.read(texts).own_words
    tfidf = fit_tfidf(options, own_words, rules=rules is not None)
    blocks = feature_blocks(tfidf, rules, texts)
    if rules is not None:
        blocks[-1] = csr_array((blocks[-1] * options.rule_weight).astype(np.float32))
    rows = hstack(blocks, format="csr")
    columns = [_fit_label(options, rows, gold[:, column], setting.seed) for column in range(len(labels))]
    coefficients = np.stack([coefficients for coefficients, _ in columns], axis=1)
    if rules is not None:
        coefficients[-len(labels) :] *= options.rule_weight
    intercepts = np.array([intercept for _, intercept in columns], np.float32)
    return LinearScorer(labels, tfidf, coefficients, intercepts, rules)


def fit_tfidf(options: Options, texts: Sequence[str], rules: bool = False) -> TfIdf:
    """Returns the n-grams of ``texts`` with their smoothed inverse document frequencies.

    Raises BadConfig if no n-gram stands in ``min_df`` passages.
    """
    shared = {"min_df": options.min_df, "sublinear_tf": options.sublinear_tf}
    words = word_vectorizer(options.word_ngrams, max_features=options.max_words, **shared)
    chars = char_vectorizer(options.char_ngrams, max_features=options.max_chars, **shared)
    try:
        words.fit(texts)
        chars.fit(texts)
    except ValueError as error:  # scikit-learn's word for an empty vocabulary
        raise BadConfig(
            f"No n-gram stands in {options.min_df} of the {len(texts)} passages to be fitted on.",
            "Train on more passages, or lower min_df.",
        ) from error
    features = Features(
        options.word_ngrams,
        options.char_ngrams,
        options.sublinear_tf,
        tuple(words.get_feature_names_out().tolist()),
        tuple(chars.get_feature_names_out().tolist()),
        rules,
    )
    return TfIdf(features, np.concatenate([words.idf_, chars.idf_]).astype(np.float32))


def _fit_label(
    options: Options, rows: csr_array, gold: npt.NDArray[np.float32], seed: int
) -> tuple[npt.NDArray[np.float32], float]:
    known = np.flatnonzero(~np.isnan(gold))
    positives = int(gold[known].sum())
    negatives = len(known) - positives
    if min(positives, negatives) < FEWEST:
        return np.zeros(rows.shape[1], dtype=np.float32), _prior(positives, negatives)
    regression = LogisticRegression(
        C=options.C,
        class_weight="balanced" if options.balanced else None,
        solver="liblinear",
        random_state=seed,
        max_iter=1000,
    )
    examples, felt = rows[known], gold[known] > 0
    ratios = _ratios(examples, felt) ** options.ratio_power
    ratios /= ratios.mean() or 1.0  # so that C means the same whatever the power
    examples.data *= ratios[examples.indices].astype(np.float32)
    regression.fit(examples, felt)
    return (regression.coef_[0] * ratios).astype(np.float32), float(regression.intercept_[0])


def _ratios(rows: csr_array, felt: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Returns each column's log-count ratio without its sign, from smoothed counts of the passages it stands in."""
    with_label, without = (1 + np.bincount(rows[side].indices, minlength=rows.shape[1]) for side in (felt, ~felt))
    ratios: npt.NDArray[np.float64] = np.abs(np.log((with_label / with_label.sum()) / (without / without.sum())))
    return ratios


def _prior(positives: int, negatives: int) -> float:
    """Returns the log-odds of a label, with one imagined passage that carries it to one part in a hundred."""
    return float(np.log((positives + 0.01) / (negatives + 0.99)))
