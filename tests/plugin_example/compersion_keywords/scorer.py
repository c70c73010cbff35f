"""The scorer: the more of a label's words a text has, the surer it is."""

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from compersion_nlp.errors import BadBundle

FILE = "keywords.json"


def words_of(text: str) -> set[str]:
    """Returns the words of a text, each once, in lower case."""
    return set(re.findall(r"\w+", text.lower()))


class KeywordScorer:
    """Scores texts by words: a logit of -3, and 2 more for each word that is found."""

    def __init__(self, keywords: dict[str, list[str]]) -> None:
        self.keywords = keywords
        self.labels = tuple(keywords)

    def score(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Returns logits, float32 of shape (n, L)."""
        scores = np.full((len(texts), len(self.labels)), -3, dtype=np.float32)
        for row, text in enumerate(texts):
            found = words_of(text)
            for column, words in enumerate(self.keywords.values()):
                scores[row, column] += 2 * len(found.intersection(words))
        return scores

    def save(self, folder: Path) -> None:
        """Writes the words of each label."""
        (folder / FILE).write_bytes(msgspec.json.encode(self.keywords))


def load(folder: Path, labels: tuple[str, ...]) -> KeywordScorer:
    """Reads the scorer that ``save`` wrote."""
    try:
        keywords = msgspec.json.decode((folder / FILE).read_bytes(), type=dict[str, list[str]])
    except msgspec.DecodeError as error:
        raise BadBundle(f"{folder / FILE} does not list keywords: {error}.", "Train the bundle again.") from error
    return KeywordScorer(keywords)
