"""All checks of the files of one corpus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from compersion_nlp.corpus import (
    CorpusSettings,
    Most,
    corpus_bytes,
    corpus_name,
    joined_texts,
    read_lines,
    read_settings,
)
from compersion_nlp.corpus_checks.copies import copied_signs, near_duplicates, signs
from compersion_nlp.corpus_checks.describe import StanceCounts, count_stances
from compersion_nlp.corpus_checks.fields import odd_fields, repeated_ids, split_groups
from compersion_nlp.corpus_checks.measure import Measures, measure, too_little, too_much
from compersion_nlp.corpus_checks.placed import Placed, Problem
from compersion_nlp.corpus_checks.style import style_auc
from compersion_nlp.records import Annotation

TRAIN = "train"  # the file that the others are told from


class CorpusReport(msgspec.Struct, frozen=True):
    """What a check of corpus files found. ``passages`` counts by file, ``stances`` by label and stance.

    ``measures`` has the figures of each file whose texts are there. ``short_signs`` lists passages that hold a short
    phrase of the scheme, which is allowed. ``without_texts`` names the files whose texts were not looked at.
    """

    passages: dict[str, int]
    stances: StanceCounts
    problems: tuple[Problem, ...]
    measures: dict[str, Measures]
    short_signs: tuple[str, ...] = ()
    without_texts: tuple[str, ...] = ()

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


def check_corpus(paths: Sequence[Path], data_dir: Path | None = None) -> CorpusReport:
    """Returns every problem in the files, which are taken as the splits of one corpus.

    Files that give marks by id are checked without their texts, unless ``data_dir`` has the public set they are for;
    nobody can mend the texts of another corpus, so they are not compared.
    Raises BadConfig only where a file cannot be read at all, and MissingExtra without what looks for near-duplicates.
    """
    files = [_read(path, data_dir) for path in paths]
    placed = [item for file in files for item in file.placed]
    own_texts = [item for file in files if not file.settings.texts for item in file.placed]
    measures = dict(_measure(files))
    problems = [problem for file in files for problem in file.problems]
    problems += [*repeated_ids(placed), *split_groups(placed)]
    for file in files:
        problems += odd_fields(file.placed, file.has_texts)
    problems += [*near_duplicates(own_texts), *copied_signs(own_texts)]
    for file in files:
        if file.name in measures and (bounds := file.settings.files.get(file.stem)):
            problems += too_little(file.name, file.annotations, measures[file.name], bounds.least)
            problems += too_much(file.name, measures[file.name], bounds.most)
    return CorpusReport(
        passages={file.name: len(file.placed) for file in files},
        stances=count_stances(item.annotation for item in placed),
        problems=tuple(problems),
        measures=measures,
        short_signs=tuple(f"{item.where}: {sign!r}" for item, sign in signs(own_texts, short=True)),
        without_texts=tuple(file.name for file in files if not file.has_texts),
    )


def _read(path: Path, data_dir: Path | None) -> _File:
    name, settings = corpus_name(path), read_settings(path.parent)
    texts = None
    if settings.texts:
        texts = joined_texts(path, data_dir) if data_dir else lambda id_: ""
    placed, problems = [], []
    for line in read_lines(corpus_bytes(path), settings.labels, texts):
        if line.annotation is None:
            problems.append(Problem("schema", f"{name}, line {line.number}", line.problem))
        else:
            placed.append(Placed(name, line.number, line.annotation))
    has_texts = not settings.texts or data_dir is not None
    return _File(path.stem, name, tuple(placed), tuple(problems), settings, has_texts)


def _measure(files: Sequence[_File]) -> Iterator[tuple[str, Measures]]:
    train = next((file.annotations for file in files if file.stem == TRAIN), [])
    for file in files:
        if file.has_texts and file.placed:
            yield file.name, measure(file.annotations, _told_from(train, file))


def _told_from(train: Sequence[Annotation], file: _File) -> float | None:
    """Returns the AUC of a file against train where its settings bound it; it takes a while, so nowhere else."""
    bounds = file.settings.files.get(file.stem)
    if not train or bounds is None or bounds.most.style_auc == Most().style_auc:
        return None
    return style_auc(train, file.annotations)
