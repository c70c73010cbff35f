"""A folder of behavioural tests: three files of JSON lines, one a kind of test, and the swaps of the third."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from compersion_nlp.errors import BadConfig, UnknownLabel
from compersion_nlp.evaluate.behaviour.swaps import Invariance, Name, Swaps, Text, check_swaps
from compersion_nlp.labels import SCHEME

FUNCTIONALITY = "functionality.jsonl"
DIRECTION = "direction.jsonl"
INVARIANCE = "invariance.jsonl"
SWAPS = "swaps.toml"
FILES = (FUNCTIONALITY, DIRECTION, INVARIANCE, SWAPS)


class Functionality(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text that is read right if all of ``felt`` and none of ``not_felt`` are decided as felt."""

    id: Name
    slice: Name
    text: Text
    felt: tuple[str, ...] = ()
    not_felt: tuple[str, ...] = ()


class Direction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text and a changed one, in which the label is to be less likely, or more, than in the first."""

    id: Name
    slice: Name
    text: Text
    changed: Text
    label: str
    expect: Literal["falls", "rises"]


class Tests(msgspec.Struct, frozen=True):
    """The tests of one folder, each kind in the order of its file; ``sha256`` is over the files that are there."""

    folder: str
    sha256: str
    functionality: tuple[Functionality, ...] = ()
    direction: tuple[Direction, ...] = ()
    invariance: tuple[Invariance, ...] = ()
    swaps: Swaps = Swaps()


AnyTest = TypeVar("AnyTest", Functionality, Direction, Invariance)

_Places = dict[str, str]  # id to the file and line that gave it


def read_behaviour(folder: Path) -> Tests:
    """Returns the tests in ``folder``; a kind whose file is not there has none.

    Raises BadConfig naming file, line and key where a line is no test of its kind, names a label that the scheme does
    not have, repeats an id of the folder or could not fail; where the swaps are not sound; and where the folder holds
    no tests, or only one of the two files that invariance takes.
    """
    data = {name: _bytes_of(folder / name) for name in FILES if (folder / name).is_file()}
    _check_files(folder, tuple(data))
    places: _Places = {}
    return Tests(
        folder=folder.resolve().name,
        sha256=_digest(data),
        functionality=_read_tests(folder / FUNCTIONALITY, data, Functionality, places),
        direction=_read_tests(folder / DIRECTION, data, Direction, places),
        invariance=_read_tests(folder / INVARIANCE, data, Invariance, places),
        swaps=_read_swaps(folder / SWAPS, data[SWAPS]) if SWAPS in data else Swaps(),
    )


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadConfig(f"{path} cannot be read: {error.strerror}.", "Name a folder of behavioural tests.") from None


def _check_files(folder: Path, found: tuple[str, ...]) -> None:
    if not found:
        raise BadConfig(
            f"{folder} holds no behavioural tests.", f"Name a folder with at least one of {', '.join(FILES[:3])}."
        )
    if (INVARIANCE in found) != (SWAPS in found):
        there, missing = (INVARIANCE, SWAPS) if INVARIANCE in found else (SWAPS, INVARIANCE)
        raise BadConfig(
            f"{folder} holds {there}, and no {missing}.", "Invariance takes both: passages, and what to change in them."
        )


def _digest(data: dict[str, bytes]) -> str:
    """Returns one SHA-256 over names and contents: over the lines that ``sha256sum`` prints for the files."""
    lines = (f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in data.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _read_tests(path: Path, data: dict[str, bytes], kind: type[AnyTest], places: _Places) -> tuple[AnyTest, ...]:
    if path.name not in data:
        return ()
    tests = tuple(_sound_tests(path, data[path.name], kind, places))
    if not tests:
        raise BadConfig(f"{path} holds no tests.", _hint(kind))
    return tests


def _sound_tests(path: Path, data: bytes, kind: type[AnyTest], places: _Places) -> Iterator[AnyTest]:
    decoder = msgspec.json.Decoder(kind)
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            test = decoder.decode(line)
            _check(test, places)
        except UnknownLabel as error:
            raise BadConfig(f"{path}, line {number}: {error.message}", error.hint) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadConfig(f"{path}, line {number}: {error}", _hint(kind)) from None
        places[test.id] = f"{path.name}, line {number}"
        yield test


def _hint(kind: type[msgspec.Struct]) -> str:
    return f"One JSON object a line, its keys: {', '.join(kind.__struct_fields__)}."


def _check(test: Functionality | Direction | Invariance, places: _Places) -> None:
    if test.id in places:
        raise msgspec.ValidationError(f"the id {test.id!r} is taken by {places[test.id]} - at `$.id`")
    match test:
        case Functionality():
            _check_functionality(test)
        case Direction():
            _check_label(test.label, "label")
            if test.text == test.changed:
                raise msgspec.ValidationError("the text is not changed - at `$.changed`")


def _check_functionality(test: Functionality) -> None:
    for key in ("felt", "not_felt"):
        for label in getattr(test, key):
            _check_label(label, key)
    if both := set(test.felt) & set(test.not_felt):
        raise msgspec.ValidationError(f"{min(both)!r} is in felt too - at `$.not_felt`")
    if not test.felt and not test.not_felt:
        raise msgspec.ValidationError("neither felt nor not_felt names a label - at `$.felt`")


def _check_label(name: str, key: str) -> None:
    try:
        SCHEME.check_label(name)
    except UnknownLabel as error:
        raise UnknownLabel(f"{error.message} - at `$.{key}`", error.hint) from None


def _read_swaps(path: Path, data: bytes) -> Swaps:
    try:
        swaps = msgspec.toml.decode(data, type=Swaps)
        check_swaps(swaps)
    except (msgspec.DecodeError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        hint = "Its tables: [[replace]] with slice, pairs, only_without; [[append]] and [[prepend]] with slice, texts."
        raise BadConfig(f"{path}: {error}", hint) from None
    return swaps
