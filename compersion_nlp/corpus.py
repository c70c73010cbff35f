"""Annotated passages: reading them, their marks as an array, and splits that keep groups whole.

A corpus is a JSON-lines file of annotations. Where it does not annotate every label of the scheme,
a ``corpus.toml`` beside it says which ones it does (``labels = ["joy", "fear"]``): the others are
unknown for its passages, which is not the same as not felt.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from compersion_nlp.errors import BadConfig, UnknownLabel
from compersion_nlp.labels import FELT, SCHEME
from compersion_nlp.records import Annotation

KINDS = ("journal", "forum", "comment", "article")
MANNERS = ("plain", "shown", "crooked")
LABELS_FILE = "corpus.toml"
_FORMAT_HINT = "One JSON object a line: id, text, kind, group, feelings (label to stance), annotator, manner."
_DECODER = msgspec.json.Decoder(Annotation)


class Corpus(msgspec.Struct, frozen=True):
    """Annotated passages with the labels they were read for; ``sha256`` is that of the file."""

    name: str
    annotations: tuple[Annotation, ...]
    labels: tuple[str, ...] = SCHEME.names
    sha256: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        """The passages' texts, in file order."""
        return tuple(annotation.text for annotation in self.annotations)

    @property
    def groups(self) -> tuple[str, ...]:
        """The passages' groups, in file order."""
        return tuple(annotation.group for annotation in self.annotations)


class CorpusLine(msgspec.Struct, frozen=True):
    """One line of a corpus file, numbered from 1: an annotation, or what is wrong with it."""

    number: int
    annotation: Annotation | None = None
    problem: str = ""


def read_corpus(path: Path) -> Corpus:
    """Returns the corpus in a JSON-lines file.

    Raises BadConfig naming file, line and key where a line is no annotation, marks a label that
    the scheme or the corpus does not have, or repeats an id, and where the file cannot be read.
    """
    data = corpus_bytes(path)
    labels = annotated_labels(path)
    annotations = tuple(_sound(path, line) for line in read_lines(data, labels))
    if not annotations:
        raise BadConfig(f"{path} holds no passages.", _FORMAT_HINT)
    repeated = [id_ for id_, count in Counter(annotation.id for annotation in annotations).items() if count > 1]
    if repeated:
        raise BadConfig(
            f"{path}: the id {repeated[0]!r} is given to several passages (in all, {len(repeated)} ids are).",
            "Give each passage its own id.",
        )
    return Corpus(corpus_name(path), annotations, labels, hashlib.sha256(data).hexdigest())


def read_lines(data: bytes, labels: Sequence[str] = SCHEME.names) -> Iterator[CorpusLine]:
    """Yields every line that is not blank, as an annotation or as a problem; never raises."""
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if line.strip():
            yield _read_line(number, line, labels)


def _read_line(number: int, line: bytes, labels: Sequence[str]) -> CorpusLine:
    try:
        annotation = _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return CorpusLine(number, problem=str(error))
    try:
        _check_marks(annotation, labels)
    except UnknownLabel as error:
        return CorpusLine(number, problem=f"{error.message} {error.hint} - at `$.feelings`")
    return CorpusLine(number, annotation)


def _check_marks(annotation: Annotation, labels: Sequence[str]) -> None:
    for label, stance in annotation.feelings.items():
        SCHEME.check_label(label)
        SCHEME.check_stance(stance)
        if label not in labels:
            raise UnknownLabel(
                f"This corpus does not annotate {label!r}.", f"Add it to {LABELS_FILE}, or drop the mark."
            )


def _sound(path: Path, line: CorpusLine) -> Annotation:
    if line.annotation is None:
        raise BadConfig(f"{path}, line {line.number}: {line.problem}", _FORMAT_HINT)
    return line.annotation


def corpus_bytes(path: Path) -> bytes:
    """Returns the content of a corpus file; raises BadConfig if it cannot be read."""
    try:
        return path.read_bytes()
    except IsADirectoryError:
        found = ", ".join(sorted(file.name for file in path.glob("*.jsonl"))) or "none"
        raise BadConfig(f"{path} is a folder.", f"Name one of its corpus files: {found}.") from None
    except OSError as error:
        raise BadConfig(f"{path} cannot be read: {error.strerror}.", "Name a JSON-lines file of annotations.") from None


