"""How good a bundle's explanations are: the stances of what is only mentioned, and the sentences given as evidence.

Evidence is judged by plausibility, whether it overlaps what readers marked, and by faithfulness, whether the label
falls when the evidence is taken out (DeYoung et al., 2020).

References:
    Jay DeYoung et al., ERASER: A Benchmark to Evaluate Rationalized NLP Models, ACL 2020.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from compersion_nlp.corpus import Corpus, corpus_bytes
from compersion_nlp.errors import BadConfig, UnknownLabel
from compersion_nlp.evaluate.resampling import Interval, wilson_interval
from compersion_nlp.labels import FELT, SCHEME
from compersion_nlp.records import Reading, Span
from compersion_nlp.text import without

if TYPE_CHECKING:
    from compersion_nlp.tagger import Tagger

EVIDENCE = "evidence"  # the folder beside a corpus that says which sentences show what is felt

Cell = tuple[int, str]  # the row of a passage, and a label
Marked = Mapping[str, Mapping[str, Sequence[Span]]]  # passage's id to label to sentences


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line of a file of evidence: which sentences of a passage show that each label is felt."""

    id: str
    evidence: dict[str, tuple[Span, ...]]


class StanceScore(msgspec.Struct, frozen=True):
    """How well one stance is read: ``support`` counts the gold marks with it, ``read`` the readings."""

    stance: str
    support: int
    read: int
    precision: float
    recall: float
    f1: float


class Share(msgspec.Struct, frozen=True):
    """``hits`` of ``cases``, as a share with its 95 % interval (Wilson); nan without cases."""

    cases: int
    hits: int
    share: float
    interval: Interval | None


class Explanations(msgspec.Struct, frozen=True):
    """Figures on explanations.

    ``stances`` are the five that are not felt, over all labels; ``stance_macro_f1`` is their mean. ``overlap`` counts
    labels that are rightly read as felt, in passages of several sentences, whose evidence overlaps a sentence that the
    readers marked; None where nobody marked any. ``falls`` counts labels read as felt that are not any more when their
    evidence is taken out and the rest read anew, in passages of which something is left then.
    ``contradictions`` counts readings in which a label is not felt and one of its mentions is.
    """

    model: str
    corpus: str
    passages: int
    stances: tuple[StanceScore, ...]
    stance_macro_f1: float
    overlap: Share | None
    falls: Share
    contradictions: int


def read_evidence(path: Path) -> Marked:
    """Returns the marked sentences in a JSON-lines file; raises BadConfig where a line is not sound."""
    found: dict[str, dict[str, tuple[Span, ...]]] = {}
    for number, line in enumerate(corpus_bytes(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = msgspec.json.decode(line, type=_Line)
            for label in row.evidence:
                SCHEME.check_label(label)
        except (msgspec.DecodeError, UnicodeDecodeError, UnknownLabel) as error:
            raise BadConfig(
                f"{path}, line {number}: {error}", "A line has an id, and evidence: label to [[start, end], ...]."
            ) from None
        if row.id in found:
            raise BadConfig(f"{path}, line {number}: the id {row.id!r} is taken.", "Give each passage one line.")
        found[row.id] = row.evidence
    return found


def find_marks(corpus_path: Path) -> Marked | None:
    """Returns the evidence marked for a corpus, in the folder ``evidence`` beside it; None where there is none."""
    path = corpus_path.parent / EVIDENCE / corpus_path.name
    return read_evidence(path) if path.is_file() else None


def judge_explanations(tagger: Tagger, corpus: Corpus, marked: Marked | None = None) -> Explanations:
    """Returns the figures for a bundle on a corpus that is annotated with stances; every passage is explained."""
    readings = list(tagger.tag_many(corpus.texts))
    known = set(corpus.labels) & set(tagger.labels)
    gold = [annotation.feelings for annotation in corpus.annotations]
    read = [reading.stances for reading in readings]
    scores = tuple(
        _stance_score(stance, _cells(stance, gold, known), _cells(stance, read, known))
        for stance in SCHEME.stance_names
        if stance != FELT
    )
    defined = [score.f1 for score in scores if score.support]
    return Explanations(
        model=tagger.model,
        corpus=corpus.name,
        passages=len(readings),
        stances=scores,
        stance_macro_f1=float(np.mean(defined)) if defined else float("nan"),
        overlap=_overlap(corpus, readings, marked) if marked is not None else None,
        falls=_falls(tagger, readings),
        contradictions=sum(
            any(mention.stance == FELT for mention in finding.mentions)
            for reading in readings
            for finding in reading
            if not finding.felt
        ),
    )


def _stance_score(stance: str, gold: Set[Cell], read: Set[Cell]) -> StanceScore:
    hits = len(gold & read)
    return StanceScore(
        stance,
        len(gold),
        len(read),
        hits / len(read) if read else float("nan"),
        hits / len(gold) if gold else float("nan"),
        2 * hits / (len(gold) + len(read)) if gold else float("nan"),
    )


def _cells(stance: str, marks: Sequence[Mapping[str, str]], known: Set[str]) -> set[Cell]:
    """Returns row and label of each mark with that stance, of labels that are known."""
    return {
        (row, label)
        for row, marked in enumerate(marks)
        for label, found in marked.items()
        if found == stance and label in known
    }


def _overlap(corpus: Corpus, readings: Sequence[Reading], marked: Marked) -> Share:
    overlaps = [
        any(span.start < there.end and there.start < span.end for span in finding.evidence for there in spans)
        for annotation, reading in zip(corpus.annotations, readings, strict=True)
        for label, spans in marked.get(annotation.id, {}).items()
        if label in reading.stances and (finding := reading[label]).felt and annotation.feelings.get(label) == FELT
    ]
    return _share(overlaps)


def _falls(tagger: Tagger, readings: Sequence[Reading]) -> Share:
    cells = [
        (left, tagger.labels.index(finding.label))
        for reading in readings
        for finding in reading
        if finding.felt and (left := without(reading.text, finding.evidence)).strip()
    ]
    if not cells:
        return _share([])
    decided = tagger.decide(tagger.probabilities([left for left, _ in cells]))
    return _share([not row[column] for row, (_, column) in zip(decided, cells, strict=True)])


def _share(cases: Sequence[bool]) -> Share:
    hits = sum(cases)
    return Share(len(cases), hits, hits / len(cases) if cases else float("nan"), wilson_interval(hits, len(cases)))
