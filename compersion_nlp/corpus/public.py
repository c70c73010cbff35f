"""Public data sets as corpora: ``source.toml`` says where a set is and which of its labels are ours.

Their text is not part of this project. It is read with Hugging Face ``datasets``, from the hub or from a folder of
JSON lines. A label that a set does not annotate is unknown for its passages, not absent.
"""

from __future__ import annotations

import hashlib
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec

from compersion_nlp.corpus.files import KINDS, Corpus
from compersion_nlp.errors import BadConfig, BadInput, MissingExtra, UnknownLabel
from compersion_nlp.labels import FELT, SCHEME
from compersion_nlp.records import Annotation

SOURCE = "source.toml"

_Row = tuple[str, str, set[str]]  # id, text, and their labels


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a ``source.toml`` says.

    ``hub`` is the set's name on the hub, or that of a builder of ``datasets`` (csv, json, parquet) where ``splits``
    gives addresses of files. ``splits`` maps our name of a split to theirs. ``labels`` is a column that lists a row's
    labels; without it, ``columns`` maps each of their labels to a column that is true or 1 where it holds. ``fit``
    maps our labels to those of theirs that count as one.
    """

    title: str
    hub: Annotated[str, msgspec.Meta(min_length=1)]
    licence: str
    splits: Annotated[dict[str, str], msgspec.Meta(min_length=1)]
    fit: Annotated[dict[str, tuple[str, ...]], msgspec.Meta(min_length=1)]
    config: str | None = None
    reference: str = ""
    kind: str = "comment"
    id: str = ""  # a set without ids: its rows are numbered from 1
    text: str = "text"
    labels: str = ""
    columns: dict[str, str] = {}

    @property
    def known(self) -> tuple[str, ...]:
        """Our labels that the set annotates, in scheme order."""
        return tuple(label for label in SCHEME.names if label in self.fit)

    @property
    def by_address(self) -> bool:
        """Whether the splits are addresses of files rather than names of splits on the hub."""
        return self.hub in ("csv", "json", "parquet")


def read_source(folder: Path) -> Source:
    """Returns the source of the public set in ``folder``; raises BadConfig if it is not sound."""
    path = folder / SOURCE
    try:
        source = msgspec.toml.decode(path.read_bytes(), type=Source)
        for label in source.fit:
            SCHEME.check_label(label)
    except OSError as error:
        raise BadConfig(f"{path} cannot be read: {error.strerror}.", "Name the folder of a public set.") from None
    except (msgspec.DecodeError, tomllib.TOMLDecodeError, UnicodeDecodeError, UnknownLabel) as error:
        keys = ", ".join(Source.__struct_fields__)
        raise BadConfig(f"{path}: {error}", f"Its keys: {keys}.") from None
    if source.kind not in KINDS:
        raise BadConfig(f"{path}: kind is {source.kind!r}.", f"Allowed: {', '.join(KINDS)}.")
    if bool(source.labels) == bool(source.columns):
        raise BadConfig(f"{path}: it takes one of labels and columns.", "Say where a row keeps its labels.")
    return source


def is_public(path: Path) -> bool:
    """Whether ``path`` names a split of a public set, as ``corpora/goemotions/train`` does."""
    return not path.exists() and (path.parent / SOURCE).is_file()


def read_public(path: Path, data_dir: Path | None = None) -> Corpus:
    """Returns a split of a public set, every passage a group of its own.

    With ``data_dir`` it is read from ``DATA_DIR/<set>/<split>.jsonl``: rows of an id, a text and ``labels``, a list of
    the set's own names. Without, it comes from the hub, and ``datasets`` keeps it in its cache.
    Raises BadConfig if there is no such split or a row is off, BadInput if the set cannot be had, and MissingExtra
    without ``datasets``.
    """
    source = read_source(path.parent)
    if path.name not in source.splits:
        raise BadConfig(f"{source.title} has no split {path.name!r}.", f"It has: {', '.join(source.splits)}.")
    name = path.parent.resolve().name
    found = _from_hub(source, path.name) if data_dir is None else _from_folder(data_dir / name, path.name)
    annotations = tuple(
        Annotation(
            id=id_,
            text=text,
            kind=source.kind,
            group=id_,
            feelings={label: FELT for label in source.known if theirs & set(source.fit[label])},
            annotator=source.title,
        )
        for id_, text, theirs in found
    )
    digest = hashlib.sha256(msgspec.json.encode(annotations)).hexdigest()
    return Corpus(f"{name}/{path.name}", annotations, source.known, digest)


def _from_hub(source: Source, split: str) -> Iterator[_Row]:
    datasets = _datasets()
    try:
        if source.by_address:
            rows = datasets.load_dataset(source.hub, data_files={split: source.splits[split]}, split=split)
        else:
            rows = datasets.load_dataset(source.hub, source.config, split=source.splits[split])
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise BadInput(
            f"{source.title} could not be fetched from {source.hub}: {type(error).__name__}.",
            "Check the connection, or give a folder that holds it (--data-dir).",
        ) from error
    _need(rows, (source.text, *([source.labels] if source.labels else source.columns.values())), source.hub)
    names = _class_names(rows, source.labels)
    for number, row in enumerate(rows, start=1):
        if source.labels:
            theirs = {names[label] if isinstance(label, int) else label for label in row[source.labels]}
        else:
            theirs = {label for label, column in source.columns.items() if row[column]}
        yield str(row[source.id]) if source.id else f"{number:05}", row[source.text] or "", theirs


def _from_folder(folder: Path, split: str) -> Iterator[_Row]:
    file = folder / f"{split}.jsonl"
    if not file.is_file():
        raise BadInput(
            f"{file} is not there.", "A data folder holds a folder for each public set, with <split>.jsonl in it."
        )
    datasets = _datasets()
    with tempfile.TemporaryDirectory() as cache:  # no second copy stays behind
        try:
            rows = datasets.Dataset.from_json(str(file), cache_dir=cache, keep_in_memory=True)
        except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
            raise BadInput(f"{file} cannot be read as JSON lines.", "One JSON object a line.") from error
        _need(rows, ("id", "text", "labels"), str(file))
        for row in rows:
            yield str(row["id"]), row["text"] or "", set(row["labels"] or ())


def _need(rows: Any, columns: Iterable[str], where: str) -> None:
    if missing := [column for column in columns if column not in rows.column_names]:
        raise BadConfig(f"{where} has no column {missing[0]!r}.", f"Its columns: {', '.join(rows.column_names)}.")


def _class_names(rows: Any, column: str) -> Sequence[str]:
    """Returns the labels' names where a column holds lists of their numbers, else nothing."""
    listed = getattr(rows.features.get(column), "feature", None)
    return getattr(listed, "names", ())


def _datasets() -> Any:
    try:
        import datasets
    except ImportError:
        raise MissingExtra("datasets", "corpora", "Reading a public set") from None
    return datasets
