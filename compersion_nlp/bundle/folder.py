"""One bundle on disk: verified before anything in it is opened, and written whole or not at all.

Nothing is unpickled, and nothing downloaded.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from compersion_nlp.bundle.manifest import (
    MANIFEST,
    WHOLE,
    FileDigest,
    Manifest,
    read_manifest,
    write_manifest,
)
from compersion_nlp.decision import Decision
from compersion_nlp.errors import BadBundle, CompersionError
from compersion_nlp.registry import SCORERS
from compersion_nlp.scorers.protocol import SavableScorer, Scorer


class Bundle(msgspec.Struct, frozen=True):
    """A loaded bundle; ``digest`` is the sha256 of its ``manifest.json``, which vouches for all its files."""

    manifest: Manifest
    scorer: Scorer
    folder: Path
    digest: str

    @property
    def decision(self) -> Decision:
        """How the labels are decided, columns in the order of the labels."""
        return Decision({label: self.manifest.decision[label] for label in self.manifest.labels})


def verify_bundle(folder: Path, pin: str | None = None) -> Manifest:
    """Returns the manifest of a bundle that is what its manifest says, file by file.

    ``pin`` is the sha256 that the manifest itself must have. Raises BadBundle at the first thing that is off.
    """
    return _verify(folder, pin)[0]


def open_bundle(folder: Path, pin: str | None = None, edited: Collection[str] = ()) -> Bundle:
    """Returns the bundle in ``folder``, verified before its scorer opens a file.

    ``edited`` names files that a person may have changed since, and that are not compared with their digests.
    Raises BadBundle if it is not sound, and what the registry raises if its scorer cannot be imported.
    """
    manifest, digest = _verify(folder, pin, edited)
    if manifest.scorer not in (names := SCORERS.names()):
        raise BadBundle(
            f"{folder / MANIFEST}: $.scorer is {manifest.scorer!r}, which is not installed.",
            f"Install the package that provides it. Installed: {', '.join(names)}.",
        )
    scorer = _load_scorer(folder, manifest)
    _check_scorer_labels(scorer, manifest, folder)
    return Bundle(manifest, scorer, folder, digest)


def write_bundle(
    folder: Path, manifest: Manifest, scorer: SavableScorer, extra_files: Mapping[str, bytes] | None = None
) -> Manifest:
    """Writes a bundle and returns its manifest with the digests of its files.

    The manifest comes without files. The bundle is built beside ``folder`` and then swapped in, so that an old one
    stays until the new one is whole; the same input gives the same bytes. Raises BadBundle if the scorer's labels
    are not the manifest's, or if ``folder`` holds a file that is neither the old bundle's nor in the new one.
    """
    _check_scorer_labels(scorer, manifest, folder)
    with _swapped_in(folder) as built:
        scorer.save(built)
        for name, content in (extra_files or {}).items():
            if Path(name).name != name or (built / name).exists():
                raise BadBundle(f"{folder}: the extra file {name!r} is taken, or no plain name.", "Rename it.")
            (built / name).write_bytes(content)
        files = {name: digest_file(path) for name, path in list_files(built).items()}
        manifest = msgspec.structs.replace(manifest, files=files)
        _refuse_losses(folder, files)
        (built / MANIFEST).write_bytes(write_manifest(manifest, folder / MANIFEST))
    return manifest


def copy_bundle(source: Path, target: Path) -> Manifest:
    """Copies a verified bundle, verifies the copy and swaps it in; returns its manifest."""
    manifest = verify_bundle(source)
    with _swapped_in(target) as built:
        for name in (MANIFEST, *manifest.files):
            shutil.copyfile(source / name, built / name)
        _refuse_losses(target, manifest.files)
        return verify_bundle(built)


def list_files(folder: Path) -> dict[str, Path]:
    """Returns the regular files of ``folder`` by name; raises BadBundle for a link, a folder or a special file."""
    found: dict[str, Path] = {}
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_symlink() or not entry.is_file(follow_symlinks=False):
                raise BadBundle(
                    f"{folder} holds {entry.name!r}, which is not a regular file.",
                    "A bundle holds files only: no folders, links or devices.",
                )
            found[entry.name] = Path(entry.path)
    return found


def digest_file(path: Path) -> FileDigest:
    """Returns the size and sha256 of a file."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return FileDigest(size=file.tell(), sha256=sha256)


def _load_scorer(folder: Path, manifest: Manifest) -> Scorer:
    load = SCORERS.get(manifest.scorer)
    try:
        scorer: Scorer = load(folder, manifest.labels)
    except CompersionError:
        raise
    except Exception as error:  # a stranger's loader can fail in any way
        found = f"{type(error).__name__}: {error}"
        raise BadBundle(f"{folder}: the scorer {manifest.scorer!r} cannot read its files: {found}", WHOLE) from error
    return scorer


def _verify(folder: Path, pin: str | None, edited: Collection[str] = ()) -> tuple[Manifest, str]:
    manifest, content = read_manifest(folder)
    digest = hashlib.sha256(content).hexdigest()
    if pin is not None and digest != pin:
        raise BadBundle(
            f"{folder / MANIFEST} has the sha256 {digest}; its store's index.json says {pin}.",
            "Somebody changed one of the two. Get the bundle again from where it came from.",
        )
    found = list_files(folder)
    expected = {MANIFEST, *manifest.files}
    if odd := sorted(set(found) ^ expected):
        kind = "is missing" if odd[0] in expected else "is not in the manifest"
        raise BadBundle(f"{folder}: the file {odd[0]!r} {kind}.", WHOLE)
    for name, promised in manifest.files.items():
        if name not in edited:
            _check_file(found[name], promised)
    return manifest, digest


def _check_file(path: Path, promised: FileDigest) -> None:
    if (size := path.stat().st_size) != promised.size:
        raise BadBundle(f"{path} has {size} bytes; the manifest says {promised.size}.", WHOLE)
    if (found := digest_file(path).sha256) != promised.sha256:
        raise BadBundle(f"{path} has the sha256 {found}; the manifest says {promised.sha256}.", WHOLE)


def _check_scorer_labels(scorer: Scorer, manifest: Manifest, folder: Path) -> None:
    if scorer.labels != manifest.labels:
        raise BadBundle(
            f"{folder}: the scorer has the labels {', '.join(scorer.labels)}; "
            f"the manifest says {', '.join(manifest.labels)}.",
            "The two must be equal, in order too.",
        )


def _refuse_losses(folder: Path, files: Mapping[str, FileDigest]) -> None:
    """Raises BadBundle if replacing ``folder`` would lose something that no manifest knows."""
    if not folder.exists():
        return
    kept = set(files.values())
    found = list_files(folder)
    with suppress(BadBundle):
        kept |= set(read_manifest(folder)[0].files.values())
        del found[MANIFEST]
    for name, path in found.items():
        if digest_file(path) not in kept:
            raise BadBundle(
                f"{folder} holds {name!r}, which is neither part of a bundle there nor of the one to be written.",
                "Move it away, or write the bundle elsewhere.",
            )


@contextmanager
def _swapped_in(folder: Path) -> Iterator[Path]:
    """Yields an empty folder beside ``folder``, which takes its place if the block ends without an error."""
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    built, old = (folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.{kind}") for kind in ("new", "old"))
    built.mkdir()
    try:
        yield built
        for path in list_files(built).values():
            with path.open("r+b") as file:
                os.fsync(file.fileno())
        _swap(built, folder, old)
    finally:
        shutil.rmtree(built, ignore_errors=True)


def _swap(built: Path, folder: Path, old: Path) -> None:
    if folder.exists():
        folder.rename(old)
    try:
        built.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
