"""What a bundle answers to the texts of behavioural tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from compersion_nlp.evaluate.behaviour.result import Miss
from compersion_nlp.evaluate.metrics import Decided, Floats
from compersion_nlp.labels import FELT
from compersion_nlp.tagger import PROBABILITY_DIGITS, Tagger

NOT_FELT = "not felt"

Places = npt.NDArray[np.intp]


class Answers(msgspec.Struct, frozen=True, eq=False):
    """Probabilities, as a reading has them, and decisions, both of shape (n, L); the places of texts and labels."""

    rows: dict[str, int]
    columns: dict[str, int]
    probabilities: Floats
    felt: Decided

    def rows_of(self, texts: Iterable[str]) -> Places:
        """Returns the rows of texts, of shape (k,)."""
        return np.array([self.rows[text] for text in texts], dtype=np.intp)

    def columns_of(self, labels: Iterable[str]) -> Places:
        """Returns the columns of labels, of shape (k,)."""
        return np.array([self.columns[label] for label in labels], dtype=np.intp)

    def is_felt(self, text: str, label: str) -> bool:
        """Whether the label is decided as felt in the text."""
        return bool(self.felt[self.rows[text], self.columns[label]])

    def miss(self, label: str, expected: str, *texts: str) -> Miss:
        """Returns what was read of a label in a text, or in two, beside what was expected."""
        return Miss(
            label,
            expected,
            tuple(FELT if self.is_felt(text, label) else NOT_FELT for text in texts),
            tuple(float(self.probabilities[self.rows[text], self.columns[label]]) for text in texts),
        )


def read_texts(tagger: Tagger, texts: Sequence[str]) -> Answers:
    """Returns the answers to texts, each read once."""
    rows = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    probabilities = tagger.probabilities(list(rows))
    return Answers(
        rows,
        {label: column for column, label in enumerate(tagger.labels)},
        np.round(probabilities, PROBABILITY_DIGITS),
        tagger.decide(probabilities),
    )
