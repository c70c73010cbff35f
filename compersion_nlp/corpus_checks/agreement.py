"""How far two readers agree who marked the same passages without seeing each other's marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from sklearn.metrics import cohen_kappa_score

from compersion_nlp.corpus import corpus_bytes, read_lines, read_settings, without_text
from compersion_nlp.corpus.files import sound
from compersion_nlp.errors import BadConfig, BadInput
from compersion_nlp.labels import FELT, SCHEME

Marks = Mapping[str, Mapping[str, str]]  # passage's id to label to stance


class LabelAgreement(msgspec.Struct, frozen=True):
    """Agreement on whether one label is felt.

    ``first`` and ``second`` count the passages in which each reader marks it felt, ``both`` those in which both do.
    ``kappa`` is Cohen's (1960), -1 to 1, ``f1`` that of one reader against the other, 0 to 1; nan where neither marks,
    and kappa also where both always do.
    """

    name: str
    first: int
    second: int
    both: int
    kappa: float
    f1: float


class Agreement(msgspec.Struct, frozen=True):
    """Agreement of two readers. ``identical`` is the share of passages on which they agree in every mark.

    ``only_one`` counts the passages that only one of them marked, and that are left out.

    ``macro_kappa`` and ``macro_f1`` are means over the labels that a reader marks felt, ``micro_f1`` is over all marks.
    Stances are compared on the ``mentions`` that both mark in any stance: ``stance_accuracy`` and ``stance_kappa``.
    """

    passages: int
    only_one: int
    identical: float
    labels: tuple[LabelAgreement, ...]
    macro_kappa: float
    macro_f1: float
    micro_f1: float
    mentions: int
    stance_accuracy: float
    stance_kappa: float


def compare_readers(first: Path, second: Path) -> Agreement:
    """Returns how far the readers of two files of marks agree, over the passages that both marked.

    The files are corpora, or give marks by id only. Raises BadInput if they have no passage in common, and BadConfig
    where a line is not sound.
    """
    one, other = _marks(first), _marks(second)
    ids = [id_ for id_ in one if id_ in other]
    if not ids:
        raise BadInput(f"{first} and {second} have no passage in common.", "Name two readings of the same passages.")
    labels = tuple(_on_label(label, [one[id_] for id_ in ids], [other[id_] for id_ in ids]) for label in SCHEME.names)
    marked = [label for label in labels if label.first or label.second]
    stances = [
        (one[id_][label], other[id_][label]) for id_ in ids for label in SCHEME.names if _shared(label, id_, one, other)
    ]
    return Agreement(
        passages=len(ids),
        only_one=len(one.keys() ^ other.keys()),
        identical=float(np.mean([dict(one[id_]) == dict(other[id_]) for id_ in ids])),
        labels=labels,
        macro_kappa=_mean(label.kappa for label in marked),
        macro_f1=_mean(label.f1 for label in marked),
        micro_f1=_f1(sum(x.both for x in labels), sum(x.first for x in labels), sum(x.second for x in labels)),
        mentions=len(stances),
        stance_accuracy=_mean(left == right for left, right in stances),
        stance_kappa=_kappa([left for left, _ in stances], [right for _, right in stances]),
    )


def _marks(path: Path) -> dict[str, Mapping[str, str]]:
    settings = read_settings(path.parent)
    sources = without_text if settings.texts else None  # marks are compared, whatever the texts
    found: dict[str, Mapping[str, str]] = {}
    for line in read_lines(corpus_bytes(path), settings.labels, sources):
        annotation = sound(path, line)
        if annotation.id in found:
            raise BadConfig(f"{path}, line {line.number}: the id {annotation.id!r} was given before.", "Mark it once.")
        found[annotation.id] = annotation.feelings
    return found


def _shared(label: str, id_: str, one: Marks, other: Marks) -> bool:
    return label in one[id_] and label in other[id_]


def _on_label(label: str, one: Sequence[Mapping[str, str]], other: Sequence[Mapping[str, str]]) -> LabelAgreement:
    left, right = ([marks.get(label) == FELT for marks in side] for side in (one, other))
    both = sum(a and b for a, b in zip(left, right, strict=True))
    return LabelAgreement(label, sum(left), sum(right), both, _kappa(left, right), _f1(both, sum(left), sum(right)))


def _kappa(left: Sequence[Any], right: Sequence[Any]) -> float:
    if len({*left, *right}) < 2:
        return float("nan")  # one answer only: chance explains all of it
    return float(cohen_kappa_score([str(value) for value in left], [str(value) for value in right]))


def _f1(both: int, first: int, second: int) -> float:
    return 2 * both / (first + second) if first + second else float("nan")


def _mean(values: Any) -> float:
    found = [value for value in values if value == value]  # a figure that is not defined is left out
    return float(np.mean(found)) if found else float("nan")
