"""Which sentences carry a felt label: judged by what they say for it, and by what the text loses without them.

Leaving a part out and scoring again is occlusion (Zeiler & Fergus, 2014; for text, Li, Monroe &
Jurafsky, 2016). It needs nothing of a scorer but ``score``, so any scorer gets evidence; one that can trace its logits
back to the words gives the sentences' scores in context.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from compersion_nlp.decision import Decision
from compersion_nlp.records import Span
from compersion_nlp.scorers.protocol import Scorer, Scores, StanceScorer
from compersion_nlp.scoring import score_all

Carries = npt.NDArray[np.bool_]

# Each bound keeps a hostile text from costing more than some hundred scorings a label.
MOST_WINDOWS = 5  # windows of one passage that are looked into for one label, surest first
MOST_PARTS = 32  # parts of one window that are left out in turn; more sentences are joined
MOST_ADDED = 6  # rounds in which a part is added where a label does not fall

# A sentence is evidence if leaving it out costs at least this share of what the costliest one costs.
LEAST_SHARE = 0.5


class Windowed(NamedTuple):
    """One passage in windows: what is needed to look for evidence.

    ``logits`` has shape (windows, L); ``felt`` lists columns of the labels decided to be felt.
    """

    text: str
    windows: Sequence[Span]
    logits: Scores
    sentences: Sequence[Span]
    felt: Sequence[int]


class _Probe(NamedTuple):
    """A window of a passage, and the parts of it that are scored alone and left out."""

    passage: int
    window: int
    columns: tuple[int, ...]
    parts: tuple[Span, ...]

    def span(self, passages: Sequence[Windowed]) -> Span:
        """Returns where the window stands in its passage."""
        return passages[self.passage].windows[self.window]


def find_evidence(
    scorer: Scorer, decision: Decision, passages: Sequence[Windowed]
) -> list[dict[int, tuple[Span, ...]]]:
    """Returns, for each passage, the column of each felt label with the sentences that carry it.

    Looked at are the windows in which the label would be decided felt. A sentence carries a label
    if it speaks for it by itself, or if the window would not be without it, and leaving it
    out costs about as much as leaving out the costliest one does. There is always at least one; and where the label
    would still be decided felt without all of them, the next costliest are added until it would not.
    """
    probes = [probe for index, passage in enumerate(passages) for probe in _probes(decision, index, passage)]
    found: list[dict[int, list[Span]]] = [{} for _ in passages]
    weighed = list(_weigh(scorer, decision, passages, probes))
    _complete(scorer, decision, passages, probes, weighed)
    for probe, (carries, _) in zip(probes, weighed, strict=True):
        for column in probe.columns:
            spans = [part for part, carried in zip(probe.parts, carries[:, column], strict=True) if carried]
            found[probe.passage].setdefault(column, []).extend(spans)
    return [{column: tuple(sorted(spans)) for column, spans in labels.items()} for labels in found]


def _probes(decision: Decision, index: int, passage: Windowed) -> list[_Probe]:
    columns_of: dict[int, list[int]] = {}
    decided = decision.decide(decision.probabilities(passage.logits))
    for column in passage.felt:
        surest, *next_ones = np.argsort(-passage.logits[:, column], kind="stable")[:MOST_WINDOWS].tolist()
        for window in (surest, *(window for window in next_ones if decided[window, column])):
            columns_of.setdefault(window, []).append(column)
    return [
        _Probe(index, window, tuple(columns), parts)
        for window, columns in sorted(columns_of.items())
        if (parts := _parts(passage, passage.windows[window]))
    ]


def _parts(passage: Windowed, window: Span) -> tuple[Span, ...]:
    """Returns the sentences inside ``window``, cut at its ends and joined where there are too many."""
    inside = [
        Span(max(sentence.start, window.start), min(sentence.end, window.end))
        for sentence in passage.sentences
        if sentence.start < window.end and sentence.end > window.start
    ]
    edges = np.linspace(0, len(inside), min(len(inside), MOST_PARTS) + 1).astype(int)
    return tuple(Span(inside[first].start, inside[last - 1].end) for first, last in pairwise(edges))


def _weigh(
    scorer: Scorer, decision: Decision, passages: Sequence[Windowed], probes: Sequence[_Probe]
) -> Iterator[tuple[Carries, Scores]]:
    """Yields for each probe which part carries which label, and what leaving it out costs, both of shape (parts, L).

    A window of one part needs no scoring.
    """
    divided = [probe for probe in probes if len(probe.parts) > 1]
    speaks = _speak(scorer, decision, passages, divided)
    without = score_all(scorer, (text for probe in divided for text in _left_over(passages[probe.passage], probe)))
    row = 0
    for probe in probes:
        if len(probe.parts) == 1:
            yield np.ones((1, len(decision.labels)), np.bool_), np.zeros((1, len(decision.labels)), np.float32)
            continue
        rows = slice(row, row + len(probe.parts))
        row = rows.stop
        cost = passages[probe.passage].logits[probe.window] - without[rows]
        yield _carries(decision, cost, next(speaks), without[rows]), cost


def _speak(
    scorer: Scorer, decision: Decision, passages: Sequence[Windowed], probes: Sequence[_Probe]
) -> Iterator[Carries]:
    """Yields for each probe which part speaks for which label, bool of shape (parts, L).

    A scorer that can trace its logits is asked in context: a part speaks that adds about as much as the one that adds
    most. Another scorer is asked for each part alone: a part speaks that is decided felt.
    """
    if isinstance(scorer, StanceScorer):
        texts = [probe.span(passages).of(passages[probe.passage].text) for probe in probes]
        for probe, trace in zip(probes, scorer.trace(texts), strict=True):
            homes = find_homes(trace.offsets + probe.span(passages).start, probe.parts)
            added = np.stack([trace.felt[homes == part].sum(axis=0) for part in range(len(probe.parts))])
            yield (added >= LEAST_SHARE * added.max(axis=0)) & (added > 0)
        return
    alone = score_all(scorer, (part.of(passages[probe.passage].text) for probe in probes for part in probe.parts))
    decided = decision.decide(decision.probabilities(alone))
    yield from np.split(decided, np.cumsum([len(probe.parts) for probe in probes])[:-1])


def find_homes(offsets: npt.NDArray[np.int64], spans: Sequence[Span]) -> npt.NDArray[np.int64]:
    """Returns which of ``spans``, in order, each word piece stands in, of shape (t,).

    ``offsets`` has shape (t, 2). It is -1 for special pieces, which stand nowhere; what stands between two spans counts
    to the first.
    """
    if not spans:
        return np.full(len(offsets), -1)
    homes = np.searchsorted([span.start for span in spans], offsets[:, 0], side="right") - 1
    return np.where(offsets[:, 1] > offsets[:, 0], np.maximum(homes, 0), -1)


def _complete(
    scorer: Scorer,
    decision: Decision,
    passages: Sequence[Windowed],
    probes: Sequence[_Probe],
    weighed: Sequence[tuple[Carries, Scores]],
) -> None:
    """Adds parts, costliest first, to what carries a label in a window that would be decided felt without all that."""
    open_cells = [(place, column) for place, probe in enumerate(probes) for column in probe.columns]
    for _ in range(MOST_ADDED):
        open_cells = [(place, column) for place, column in open_cells if not weighed[place][0][:, column].all()]
        left = (
            _without(passages[probes[place].passage], probes[place], weighed[place][0][:, c]) for place, c in open_cells
        )
        decided = decision.decide(decision.probabilities(score_all(scorer, left)))
        open_cells = [cell for cell, row in zip(open_cells, decided, strict=True) if row[cell[1]]]
        for place, column in open_cells:
            carries, cost = weighed[place]
            carries[np.where(carries[:, column], -np.inf, cost[:, column]).argmax(), column] = True


def _without(passage: Windowed, probe: _Probe, carries: npt.NDArray[np.bool_]) -> str:
    """Returns the window's text without the parts that carry a label."""
    window = passage.windows[probe.window]
    pieces, start = [], window.start
    for part, carried in zip(probe.parts, carries, strict=True):
        if carried:
            pieces.append(passage.text[start : part.start])
            start = part.end
    return " ".join([*pieces, passage.text[start : window.end]])


def _left_over(passage: Windowed, probe: _Probe) -> Iterator[str]:
    """Yields the window's text without each of its parts."""
    text, window = passage.text, passage.windows[probe.window]
    for part in probe.parts:
        yield text[window.start : part.start] + " " + text[part.end : window.end]


def _carries(decision: Decision, cost: Scores, speaks: Carries, without: Scores) -> Carries:
    """Returns which part carries which label, bool of shape (parts, L), as are the others; ``without`` are logits."""
    lost_without = ~decision.decide(decision.probabilities(without))
    costly = cost >= LEAST_SHARE * cost.max(axis=0)
    carries: Carries = (speaks | lost_without) & costly & (cost > 0)
    costliest = cost == cost.max(axis=0)
    return np.where(carries.any(axis=0), carries, costliest)
