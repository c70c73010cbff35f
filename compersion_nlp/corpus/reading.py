"""Corpora by path: a file of annotations, a file of marks whose passages are elsewhere, or a split of a public set."""

from __future__ import annotations

import hashlib
from pathlib import Path

from compersion_nlp.corpus.files import (
    Corpus,
    Sources,
    check_ids,
    corpus_bytes,
    corpus_name,
    read_lines,
    sound,
)
from compersion_nlp.corpus.public import SOURCE, is_public, public_file, read_public, read_source
from compersion_nlp.corpus.settings import SETTINGS, read_settings
from compersion_nlp.errors import BadConfig
from compersion_nlp.records import Annotation

BEHAVIOUR = frozenset(("functionality", "direction", "invariance"))  # what files of behavioural tests are called


def read_corpus(path: Path, data_dir: Path | None = None) -> Corpus:
    """Returns the corpus in a JSON-lines file, or a split of a public set (``corpora/goemotions/train``).

    ``data_dir`` is the folder that holds public sets; without it they come from the hub.
    Raises BadConfig naming file, line and key where a line is no annotation, marks a label that
    the scheme or the corpus does not have, or repeats an id, and where the file cannot be read; BadInput if a
    public set cannot be had, and MissingExtra without the package that reads it.
    """
    if is_public(path):
        return read_public(path, data_dir)
    data = corpus_bytes(path)
    settings = read_settings(path.parent)
    sources, origin = find_sources(path.parent, data_dir) if settings.texts else (None, "")
    annotations = tuple(sound(path, line) for line in read_lines(data, settings.labels, sources))
    check_ids(path, annotations)
    return Corpus(corpus_name(path), annotations, settings.labels, hashlib.sha256(data).hexdigest(), origin)


def find_sources(folder: Path, data_dir: Path | None = None) -> tuple[Sources, str]:
    """Returns where the passages of a folder's marks are looked up by id, and the name of the folder that has them.

    Raises BadConfig if the corpora that its settings name lie in several folders, share an id or give marks only.
    """
    passages: dict[str, Annotation] = {}
    paths = [folder / name for name in read_settings(folder).texts]
    homes = {path.parent.resolve() for path in paths}
    if len(homes) > 1 or any(read_settings(home).texts for home in homes):
        raise BadConfig(
            f"{folder / SETTINGS}: texts: the texts must lie in one folder, and be there as texts.",
            "Name files, or splits of a public set, of one folder that has the passages themselves.",
        )
    for path in paths:
        found = {annotation.id: annotation for annotation in read_corpus(path, data_dir).annotations}
        if shared := passages.keys() & found.keys():
            raise BadConfig(f"{path} and another source share the id {min(shared)!r}.", "An id names one passage.")
        passages |= found
    return passages.get, homes.pop().name


def texts_at_hand(folder: Path, data_dir: Path | None = None) -> bool:
    """Whether all passages of a folder's marks can be read without fetching anything."""
    paths = [folder / name for name in read_settings(folder).texts]
    return all(path.is_file() or (data_dir is not None and public_file(path, data_dir).is_file()) for path in paths)


def list_corpora(folder: Path) -> dict[str, tuple[Path, ...]]:
    """Returns the corpora under ``folder`` by name, each with its JSON-lines files or, for a public set, its splits.

    A public set whose description is not sound has that file in their place. Behavioural tests are no corpus.
    """
    found = {}
    for corpus in sorted(path for path in folder.glob("*") if path.is_dir()):
        if (corpus / SOURCE).is_file():
            found[corpus.name] = _splits(corpus)
        else:
            files = tuple(sorted(corpus.glob("*.jsonl")))
            found[corpus.name] = () if {file.stem for file in files} <= BEHAVIOUR else files
    return {name: files for name, files in found.items() if files}


def _splits(corpus: Path) -> tuple[Path, ...]:
    try:
        return tuple(corpus / split for split in read_source(corpus).splits)
    except BadConfig:
        return (corpus / SOURCE,)
