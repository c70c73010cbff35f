"""The values that flow through the package: passages in, readings out. All are frozen.

Spans are half-open ranges of code points in the passage's own text, as it came in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import msgspec

from compersion_nlp.errors import BadConfig, UnknownLabel
from compersion_nlp.labels import FELT, SCHEME


class Span(msgspec.Struct, frozen=True, array_like=True, order=True):
    """A half-open range ``start <= i < end`` of code points; in rows, ``[start, end]``."""

    start: int
    end: int

    def of(self, text: str) -> str:
        """Returns the part of ``text`` that the span covers."""
        return text[self.start : self.end]


class Passage(msgspec.Struct, frozen=True):
    """One text to read, with where it came from.

    ``number`` counts the rows of the input from 1; ``columns`` holds the whole input row.
    """

    text: str
    number: int = 1
    id: str = ""
    columns: dict[str, Any] = {}


class Rejected(msgspec.Struct, frozen=True):
    """A row that could not be read, with its number (from 1), why, and what stood there.

    ``raw`` is readable text; where the row's bytes are not valid text, ``raw_base64`` keeps them exactly.
    ``source`` names the file, where there are several.
    """

    number: int
    reason: str
    raw: str
    raw_base64: str | None = None
    source: str = ""


class Mention(msgspec.Struct, frozen=True, array_like=True):
    """A place where a feeling is named or described, and the stance it has there."""

    label: str
    stance: str
    span: Span


class Finding(msgspec.Struct, frozen=True):
    """What a reading says of one label.

    ``probability`` is calibrated, 0 to 1. ``stance`` is ``felt`` exactly where the label is decided to be felt; else
    the stance of what is only mentioned: by a bundle that knows stances, its own, by another the strongest of its
    mentions; else None. ``evidence`` holds the sentences that carry a felt label. ``mentions`` are the places where it
    is named or described, each with the stance it has there; one that says ``felt`` stands only beside a label that is
    felt. ``provisional``: the calibration saw too few examples to trust.
    """

    label: str
    probability: float
    stance: str | None = None
    evidence: tuple[Span, ...] = ()
    mentions: tuple[Mention, ...] = ()
    provisional: bool = False

    @property
    def felt(self) -> bool:
        """Whether the writer is read as feeling this."""
        return self.stance == FELT


class Reading(msgspec.Struct, frozen=True, dict=True):
    """What the tagger reads in one passage: a finding for every label its bundle knows.

    ``explained`` is False where only the decision was asked for: then stances other than ``felt``,
    mentions and evidence were not looked for.
    """

    text: str
    findings: tuple[Finding, ...]
    model: str
    explained: bool = True

    @cached_property
    def _by_label(self) -> dict[str, Finding]:
        return {finding.label: finding for finding in self.findings}

    @property
    def felt(self) -> tuple[str, ...]:
        """Labels that the writer is read as feeling, in the order of the bundle's."""
        return tuple(finding.label for finding in self.findings if finding.felt)

    @property
    def stances(self) -> dict[str, str]:
        """Label to stance, for every label that is felt, or mentioned in another stance."""
        return {finding.label: finding.stance for finding in self.findings if finding.stance is not None}

    @property
    def mentions(self) -> tuple[Mention, ...]:
        """All mentions, in the order of the text."""
        found = (mention for finding in self.findings for mention in finding.mentions)
        return tuple(sorted(found, key=lambda mention: (mention.span, mention.label)))

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __getitem__(self, label: str) -> Finding:
        try:
            return self._by_label[label]
        except KeyError:
            SCHEME.check_label(label)
            known = ", ".join(self._by_label)
            raise UnknownLabel(f"{self.model} does not read {label!r}.", f"It reads: {known}.") from None

    def __str__(self) -> str:
        felt = ", ".join(f"{label} {self[label].probability:.2f}" for label in self.felt) or "nothing felt"
        mentioned = [f"{label} ({stance})" for label, stance in self.stances.items() if stance != FELT]
        return f"{felt}; mentioned: {', '.join(mentioned)}" if mentioned else felt

    def to_row(self) -> dict[str, Any]:
        """Returns the reading as plain JSON values, without the text; ``from_row`` reads it back."""
        row: dict[str, Any] = {
            "felt": list(self.felt),
            "probabilities": {finding.label: finding.probability for finding in self.findings},
            "provisional": [finding.label for finding in self.findings if finding.provisional],
            "model": self.model,
        }
        if self.explained:
            row["stances"] = self.stances
            row["evidence"] = {
                finding.label: [[span.start, span.end] for span in finding.evidence]
                for finding in self.findings
                if finding.evidence
            }
            row["mentions"] = [[m.label, m.stance, [m.span.start, m.span.end]] for m in self.mentions]
        return row

    @classmethod
    def from_row(cls, row: Mapping[str, Any], text: str) -> Reading:
        """Returns the reading that ``to_row`` wrote; raises BadConfig with the key that is off."""
        try:
            fields = msgspec.convert(row, _Row)
        except msgspec.ValidationError as error:
            raise _no_reading(str(error)) from None
        fields.check()
        explained = fields.stances is not None
        stances = fields.stances or dict.fromkeys(fields.felt, FELT)
        findings = tuple(
            Finding(
                label=label,
                probability=probability,
                stance=stances.get(label),
                evidence=fields.evidence.get(label, ()),
                mentions=tuple(mention for mention in fields.mentions if mention.label == label),
                provisional=label in fields.provisional,
            )
            for label, probability in fields.probabilities.items()
        )
        return cls(text=text, findings=findings, model=fields.model, explained=explained)


class _Row(msgspec.Struct, frozen=True):
    """The schema of a reading's row."""

    felt: tuple[str, ...]
    probabilities: dict[str, float]
    model: str
    provisional: tuple[str, ...] = ()
    stances: dict[str, str] | None = None
    evidence: dict[str, tuple[Span, ...]] = {}
    mentions: tuple[Mention, ...] = ()

    def check(self) -> None:
        """Raises BadConfig if a label or stance is none, or if two keys contradict each other."""
        stances = self.stances if self.stances is not None else dict.fromkeys(self.felt, FELT)
        named = {*self.felt, *self.provisional, *stances, *self.evidence, *(mention.label for mention in self.mentions)}
        if odd := sorted(self.probabilities.keys() - SCHEME.labels.keys()):
            raise _no_reading(f"`$.probabilities` names {odd[0]!r}, which is no label")
        if odd := sorted(named - self.probabilities.keys()):
            raise _no_reading(f"{odd[0]!r} has no probability")
        if odd := sorted({*stances.values(), *(mention.stance for mention in self.mentions)} - SCHEME.stances.keys()):
            raise _no_reading(f"{odd[0]!r} is no stance")
        if {label for label, stance in stances.items() if stance == FELT} != set(self.felt):
            raise _no_reading("`$.felt` and `$.stances` do not agree on what is felt")


def _no_reading(why: str) -> BadConfig:
    return BadConfig(f"This row is not a reading: {why}.", "Pass the row that to_row returned.")


class Annotation(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One passage of a corpus with its gold marks (label to stance; absent: not mentioned)."""

    id: str
    text: str
    kind: str
    group: str
    feelings: dict[str, str]
    annotator: str = ""
    manner: str | None = None

    @property
    def felt(self) -> tuple[str, ...]:
        """Labels marked as felt, in scheme order."""
        return tuple(label for label in SCHEME.names if self.feelings.get(label) == FELT)
