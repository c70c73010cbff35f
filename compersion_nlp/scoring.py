"""Scoring texts of any length: in windows that the scorer reads whole, and in calls of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np

from compersion_nlp.records import Span
from compersion_nlp.scorers.protocol import Scorer, Scores, checked_scores
from compersion_nlp.text import windows

SCORED_AT_ONCE = 1024  # texts a call to the scorer, so that memory does not grow with a long text

Scored = tuple[tuple[Span, ...], Scores]  # a text's windows, and their logits of shape (windows, L)


def score_all(scorer: Scorer, texts: Iterable[str]) -> Scores:
    """Returns the logits of any number of texts, float32 of shape (n, L), holding only some of the texts at a time.

    Raises BadScorer if the scorer returns anything else.
    """
    remaining = iter(texts)
    scores = [np.empty((0, len(scorer.labels)), np.float32)]
    while part := list(islice(remaining, SCORED_AT_ONCE)):
        scores.append(checked_scores(scorer, part))
    return np.concatenate(scores)


def score_windows(scorer: Scorer, texts: Sequence[str], window: int | None) -> list[Scored]:
    """Returns each text's windows of at most ``window`` characters with their logits."""
    if not texts:
        return []
    spans = [(Span(0, len(text)),) if window is None else windows(text, window) for text in texts]
    logits = score_all(scorer, (span.of(text) for text, found in zip(texts, spans, strict=True) for span in found))
    ends = np.cumsum([len(found) for found in spans])
    return list(zip(spans, np.split(logits, ends[:-1]), strict=True))


def aggregate(scored: Sequence[Scored], n_labels: int) -> Scores:
    """Returns one row of logits a text, float32 of shape (n, L): for each label its surest window."""
    if not scored:
        return np.empty((0, n_labels), np.float32)
    return np.stack([logits.max(axis=0) for _, logits in scored])


def window_logits(scorer: Scorer, texts: Sequence[str], window: int | None) -> Scores:
    """Returns the logits of whole texts, float32 of shape (n, L), aggregated over their windows."""
    return aggregate(score_windows(scorer, texts, window), len(scorer.labels))
