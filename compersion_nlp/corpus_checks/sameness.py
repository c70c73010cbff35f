"""How much passages resemble each other in their phrases: runs of words that recur, and openings."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from compersion_nlp.folding import fold
from compersion_nlp.records import Annotation

RUN = 5  # words
OPENING = 3  # words
MOST_SHOWN = 10


class Recurring(msgspec.Struct, frozen=True):
    """Phrases that recur: the share of passages with one, 0 to 1, and the most frequent with their passages."""

    share: float
    most: tuple[tuple[str, int], ...]


def recurring_runs(annotations: Sequence[Annotation]) -> Recurring:
    """Returns the share of passages that have a run of five words in common with a passage of another group."""
    holders: dict[tuple[str, ...], set[int]] = defaultdict(set)
    for place, annotation in enumerate(annotations):
        for run in _runs(words(annotation.text)):
            holders[run].add(place)
    recurring = {
        run: places
        for run, places in holders.items()
        if len(places) > 1 and len({annotations[place].group for place in places}) > 1
    }
    touched = set().union(*recurring.values())
    most = Counter({" ".join(run): len(places) for run, places in recurring.items()})
    return Recurring(len(touched) / max(len(annotations), 1), tuple(most.most_common(MOST_SHOWN)))


def openings(annotations: Sequence[Annotation]) -> Recurring:
    """Returns the share of passages that begin with the most frequent first three words, and which those are.

    An opening that only one passage has does not recur.
    """
    counts = Counter(" ".join(found[:OPENING]) for a in annotations if len(found := words(a.text)) >= OPENING)
    most = tuple((phrase, count) for phrase, count in counts.most_common(MOST_SHOWN) if count > 1)
    return Recurring(most[0][1] / len(annotations) if most else 0.0, most)


def words(text: str) -> list[str]:
    """Returns a text's words in lower case, without the punctuation around them.

    >>> words("Well… I'm FINE.")
    ['well', "i'm", 'fine']
    """
    stripped = (word.strip("\"'*_.,:;!?()[]<>…-") for word in fold(text).casefold().split())
    return [word for word in stripped if word]


def _runs(found: Sequence[str]) -> Iterable[tuple[str, ...]]:
    return {tuple(found[start : start + RUN]) for start in range(len(found) - RUN + 1)}
