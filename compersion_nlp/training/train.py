"""From a recipe to a bundle: read, fit, calibrate, score honestly, write.

Thresholds and calibrations are fitted on passages that the scorer was not fitted on, through the same
windows and aggregate as the tagger; the scores come from numbers fitted on other groups again.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from compersion_nlp.bundle import Bundle, Manifest, open_bundle, write_bundle
from compersion_nlp.bundle.store import INDEX, pin_bundle
from compersion_nlp.corpus import deal_folds
from compersion_nlp.decision import Decision, LabelDecision, cross_fit, fit_decision
from compersion_nlp.errors import BadConfig
from compersion_nlp.evaluate import Evaluation, Predictions, evaluate, stance_places
from compersion_nlp.labels import FELT
from compersion_nlp.scorers.protocol import SavableScorer, Scores, StanceScorer
from compersion_nlp.scoring import answer_windows, join_answers, score_windows, window_logits
from compersion_nlp.training.card import CARD, write_card
from compersion_nlp.training.data import Data, Part, read_data
from compersion_nlp.training.recipe import RECIPE, Recipe, find_fitter, read_recipe, resolve
from compersion_nlp.training.report import make_reports, plain
from compersion_nlp.training.setting import Progress, Setting, say_nothing

Fit = Callable[[Part], SavableScorer]

LIBRARIES = ("compersion-nlp", "numpy", "onnxruntime", "scikit-learn", "scipy", "spacy", "tokenizers")

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
    """A scorer, and the passages that it may be judged on with their logits of shape (n, L)."""

    scorer: SavableScorer
    judged: Part
    logits: Scores
    how: str


def train(
    recipe_path: Path,
    output: Path | None = None,
    progress: Progress = say_nothing,
    data_dir: Path | None = None,
    keep_scorer: bool = False,
) -> Manifest:
    """Trains what a recipe says, writes the bundle and returns its manifest.

    ``output`` is by default the recipe's own folder. Where the folder above holds an index of bundles, the new
    manifest is pinned there. ``progress`` is told each step. ``data_dir`` holds public sets and pretrained networks;
    what is not there comes from the hub. With ``keep_scorer`` nothing is fitted anew but calibrations and thresholds:
    the scorer is that of the bundle in ``output``. The same recipe and corpora give the same bytes; an encoder's,
    on the same processor and libraries.
    Raises BadConfig if recipe or corpora are not sound, and BadBundle if the folder holds something else.
    """
    output = output or _own_folder(recipe_path)
    recipe = read_recipe(recipe_path)
    fitter, options = find_fitter(recipe, recipe_path)
    progress("Reading corpora")
    data = read_data(recipe, recipe_path.parent, data_dir)

    setting = Setting(recipe.seed, data_dir, progress)

    def fit(part: Part) -> SavableScorer:
        return fitter.fit(options, part, recipe.labels, setting)

    with threadpool_limits(1, user_api="blas"):  # how a sum is parted among threads decides its last digit
        if keep_scorer:
            fitted = _kept(recipe, data, output)
        elif recipe.data.folds is None:
            fitted = _fit(recipe, data, fit, progress)
        else:
            fitted = _fit_folds(recipe, data.train, recipe.data.folds, fit, progress)
    progress("Calibrating and scoring")
    how = f"{fitted.how} {recipe.caveat}".rstrip()
    decision = fit_decision(recipe.labels, fitted.logits, fitted.judged.gold, recipe.most_false_alarms)
    evaluation = evaluate(_cross_fitted(recipe, fitted, decision), seed=recipe.seed)
    manifest = _manifest(recipe, resolve(recipe, options), data, decision, _scores(evaluation, how))
    manifest = msgspec.structs.replace(manifest, mentioned=_fit_mentioned(recipe, fitted))
    reports = make_reports(recipe, recipe_path, data, Bundle(manifest, fitted.scorer, output, ""), data_dir, progress)
    manifest = msgspec.structs.replace(manifest, reports=tuple(plain(report) for report in reports))
    progress("Writing the bundle")
    files = {RECIPE: recipe_path.read_bytes(), CARD: write_card(manifest, evaluation, how, reports).encode()}
    manifest = write_bundle(output, manifest, fitted.scorer, files)
    if (output.absolute().parent / INDEX).is_file():
        pin_bundle(output.absolute().parent, output.absolute().name)
    return manifest


def _own_folder(recipe_path: Path) -> Path:
    if recipe_path.name != RECIPE:
        raise BadConfig(
            f"{recipe_path} is not called {RECIPE}, so its folder is not taken for the bundle's.",
            f"Say where the bundle goes, or put the recipe into a folder of its own as {RECIPE}.",
        )
    return recipe_path.absolute().parent


def _fit(recipe: Recipe, data: Data, fit: Fit, progress: Progress) -> Fitted:
    progress(f"Fitting on {len(data.train.annotations)} passages")
    scorer = fit(data.train)
    return Fitted(scorer, data.dev, _whole(recipe, scorer, data.dev), HOW_DEV)


def _kept(recipe: Recipe, data: Data, folder: Path) -> Fitted:
    if recipe.data.folds is not None:
        raise BadConfig(
            "A scorer that is kept cannot be judged by folds of what it was fitted on.",
            "Name passages of their own in data.dev, or train again.",
        )
    scorer = open_bundle(folder, edited=(RECIPE,)).scorer
    if not isinstance(scorer, SavableScorer) or scorer.labels != recipe.labels:
        raise BadConfig(f"The scorer in {folder} is not one of this recipe's.", "Train the bundle again.")
    return Fitted(scorer, data.dev, _whole(recipe, scorer, data.dev), HOW_DEV)


def _whole(recipe: Recipe, scorer: SavableScorer, part: Part) -> Scores:
    return window_logits(scorer, part.texts, recipe.window, recipe.aggregate)


def _fit_mentioned(recipe: Recipe, fitted: Fitted) -> dict[str, LabelDecision]:
    """Returns how it is decided that a label is mentioned and not felt; nothing for a scorer that knows no stances."""
    if not isinstance(fitted.scorer, StanceScorer):
        return {}
    gold = fitted.judged.gold.copy()
    for row, annotation in enumerate(fitted.judged.annotations):
        for column, label in enumerate(recipe.labels):
            if not np.isnan(gold[row, column]):
                gold[row, column] = annotation.feelings.get(label, FELT) != FELT
    texts = fitted.judged.texts
    spans = [spans for spans, _ in score_windows(fitted.scorer, texts, recipe.window)]
    logits = [join_answers(answers)[0] for answers in answer_windows(fitted.scorer, texts, spans)]
    return fit_decision(recipe.labels, np.stack(logits), gold).by_label


def _fit_folds(recipe: Recipe, part: Part, folds: int, fit: Fit, progress: Progress) -> Fitted:
    fold_of = deal_folds(part.groups, folds, recipe.seed)
    logits = np.zeros((len(part.annotations), len(recipe.labels)), dtype=np.float32)
    for fold in range(folds):
        progress(f"Fitting fold {fold + 1} of {folds}")
        held: npt.NDArray[np.bool_] = fold_of == fold
        logits[held] = _whole(recipe, fit(part.only(~held)), part.only(held))
    progress(f"Fitting on {len(part.annotations)} passages")
    return Fitted(fit(part), part, logits, HOW_FOLDS.format(folds=folds))


def _cross_fitted(recipe: Recipe, fitted: Fitted, decision: Decision) -> Predictions:
    judged = fitted.judged
    answers = cross_fit(
        recipe.labels,
        fitted.logits,
        judged.gold,
        judged.groups,
        seed=recipe.seed,
        most_false_alarms=recipe.most_false_alarms,
    )
    unknown = np.flatnonzero(np.isnan(judged.gold).all(axis=0))
    return Predictions(
        model=f"{recipe.name}@{recipe.version}",
        corpus=", ".join(judged.names),
        sha256="",
        labels=recipe.labels,
        probabilities=answers.probabilities,
        decided=answers.decided,
        gold=judged.gold,
        stances=stance_places(judged.annotations, recipe.labels),
        annotations=judged.annotations,
        unannotated=tuple(recipe.labels[column] for column in unknown),
        provisional=tuple(label for label, numbers in decision.by_label.items() if numbers.provisional),
    )


def _manifest(
    recipe: Recipe, resolved: dict[str, Any], data: Data, decision: Decision, scores: dict[str, Any]
) -> Manifest:
    return Manifest(
        name=recipe.name,
        version=recipe.version,
        scorer=recipe.scorer.name,
        labels=recipe.labels,
        decision=decision.by_label,
        description=recipe.description,
        licence=recipe.licence,
        window=recipe.window,
        aggregate=recipe.aggregate,
        seed=recipe.seed,
        recipe=resolved,
        corpora=data.uses,
        libraries={"python": platform.python_version()} | {name: version(name) for name in LIBRARIES},
        scores=scores,
    )


def _scores(evaluation: Evaluation, how: str) -> dict[str, Any]:
    """Returns what a manifest keeps of an evaluation; a figure that is not defined is None."""
    kept = {
        "how": how,
        "corpora": evaluation.corpus,
        "passages": evaluation.passages,
        "groups": evaluation.groups,
        "resamples": evaluation.resamples,
        "macro_f1": evaluation.macro.f1,
        "macro_f1_interval": evaluation.macro.f1_interval,
        "micro_f1": evaluation.micro.f1,
        "micro_f1_interval": evaluation.micro.f1_interval,
        "macro_average_precision": evaluation.macro.average_precision,
        "macro_average_precision_interval": evaluation.macro.average_precision_interval,
        "calibration_error": evaluation.micro.calibration_error,
        "labels": {
            row.name: {
                "support": row.support,
                "f1": row.f1,
                "f1_interval": row.f1_interval,
                "average_precision": row.average_precision,
            }
            for row in evaluation.labels
        },
    }
    return plain(kept)
