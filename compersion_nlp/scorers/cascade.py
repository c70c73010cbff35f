"""The cascade: a fast scorer answers where it is sure to decide as a better one would, which reads the rest.

How likely the better one is to decide otherwise is told, label by label, from how far the fast one is from its
threshold. The sum over the labels, the number of labels on which the two are expected to differ, is the doubt about a
text; a text of more doubt than allowed goes on (classifiers in a cascade: Viola & Jones, 2001).

Both scorers are bundles of their own, beside the cascade's, named with the digest of their manifests.

References:
    Paul Viola and Michael Jones, Rapid Object Detection using a Boosted Cascade of Simple Features, CVPR 2001.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import numpy.typing as npt

from compersion_nlp.bundle import Bundle, open_bundle
from compersion_nlp.bundle.manifest import NAME, Sha256
from compersion_nlp.decision import Decision, sigmoid
from compersion_nlp.errors import BadBundle
from compersion_nlp.scorers.protocol import Answers, Scores, StanceScorer, Trace

SETTINGS = "cascade.json"


class Tier(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A bundle beside the cascade's, by its name and the sha256 of its manifest."""

    name: Annotated[str, msgspec.Meta(pattern=NAME)]
    sha256: Sha256


class Doubt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How likely it is that the second scorer decides a label otherwise than the first.

    It is ``sigmoid(start - slope * margin)``, where ``margin`` is how far the first one is from its threshold, in
    log-odds, on the side ``yes`` or ``no``.
    """

    yes_start: float
    yes_slope: Annotated[float, msgspec.Meta(ge=0)]
    no_start: float
    no_slope: Annotated[float, msgspec.Meta(ge=0)]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``cascade.json`` says: the two tiers, the doubt about each label, and how much of it is allowed a text."""

    first: Tier
    second: Tier
    doubts: dict[str, Doubt]
    most_doubt: Annotated[float, msgspec.Meta(ge=0)]


class CascadeScorer:
    """Scores texts with ``first``, and with ``second`` where the first is not sure.

    Its logits of what is felt are how far a label is above its threshold in the scorer that read the text, in
    calibrated log-odds; those of what is mentioned are the scorer's own.
    """

    def __init__(self, labels: tuple[str, ...], first: Bundle, second: Bundle, settings: Settings) -> None:
        self._labels = labels
        self._bundles = (first, second)
        self._decisions = (first.decision, second.decision)
        self.settings = settings
        self._doubts = np.array([msgspec.structs.astuple(settings.doubts[label]) for label in labels], np.float64).T

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the columns."""
        return self._labels

    @property
    def tiers(self) -> tuple[str, ...]:
        """The names of the two bundles."""
        return (self.settings.first.name, self.settings.second.name)

    def score(self, texts: Sequence[str]) -> Scores:
        """Returns logits, float32 of shape (n, L)."""
        return self.score_tiers(texts)[0]

    def score_tiers(self, texts: Sequence[str]) -> tuple[Scores, npt.NDArray[np.int64]]:
        """Returns logits, float32 of shape (n, L), and for each text which scorer it came to, 0 or 1."""
        scores = _margins(self._decisions[0], self._scorers[0].score(texts))
        unsure = np.flatnonzero(self.unsure(scores))
        scores[unsure] = _margins(self._decisions[1], self._scorers[1].score([texts[row] for row in unsure.tolist()]))
        return scores, _tiers(len(texts), unsure)

    def answer(self, texts: Sequence[str]) -> Answers:
        """Returns logits of what is felt and mentioned, (n, L), and of the stances of mentions, (n, L, S)."""
        answers = self._scorers[0].answer(texts)
        first = _margins(self._decisions[0], answers.felt)
        unsure = np.flatnonzero(self.unsure(first))
        return self._joined(answers, first, unsure, self._scorers[1].answer([texts[row] for row in unsure.tolist()]))

    def trace(self, texts: Sequence[str]) -> tuple[Answers, list[Trace]]:
        """Returns what ``answer`` returns, and what each word piece adds, by the scorer that the text came to."""
        answers, traces = self._scorers[0].trace(texts)
        first = _margins(self._decisions[0], answers.felt)
        unsure = np.flatnonzero(self.unsure(first))
        better, better_traces = self._scorers[1].trace([texts[row] for row in unsure.tolist()])
        scaled = [_scaled(self._decisions[0], trace, 0) for trace in traces]
        for row, trace in zip(unsure, better_traces, strict=True):
            scaled[row] = _scaled(self._decisions[1], trace, 1)
        return self._joined(answers, first, unsure, better), scaled

    def unsure(self, scores: Scores) -> npt.NDArray[np.bool_]:
        """Returns which texts are to be handed on, of shape (n,), by the first scorer's margins."""
        return doubts(scores, self._doubts) > self.settings.most_doubt

    def save(self, folder: Path) -> None:
        """Writes the settings; the two bundles stay where they are."""
        (folder / SETTINGS).write_bytes(msgspec.json.format(msgspec.json.encode(self.settings), indent=2) + b"\n")

    @cached_property
    def _scorers(self) -> tuple[StanceScorer, StanceScorer]:
        found = []
        for bundle in self._bundles:
            if not isinstance(bundle.scorer, StanceScorer):
                raise BadBundle(f"{bundle.folder} knows no stances.", "A cascade is made of bundles that do.")
            found.append(bundle.scorer)
        return (found[0], found[1])

    def _joined(self, answers: Answers, first: Scores, unsure: npt.NDArray[np.int64], better: Answers) -> Answers:
        felt, mentioned, stances = first.copy(), answers.mentioned.copy(), answers.stances.copy()
        felt[unsure] = _margins(self._decisions[1], better.felt)
        mentioned[unsure], stances[unsure] = better.mentioned, better.stances
        return Answers(felt, mentioned, stances)


