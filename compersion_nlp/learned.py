"""What a scorer that knows stances says of mentions that are not felt, and which sentence speaks for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from compersion_nlp.bundle import Manifest
from compersion_nlp.decision import Decided, Decision
from compersion_nlp.evidence import Windowed, find_homes
from compersion_nlp.labels import FELT, SCHEME
from compersion_nlp.mentions import Learned
from compersion_nlp.records import Span
from compersion_nlp.scorers.protocol import Trace
from compersion_nlp.scoring import Unfelt


def decide_unfelt(manifest: Manifest, unfelt: Sequence[Unfelt], felt: Decided) -> Decided:
    """Returns which labels are mentioned and not felt, bool of shape (n, L); ``felt`` has that shape too."""
    decision = Decision({label: manifest.mentioned[label] for label in manifest.labels})
    logits = np.stack([found.logits for found in unfelt]) if unfelt else np.empty(felt.shape, np.float32)
    decided: Decided = decision.decide(decision.probabilities(logits)) & ~felt
    return decided


def learn_mentions(passage: Windowed, unfelt: Unfelt, columns: Sequence[int]) -> Mapping[int, Learned]:
    """Returns what is said of the labels of ``columns``, which a passage mentions and which are not felt."""
    assert passage.traces is not None
    places: dict[int, Span] = {}
    for window in sorted({int(unfelt.windows[column]) for column in columns}):
        own = [column for column in columns if unfelt.windows[column] == window]
        places.update(_best_sentences(passage, passage.windows[window], passage.traces[window], own))
    whole = Span(0, len(passage.text))
    return {column: Learned(best_stance(unfelt.stances[column]), places.get(column, whole)) for column in columns}


def best_stance(logits: npt.NDArray[np.float32]) -> str:
    """Returns the likeliest stance but ``felt``, of which another head decides; ``logits`` has shape (S,)."""
    others = [place for place, stance in enumerate(SCHEME.stance_names) if stance != FELT]
    return SCHEME.stance_names[others[int(np.argmax(logits[others]))]]


def _best_sentences(
    passage: Windowed, window: Span, trace: Trace, columns: Sequence[int]
) -> Iterator[tuple[int, Span]]:
    homes = find_homes(trace.offsets + window.start, passage.sentences)
    inside = np.unique(homes[homes >= 0])
    if not len(inside):
        return
    added = np.stack([trace.mentioned[homes == sentence].sum(axis=0) for sentence in inside])
    for column in columns:
        yield column, passage.sentences[inside[added[:, column].argmax()]]
