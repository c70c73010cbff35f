"""What a scorer that knows stances says of each passage's mentions, and which sentence speaks for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from compersion_nlp.bundle import Bundle
from compersion_nlp.decision import Decision
from compersion_nlp.evidence import Windowed, find_homes
from compersion_nlp.labels import FELT, SCHEME
from compersion_nlp.mentions import Learned
from compersion_nlp.records import Span
from compersion_nlp.scorers.protocol import Answers, StanceScorer, Trace
from compersion_nlp.scoring import Unfelt, find_unfelt

Mask = npt.NDArray[np.bool_]


def learn_mentions(
    bundle: Bundle, passages: Sequence[Windowed], answers: Sequence[Answers]
) -> list[tuple[Learned, ...]]:
    """Returns what a scorer that knows stances says of each label's mention in each passage.

    ``answers`` are those for the windows of each passage.
    """
    numbers = bundle.manifest.mentioned
    decision = Decision({label: numbers[label] for label in bundle.manifest.labels})
    unfelt = [find_unfelt(answered) for answered in answers]
    mentioned = [decision.decide(decision.probabilities(found.logits[None]))[0] for found in unfelt]
    for passage, said in zip(passages, mentioned, strict=True):
        said[passage.felt] = False  # what is felt needs no further stance
    places = _find_places(bundle.scorer, passages, unfelt, mentioned)
    return [
        tuple(
            Learned(
                bool(said[column]), best_stance(found.stances[column]), where.get(column, Span(0, len(passage.text)))
            )
            for column in range(len(said))
        )
        for passage, found, said, where in zip(passages, unfelt, mentioned, places, strict=True)
    ]


def best_stance(logits: npt.NDArray[np.float32]) -> str:
    """Returns the likeliest stance but ``felt``, of which another head decides; ``logits`` has shape (S,)."""
    others = [place for place, stance in enumerate(SCHEME.stance_names) if stance != FELT]
    return SCHEME.stance_names[others[int(np.argmax(logits[others]))]]


def _find_places(
    scorer: object, passages: Sequence[Windowed], unfelt: Sequence[Unfelt], mentioned: Sequence[Mask]
) -> list[dict[int, Span]]:
    """Returns, for each passage by column, the sentence that adds most to a mention in the window that counts."""
    assert isinstance(scorer, StanceScorer)
    asked = [
        (place, window)
        for place, (found, said) in enumerate(zip(unfelt, mentioned, strict=True))
        for window in sorted(set(found.windows[said].tolist()))
    ]
    traces = scorer.trace([passages[place].windows[window].of(passages[place].text) for place, window in asked])
    places: list[dict[int, Span]] = [{} for _ in passages]
    for (place, window), trace in zip(asked, traces, strict=True):
        passage = passages[place]
        columns = np.flatnonzero(mentioned[place] & (unfelt[place].windows == window)).tolist()
        places[place].update(_best_sentences(passage, passage.windows[window], trace, columns))
    return places


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
