"""Which sentences carry a felt label: judged by what they add to its logit, or by what the text loses without them.

A scorer that can trace its logits back to the words says itself what each sentence adds, in context, from the one
reading that decided the label. Any other scorer is asked again, with each sentence left out: occlusion (Zeiler &
Fergus, 2014; for text, Li, Monroe & Jurafsky, 2016).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from compersion_nlp.decision import Decision
from compersion_nlp.records import Span
from compersion_nlp.scorers.protocol import Scorer, Scores, Trace
from compersion_nlp.scoring import score_all
from compersion_nlp.text import without

Carries = npt.NDArray[np.bool_]

# Each bound keeps a hostile text from costing more than some hundred scorings a label.
MOST_WINDOWS = 5  # windows of one passage that are looked into for one label, surest first
MOST_PARTS = 32  # parts of one window that are left out in turn; more sentences are joined
MOST_ADDED = 6  # rounds in which a part is added where a label does not fall

# A sentence is evidence if leaving it out costs at least this share of what the costliest one costs.
LEAST_SHARE = 0.5

# How far under its threshold, in log-odds of the scorer, a label has to be left by what a trace takes out: the rest of
# a text speaks a little louder once it is alone.
MARGIN = 0.5


class Windowed(NamedTuple):
    """One passage in windows: what is needed to look for evidence.

    ``logits`` has shape (windows, L); ``felt`` lists columns of the labels decided to be felt. ``traces`` are those of
    the windows, where the scorer gives any.
    """

    text: str
    windows: Sequence[Span]
    logits: Scores
    sentences: Sequence[Span]
    felt: Sequence[int]
    traces: Sequence[Trace] | None = None


class _Probe(NamedTuple):
    """A window of a passage, and the parts of it that are scored alone and left out."""

    passage: int
    window: int
    columns: tuple[int, ...]
    parts: tuple[Span, ...]


def find_evidence(
    scorer: Scorer, decision: Decision, passages: Sequence[Windowed]
) -> list[dict[int, tuple[Span, ...]]]:
    """Returns, for each passage, the column of each felt label with the sentences that carry it.

    Looked at are the windows in which the label would be decided felt. Of a scorer that traces, a sentence carries a
    label if it adds about as much to it as the one that adds most. Of another, if it speaks for it by itself, or if the
    window would not be without it, and leaving it out costs about as much as leaving out the costliest one does. There
    is always at least one; and where the label would still be decided felt without all of them, the next are added
    until it would not.
    """
    probes = [probe for index, passage in enumerate(passages) for probe in _probes(decision, index, passage)]
    found: list[dict[int, list[Span]]] = [{} for _ in passages]
    traced = [probe for probe in probes if passages[probe.passage].traces is not None]
    asked = [probe for probe in probes if passages[probe.passage].traces is None]
    weighed = [*(_by_trace(decision, passages[probe.passage], probe) for probe in traced)]
    weighed += _by_occlusion(scorer, decision, passages, asked)
    for probe, carries in zip((*traced, *asked), weighed, strict=True):
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


def _by_trace(decision: Decision, passage: Windowed, probe: _Probe) -> Carries:
    """Returns which part carries which label, bool of shape (parts, L), by what its word pieces add."""
    assert passage.traces is not None
    trace, n_parts = passage.traces[probe.window], len(probe.parts)
    homes = find_homes(trace.offsets + passage.windows[probe.window].start, probe.parts)
    added = np.stack([trace.felt[homes == part].sum(axis=0) for part in range(n_parts)])
    carries: Carries = (added >= LEAST_SHARE * added.max(axis=0)) & (added > 0)
    carries |= added == added.max(axis=0)
    # What is left without them, by the trace; it is taken for felt up to a little under its threshold.
    rest = passage.logits[probe.window] - np.where(carries, added, 0).sum(axis=0)
    for _ in range(n_parts):
        left = np.where(carries, -np.inf, added)
        still = decision.decide(decision.probabilities((rest + MARGIN)[None]))[0] & (left.max(axis=0) > 0)
        if not still.any():
            break
        best = left.argmax(axis=0)
        columns = np.flatnonzero(still)
        carries[best[columns], columns] = True
        rest[columns] -= added[best[columns], columns]
    return carries


def _by_occlusion(
    scorer: Scorer, decision: Decision, passages: Sequence[Windowed], probes: Sequence[_Probe]
) -> list[Carries]:
    """Returns for each probe which part carries which label, bool of shape (parts, L), by scoring texts without it."""
    weighed = list(_weigh(scorer, decision, passages, probes))
    _complete(scorer, decision, passages, probes, weighed)
    return [carries for carries, _ in weighed]


def _weigh(
    scorer: Scorer, decision: Decision, passages: Sequence[Windowed], probes: Sequence[_Probe]
) -> Iterator[tuple[Carries, Scores]]:
    """Yields for each probe which part carries which label, and what leaving it out costs, both of shape (parts, L).

    A window of one part needs no scoring.
    """
    divided = [probe for probe in probes if len(probe.parts) > 1]
    alone = score_all(scorer, (part.of(passages[probe.passage].text) for probe in divided for part in probe.parts))
    rest = score_all(scorer, (text for probe in divided for text in _left_over(passages[probe.passage], probe)))
    speaks = decision.decide(decision.probabilities(alone))
    row = 0
    for probe in probes:
        if len(probe.parts) == 1:
            yield np.ones((1, len(decision.labels)), np.bool_), np.zeros((1, len(decision.labels)), np.float32)
            continue
        rows = slice(row, row + len(probe.parts))
        row = rows.stop
        cost = passages[probe.passage].logits[probe.window] - rest[rows]
        yield _carries(decision, cost, speaks[rows], rest[rows]), cost


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
    carrying = (part for part, carried in zip(probe.parts, carries, strict=True) if carried)
    return without(passage.text, carrying, passage.windows[probe.window])


def _left_over(passage: Windowed, probe: _Probe) -> Iterator[str]:
    """Yields the window's text without each of its parts."""
    for part in probe.parts:
        yield without(passage.text, [part], passage.windows[probe.window])


def _carries(decision: Decision, cost: Scores, speaks: Carries, rest: Scores) -> Carries:
    """Returns which part carries which label, bool of shape (parts, L), as are the others; ``rest`` are logits."""
    lost_without = ~decision.decide(decision.probabilities(rest))
    costly = cost >= LEAST_SHARE * cost.max(axis=0)
    carries: Carries = (speaks | lost_without) & costly & (cost > 0)
    costliest = cost == cost.max(axis=0)
    return np.where(carries.any(axis=0), carries, costliest)
