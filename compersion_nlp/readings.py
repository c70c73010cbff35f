"""Readings of many passages at once, column by column: what a batch is made of, from the tagger to the output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import msgspec
import numpy as np
import numpy.typing as npt

from compersion_nlp.records import Reading

EXPLAINED = ("stances", "evidence", "mentions")  # what a row holds of a reading that was explained

NOWHERE = np.empty(0, np.int64)


class Readings(msgspec.Struct, frozen=True, eq=False):
    """Readings of ``n`` passages with one model.

    ``probabilities`` (n, L), float64, and ``felt`` (n, L), bool, have the labels in their order; ``provisional`` names
    those whose calibration saw too few examples. ``explained`` has for each passage its stances, evidence and mentions
    as plain JSON values, and is None where they were not asked for. ``tier`` (n,) is the place among ``tiers`` of the
    scorer that a passage came to, where a model hands passages on; else no scorer is named.
    """

    model: str
    labels: tuple[str, ...]
    probabilities: npt.NDArray[np.float64]
    felt: npt.NDArray[np.bool_]
    provisional: tuple[str, ...] = ()
    explained: Sequence[Mapping[str, Any]] | None = None
    tiers: tuple[str, ...] = ()
    tier: npt.NDArray[np.int64] = NOWHERE

    def __len__(self) -> int:
        return len(self.felt)

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Self:
        """Returns the one reading that ``Reading.to_row`` gave as a row."""
        labels = tuple(row["probabilities"])
        felt = set(row["felt"])
        return cls(
            model=row["model"],
            labels=labels,
            probabilities=np.array([list(row["probabilities"].values())], np.float64).reshape(1, len(labels)),
            felt=np.array([[label in felt for label in labels]], np.bool_).reshape(1, len(labels)),
            provisional=tuple(row.get("provisional", ())),
            explained=[{key: row[key] for key in EXPLAINED}] if "stances" in row else None,
        )

    @classmethod
    def of(
        cls, readings: Sequence[Reading], tiers: tuple[str, ...] = (), tier: npt.NDArray[np.int64] = NOWHERE
    ) -> Self:
        """Returns readings, one at least, of one model, that were all explained or all not."""
        first = readings[0]
        rows = [reading.to_row() for reading in readings]
        shape = (len(readings), len(first))
        return cls(
            model=first.model,
            labels=tuple(finding.label for finding in first),
            probabilities=np.array([[finding.probability for finding in one] for one in readings]).reshape(shape),
            felt=np.array([[finding.felt for finding in one] for one in readings], np.bool_).reshape(shape),
            provisional=tuple(finding.label for finding in first if finding.provisional),
            explained=[{key: row[key] for key in EXPLAINED} for row in rows] if first.explained else None,
            tiers=tiers,
            tier=tier,
        )

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Returns the readings of all parts, one at least, one after the other."""
        first = parts[0]
        if len(parts) == 1:
            return first
        return msgspec.structs.replace(
            first,
            probabilities=np.concatenate([part.probabilities for part in parts]),
            felt=np.concatenate([part.felt for part in parts]),
            explained=None if first.explained is None else [one for part in parts for one in part.explained or ()],
            tier=np.concatenate([part.tier for part in parts]),
        )

    def felt_labels(self) -> list[list[str]]:
        """Returns for each passage the labels that are felt."""
        found: list[list[str]] = [[] for _ in range(len(self))]
        for row, column in np.argwhere(self.felt).tolist():
            found[row].append(self.labels[column])
        return found

    def by_tier(self) -> dict[str, int]:
        """Returns how many passages came to each scorer, for a model that hands passages on; else nothing."""
        counts = np.bincount(self.tier, minlength=len(self.tiers)).tolist()
        return dict(zip(self.tiers, counts, strict=True))

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yields each reading as ``Reading.to_row`` gives it."""
        provisional = list(self.provisional)
        for place, (felt, probabilities) in enumerate(
            zip(self.felt_labels(), self.probabilities.tolist(), strict=True)
        ):
            row = {
                "felt": felt,
                "probabilities": dict(zip(self.labels, probabilities, strict=True)),
                "provisional": provisional,
                "model": self.model,
            }
            if self.explained is not None:
                row.update(self.explained[place])
            yield row


class PackedReadings(msgspec.Struct, frozen=True):
    """Readings as they are kept on a disk: arrays are their bytes, row by row, felt in a byte a label."""

    model: str
    labels: tuple[str, ...]
    probabilities: bytes
    felt: bytes
    provisional: tuple[str, ...]
    explained: list[dict[str, Any]] | None
    tiers: tuple[str, ...] = ()
    tier: bytes = b""

    @classmethod
    def of(cls, readings: Readings) -> PackedReadings:
        """Returns readings packed; ``unpack`` gives them back."""
        explained = None if readings.explained is None else [dict(one) for one in readings.explained]
        return cls(
            readings.model,
            readings.labels,
            np.ascontiguousarray(readings.probabilities, "<f8").tobytes(),
            np.ascontiguousarray(readings.felt, np.bool_).tobytes(),
            readings.provisional,
            explained,
            readings.tiers,
            readings.tier.astype(np.uint8).tobytes(),
        )

    def unpack(self) -> Readings:
        """Returns the readings."""
        shape = (-1, len(self.labels))
        probabilities = np.frombuffer(self.probabilities, "<f8").reshape(shape)
        felt = np.frombuffer(self.felt, np.bool_).reshape(shape)
        tier = np.frombuffer(self.tier, np.uint8).astype(np.int64)
        return Readings(
            self.model, self.labels, probabilities, felt, self.provisional, self.explained, self.tiers, tier
        )