def corpus_name(path: Path) -> str:
    """Returns the name of the corpus in ``path``: its folder and its stem, as in ``relational/dev``."""
    return f"{path.resolve().parent.name}/{path.stem}"


def annotated_labels(path: Path) -> tuple[str, ...]:
    """Returns the labels that the corpus file at ``path`` annotates, in scheme order.

    Raises BadConfig if the ``corpus.toml`` beside it is not sound.
    """
    beside = path.parent / LABELS_FILE
    if not beside.is_file():
        return SCHEME.names
    try:
        listed = msgspec.toml.decode(beside.read_bytes(), type=_Labels).labels
        known = {SCHEME.check_label(label) for label in listed}
    except (msgspec.DecodeError, tomllib.TOMLDecodeError, UnicodeDecodeError, UnknownLabel) as error:
        raise BadConfig(f"{beside}: {error}", 'It holds one key: labels = ["joy", "fear"].') from None
    return tuple(label for label in SCHEME.names if label in known)


class _Labels(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    labels: tuple[str, ...]


def list_corpora(folder: Path) -> dict[str, tuple[Path, ...]]:
    """Returns the corpora under ``folder``, each with its JSON-lines files, by name."""
    found = {path.name: tuple(sorted(path.glob("*.jsonl"))) for path in sorted(folder.glob("*")) if path.is_dir()}
    return {name: files for name, files in found.items() if files}


def gold(
    annotations: Sequence[Annotation], labels: Sequence[str], known: Iterable[str] = SCHEME.names
) -> npt.NDArray[np.float32]:
    """Returns the marks as float32 of shape (n, L): 1 felt, 0 not felt, nan for labels not in ``known``."""
    annotated = set(known)
    marks = [[float(annotation.feelings.get(label) == FELT) for label in labels] for annotation in annotations]
    array = np.array(marks, dtype=np.float32).reshape(len(annotations), len(labels))
    array[:, [label not in annotated for label in labels]] = np.nan
    return array


def split_by_group(
    annotations: Sequence[Annotation], share: float, seed: int
) -> tuple[tuple[Annotation, ...], tuple[Annotation, ...]]:
    """Returns (rest, held out), both in the order given; no group has passages in both.

    Groups are taken in an order drawn from the seed and their names alone, as long as they fit:
    the part held out has at most ``share`` of the passages, and falls short of it by less than the
    size of one group. Raises BadConfig unless 0 < share < 1.
    """
    if not 0 < share < 1:
        raise BadConfig(f"The share held out is {share}.", "It lies between 0 and 1, both excluded.")
    sizes = Counter(annotation.group for annotation in annotations)
    room = share * len(annotations)
    held: set[str] = set()
    for group in sorted(sizes, key=lambda group: _draw(group, seed)):
        if sizes[group] <= room:
            held.add(group)
            room -= sizes[group]
    return (
        tuple(annotation for annotation in annotations if annotation.group not in held),
        tuple(annotation for annotation in annotations if annotation.group in held),
    )


def deal_folds(groups: Sequence[str], folds: int, seed: int) -> npt.NDArray[np.int64]:
    """Returns the fold, 0 to ``folds - 1``, of each passage; a group is in one fold.

    Raises BadConfig if there are fewer groups than folds.
    """
    names = sorted(set(groups), key=lambda group: _draw(group, seed))
    if len(names) < folds:
        raise BadConfig(f"There are {len(names)} groups for {folds} folds.", "Add passages, or ask for fewer folds.")
    fold_of = {name: place % folds for place, name in enumerate(names)}
    return np.array([fold_of[group] for group in groups], dtype=np.int64)


def _draw(group: str, seed: int) -> bytes:
    # A hash, not a generator: adding passages to a corpus leaves the order of the others alone.
    return hashlib.sha256(f"{seed}\0{group}".encode(errors="surrogatepass")).digest()


def word_count(text: str) -> int:
    """Returns the number of words, parted by white space."""
    return len(text.split())


LENGTH_BANDS = ("under 20 words", "20 to 59 words", "60 to 149 words", "150 words and more")
_BAND_STARTS = (20, 60, 150)


def length_band(words: int) -> str:
    """Returns the band that a passage of so many words falls in.

    >>> length_band(20)
    '20 to 59 words'
    """
    return LENGTH_BANDS[sum(words >= start for start in _BAND_STARTS)]