def doubts(scores: Scores, numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Returns on how many labels the second scorer is expected to decide otherwise, of shape (n,).

    ``numbers`` (4, L) are those of ``Doubt``.
    """
    yes_start, yes_slope, no_start, no_slope = numbers
    above = scores >= 0
    line = np.where(above, yes_start, no_start) - np.where(above, yes_slope, no_slope) * np.abs(scores)
    found: npt.NDArray[np.float64] = sigmoid(line).sum(axis=1)
    return found


def _margins(decision: Decision, logits: Scores) -> Scores:
    return decision.margins(logits).astype(np.float32)


def _scaled(decision: Decision, trace: Trace, tier: int) -> Trace:
    return trace._replace(felt=decision.scale(trace.felt).astype(np.float32), tier=tier)


def _tiers(n: int, unsure: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    tiers = np.zeros(n, np.int64)
    tiers[unsure] = 1
    return tiers


def load(folder: Path, labels: tuple[str, ...]) -> CascadeScorer:
    """Reads the settings and the two bundles beside ``folder``; raises BadBundle where one is missing or another."""
    try:
        settings = msgspec.json.decode((folder / SETTINGS).read_bytes(), type=Settings)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadBundle(f"{folder / SETTINGS}: {error}.", _AGAIN) from error
    first, second = (_open_beside(folder, tier) for tier in (settings.first, settings.second))
    for bundle in (first, second):
        if bundle.manifest.labels != labels:
            raise BadBundle(f"{folder}: {bundle.folder.name} has other labels.", _AGAIN)
    if set(settings.doubts) != set(labels):
        raise BadBundle(f"{folder / SETTINGS}: doubts are not those of the labels.", _AGAIN)
    return CascadeScorer(labels, first, second, settings)


def _open_beside(folder: Path, tier: Tier) -> Bundle:
    beside = folder.absolute().parent / tier.name
    try:
        return open_bundle(beside, tier.sha256)
    except BadBundle as error:
        raise BadBundle(
            f"{folder} reads with the bundle {tier.name!r} beside it, which is not there as it was: {error.message}",
            f"Keep the two together, or train {folder.name} again.",
        ) from error


_AGAIN = "Train the bundle again, or get a whole copy of it."
