"""What can be wrong with corpus files, and what they hold: checks and counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path

import msgspec
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import pairwise_distances_chunked

from compersion_nlp.corpus import (
    KINDS,
    LENGTH_BANDS,
    MANNERS,
    Corpus,
    annotated_labels,
    corpus_bytes,
    corpus_name,
    length_band,
    read_lines,
    word_count,
)
from compersion_nlp.folding import fold
from compersion_nlp.labels import SCHEME
from compersion_nlp.records import Annotation

# Cosine of TF-IDF weighted character 5-grams. In the relational corpus, pairs written as contrasts
# reach 0.64 to 1.0, and passages that have nothing to do with each other stay under 0.4.
NEAR_DUPLICATE = 0.6
SHORTEST_SIGN = 4  # words; a shorter phrase of the scheme is anybody's
MEGABYTES = 64  # of likenesses held at a time

StanceCounts = dict[str, dict[str, int]]


class Problem(msgspec.Struct, frozen=True):
    """One thing to mend: which check found it, where, and what it is."""

    check: str
    where: str
    message: str


class CorpusReport(msgspec.Struct, frozen=True):
    """What a check of corpus files found. ``passages`` counts by file, ``stances`` by label and stance.

    ``short_signs`` lists passages that hold a short phrase of the scheme, which is allowed.
    """

    passages: dict[str, int]
    stances: StanceCounts
    problems: tuple[Problem, ...]
    short_signs: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether nothing is to be mended."""
        return not self.problems


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


class _Placed(msgspec.Struct, frozen=True):
    """An annotation and the file and line where it stands."""

    file: str
    line: int
    annotation: Annotation

    @property
    def where(self) -> str:
        return f"{self.file}, line {self.line}"


def check_corpus(paths: Sequence[Path]) -> CorpusReport:
    """Returns every problem in the files, which are taken as the splits of one corpus.

    Raises BadConfig only where a file cannot be read at all.
    """
    found = [item for path in paths for item in _read_placed(path)]
    problems = [item for item in found if isinstance(item, Problem)]
    placed = [item for item in found if isinstance(item, _Placed)]
    for check in (_repeated_ids, _odd_fields, _split_groups, _near_duplicates, _copied_signs):
        problems.extend(check(placed))
    counts = Counter(item.file for item in placed)
    return CorpusReport(
        passages={corpus_name(path): counts[corpus_name(path)] for path in paths},
        stances=count_stances(item.annotation for item in placed),
        problems=tuple(problems),
        short_signs=tuple(f"{item.where}: {sign!r}" for item, sign in _signs(placed, short=True)),
    )


def _read_placed(path: Path) -> Iterator[_Placed | Problem]:
    name = corpus_name(path)
    for line in read_lines(corpus_bytes(path), annotated_labels(path)):
        if line.annotation is None:
            yield Problem("schema", f"{name}, line {line.number}", line.problem)
        else:
            yield _Placed(name, line.number, line.annotation)


def _repeated_ids(placed: Sequence[_Placed]) -> Iterator[Problem]:
    first: dict[str, _Placed] = {}
    for item in placed:
        earlier = first.setdefault(item.annotation.id, item)
        if earlier is not item:
            yield Problem("ids", item.where, f"the id {item.annotation.id!r} is taken by {earlier.where}")


def _odd_fields(placed: Sequence[_Placed]) -> Iterator[Problem]:
    for item in placed:
        annotation = item.annotation
        empty = [key for key in ("id", "text", "group") if not getattr(annotation, key).strip()]
        if empty:
            yield Problem("empty", item.where, f"{' and '.join(empty)} must not be blank")
        if annotation.kind not in KINDS:
            yield Problem("kind", item.where, f"kind is {annotation.kind!r}; allowed: {', '.join(KINDS)}")
        if annotation.manner is not None and annotation.manner not in MANNERS:
            yield Problem("manner", item.where, f"manner is {annotation.manner!r}; allowed: {', '.join(MANNERS)}")


def _split_groups(placed: Sequence[_Placed]) -> Iterator[Problem]:
    first: dict[str, str] = {}
    told: set[tuple[str, str]] = set()
    for item in placed:
        group, file = item.annotation.group, item.file
        if first.setdefault(group, file) != file and (group, file) not in told:
            told.add((group, file))
            yield Problem("groups", item.where, f"the group {group!r} also has passages in {first[group]}")


def _near_duplicates(placed: Sequence[_Placed]) -> Iterator[Problem]:
    """Yields pairs in different groups: a split would part them, and training would see the answer."""
    kept = [item for item in placed if item.annotation.text.strip()]
    for left, right, likeness in _alike([_plain(item.annotation.text) for item in kept]):
        one, other = kept[left], kept[right]
        if one.annotation.group != other.annotation.group:
            yield Problem(
                "duplicates",
                other.where,
                f"{other.annotation.id} reads like {one.annotation.id} ({one.where}; likeness {likeness:.2f})"
                " but has another group",
            )


def _alike(texts: Sequence[str]) -> Iterator[tuple[int, int, float]]:
    if len(texts) < 2:
        return
    # Padded, so that a text of fewer than five characters has a 5-gram too.
    weights = TfidfVectorizer(analyzer="char", ngram_range=(5, 5), lowercase=False, dtype=np.float32)
    vectors = weights.fit_transform([f"    {text}    " for text in texts])
    start = 0
    for distances in pairwise_distances_chunked(vectors, metric="cosine", working_memory=MEGABYTES):
        likeness = 1 - distances
        for row, column in zip(*np.nonzero(likeness >= NEAR_DUPLICATE), strict=True):
            if start + row < column:
                yield start + int(row), int(column), float(likeness[row, column])
        start += len(distances)


def _plain(text: str) -> str:
    return " ".join(fold(text).casefold().split())


def _copied_signs(placed: Sequence[_Placed]) -> Iterator[Problem]:
    for item, sign in _signs(placed, short=False):
        yield Problem("signs", item.where, f"{item.annotation.id} holds {sign!r}, an example of the label scheme")


def _signs(placed: Sequence[_Placed], short: bool) -> Iterator[tuple[_Placed, str]]:
    signs = [sign for label in SCHEME.labels.values() for sign in label.signs]
    wanted = [sign for sign in signs if (len(sign.split()) < SHORTEST_SIGN) == short]
    for item in placed:
        text = _plain(item.annotation.text)
        for sign in wanted:
            if _plain(sign) in text:
                yield item, sign


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
