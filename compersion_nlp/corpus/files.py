"""Annotated passages and the JSON-lines files that hold them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from compersion_nlp.corpus.settings import SETTINGS
from compersion_nlp.errors import BadConfig, UnknownLabel
from compersion_nlp.labels import SCHEME
from compersion_nlp.records import Annotation

KINDS = ("journal", "forum", "comment", "article")
MANNERS = ("plain", "shown", "crooked")
FORMAT_HINT = "One JSON object a line: id, text, kind, group, feelings (label to stance), annotator, manner."

Sources = Callable[[str], Annotation | None]  # from an id to the passage it belongs to, None where there is none


class _Marks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line of a file that gives marks only: the passages are those of another corpus."""

    id: str
    feelings: dict[str, str]
    annotator: str = ""


_ANNOTATION = msgspec.json.Decoder(Annotation)
_MARKS = msgspec.json.Decoder(_Marks)


class Corpus(msgspec.Struct, frozen=True):
    """Annotated passages with the labels they were read for; ``sha256`` is that of the file.

    ``origin`` names the folder whose groups these are, where the file gives marks for passages of another corpus.
    ``public`` says that it is a public set, which marks what is felt and no other stance.
    """

    name: str
    annotations: tuple[Annotation, ...]
    labels: tuple[str, ...] = SCHEME.names
    sha256: str = ""
    origin: str = ""
    public: bool = False

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


def read_lines(
    data: bytes, labels: Sequence[str] = SCHEME.names, sources: Sources | None = None
) -> Iterator[CorpusLine]:
    """Yields every line that is not blank, as an annotation or as a problem; never raises.

    With ``sources``, the lines give marks by id only, and their passages are looked up there.
    """
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if line.strip():
            yield _read_line(number, line, labels, sources)


def _read_line(number: int, line: bytes, labels: Sequence[str], sources: Sources | None) -> CorpusLine:
    try:
        annotation = _ANNOTATION.decode(line) if sources is None else _joined(_MARKS.decode(line), sources)
        _check_marks(annotation, labels)
    except UnknownLabel as error:
        return CorpusLine(number, problem=f"{error.message} {error.hint} - at `$.feelings`")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return CorpusLine(number, problem=str(error))
    return CorpusLine(number, annotation)


def _joined(marks: _Marks, sources: Sources) -> Annotation:
    source = sources(marks.id)
    if source is None:
        raise msgspec.ValidationError(f"no passage has the id {marks.id!r} - at `$.id`")
    return msgspec.structs.replace(source, feelings=marks.feelings, annotator=marks.annotator)


def without_text(id_: str) -> Annotation:
    """Returns a passage of which only the id is known: a source for marks that are read without their texts."""
    return Annotation(id_, "", KINDS[0], id_, {})


def _check_marks(annotation: Annotation, labels: Sequence[str]) -> None:
    for label, stance in annotation.feelings.items():
        SCHEME.check_label(label)
        SCHEME.check_stance(stance)
        if label not in labels:
            raise UnknownLabel(f"This corpus does not annotate {label!r}.", f"Add it to {SETTINGS}, or drop the mark.")


def sound(path: Path, line: CorpusLine) -> Annotation:
    """Returns a line's annotation; raises BadConfig naming file, line and key if it has none."""
    if line.annotation is None:
        raise BadConfig(f"{path}, line {line.number}: {line.problem}", FORMAT_HINT)
    return line.annotation


def check_ids(where: object, annotations: Sequence[Annotation]) -> None:
    """Raises BadConfig naming ``where`` if there are no passages, or if two of them have the same id."""
    if not annotations:
        raise BadConfig(f"{where} holds no passages.", FORMAT_HINT)
    repeated = [id_ for id_, count in Counter(annotation.id for annotation in annotations).items() if count > 1]
    if repeated:
        raise BadConfig(
            f"{where}: the id {repeated[0]!r} is given to several passages (in all, {len(repeated)} ids are).",
            "Give each passage its own id.",
        )


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
