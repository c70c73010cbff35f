"""What ``manifest.json`` says, and the strict reader of it.

Raising ``FORMAT``, when a change to ``Manifest`` would make old files unreadable or differently understood:

1. Keep one bundle of the old format, as it was written, under ``tests/old_bundles/format-<n>/``.
2. Change ``Manifest`` and raise ``FORMAT`` by one.
3. Move the old schema to ``old_manifest.py``, with a function that turns it into a ``Manifest``, and call that from
   ``read_manifest`` for the old number; add the number to ``KNOWN_FORMATS``.
4. Test that the kept bundle is read, and that it gives the logits that it gave.

A key with a default can be added without raising the number.
"""

from __future__ import annotations

import math
import re
import stat
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from compersion_nlp.decision import LabelDecision
from compersion_nlp.errors import BadBundle
from compersion_nlp.labels import SCHEME

MANIFEST = "manifest.json"
FORMAT = 1
KNOWN_FORMATS = (1,)

# A manifest of 23 labels takes some ten kilobytes; a larger file than this is not one.
_LARGEST = 16 * 2**20
WHOLE = "Get a whole copy of the bundle, or train it again."  # what to do about a bundle that is not sound
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")

NAME = r"^[a-z0-9][a-z0-9._-]{0,63}\Z"
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Count = Annotated[int, msgspec.Meta(ge=0)]
Aggregate = Literal["max", "logsumexp", "attention"]


class FileDigest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The size in bytes and the sha256 of one file."""

    size: Count
    sha256: Sha256


class CorpusUse(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A corpus that a bundle was made with: its digest, how many passages, and for what."""

    sha256: Sha256
    passages: Count
    use: Literal["train", "dev", "auxiliary"]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything about a bundle but its weights.

    ``scorer`` is a name of the registry. ``window`` is how many characters the scorer reads at once (None: a text of
    any length), and ``aggregate`` how the logits of a text's windows become one. ``mentioned`` is how it is decided
    that a label is mentioned and not felt, for a scorer that answers that too. ``recipe`` is the recipe as it was
    resolved, ``libraries`` package to version, ``scores`` the evaluation on development data and ``reports`` those on
    other corpora. ``files`` holds every file but the manifest.
    """

    name: Annotated[str, msgspec.Meta(pattern=NAME)]
    version: str
    scorer: str
    labels: tuple[str, ...]
    decision: dict[str, LabelDecision]
    description: str = ""
    licence: str = ""
    window: Annotated[int, msgspec.Meta(ge=1)] | None = None
    aggregate: Aggregate = "max"
    mentioned: dict[str, LabelDecision] = {}
    seed: int | None = None
    recipe: dict[str, Any] | None = None
    corpora: dict[str, CorpusUse] = {}
    libraries: dict[str, str] = {}
    scores: dict[str, Any] | None = None
    reports: tuple[dict[str, Any], ...] = ()
    files: dict[str, FileDigest] = {}
    scheme: int = SCHEME.version
    format: int = FORMAT


class _Format(msgspec.Struct):
    format: int


def read_manifest(folder: Path) -> tuple[Manifest, bytes]:
    """Returns the manifest of a bundle, checked in itself, and its bytes; raises BadBundle if it is not sound."""
    path = folder / MANIFEST
    try:
        if not stat.S_ISREG(path.lstat().st_mode):  # opening a pipe would wait for ever
            raise BadBundle(f"{path} is not a regular file.", WHOLE)
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise BadBundle(f"{folder} is no bundle: {MANIFEST} cannot be read ({error.strerror}).", WHOLE) from error
    if len(content) > _LARGEST:
        raise BadBundle(f"{path} is larger than {_LARGEST} bytes.", WHOLE)
    return _parse(content, path), content


def write_manifest(manifest: Manifest, path: Path) -> bytes:
    """Returns the bytes of a manifest for ``path``: the same for the same manifest, keys sorted.

    Raises BadBundle if it could not be read back.
    """
    _checked(manifest, path)
    content = msgspec.json.format(msgspec.json.encode(manifest, order="sorted"), indent=2) + b"\n"
    _parse(content, path)
    return content


def _checked(manifest: Manifest, where: Path) -> Manifest:
    """Returns the manifest with its decision in the order of its labels; raises BadBundle if it contradicts itself."""
    if manifest.scheme > SCHEME.version:
        raise _bad(where, "scheme", f"is {manifest.scheme}; this version knows label schemes to {SCHEME.version}")
    _check_labels(manifest, where)
    _check_decision(manifest, where)
    for name in manifest.files:
        if not _FILE_NAME.fullmatch(name) or name == MANIFEST:
            raise _bad(where, "files", f"names {name!r}; allowed are plain names of ASCII letters, digits and ._-")
    return msgspec.structs.replace(manifest, decision={label: manifest.decision[label] for label in manifest.labels})


def _parse(content: bytes, path: Path) -> Manifest:
    try:
        # The number is looked at alone first: a newer format may well have keys that this one refuses.
        found = msgspec.json.decode(content, type=_Format).format
        if found not in KNOWN_FORMATS:
            known = ", ".join(map(str, KNOWN_FORMATS))
            raise BadBundle(
                f"{path} has format {found}; this version of compersion-nlp knows {known}.",
                "Upgrade with: pip install --upgrade compersion-nlp",
            )
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.ValidationError as error:
        raise BadBundle(f"{path} is not a sound manifest: {error}.", WHOLE) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadBundle(f"{path} is not JSON in UTF-8: {error}.", WHOLE) from error
    except RecursionError as error:
        raise BadBundle(f"{path} is nested too deeply to be a manifest.", WHOLE) from error
    return _checked(manifest, path)


def _check_labels(manifest: Manifest, where: Path) -> None:
    if not manifest.labels:
        raise _bad(where, "labels", "is empty; a bundle knows at least one label")
    for index, label in enumerate(manifest.labels):
        if label not in SCHEME.labels:
            raise _bad(where, f"labels[{index}]", f"is {label!r}, which is no label of the scheme")
        if label in manifest.labels[:index]:
            raise _bad(where, f"labels[{index}]", f"names {label!r} a second time")


def _check_decision(manifest: Manifest, where: Path) -> None:
    for name, decision in (("decision", manifest.decision), ("mentioned", manifest.mentioned)):
        if odd := set(decision) ^ set(manifest.labels if decision or name == "decision" else ()):
            raise _bad(where, name, f"does not cover exactly the labels; the difference: {', '.join(sorted(odd))}")
        for label, numbers in decision.items():
            for key in ("slope", "intercept", "threshold"):
                if not math.isfinite(value := getattr(numbers, key)):
                    raise _bad(where, f"{name}.{label}.{key}", f"is {value}; it must be finite")
            if not 0 <= numbers.threshold <= 1:
                raise _bad(where, f"{name}.{label}.threshold", f"is {numbers.threshold}; allowed is 0 to 1")


def _bad(where: Path, key: str, what: str) -> BadBundle:
    return BadBundle(f"{where}: $.{key} {what}.", WHOLE)
