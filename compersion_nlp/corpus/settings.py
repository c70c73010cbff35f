"""``corpus.toml``, the file beside a corpus that says what holds for its files."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from compersion_nlp.errors import BadConfig, UnknownLabel
from compersion_nlp.labels import SCHEME

SETTINGS = "corpus.toml"
PAIR = " + "  # between two labels that are felt together

Count = Annotated[int, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Least(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file must at least hold; 0 asks for nothing.

    ``long_passages`` counts those of 40 to 300 words. ``felt`` is for every label, ``felt_of`` for single ones in its
    place, ``felt_together`` for two labels in one passage ("compersion + jealousy"). ``stance`` is for each stance but
    felt, over all labels. ``nothing_felt`` is a share of the passages, ``implied`` the share of the felt marks whose
    label has no word of its own family in the passage.
    """

    passages: Count = 0
    groups: Count = 0
    long_passages: Count = 0
    felt: Count = 0
    felt_of: dict[str, Count] = {}
    felt_together: dict[str, Count] = {}
    stance: Count = 0
    nothing_felt: Share = 0.0
    implied: Share = 0.0


class Most(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file may at most show of sameness; 1 allows anything.

    ``recurring_runs`` is the share of passages that share a run of five words with a passage of another group,
    ``opening`` the share of passages that open with the same three words, ``word_felt`` the share felt among the
    passages that hold a word of a label's own family, for any label, and ``style_auc`` how well the file is told from
    the corpus's train file by its style alone (area under the ROC curve).
    """

    recurring_runs: Share = 1.0
    opening: Share = 1.0
    word_felt: Share = 1.0
    style_auc: Share = 1.0


class FileSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The bounds of one file of a corpus."""

    least: Least = Least()
    most: Most = Most()


class CorpusSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a ``corpus.toml`` says.

    ``labels`` are those that the corpus annotates: the others are unknown for its passages, which is not the same as
    not felt. ``texts`` names the corpora that have the texts, where the files give marks by id only
    (["../goemotions/train"]). ``files`` holds bounds by file stem.
    """

    labels: tuple[str, ...] = SCHEME.names
    texts: tuple[str, ...] = ()
    files: dict[str, FileSettings] = {}


def read_settings(folder: Path) -> CorpusSettings:
    """Returns the settings of the corpus in ``folder``, or the defaults; raises BadConfig if they are not sound."""
    path = folder / SETTINGS
    if not path.is_file():
        return CorpusSettings()
    try:
        found = msgspec.toml.decode(path.read_bytes(), type=CorpusSettings)
        known = {SCHEME.check_label(label) for label in found.labels}
        for file in found.files.values():
            _check_bounds(file.least)
    except (msgspec.DecodeError, tomllib.TOMLDecodeError, UnicodeDecodeError, UnknownLabel) as error:
        keys = ", ".join(CorpusSettings.__struct_fields__)
        raise BadConfig(f"{path}: {error}", f'Its keys: {keys}. For example: labels = ["joy", "fear"].') from None
    return msgspec.structs.replace(found, labels=tuple(label for label in SCHEME.names if label in known))


def _check_bounds(least: Least) -> None:
    for label in (*least.felt_of, *(label for pair in least.felt_together for label in labels_of(pair))):
        SCHEME.check_label(label)


def labels_of(pair: str) -> tuple[str, ...]:
    """Returns the labels that a key of ``felt_together`` names.

    >>> labels_of("compersion + jealousy")
    ('compersion', 'jealousy')
    """
    return tuple(pair.split(PAIR))


def felt_minima(least: Least) -> Mapping[str, int]:
    """Returns label to the least number of passages in which it is felt."""
    return {label: least.felt_of.get(label, least.felt) for label in SCHEME.names}
