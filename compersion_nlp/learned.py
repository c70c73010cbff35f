"""What a scorer that knows stances says of each passage's mentions, and which sentence speaks for each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from compersion_nlp.bundle import Bundle
from compersion_nlp.decision import Decision
from compersion_nlp.evidence import Windowed
from compersion_nlp.labels import FELT, SCHEME
from compersion_nlp.mentions import Learned
from compersion_nlp.records import Span
from compersion_nlp.scorers.protocol import StanceScorer, Trace
from compersion_nlp.scoring import answer_windows, join_answers


def learn_mentions(bundle: Bundle, passages: Sequence[Windowed]) -> list[tuple[Learned, ...] | None]:
    """Returns, for each passage, what the scorer says of each label's mention; None where it knows no stances."""
    scorer, numbers = bundle.scorer, bundle.manifest.mentioned
    if not isinstance(scorer, StanceScorer) or not numbers:
        return [None] * len(passages)
    decision = Decision({label: numbers[label] for label in bundle.manifest.labels})
    answers = answer_windows(scorer, [passage.text for passage in passages], [passage.windows for passage in passages])
    found: list[tuple[Learned, ...] | None] = []
    for passage, answered in zip(passages, answers, strict=True):
        logits, stances = join_answers(answered)
        mentioned = decision.decide(decision.probabilities(logits[None]))[0]
        mentioned[passage.felt] = False  # what is felt needs no further stance
        places = _places(scorer, passage, answered.mentioned, np.flatnonzero(mentioned))
        found.append(
            tuple(
                Learned(bool(said), best_stance(row), places.get(column, Span(0, len(passage.text))))
                for column, (said, row) in enumerate(zip(mentioned, stances, strict=True))
            )
        )
    return found


def best_stance(logits: npt.NDArray[np.float32]) -> str:
    """Returns the likeliest stance but ``felt``, of which another head decides; ``logits`` has shape (S,)."""
    others = [place for place, stance in enumerate(SCHEME.stance_names) if stance != FELT]
    return SCHEME.stance_names[others[int(np.argmax(logits[others]))]]


def _places(
    scorer: StanceScorer, passage: Windowed, mentioned: npt.NDArray[np.float32], columns: npt.NDArray[np.int64]
) -> dict[int, Span]:
    """Returns, by column, the sentence that adds most to what is said of its mention, in the surest window."""
    places: dict[int, Span] = {}
    traces: dict[int, Trace] = {}
    for column in columns.tolist():
        window = int(mentioned[:, column].argmax())
        if window not in traces:
            traces[window] = scorer.trace([passage.windows[window].of(passage.text)])[0]
        added = sentence_scores(traces[window].offsets, traces[window].mentioned, passage, passage.windows[window])
        if len(added):
            places[column] = passage.sentences[int(added[:, column].argmax())]
    return places


def sentence_scores(
    offsets: npt.NDArray[np.int64], added: npt.NDArray[np.float32], passage: Windowed, window: Span
) -> npt.NDArray[np.float32]:
    """Returns what each sentence of a passage adds to the logits in one of its windows, of shape (sentences, L).

    ``offsets`` (t, 2) and ``added`` (t, L) are of the window's word pieces; a sentence outside the window adds nothing.
    """
    scores = np.zeros((len(passage.sentences), added.shape[1]), np.float32)
    starts = np.array([sentence.start for sentence in passage.sentences]) - window.start
    if len(starts):
        real = offsets[:, 1] > offsets[:, 0]  # the special pieces at both ends stand nowhere
        homes = np.maximum(np.searchsorted(starts, offsets[real, 0], side="right") - 1, 0)
        np.add.at(scores, homes, added[real])
    return scores
