"""Bundles by name: folders of bundles, each with an ``index.json`` that pins the manifests in it.

Stores are searched in this order: the folders in the environment variable ``COMPERSION_MODELS``, the user's own
store, and the one that ships with the package. The default is that of the first store whose index names one.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
from platformdirs import user_data_path

import compersion_nlp
from compersion_nlp.bundle.folder import Bundle, copy_bundle, open_bundle, verify_bundle
from compersion_nlp.bundle.manifest import MANIFEST, NAME, Manifest, Sha256, read_manifest
from compersion_nlp.errors import BadBundle

INDEX = "index.json"
VARIABLE = "COMPERSION_MODELS"


class _Index(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int = 1
    default: str | None = None
    bundles: dict[str, Sha256] = {}


class Listed(msgspec.Struct, frozen=True):
    """One bundle of a store, as its manifest describes it; ``problem`` says why it could not be read."""

    name: str
    store: Path
    default: bool
    manifest: Manifest | None
    problem: str = ""


class Verified(msgspec.Struct, frozen=True):
    """A bundle that is what its manifest says, and, where ``pinned``, what its store's index says."""

    folder: Path
    manifest: Manifest
    pinned: bool

    @property
    def size(self) -> int:
        """Bytes of all files but the manifest."""
        return sum(file.size for file in self.manifest.files.values())


def user_store() -> Path:
    """Returns the folder of the user's own bundles, which may not exist yet."""
    return user_data_path("compersion_nlp") / "models"


def stores() -> tuple[Path, ...]:
    """Returns the stores in the order in which they are searched."""
    package = Path(compersion_nlp.__file__).parent
    shipped = package / "models"
    if not shipped.is_dir():
        shipped = package.parent / "models"  # a checkout keeps them beside the package
    named = os.environ.get(VARIABLE, "").split(os.pathsep)
    return (*(Path(folder) for folder in named if folder), user_store(), shipped)


def load_bundle(name_or_path: str | Path | None = None) -> Bundle:
    """Returns the bundle of that name or in that folder, verified; for None, the default bundle."""
    return open_bundle(*_locate(name_or_path))


def find_bundle(name_or_path: str | Path | None = None) -> Path:
    """Returns the folder of a bundle; for None, of the default one.

    A Path, or a string with a separator in it, is a folder; any other string is a name in the stores, or else a
    folder of that name. Raises BadBundle, listing the names there are.
    """
    return _locate(name_or_path)[0]


def verify(name_or_path: str | Path | None = None) -> Verified:
    """Returns what there is to say of a sound bundle; raises BadBundle at the first thing that is off."""
    folder, pin = _locate(name_or_path)
    return Verified(folder, verify_bundle(folder, pin), pinned=pin is not None)


def list_bundles() -> tuple[Listed, ...]:
    """Returns the bundles of all stores, by name; of equal names, the one that would be loaded.

    Manifests are read, files are not verified.
    """
    found: dict[str, Listed] = {}
    default = _default_name()
    for store, index in _indexes():
        for name in index.bundles:
            if name not in found:
                found[name] = _list_one(store, name, name == default)
    return tuple(found[name] for name in sorted(found))


def add_bundle(folder: Path, name: str | None = None, store: Path | None = None) -> Path:
    """Copies a sound bundle into a store, the user's by default, and returns where it is now.

    ``name`` is by default the manifest's. Raises BadBundle if the store has another bundle of that name.
    """
    name = _check_name(name or verify_bundle(folder).name)
    store = store or user_store()
    if name in _read_index(store).bundles and (store / name).exists():
        raise BadBundle(f"{store} already has a bundle {name!r}.", "Choose another name, or delete that folder first.")
    copy_bundle(folder, store / name)
    pin_bundle(store, name)
    return store / name


def pin_bundle(store: Path, name: str, default: bool = False) -> None:
    """Writes the digest of ``store/name``'s manifest into the store's index, and makes it the default if asked."""
    verify_bundle(store / _check_name(name))
    index = _read_index(store)
    digest = hashlib.sha256((store / name / MANIFEST).read_bytes()).hexdigest()
    _write_index(
        store,
        msgspec.structs.replace(
            index, bundles={**index.bundles, name: digest}, default=name if default else index.default
        ),
    )


def promote(name: str, store: Path | None = None) -> None:
    """Makes a bundle of any store the default, by the index of ``store``, the user's if not given."""
    _named(name)
    store = store or user_store()
    _write_index(store, msgspec.structs.replace(_read_index(store), default=name))


def _locate(name_or_path: str | Path | None) -> tuple[Path, str | None]:
    """Returns the folder of a bundle, and the sha256 that its store's index gives for its manifest."""
    if name_or_path is None:
        return _named(_default_name())
    if isinstance(name_or_path, Path) or re.search(r"[/\\]", name_or_path):
        return Path(name_or_path), None
    try:
        return _named(name_or_path)
    except BadBundle:
        if (folder := Path(name_or_path) / MANIFEST).is_file():
            return folder.parent, None
        raise


def _named(name: str | None) -> tuple[Path, str]:
    names: list[str] = []
    for store, index in _indexes():
        if name is not None and name in index.bundles:
            return store / name, index.bundles[name]
        names += index.bundles
    known = f"There are: {', '.join(sorted(set(names)))}." if names else "There are none yet."
    if name is None:
        raise BadBundle("No bundle is the default.", f"Name one, or make one the default with promote. {known}")
    raise BadBundle(
        f"There is no bundle {name!r}.", f"{known} Or give the path of a folder that holds {MANIFEST}, as in ./{name}."
    )


def _default_name() -> str | None:
    return next((index.default for _, index in _indexes() if index.default is not None), None)


def _list_one(store: Path, name: str, default: bool) -> Listed:
    try:
        return Listed(name, store, default, read_manifest(store / name)[0])
    except BadBundle as error:
        return Listed(name, store, default, None, error.message)


def _indexes() -> Iterator[tuple[Path, _Index]]:
    return ((store, _read_index(store)) for store in stores())


def _read_index(store: Path) -> _Index:
    path = store / INDEX
    try:
        index = msgspec.json.decode(path.read_bytes(), type=_Index)
    except FileNotFoundError:
        return _Index()
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadBundle(f"{path} is not the index of a store: {error}.", "Mend it, or move it away.") from error
    if index.format != 1:
        raise BadBundle(f"{path} has format {index.format}; this version knows 1.", "Upgrade compersion-nlp.")
    for name in index.bundles:
        _check_name(name)
    return index


def _write_index(store: Path, index: _Index) -> None:
    store.mkdir(parents=True, exist_ok=True)
    beside = store / f".{INDEX}.{os.getpid()}"
    content = msgspec.json.format(msgspec.json.encode(index, order="sorted"), indent=2) + b"\n"
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(store / INDEX)


def _check_name(name: str) -> str:
    if not re.match(NAME, name):
        raise BadBundle(
            f"{name!r} cannot be the name of a bundle.",
            "Allowed are up to 64 of a-z, 0-9, '.', '_' and '-', the first a letter or digit.",
        )
    return name
