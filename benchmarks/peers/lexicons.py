"""Lexicons that know nothing of our labels: each label takes the categories that come nearest, and their sum.

Of words they give the number, which does better on our dev file than their share: long passages feel more.

NRCLex would tokenise by TextBlob, and that by data of NLTK that pip does not bring. Its lexicon is read by its own
``load_token_list`` instead, on words in lower case; Empath parts words at white space only, and gets the same words.

References:
    Saif Mohammad and Peter Turney, Crowdsourcing a Word-Emotion Association Lexicon, Computational Intelligence, 2013.
    Ethan Fast, Binbin Chen, Michael Bernstein, Empath: Understanding Topic Signals in Large-Scale Text, CHI 2016.
    C.J. Hutto and Eric Gilbert, VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text,
    ICWSM 2014.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from peers import UNREAD, Floats, Score, Task

NRC = {
    "compersion": ("joy",),
    "joy": ("joy",),
    "love": ("joy", "trust"),
    "desire": ("anticipation",),
    "excitement": ("anticipation", "joy"),
    "security": ("trust",),
    "gratitude": ("positive",),
    "relief": ("positive",),
    "pride": ("positive",),
    "hope": ("anticipation",),
    "curiosity": ("anticipation",),
    "jealousy": ("anger", "fear"),
    "envy": ("anger", "sadness"),
    "insecurity": ("fear", "sadness"),
    "fear": ("fear",),
    "resentment": ("anger", "disgust"),
    "anger": ("anger",),
    "sadness": ("sadness",),
    "loneliness": ("sadness",),
    "shame": ("disgust", "sadness"),
    "confusion": ("surprise",),
}
EMPATH = {
    "compersion": ("joy",),
    "joy": ("cheerfulness", "joy"),
    "love": ("affection", "love"),
    "desire": ("lust", "sexual"),
    "excitement": ("anticipation", "zest"),
    "security": ("trust",),
    "gratitude": ("politeness",),
    "relief": ("contentment",),
    "pride": ("pride",),
    "hope": ("optimism",),
    "jealousy": ("envy",),
    "envy": ("envy",),
    "insecurity": ("timidity", "weakness"),
    "fear": ("fear", "nervousness"),
    "possessiveness": ("dominant_personality",),
    "resentment": ("anger", "hate"),
    "anger": ("anger", "irritability"),
    "sadness": ("sadness",),
    "loneliness": ("neglect",),
    "shame": ("shame",),
    "confusion": ("confusion",),
}
VADER = {
    **dict.fromkeys(("compersion", "joy", "love", "desire", "excitement", "security", "gratitude"), ("good",)),
    **dict.fromkeys(("relief", "pride", "hope"), ("good",)),
    **dict.fromkeys(("jealousy", "envy", "insecurity", "fear", "possessiveness", "resentment"), ("bad",)),
    **dict.fromkeys(("anger", "sadness", "loneliness", "shame"), ("bad",)),
}

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")


def read_nothing(task: Task) -> Score:
    """Returns the peer that never reads a feeling."""
    return lambda texts: np.full((len(texts), len(task.labels)), UNREAD)


def read_nrc(task: Task) -> Score:
    """Returns the NRC lexicon: how many of a text's words it associates with an emotion."""
    from nrclex import NRCLex

    lexicon = NRCLex(None)

    def read(text: str) -> Mapping[str, float]:
        lexicon.load_token_list(words(text))
        return dict.fromkeys(lexicon.affect_frequencies, 0) | lexicon.raw_emotion_scores

    return lambda texts: columns(task, NRC, [read(text) for text in texts])


def read_empath(task: Task) -> Score:
    """Returns Empath: how many of a text's words stand in a category."""
    from empath import Empath

    lexicon, categories = Empath(), sorted({name for names in EMPATH.values() for name in names})

    def read(text: str) -> Mapping[str, float]:
        return lexicon.analyze(" ".join(words(text)), categories)

    return lambda texts: columns(task, EMPATH, [read(text) for text in texts])


def read_vader(task: Task) -> Score:
    """Returns VADER: how good a text's tone is, from 0 to 1, for feelings that are pleasant, how bad for the others."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()

    def read(text: str) -> Mapping[str, float]:
        good = (1 + analyzer.polarity_scores(text)["compound"]) / 2
        return {"good": good, "bad": 1 - good}

    return lambda texts: columns(task, VADER, [read(text) for text in texts])


def words(text: str) -> list[str]:
    """Returns a text's words in lower case, with straight apostrophes."""
    return _WORD.findall(text.lower().replace("’", "'"))


def columns(task: Task, table: Mapping[str, Sequence[str]], found: Sequence[Mapping[str, float]]) -> Floats:
    """Returns scores of shape (n, L): the sum of a label's categories less one, so that no finding is a no."""
    rows = [
        [sum(row[name] for name in table[label]) - 1 if label in table else UNREAD for label in task.labels]
        for row in found
    ]
    return np.array(rows).reshape(len(found), len(task.labels))
