"""Public data sets as corpora: ``source.toml`` says where a set is and which of its labels are ours.

Their text is not part of this project. It is read with Hugging Face ``datasets``, from the hub or from a folder of
JSON lines. A label that a set does not annotate is unknown for its passages, not absent.
"""

from __future__ import annotations

import hashlib
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec

from compersion_nlp.corpus.files import KINDS, Corpus, check_ids
from compersion_nlp.errors import BadConfig, BadInput, MissingExtra, UnknownLabel
from compersion_nlp.labels import FELT, SCHEME
from compersion_nlp.records import Annotation

SOURCE = "source.toml"


class _Row(msgspec.Struct, frozen=True):
    """A row of a public set: a text and the names of their labels."""

    id: str | int
    text: str | None
    labels: list[str] | None


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
    if odd := [split for split in source.splits if not split or Path(split).name != split]:
        raise BadConfig(f"{path}: {odd[0]!r} is no name for a split.", "A split's name has no slashes.")
    theirs = {label for labels in source.fit.values() for label in labels}
    if source.columns and (lost := sorted(theirs - source.columns.keys())):
        raise BadConfig(f"{path}: fit names {lost[0]!r}, which has no column.", "Add it to columns.")
    if bool(source.labels) == bool(source.columns):
        raise BadConfig(f"{path}: it takes one of labels and columns.", "Say where a row keeps its labels.")
    return source


def is_public(path: Path) -> bool:
    """Whether ``path`` names a split of a public set, as ``corpora/goemotions/train`` does."""
    return not path.exists() and (path.parent / SOURCE).is_file()


def public_file(path: Path, data_dir: Path) -> Path:
    """Returns the file that holds a split of a public set in a data folder."""
    return data_dir / path.parent.resolve().name / f"{path.name}.jsonl"


def read_public(path: Path, data_dir: Path | None = None) -> Corpus:
    """Returns a split of a public set, every passage a group of its own.

    With ``data_dir`` it is read from ``DATA_DIR/<set>/<split>.jsonl``: rows of an id, a text and ``labels``, a list of
    the set's own names. Without, it comes from the hub, and ``datasets`` keeps it in its cache.
    Raises BadConfig if there is no such split or a row is off, BadInput if the set cannot be had, and MissingExtra
    without ``datasets``.
    """
    return _as_ours(path, *_read_rows(path, data_dir))


def _as_ours(path: Path, source: Source, found: Sequence[_Row]) -> Corpus:
    name = f"{path.parent.resolve().name}/{path.name}"
    annotations = tuple(
        Annotation(
            id=str(row.id),
            text=row.text or "",
            kind=source.kind,
            group=str(row.id),
            feelings={label: FELT for label in source.known if set(row.labels or ()) & set(source.fit[label])},
            annotator=source.title,
        )
        for row in found
    )
    check_ids(name, annotations)
    digest = hashlib.sha256(msgspec.json.encode(annotations)).hexdigest()
    return Corpus(name, annotations, source.known, digest, public=True)


class NativeSet(msgspec.Struct, frozen=True):
    """A split of a public set with the set's own labels: ``marks`` lists, for each text, those that it carries.

    ``labels`` are all that occur in the split, sorted; ``name`` and ``sha256`` are those that ``read_public`` gives.
    """

    name: str
    texts: tuple[str, ...]
    labels: tuple[str, ...]
    marks: tuple[frozenset[str], ...]
    sha256: str


def read_native(path: Path, data_dir: Path | None = None) -> NativeSet:
    """Returns a split of a public set as it is labelled there, from the same places as ``read_public``.

    Raises BadConfig if ``path`` is no split of a public set, and what ``read_public`` raises.
    """
    if not is_public(path):
        raise BadConfig(f"{path} is no split of a public set.", "Name one, such as corpora/goemotions/train.")
    source, found = _read_rows(path, data_dir)
    corpus = _as_ours(path, source, found)
    return NativeSet(
        corpus.name,
        tuple(row.text or "" for row in found),
        tuple(sorted({label for row in found for label in row.labels or ()})),
        tuple(frozenset(row.labels or ()) for row in found),
        corpus.sha256,
    )


