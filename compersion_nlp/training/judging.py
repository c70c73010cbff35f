"""A scorer's answers for passages that it was not fitted on, through the same windows and aggregate as the tagger."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import numpy.typing as npt

from compersion_nlp.bundle import Bundle
from compersion_nlp.corpus import deal_folds
from compersion_nlp.decision import LabelDecision, fit_decision
from compersion_nlp.errors import BadConfig
from compersion_nlp.labels import FELT
from compersion_nlp.scorers.protocol import SavableScorer, Scores, StanceScorer
from compersion_nlp.scoring import aggregate, answer_windows, find_unfelt, find_windows, window_logits
from compersion_nlp.training.data import Data, Part
from compersion_nlp.training.recipe import Recipe
from compersion_nlp.training.setting import Progress

Fit = Callable[[Part], SavableScorer]

HOW_DEV = (
    "The scorer was fitted on the training passages. Every development passage was decided by a calibration and "
    "thresholds fitted on other groups of them (cross-fitting in 5 folds); the bundle's own are fitted on all of them."
)
HOW_FOLDS = (
    "Every passage was scored by a scorer fitted on the other folds ({folds} folds by group), and decided by a "
    "calibration and thresholds fitted on other groups (cross-fitting in 5 folds); the bundle's own scorer, "
    "calibration and thresholds are fitted on all of them."
)


class Fitted(msgspec.Struct, frozen=True, eq=False):
    """A scorer, and the passages that it may be judged on with their logits.

    ``logits`` (n, L) are those of what is felt, ``unfelt`` (n, L) those of what is mentioned and not felt; None for a
    scorer that knows no stances. ``original`` (n, L) are those of the same scorer before its weights were made smaller;
    None where they were not, or where it is not at hand.
    """

    scorer: SavableScorer
    judged: Part
    logits: Scores
    unfelt: Scores | None
    how: str
    original: Scores | None = None


def fit_once(recipe: Recipe, data: Data, fit: Fit, progress: Progress) -> Fitted:
    """Returns the scorer fitted on the training passages, judged on the development passages."""
    progress(f"Fitting on {len(data.train.annotations)} passages")
    scorer = fit(data.train)
    whole = getattr(scorer, "original", None)
    original = None if whole is None else _answers(recipe, whole, data.dev)[0]
    return Fitted(scorer, data.dev, *_answers(recipe, scorer, data.dev), HOW_DEV, original)


def fit_folds(recipe: Recipe, part: Part, folds: int, fit: Fit, progress: Progress) -> Fitted:
    """Returns the scorer fitted on all passages, each judged by a scorer that was fitted on the other folds."""
    fold_of = deal_folds(part.groups, folds, recipe.seed)
    logits, unfelt = (np.zeros((len(part.annotations), len(recipe.labels)), dtype=np.float32) for _ in range(2))
    for fold in range(folds):
        progress(f"Fitting fold {fold + 1} of {folds}")
        held: npt.NDArray[np.bool_] = fold_of == fold
        logits[held], mentioned = _answers(recipe, fit(part.only(~held)), part.only(held))
        if mentioned is not None:
            unfelt[held] = mentioned
    progress(f"Fitting on {len(part.annotations)} passages")
    scorer = fit(part)
    knows_stances = isinstance(scorer, StanceScorer)
    return Fitted(scorer, part, logits, unfelt if knows_stances else None, HOW_FOLDS.format(folds=folds))


def keep(recipe: Recipe, data: Data, bundle: Bundle) -> Fitted:
    """Returns the scorer of a bundle, judged on the development passages.

    Raises BadConfig if it is not one that the recipe makes, or was fitted on a corpus that the recipe decides on.
    """
    scorer, manifest = bundle.scorer, bundle.manifest
    if recipe.data.folds is not None:
        raise BadConfig(
            "A scorer that is kept cannot be judged by folds of what it was fitted on.",
            "Name passages of their own in data.dev, or train again.",
        )
    made = (manifest.scorer, manifest.labels) == (recipe.scorer.name, recipe.labels)
    if not made or not isinstance(scorer, SavableScorer):
        raise BadConfig(f"The scorer in {bundle.folder} is not one that this recipe makes.", "Train the bundle again.")
    fitted_on = {use.sha256 for use in manifest.corpora.values() if use.use != "dev"}
    decided_on = {name for name, use in data.uses.items() if use.use == "dev" and use.sha256 in fitted_on}
    if decided_on:
        raise BadConfig(f"The scorer was fitted on {min(decided_on)}.", "Decide on passages that it has not seen.")
    learned_from = {use.sha256 for use in data.uses.values() if use.use != "dev"}
    if fitted_on and fitted_on != learned_from:
        raise BadConfig(
            f"The scorer in {bundle.folder} was fitted on other corpora than the recipe names.", "Train it again."
        )
    return Fitted(scorer, data.dev, *_answers(recipe, scorer, data.dev), HOW_DEV)


def decide_unfelt(recipe: Recipe, fitted: Fitted) -> dict[str, LabelDecision]:
    """Returns how it is decided that a label is mentioned and not felt; nothing for a scorer that knows no stances."""
    if fitted.unfelt is None:
        return {}
    gold = fitted.judged.mentioned.copy()
    for row, annotation in enumerate(fitted.judged.annotations):
        for column, label in enumerate(recipe.labels):
            if annotation.feelings.get(label) == FELT:
                gold[row, column] = 0
    return fit_decision(recipe.labels, fitted.unfelt, gold).by_label


def _answers(recipe: Recipe, scorer: SavableScorer, part: Part) -> tuple[Scores, Scores | None]:
    if not isinstance(scorer, StanceScorer):
        return window_logits(scorer, part.texts, recipe.window, recipe.aggregate), None
    spans = find_windows(part.texts, recipe.window)
    answers = answer_windows(scorer, part.texts, spans)
    scored = [(found, answered.felt) for found, answered in zip(spans, answers, strict=True)]
    felt = aggregate(scored, len(recipe.labels), recipe.aggregate)
    return felt, np.stack([find_unfelt(answered).logits for answered in answers])
