"""Scoring texts of any length: in windows that the scorer reads whole, and in calls of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice, pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from compersion_nlp.bundle.manifest import Aggregate
from compersion_nlp.labels import FELT, SCHEME
from compersion_nlp.records import Span
from compersion_nlp.scorers.protocol import (
    Answers,
    Scorer,
    Scores,
    StanceScorer,
    TieredScorer,
    Trace,
    checked,
    checked_scores,
)
from compersion_nlp.text import windows

SCORED_AT_ONCE = 1024  # texts a call to the scorer, so that memory does not grow with a long text

_LEAST = 1e-7  # how far from certain a mention stays, so that its log-odds are finite

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


def find_windows(texts: Sequence[str], window: int | None) -> list[tuple[Span, ...]]:
    """Returns each text's windows of at most ``window`` characters; None is one window for a text of any length."""
    return [(Span(0, len(text)),) if window is None else windows(text, window) for text in texts]


def score_windows(scorer: Scorer, texts: Sequence[str], window: int | None) -> list[Scored]:
    """Returns each text's windows of at most ``window`` characters with their logits."""
    if not texts:
        return []
    spans = find_windows(texts, window)
    logits = score_all(scorer, (span.of(text) for text, found in zip(texts, spans, strict=True) for span in found))
    ends = np.cumsum([len(found) for found in spans])
    return list(zip(spans, np.split(logits, ends[:-1]), strict=True))


def score_tiers(
    scorer: TieredScorer, texts: Sequence[str], window: int | None
) -> tuple[list[Scored], npt.NDArray[np.int64]]:
    """Returns what ``score_windows`` returns, and the farthest tier that a window of each text came to, (n,)."""
    spans = find_windows(texts, window)
    remaining = (span.of(text) for text, found in zip(texts, spans, strict=True) for span in found)
    logits, tiers = [np.empty((0, len(scorer.labels)), np.float32)], [np.empty(0, np.int64)]
    while part := list(islice(remaining, SCORED_AT_ONCE)):
        scores, reached = scorer.score_tiers(part)
        logits.append(checked(scorer, part, scores))
        tiers.append(reached)
    ends = np.cumsum([len(found) for found in spans])[:-1]
    farthest = [reached.max() for reached in np.split(np.concatenate(tiers), ends)] if spans else []
    by_text = np.split(np.concatenate(logits), ends) if spans else []
    return list(zip(spans, by_text, strict=True)), np.array(farthest, np.int64)


def aggregate(scored: Sequence[Scored], n_labels: int, how: Aggregate = "max") -> Scores:
    """Returns one row of logits a text, float32 of shape (n, L), from those of its windows.

    ``max`` takes each label's surest window; ``logsumexp`` adds the odds of all windows; ``attention`` is their mean,
    each window weighing as much as its odds.
    """
    if not scored:
        return np.empty((0, n_labels), np.float32)
    return np.stack([_one_row(logits, how) for _, logits in scored])


def _one_row(logits: Scores, how: Aggregate) -> Scores:
    surest: Scores = logits.max(axis=0)
    if how == "max" or len(logits) == 1:
        return surest
    odds = np.exp(logits - surest)
    if how == "logsumexp":
        summed: Scores = surest + np.log(odds.sum(axis=0))
        return summed
    weighed: Scores = (odds * logits).sum(axis=0) / odds.sum(axis=0)
    return weighed


def window_logits(scorer: Scorer, texts: Sequence[str], window: int | None, how: Aggregate = "max") -> Scores:
    """Returns the logits of whole texts, float32 of shape (n, L), aggregated over their windows."""
    return aggregate(score_windows(scorer, texts, window), len(scorer.labels), how)


def answer_windows(scorer: StanceScorer, texts: Sequence[str], spans: Sequence[Sequence[Span]]) -> list[Answers]:
    """Returns the answers for the windows of each text."""
    remaining = (span.of(text) for text, found in zip(texts, spans, strict=True) for span in found)
    parts = [_no_answers(scorer)]
    while part := list(islice(remaining, SCORED_AT_ONCE)):
        parts.append(scorer.answer(part))
    return _by_text(parts, spans)


def _no_answers(scorer: StanceScorer) -> Answers:
    n_labels, n_stances = len(scorer.labels), len(SCHEME.stance_names)
    return Answers(*(np.empty((0, n_labels, *rest), np.float32) for rest in ((), (), (n_stances,))))


def _by_text(parts: Sequence[Answers], spans: Sequence[Sequence[Span]]) -> list[Answers]:
    ends = np.cumsum([len(found) for found in spans])[:-1]
    joined = (np.split(np.concatenate(found), ends) for found in zip(*parts, strict=True))
    return [Answers(*rows) for rows in zip(*joined, strict=True)] if spans else []


def trace_windows(
    scorer: StanceScorer, texts: Sequence[str], spans: Sequence[Sequence[Span]]
) -> tuple[list[Answers], list[list[Trace]]]:
    """Returns the answers for the windows of each text, and the trace of each window; each is read once."""
    remaining = (span.of(text) for text, found in zip(texts, spans, strict=True) for span in found)
    parts, traces = [_no_answers(scorer)], []
    while part := list(islice(remaining, SCORED_AT_ONCE)):
        answers, traced = scorer.trace(part)
        checked(scorer, part, answers.felt)
        parts.append(answers)
        traces.extend(traced)
    ends = np.cumsum([0, *(len(found) for found in spans)]).tolist()
    return _by_text(parts, spans), [traces[start:end] for start, end in pairwise(ends)]


class Unfelt(NamedTuple):
    """What a text's windows say of mentions that are not felt, for each label by its surest window.

    ``logits`` (L,) say whether it is mentioned and not felt, ``stances`` (L, S) how, if it is mentioned, and
    ``windows`` (L,) which window that is.
    """

    logits: Scores
    stances: Scores
    windows: npt.NDArray[np.int64]


def find_unfelt(answers: Answers) -> Unfelt:
    """Returns what the answers for a text's windows, of shape (windows, ...), say of mentions that are not felt."""
    unfelt = _unfelt_logits(answers)
    surest = unfelt.argmax(axis=0)
    columns = np.arange(unfelt.shape[1])
    return Unfelt(unfelt[surest, columns], answers.stances[surest, columns], surest)


def _unfelt_logits(answers: Answers) -> Scores:
    """Returns the log-odds of the product of two probabilities: it is mentioned, and if it is, it is not felt."""
    log_mentioned = -np.logaddexp(0, -answers.mentioned)
    place = SCHEME.stance_names.index(FELT)
    others = np.delete(answers.stances, place, axis=-1)
    log_unfelt = np.logaddexp.reduce(others, axis=-1) - np.logaddexp.reduce(answers.stances, axis=-1)
    log_both = np.minimum(log_mentioned + log_unfelt, -_LEAST)
    logits: Scores = (log_both - np.log(-np.expm1(log_both))).astype(np.float32)
    return logits
