"""What a corpus holds, in counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations

import msgspec
import numpy as np

from compersion_nlp.corpus import KINDS, LENGTH_BANDS, MANNERS, Corpus, length_band, word_count
from compersion_nlp.labels import SCHEME
from compersion_nlp.records import Annotation

StanceCounts = dict[str, dict[str, int]]


class Description(msgspec.Struct, frozen=True):
    """What a corpus holds. ``together`` counts the passages in which two labels are both felt, most first."""

    name: str
    passages: int
    groups: int
    nothing_felt: int
    kinds: dict[str, int]
    manners: dict[str, int]
    lengths: dict[str, int]
    median_words: float
    longest_words: int
    stances: StanceCounts
    together: tuple[tuple[str, str, int], ...]


def describe_corpus(corpus: Corpus) -> Description:
    """Returns the counts that a reader of the corpus wants to see first."""
    annotations = corpus.annotations
    words = [word_count(annotation.text) for annotation in annotations]
    return Description(
        name=corpus.name,
        passages=len(annotations),
        groups=len(set(corpus.groups)),
        nothing_felt=sum(not annotation.felt for annotation in annotations),
        kinds=_count((annotation.kind for annotation in annotations), KINDS),
        manners=_count((annotation.manner or "not recorded" for annotation in annotations), MANNERS),
        lengths=_count((length_band(count) for count in words), LENGTH_BANDS),
        median_words=float(np.median(words)),
        longest_words=max(words),
        stances=count_stances(annotations),
        together=_count_together(annotations),
    )


def count_stances(annotations: Iterable[Annotation]) -> StanceCounts:
    """Returns label to stance to number of passages, for every label and stance of the scheme."""
    counts = Counter(mark for annotation in annotations for mark in annotation.feelings.items())
    return {label: {stance: counts[label, stance] for stance in SCHEME.stance_names} for label in SCHEME.names}


def _count(values: Iterable[str], order: Sequence[str]) -> dict[str, int]:
    counts = Counter(values)
    return {value: counts[value] for value in (*order, *sorted(set(counts) - set(order))) if counts[value]}


def _count_together(annotations: Iterable[Annotation]) -> tuple[tuple[str, str, int], ...]:
    counts = Counter(pair for annotation in annotations for pair in combinations(annotation.felt, 2))
    return tuple((one, other, count) for (one, other), count in counts.most_common())
