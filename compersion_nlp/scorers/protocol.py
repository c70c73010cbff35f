"""What a scorer is, and the check that says whether one keeps the contract."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from compersion_nlp.errors import BadScorer
from compersion_nlp.labels import SCHEME

Scores = npt.NDArray[np.float32]

# Texts that have broken scorers: none, one character, no letters, control characters, both scripts, long.
PROBES: tuple[str, ...] = (
    "",
    " ",
    "a",
    "😀👨‍👩‍👧🏳️‍🌈",
    "12345 67,89",
    "NUL \x00 and bell \x07",
    "He came home glowing and I could not stop grinning.",
    "שלום مرحبا 你好",
    "zero\u200bwidth and e\u0301 combining",
    "aaaa" * 2500,
)


@runtime_checkable
class Scorer(Protocol):
    """Scores texts for a fixed list of labels.

    ``score`` takes ``n`` texts and returns float32 logits of shape (n, L), columns in the order of
    ``labels``: 0 is even odds, before the bundle's calibration. It is deterministic, gives each
    text the same row whatever its neighbours are, and accepts any string.
    """

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the columns, each of the scheme, none twice."""

    def score(self, texts: Sequence[str]) -> Scores:
        """Returns logits, float32 of shape (n, L)."""


class Answers(NamedTuple):
    """What a scorer that also knows stances answers for ``n`` texts.

    ``felt`` and ``mentioned`` are logits of shape (n, L): whether the writer feels the label, and whether the text
    names or describes it in any stance. ``stances`` are logits of shape (n, L, S), in the scheme's order of stances:
    if it is mentioned, then how.
    """

    felt: Scores
    mentioned: Scores
    stances: Scores


@runtime_checkable
class StanceScorer(Scorer, Protocol):
    """A scorer that also knows what is only mentioned, in which stance, and which part of a text speaks for it."""

    def answer(self, texts: Sequence[str]) -> Answers:
        """Returns what ``score`` returns, and the same for mentions and their stances."""

    def trace(self, texts: Sequence[str]) -> tuple[Answers, list[Trace]]:
        """Returns what ``answer`` returns, and for each text what each of its word pieces adds, read in context."""


class Trace(NamedTuple):
    """What the ``t`` word pieces of one text add to its logits.

    ``offsets``, of shape (t, 2), says where in the text each piece stands, as half-open ranges of code points. ``felt``
    and ``mentioned`` have shape (t, L): the sum over the pieces, and what a label has beside them, is the logit of a
    text that is read whole. ``tier`` is the place of the scorer that read it, where there are several.
    """

    offsets: npt.NDArray[np.int64]
    felt: Scores
    mentioned: Scores
    tier: int = 0


@runtime_checkable
class TieredScorer(StanceScorer, Protocol):
    """A scorer that hands what it is not sure of to another: ``tiers`` names the scorers that a text can come to."""

    @property
    def tiers(self) -> tuple[str, ...]:
        """The names of the scorers, the first one first."""

    def score_tiers(self, texts: Sequence[str]) -> tuple[Scores, npt.NDArray[np.int64]]:
        """Returns what ``score`` returns, and the place of the scorer that each text came to, of shape (n,)."""


@runtime_checkable
class SavableScorer(Scorer, Protocol):
    """A scorer that a bundle can hold: ``save`` writes its files, and a loader reads them back."""

    def save(self, folder: Path) -> None:
        """Writes every file that the scorer needs into ``folder``, none of them pickled."""


def check_scorer(scorer: Scorer, texts: Sequence[str] = PROBES) -> None:
    """Raises BadScorer if ``scorer`` breaks the contract on ``texts``; returns nothing if it is sound."""
    labels = scorer.labels
    if not isinstance(labels, tuple) or not labels:
        raise BadScorer(f"labels is {labels!r}.", "A scorer's labels are a non-empty tuple of names.")
    if len(set(labels)) != len(labels):
        raise BadScorer(f"labels names one twice: {', '.join(labels)}.", "Name each label once.")
    for label in labels:
        SCHEME.check_label(label)
    texts = list(texts)
    scores = checked_scores(scorer, texts)
    if not np.array_equal(scores, checked_scores(scorer, texts)):
        raise BadScorer("score gave two answers for the same texts.", "A scorer must be deterministic.")
    checked_scores(scorer, [])
    if isinstance(scorer, StanceScorer):
        _check_answers(scorer, texts, scores)
    for row, text in enumerate(texts):
        if not np.allclose(checked_scores(scorer, [text])[0], scores[row], atol=1e-4):
            raise BadScorer(
                f"score gave probe {row} another row when it was scored alone.",
                "A text's row must not depend on the texts beside it.",
            )


def _check_answers(scorer: StanceScorer, texts: Sequence[str], scores: Scores) -> None:
    answers = scorer.answer(texts)
    n, n_labels = scores.shape
    shapes = ((n, n_labels), (n, n_labels), (n, n_labels, len(SCHEME.stance_names)))
    for name, found, shape in zip(Answers._fields, answers, shapes, strict=True):
        if found.dtype != np.float32 or found.shape != shape or not np.isfinite(found).all():
            raise BadScorer(
                f"answer returned {name} as {found.dtype} of shape {found.shape}.",
                f"Expected finite float32 of {shape}.",
            )
    traced, traces = scorer.trace(texts)
    tiered = [scorer.score_tiers(texts)[0]] if isinstance(scorer, TieredScorer) else []
    if not all(np.allclose(felt, scores, atol=1e-4) for felt in (answers.felt, traced.felt, *tiered)):
        raise BadScorer("answer or trace says something else of what is felt than score.", "All read the same texts.")
    if len(traces) != n:
        raise BadScorer(f"trace returned {len(traces)} traces for {n} texts.", "It gives one for each text.")


def checked_scores(scorer: Scorer, texts: Sequence[str]) -> Scores:
    """Returns what ``scorer`` answers, of shape (n, L); raises BadScorer where it is not that, or not finite."""
    return checked(scorer, texts, scorer.score(texts))


def checked(scorer: Scorer, texts: Sequence[str], scores: Scores) -> Scores:
    """Returns the logits that ``scorer`` gave for texts; raises BadScorer where they are no such thing."""
    expected = (len(texts), len(scorer.labels))
    if not isinstance(scores, np.ndarray) or scores.dtype != np.float32:
        found = scores.dtype if isinstance(scores, np.ndarray) else type(scores).__name__
        raise BadScorer(f"score returned {found}.", "score returns a float32 array.")
    if scores.shape != expected:
        raise BadScorer(f"score returned shape {scores.shape} for {len(texts)} texts.", f"Expected {expected}.")
    if not np.isfinite(scores).all():
        raise BadScorer("score returned a value that is not finite.", "Clip logits before returning them.")
    return scores
