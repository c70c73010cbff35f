"""The rules scorer: no training, only the lexicon and the stance cues.

A bundle holds its own copies of both files, so that it reads the same tomorrow, and so that anybody can adapt the words
and cues to their own forum without code.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from compersion_nlp.errors import BadBundle
from compersion_nlp.labels import FELT
from compersion_nlp.lexicon import Hit, Lexicon, compile_lexicon
from compersion_nlp.phrases import Tokens
from compersion_nlp.scorers.protocol import Scores
from compersion_nlp.stance import Cues, compile_cues
from compersion_nlp.text import bounded_memory, parse

LEXICON, CUES = "lexicon.toml", "cues.toml"

# The logit of a label that nothing in the text is felt of, and how far felt mentions can raise it: one strong phrase
# comes a little over even odds, one weak phrase to about one in six.
NOTHING = -4.0
RISE = 7.0


class Findings(NamedTuple):
    """What the rules find in ``n`` texts.

    ``strengths`` says how strongly each label is felt, 0 to 1, of shape (n, L). ``own_words`` are the texts with blanks
    in place of what names or describes a feeling that is not felt: denied, past, somebody else's, imagined, discussed.
    """

    strengths: npt.NDArray[np.float64]
    own_words: list[str]


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
        return (NOTHING + RISE * self.read(texts).strengths).astype(np.float32)

    def read(self, texts: Sequence[str]) -> Findings:
        """Returns what lexicon and cues find in ``texts``."""
        weights = np.zeros((len(texts), len(self._labels)))
        own_words = []
        with bounded_memory():
            for row, text in enumerate(texts):
                tokens = Tokens(parse(text))
                hits = self.lexicon.find(tokens)
                stances = self.cues.judge(tokens, hits)
                for hit, stance in zip(hits, stances, strict=True):
                    if stance == FELT and hit.label in self._columns:
                        weights[row, self._columns[hit.label]] += hit.weight
                own_words.append(_blank_unfelt(text, tokens, hits, stances))
        return Findings(-np.expm1(-weights), own_words)

    def save(self, folder: Path) -> None:
        """Writes the lexicon and the cues as they were read."""
        (folder / LEXICON).write_text(self.lexicon.source, "utf-8", newline="")
        (folder / CUES).write_text(self.cues.source, "utf-8", newline="")


def _blank_unfelt(text: str, tokens: Tokens, hits: Sequence[Hit], stances: Sequence[str]) -> str:
    """Returns the text at the same length; words that also belong to a felt mention are kept."""
    felt = {
        token
        for hit, stance in zip(hits, stances, strict=True)
        if stance == FELT
        for token in range(hit.start, hit.end)
    }
    others = {token for hit, _ in zip(hits, stances, strict=True) for token in range(hit.start, hit.end)} - felt
    if not others:
        return text
    characters = list(text)
    for token in others:
        start, end = tokens.offsets[token]
        characters[start:end] = " " * (end - start)
    return "".join(characters)


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
