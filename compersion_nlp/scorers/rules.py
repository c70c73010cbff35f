"""The rules scorer: no training, only the lexicon and the stance cues.

A bundle holds its own copies of both files, so that it reads the same tomorrow, and so that anybody can adapt the words
and cues to their own forum without code.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from compersion_nlp.errors import BadBundle
from compersion_nlp.labels import FELT
from compersion_nlp.lexicon import Lexicon, compile_lexicon
from compersion_nlp.phrases import Tokens
from compersion_nlp.scorers.protocol import Scores
from compersion_nlp.stance import Cues, compile_cues
from compersion_nlp.text import bounded_memory, parse

LEXICON, CUES = "lexicon.toml", "cues.toml"

# The logit of a label that nothing in the text is felt of, and how far felt mentions can raise it: one strong phrase
# comes a little over even odds, one weak phrase to about one in six.
NOTHING = -4.0
RISE = 7.0


class RulesScorer:
    """Scores texts by the felt mentions that lexicon and cues find in them."""

    def __init__(self, labels: tuple[str, ...], lexicon: Lexicon, cues: Cues) -> None:
        self._labels = labels
        self._columns = {label: column for column, label in enumerate(labels)}
        self.lexicon = lexicon
        self.cues = cues

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the columns."""
        return self._labels

    def score(self, texts: Sequence[str]) -> Scores:
        """Returns logits, float32 of shape (n, L): each further felt mention of a label raises its logit by less."""
        return (NOTHING + RISE * self.strengths(texts)).astype(np.float32)

    def strengths(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Returns how strongly each label is found to be felt, 0 to 1, of shape (n, L)."""
        weights = np.zeros((len(texts), len(self._labels)))
        with bounded_memory():
            for row, text in enumerate(texts):
                for label, weight in self._felt(text):
                    if label in self._columns:
                        weights[row, self._columns[label]] += weight
        return -np.expm1(-weights)

    def _felt(self, text: str) -> list[tuple[str, float]]:
        tokens = Tokens(parse(text))
        hits = self.lexicon.find(tokens)
        stances = self.cues.judge(tokens, hits)
        return [(hit.label, hit.weight) for hit, stance in zip(hits, stances, strict=True) if stance == FELT]

    def save(self, folder: Path) -> None:
        """Writes the lexicon and the cues as they were read."""
        (folder / LEXICON).write_text(self.lexicon.source, "utf-8", newline="")
        (folder / CUES).write_text(self.cues.source, "utf-8", newline="")


def load(folder: Path, labels: tuple[str, ...]) -> RulesScorer:
    """Reads what ``save`` wrote.

    Raises BadBundle if a file is missing or not UTF-8, or if the lexicon lacks a label; BadConfig, with the path of the
    key, if a file breaks its schema.
    """
    lexicon = compile_lexicon(_read(folder / LEXICON), LEXICON)
    if missing := [label for label in labels if label not in lexicon.labels]:
        raise BadBundle(
            f"{LEXICON} has no entry for {', '.join(missing)}.",
            "Add labels.<name> to it, or leave the label out of the bundle.",
        )
    return RulesScorer(labels, lexicon, compile_cues(_read(folder / CUES), CUES))


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise BadBundle(f"The bundle has no {path.name}.", f"A rules bundle holds {LEXICON} and {CUES}.") from None
    except UnicodeDecodeError as error:
        raise BadBundle(f"{path.name} is not UTF-8: {error}.", "Save the file as UTF-8.") from None