def _read_rows(path: Path, data_dir: Path | None) -> tuple[Source, list[_Row]]:
    source = read_source(path.parent)
    if path.name not in source.splits:
        raise BadConfig(f"{source.title} has no split {path.name!r}.", f"It has: {', '.join(source.splits)}.")
    return source, _from_hub(source, path.name) if data_dir is None else _from_folder(public_file(path, data_dir))


def _from_hub(source: Source, split: str) -> list[_Row]:
    datasets = _datasets()
    try:
        if source.by_address:
            rows = datasets.load_dataset(source.hub, data_files={split: source.splits[split]}, split=split)
        else:
            rows = datasets.load_dataset(source.hub, source.config, split=source.splits[split])
    except ImportError as error:  # what datasets needs to read a web address
        raise MissingExtra(error.name or "fsspec[http]", "corpora", "Fetching a public set") from error
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise BadInput(
            f"{source.title} could not be fetched from {source.hub}: {type(error).__name__}.",
            "Check the connection, or give a folder that holds it (--data-dir).",
        ) from error
    needed = [source.text, *([source.labels] if source.labels else source.columns.values())]
    _need(rows, needed + [source.id] * bool(source.id), source.hub)
    names = _class_names(rows, source.labels)
    return [_from_columns(source, row, number, names) for number, row in enumerate(rows, start=1)]


def _from_columns(source: Source, row: Mapping[str, Any], number: int, names: Sequence[str]) -> _Row:
    """Returns a row as the hub gives it: labels by name or number in one column, or a column for each label."""
    if source.labels:
        listed = row[source.labels]
        labels = [
            names[label] if isinstance(label, int) and 0 <= label < len(names) else label
            for label in (listed if isinstance(listed, list) else [] if listed is None else [listed])
        ]
    else:
        labels = [label for label, column in source.columns.items() if _holds(row[column], column, number)]
    id_ = row[source.id] if source.id else f"{number:05}"
    return _checked({"id": id_, "text": row[source.text], "labels": labels}, number, source.hub)


def _holds(value: object, column: str, number: int) -> bool:
    if isinstance(value, str):
        raise BadConfig(f"Row {number}: {column} holds the words {value!r}.", "A label's column holds 1 or 0.")
    return value is True or value == 1


def _from_folder(file: Path) -> list[_Row]:
    if not file.is_file() or not file.stat().st_size:
        raise BadInput(
            f"{file} is not there, or empty.",
            "A data folder holds a folder for each public set, with <split>.jsonl in it.",
        )
    datasets = _datasets()
    with tempfile.TemporaryDirectory() as cache:  # no second copy stays behind
        try:
            found = datasets.Dataset.from_json(str(file), cache_dir=cache, keep_in_memory=True)
            rows = list(found)
        except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
            raise BadInput(f"{file} cannot be read as JSON lines.", "One JSON object a line, in UTF-8.") from error
        _need(found, ("id", "text", "labels"), str(file))
    return [_checked(row, number, str(file)) for number, row in enumerate(rows, start=1)]


def _checked(row: Mapping[str, Any], number: int, where: str) -> _Row:
    try:
        return msgspec.convert(row, _Row)
    except msgspec.ValidationError as error:
        raise BadConfig(f"{where}, row {number}: {error}", "A row has an id, a text and a list of labels.") from None


def _need(rows: Any, columns: Iterable[str], where: str) -> None:
    if missing := [column for column in columns if column not in rows.column_names]:
        raise BadConfig(f"{where} has no column {missing[0]!r}.", f"Its columns: {', '.join(rows.column_names)}.")


def _class_names(rows: Any, column: str) -> Sequence[str]:
    """Returns the labels' names where a column holds their numbers, one or a list, else nothing."""
    feature = rows.features.get(column)
    return getattr(getattr(feature, "feature", feature), "names", ())


def _datasets() -> Any:
    try:
        import datasets
    except ImportError:
        raise MissingExtra("datasets", "corpora", "Reading a public set") from None
    return datasets
