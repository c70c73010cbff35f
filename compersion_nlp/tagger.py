"""The pipeline: text to windows, logits, probabilities, decisions, stances, evidence, readings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from compersion_nlp.bundle import Bundle, load_bundle
from compersion_nlp.errors import BadConfig, BadInput
from compersion_nlp.explaining import NOTHING, Explained, Traced
from compersion_nlp.explaining import explain as explain_readings
from compersion_nlp.mentions import join_mentions
from compersion_nlp.readings import NOWHERE, Readings
from compersion_nlp.records import Finding, Mention, Passage, Reading
from compersion_nlp.scorers.protocol import StanceScorer, TieredScorer
from compersion_nlp.scoring import (
    Scored,
    aggregate,
    find_windows,
    score_tiers,
    score_windows,
    trace_windows,
    window_logits,
)

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
        self._provisional = tuple(label for label in self.labels if bundle.manifest.decision[label].provisional)

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
        scorer, manifest = self.bundle.scorer, self.bundle.manifest
        tiers = scorer.tiers if isinstance(scorer, TieredScorer) else ()
        if explain and texts:
            scored, traced = self._score(texts)
            tier = np.array([max(trace.tier for trace in one.traces) for one in traced or ()], np.int64)
            return Readings.of(self._explained(texts, scored, traced), tiers, tier if tiers else NOWHERE)
        tier = NOWHERE
        if isinstance(scorer, TieredScorer):
            scored, tier = score_tiers(scorer, texts, manifest.window)
        else:
            scored = score_windows(scorer, texts, manifest.window)
        probabilities = self._decision.probabilities(aggregate(scored, len(self.labels), manifest.aggregate))
        felt = self.decide(probabilities)
        return Readings(
            self.model, self.labels, _rounded(probabilities), felt, self._provisional, tiers=tiers, tier=tier
        )

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
        if not explain:
            probabilities = self.probabilities(texts)
            return self._readings(texts, probabilities, self.decide(probabilities), [NOTHING] * len(texts), False)
        return self._explained(texts, *self._score(texts))

    def _explained(
        self, texts: Sequence[str], scored: Sequence[Scored], traced: Sequence[Traced] | None
    ) -> list[Reading]:
        probabilities = self._decision.probabilities(
            aggregate(scored, len(self.labels), self.bundle.manifest.aggregate)
        )
        felt = self.decide(probabilities)
        return self._readings(
            texts, probabilities, felt, explain_readings(self.bundle, texts, scored, felt, traced), True
        )

    def _score(self, texts: Sequence[str]) -> tuple[list[Scored], list[Traced] | None]:
        """Returns what the scorer says of each text's windows, with its traces if it knows stances."""
        manifest, scorer = self.bundle.manifest, self.bundle.scorer
        if not (manifest.mentioned and isinstance(scorer, StanceScorer)):
            return score_windows(scorer, texts, manifest.window), None
        spans = find_windows(texts, manifest.window)
        traced = [Traced(*one) for one in zip(*trace_windows(scorer, texts, spans), strict=True)]
        return [(windows, one.answers.felt) for windows, one in zip(spans, traced, strict=True)], traced

    def _readings(
        self,
        texts: Sequence[str],
        probabilities: npt.NDArray[np.float64],
        felt: npt.NDArray[np.bool_],
        explained: Sequence[Explained],
        explain: bool,
    ) -> list[Reading]:
        rows = zip(texts, _rounded(probabilities).tolist(), felt.tolist(), explained, strict=True)
        return [Reading(text, self._findings(*row), self.model, explained=explain) for text, *row in rows]

    def _findings(
        self, probabilities: Sequence[float], felt: Sequence[bool], explained: Explained
    ) -> tuple[Finding, ...]:
        mentions: dict[str, list[Mention]] = {}
        for mention in explained.mentions:
            mentions.setdefault(mention.label, []).append(mention)
        findings = []
        for column, (label, probability) in enumerate(zip(self.labels, probabilities, strict=True)):
            stance, own = join_mentions(mentions.get(label, ()), label, felt[column], column, explained.learned)
            findings.append(
                Finding(label, probability, stance, explained.evidence.get(column, ()), own, label in self._provisional)
            )
        return tuple(findings)


def _rounded(probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.round(probabilities, PROBABILITY_DIGITS)


def _text_of(item: str | Passage) -> str:
    text = item.text if isinstance(item, Passage) else item
    if not isinstance(text, str):
        raise BadInput(f"A passage is {type(text).__name__}.", "Give a string, or a Passage with one.")
    return text
