"""The pipeline: text to windows, logits, probabilities, decisions, stances, evidence, readings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from compersion_nlp.bundle import Bundle, load_bundle
from compersion_nlp.errors import BadConfig, BadInput
from compersion_nlp.evidence import Windowed, find_evidence
from compersion_nlp.learned import learn_mentions
from compersion_nlp.lexicon import Lexicon, default_lexicon
from compersion_nlp.mentions import Learned, join_mentions
from compersion_nlp.readings import Readings
from compersion_nlp.records import Finding, Mention, Passage, Reading, Span
from compersion_nlp.scorers.protocol import Answers, Scorer, StanceScorer
from compersion_nlp.scorers.rules import RulesScorer
from compersion_nlp.scoring import Scored, aggregate, answer_windows, find_windows, score_windows, window_logits
from compersion_nlp.stance import Cues, default_cues, find_mentions
from compersion_nlp.text import bounded_memory, parse, sentences

PROBABILITY_DIGITS = 4  # what a reading keeps of a probability: the same in every format and on every machine


def load(name_or_path: str | Path | None = None) -> Tagger:
    """Returns a tagger for a bundle: by name, by the path of its folder, or the default one.

    Raises BadBundle if there is no such bundle, or if it does not match its manifest.
    """
    return Tagger(load_bundle(name_or_path))


class Tagger:
    """Reads passages with one bundle. It can be shared between threads."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.labels: tuple[str, ...] = bundle.manifest.labels
        self.model = f"{bundle.manifest.name}@{bundle.manifest.version}"
        self._decision = bundle.decision

    def __repr__(self) -> str:
        return f"Tagger({self.model}, {len(self.labels)} labels)"

    def tag(self, text: str, explain: bool = True) -> Reading:
        """Returns the reading of one text; without ``explain``, only what is felt and how surely.

        Raises BadInput for anything but a string.
        """
        return self._read([_text_of(text)], explain)[0]

    def tag_many(
        self, passages: Iterable[str | Passage], explain: bool = True, batch_size: int = 256
    ) -> Iterator[Reading]:
        """Yields the reading of each passage, in order; holds ``batch_size`` of them at a time.

        Raises BadConfig if that is less than one, and BadInput for anything but strings and passages.
        """
        if isinstance(passages, str):
            raise BadInput("tag_many was given one string.", "Give a list of strings, or use tag for one.")
        if batch_size < 1:
            raise BadConfig(f"batch_size is {batch_size}.", "Give a number of passages from 1 on.")
        remaining = iter(passages)
        while batch := list(islice(remaining, batch_size)):
            yield from self._read([_text_of(item) for item in batch], explain)

    def tabulate(self, texts: Sequence[str], explain: bool = True) -> Readings:
        """Returns the readings of texts column by column, as a batch keeps them; they say what ``tag_many`` says."""
        if explain and texts:
            return Readings.of(self._read(texts, explain))
        probabilities = self.probabilities(texts)
        provisional = tuple(label for label in self.labels if self.bundle.manifest.decision[label].provisional)
        return Readings(self.model, self.labels, _rounded(probabilities), self.decide(probabilities), provisional)

    def probabilities(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Returns calibrated probabilities of shape (n, L), columns in the order of ``labels``."""
        manifest = self.bundle.manifest
        return self._decision.probabilities(
            window_logits(self.bundle.scorer, texts, manifest.window, manifest.aggregate)
        )

    def decide(self, probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Returns which labels are felt, bool of shape (n, L), by each label's own threshold."""
        return self._decision.decide(probabilities)

    def _read(self, texts: Sequence[str], explain: bool) -> list[Reading]:
        manifest, scorer = self.bundle.manifest, self.bundle.scorer
        answers = None
        if explain and manifest.mentioned and isinstance(scorer, StanceScorer):
            spans = find_windows(texts, manifest.window)
            answers = answer_windows(scorer, texts, spans)
            scored = [(windows, answered.felt) for windows, answered in zip(spans, answers, strict=True)]
        else:
            scored = score_windows(scorer, texts, manifest.window)
        probabilities = self._decision.probabilities(aggregate(scored, len(self.labels), manifest.aggregate))
        felt = self.decide(probabilities)
        explained = self._explain(texts, scored, felt, answers) if explain else [_Explained((), None, {})] * len(texts)
        return [
            Reading(text, self._findings(*row), self.model, explained=explain)
            for text, *row in zip(texts, _rounded(probabilities), felt, explained, strict=True)
        ]

    def _explain(
        self,
        texts: Sequence[str],
        scored: Sequence[Scored],
        felt: npt.NDArray[np.bool_],
        answers: Sequence[Answers] | None,
    ) -> list[_Explained]:
        mentions, windowed = [], []
        lexicon, cues = _words_of(self.bundle.scorer)  # compiled before the block, or they would not outlive it
        with bounded_memory():
            for text, (spans, logits), row in zip(texts, scored, felt, strict=True):
                doc = parse(text)
                mentions.append(find_mentions(doc, lexicon, cues))
                windowed.append(Windowed(text, spans, logits, sentences(doc), np.flatnonzero(row).tolist()))
        learned: Sequence[Sequence[Learned] | None] = [None] * len(windowed)
        if answers is not None:
            learned = learn_mentions(self.bundle, windowed, answers)
        evidence = find_evidence(self.bundle.scorer, self._decision, windowed)
        return [_Explained(*row) for row in zip(mentions, learned, evidence, strict=True)]

    def _findings(
        self, probabilities: npt.NDArray[np.float64], felt: npt.NDArray[np.bool_], explained: _Explained
    ) -> tuple[Finding, ...]:
        findings = []
        for column, label in enumerate(self.labels):
            own = [mention for mention in explained.mentions if mention.label == label]
            learned = explained.learned[column] if explained.learned is not None else None
            stance, mentions = join_mentions(own, label, bool(felt[column]), learned)
            findings.append(
                Finding(
                    label=label,
                    probability=float(probabilities[column]),
                    stance=stance,
                    evidence=explained.evidence.get(column, ()),
                    mentions=mentions,
                    provisional=self.bundle.manifest.decision[label].provisional,
                )
            )
        return tuple(findings)


def _rounded(probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.round(probabilities, PROBABILITY_DIGITS)


class _Explained(NamedTuple):
    """What explains one reading: mentions by the rules, by the scorer where it knows them, and evidence by column."""

    mentions: Sequence[Mention]
    learned: Sequence[Learned] | None
    evidence: dict[int, tuple[Span, ...]]


def _words_of(scorer: Scorer) -> tuple[Lexicon, Cues]:
    """Returns what the scorer itself reads by, so that mentions speak of the words that it judged; else our own."""
    rules = getattr(scorer, "rules", scorer)
    return (rules.lexicon, rules.cues) if isinstance(rules, RulesScorer) else (default_lexicon(), default_cues())


def _text_of(item: str | Passage) -> str:
    text = item.text if isinstance(item, Passage) else item
    if not isinstance(text, str):
        raise BadInput(f"A passage is {type(text).__name__}.", "Give a string, or a Passage with one.")
    return text
