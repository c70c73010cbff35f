"""Recipes: the TOML file that says what a bundle is made from, read strictly.

A key that is unknown or has the wrong type is refused by its path, in the fitter's options too.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, TypeVar

import msgspec

from compersion_nlp.bundle.manifest import NAME, Aggregate
from compersion_nlp.errors import BadConfig, UnknownLabel
from compersion_nlp.labels import SCHEME
from compersion_nlp.registry import FITTERS
from compersion_nlp.scorers.protocol import SavableScorer
from compersion_nlp.training.setting import Setting

if TYPE_CHECKING:
    from compersion_nlp.training.data import Part  # which reads recipes

RECIPE = "recipe.toml"
T = TypeVar("T")


class Fitter(Protocol):
    """What the registry of fitters holds: a struct of options, and the function that fits.

    ``learns_from_auxiliary``, where it is there and true, says that the fitter uses the public sets of ``part``.
    """

    @property
    def Options(self) -> type[msgspec.Struct]:  # noqa: N802 - it is a class
        """The options, frozen, unknown ones forbidden."""

    def fit(self, options: Any, part: Part, labels: tuple[str, ...], setting: Setting) -> SavableScorer:
        """Returns a scorer fitted on the texts of ``part`` and their gold, of shape (n, L): 1, 0 or nan for unknown."""


class DataPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is learned from, and what calibration and thresholds are fitted on. Paths are relative to the recipe.

    Exactly one of: ``dev``, corpora of their own; ``dev_share``, a share of ``train`` held out by group; ``folds``,
    where every passage of ``train`` is judged by a scorer fitted on the other folds, and the last one on all.
    ``auxiliary`` are splits of public sets, learned from with their own labels by fitters that can.
    """

    train: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    dev: tuple[str, ...] = ()
    dev_share: Annotated[float, msgspec.Meta(gt=0, lt=1)] | None = None
    folds: Annotated[int, msgspec.Meta(ge=2)] | None = None
    auxiliary: tuple[str, ...] = ()


class ReportPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the finished bundle is measured on, for its card: corpora that nothing was fitted on, and behaviour."""

    corpora: tuple[str, ...] = ()
    behaviour: str | None = None


class ScorerPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which fitter, by its name in the registry, and its options."""

    name: str
    options: dict[str, Any] = {}


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A recipe. ``window`` is how many characters the scorer reads at once; absent, a text of any length.

    ``aggregate`` is how the logits of a text's windows become one. ``most_false_alarms`` bounds the share of
    development passages in which nothing is felt and yet something is read: thresholds are raised together until it
    holds. ``caveat`` is what a reader of the scores has to know; it stands beside them wherever they are kept.
    """

    format: Literal[1]
    name: Annotated[str, msgspec.Meta(pattern=NAME)]
    version: Annotated[str, msgspec.Meta(min_length=1)]
    data: DataPart
    scorer: ScorerPart
    description: str = ""
    licence: str = ""
    caveat: str = ""
    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**32)] = 0
    labels: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = SCHEME.names
    window: Annotated[int, msgspec.Meta(ge=1)] | None = None
    aggregate: Aggregate = "max"
    most_false_alarms: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    report: ReportPart = ReportPart()


def read_recipe(path: Path) -> Recipe:
    """Returns the recipe in ``path``; raises BadConfig naming the file and the key that is off."""
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadConfig(f"{path} cannot be read: {error.strerror}.", "Name a recipe in TOML.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadConfig(f"{path} is not TOML: {error}.", "Mend the file at that place.") from None
    recipe = _convert(raw, Recipe, path)
    _check_labels(recipe, path)
    _check_data(recipe, path)
    return recipe


def find_fitter(recipe: Recipe, path: Path) -> tuple[Fitter, msgspec.Struct]:
    """Returns the fitter that a recipe names, and its options with the defaults filled in.

    An option that is a Path is relative to the recipe.
    Raises BadConfig if there is no such fitter, or if it does not know an option.
    """
    fitter: Fitter = FITTERS.get(recipe.scorer.name)
    if recipe.data.auxiliary and not getattr(fitter, "learns_from_auxiliary", False):
        raise BadConfig(
            f"{path}: data.auxiliary: the fitter {recipe.scorer.name!r} does not learn from public sets' own labels.",
            "Leave the key out, or name the sets in data.train.",
        )
    return fitter, _convert(recipe.scorer.options, fitter.Options, path, "scorer.options")


def resolve(recipe: Recipe, options: msgspec.Struct) -> dict[str, Any]:
    """Returns the recipe as plain values with every default written out, as a manifest keeps it."""
    # What the recipe gives stays as it is written there, so that no path of this machine gets into a bundle.
    written_out = _filled(msgspec.to_builtins(options, enc_hook=str), recipe.scorer.options)
    whole = msgspec.structs.replace(recipe, scorer=ScorerPart(recipe.scorer.name, written_out))
    resolved: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(whole))
    return resolved


def _filled(defaults: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Returns ``defaults`` with what is given in their place, table by table."""
    both = {key for key in given if isinstance(given[key], dict) and isinstance(defaults.get(key), dict)}
    return defaults | given | {key: _filled(defaults[key], given[key]) for key in both}


def _convert(raw: Any, schema: type[T], path: Path, prefix: str = "") -> T:
    def read_path(kind: type, value: Any) -> Path:
        if kind is not Path:
            raise TypeError(f"An option cannot be a {kind.__name__}.")
        if not isinstance(value, str):
            raise ValueError(f"Expected a path, got {value!r}")
        return path.parent / value

    try:
        return msgspec.convert(raw, schema, dec_hook=read_path)
    except msgspec.ValidationError as error:
        raise _refusal(path, prefix, schema, str(error)) from None


def _refusal(path: Path, prefix: str, schema: type, message: str) -> BadConfig:
    what, _, place = message.partition(" - at `$")
    keys = [prefix, place.rstrip("`").lstrip(".")]
    if field := re.search(r"(?:unknown|required) field `(.*)`", what):
        keys.append(field[1])
    key = ".".join(key for key in keys if key)
    return BadConfig(f"{path}: {key}: {what}.", f"Keys of {prefix or 'a recipe'}: {', '.join(_names(schema))}.")


def _names(schema: type) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(schema)]


def _check_labels(recipe: Recipe, path: Path) -> None:
    for label, times in Counter(recipe.labels).items():
        try:
            SCHEME.check_label(label)
        except UnknownLabel as error:
            raise BadConfig(f"{path}: labels: {error.message}", error.hint) from None
        if times > 1:
            raise BadConfig(f"{path}: labels: {label!r} is named {times} times.", "Name each label once.")


def _check_data(recipe: Recipe, path: Path) -> None:
    given = [key for key in ("dev", "dev_share", "folds") if getattr(recipe.data, key)]
    if len(given) != 1:
        raise BadConfig(
            f"{path}: data: found {' and '.join(given) or 'none'} of dev, dev_share and folds.",
            'Give exactly one: dev = ["path"], dev_share = 0.2, or folds = 5.',
        )
