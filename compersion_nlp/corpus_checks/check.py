"""All checks of the files of one corpus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from compersion_nlp.corpus import (
    CorpusSettings,
    FileSettings,
    Most,
    corpus_bytes,
    corpus_name,
    find_sources,
    read_lines,
    read_settings,
    texts_at_hand,
    without_text,
)
from compersion_nlp.corpus.settings import SETTINGS
from compersion_nlp.corpus_checks.copies import copied_signs, near_duplicates, signs
from compersion_nlp.corpus_checks.describe import StanceCounts, count_stances
from compersion_nlp.corpus_checks.fields import odd_fields, repeated_ids, split_groups
from compersion_nlp.corpus_checks.measure import Measures, measure, too_few, too_little, too_much
from compersion_nlp.corpus_checks.placed import Placed, Problem
from compersion_nlp.corpus_checks.style import style_auc
from compersion_nlp.records import Annotation

TRAIN = "train"  # the file that the others are told from


class CorpusReport(msgspec.Struct, frozen=True):
    """What a check of corpus files found. ``passages`` counts by file, ``stances`` by label and stance.

    ``measures`` has the figures of each file whose texts are there. ``short_signs`` lists passages that hold a short
    phrase of the scheme, which is allowed. ``without_texts`` names the files whose texts were not looked at, and
    ``style_not_measured`` those whose style is bounded but could not be told from train: train is not among the
    files, or one of them is too small.
    """

    passages: dict[str, int]
    stances: StanceCounts
    problems: tuple[Problem, ...]
    measures: dict[str, Measures]
    short_signs: tuple[str, ...] = ()
    without_texts: tuple[str, ...] = ()
    style_not_measured: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether nothing is to be mended."""
        return not self.problems


class _File(msgspec.Struct, frozen=True):
    """A file as it was read; ``has_texts`` is False where its texts belong to a public set that was not looked for."""

    stem: str
    name: str
    placed: tuple[Placed, ...]
    problems: tuple[Problem, ...]
    settings: CorpusSettings
    has_texts: bool

    @property
    def annotations(self) -> list[Annotation]:
        return [item.annotation for item in self.placed]

    @property
    def bounds(self) -> FileSettings:
        return self.settings.files.get(self.stem, FileSettings())

    @property
    def bounds_style(self) -> bool:
        return self.stem != TRAIN and self.bounds.most.style_auc != Most().style_auc


def check_corpus(paths: Sequence[Path], data_dir: Path | None = None) -> CorpusReport:
    """Returns every problem in the files, which are taken as the splits of one corpus.

    Files that give marks by id are checked without their texts where those belong to a public set that ``data_dir``
    does not have; nobody can mend the texts of another corpus, so they are not compared.
    Raises BadConfig only where a file cannot be read at all, and MissingExtra without what looks for near-duplicates.
    """
    files = [_read(path, data_dir) for path in paths]
    placed = [item for file in files for item in file.placed]
    own_texts = [item for file in files if not file.settings.texts for item in file.placed]
    train = next((file.annotations for file in files if file.stem == TRAIN), [])
    measures = {file.name: _measure(file, train) for file in files if file.has_texts}
    problems = [problem for file in files for problem in file.problems]
    problems += [*repeated_ids(placed), *split_groups(placed)]
    for file in files:
        problems += odd_fields(file.placed, file.has_texts)
    problems += [*near_duplicates(own_texts), *copied_signs(own_texts)]
    problems += _bounds_of_nothing(paths)
    for file in files:
        bounds = file.bounds
        problems += too_few(file.name, file.annotations, bounds.least, file.settings.labels)
        if file.name in measures:
            problems += too_little(file.name, measures[file.name], bounds.least)
            problems += too_much(file.name, measures[file.name], bounds.most)
    return CorpusReport(
        passages={file.name: len(file.placed) for file in files},
        stances=count_stances(item.annotation for item in placed),
        problems=tuple(problems),
        measures=measures,
        short_signs=tuple(f"{item.where}: {sign!r}" for item, sign in signs(own_texts, short=True)),
        without_texts=tuple(file.name for file in files if not file.has_texts),
        style_not_measured=tuple(
            file.name
            for file in files
            if file.bounds_style and file.has_texts and measures[file.name].style_auc is None
        ),
    )


def _read(path: Path, data_dir: Path | None) -> _File:
    name, settings = corpus_name(path), read_settings(path.parent)
    has_texts, sources = True, None
    if settings.texts:
        has_texts = texts_at_hand(path.parent, data_dir)
        sources = find_sources(path.parent, data_dir)[0] if has_texts else without_text
    placed, problems = [], []
    for line in read_lines(corpus_bytes(path), settings.labels, sources):
        if line.annotation is None:
            problems.append(Problem("schema", f"{name}, line {line.number}", line.problem))
        else:
            placed.append(Placed(name, line.number, line.annotation))
    return _File(path.stem, name, tuple(placed), tuple(problems), settings, has_texts)


def _bounds_of_nothing(paths: Sequence[Path]) -> Iterator[Problem]:
    """Yields bounds whose file is not in the folder: a slip in a name would let everything pass."""
    for folder in dict.fromkeys(path.parent for path in paths):
        for stem in read_settings(folder).files:
            if not (folder / f"{stem}.jsonl").is_file():
                yield Problem("settings", str(folder / SETTINGS), f"it bounds {stem!r}, but there is no {stem}.jsonl")


def _measure(file: _File, train: Sequence[Annotation]) -> Measures:
    """Returns a file's figures; its style is told from train's where that is bounded only, since it takes a while."""
    auc = style_auc(train, file.annotations) if file.bounds_style and train else None
    return measure(file.annotations, auc)
