"""Corpora by path: a file of annotations, a file of marks whose texts are elsewhere, or a split of a public set."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

from compersion_nlp.corpus.files import FORMAT_HINT, Corpus, Texts, corpus_bytes, corpus_name, read_lines, sound
from compersion_nlp.corpus.public import SOURCE, is_public, read_public, read_source
from compersion_nlp.corpus.settings import read_settings
from compersion_nlp.errors import BadConfig


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
    texts = joined_texts(path, data_dir) if settings.texts else None
    annotations = tuple(sound(path, line) for line in read_lines(data, settings.labels, texts))
    if not annotations:
        raise BadConfig(f"{path} holds no passages.", FORMAT_HINT)
    repeated = [id_ for id_, count in Counter(annotation.id for annotation in annotations).items() if count > 1]
    if repeated:
        raise BadConfig(
            f"{path}: the id {repeated[0]!r} is given to several passages (in all, {len(repeated)} ids are).",
            "Give each passage its own id.",
        )
    return Corpus(corpus_name(path), annotations, settings.labels, hashlib.sha256(data).hexdigest())


def joined_texts(path: Path, data_dir: Path | None = None) -> Texts:
    """Returns where the texts of the passages in ``path`` are looked up, as its folder's settings say."""
    corpora = [read_corpus(path.parent / name, data_dir) for name in read_settings(path.parent).texts]
    return {annotation.id: annotation.text for corpus in corpora for annotation in corpus.annotations}.get


def list_corpora(folder: Path) -> dict[str, tuple[Path, ...]]:
    """Returns the corpora under ``folder`` by name, each with its JSON-lines files or, for a public set, its splits."""
    found = {}
    for corpus in sorted(path for path in folder.glob("*") if path.is_dir()):
        if (corpus / SOURCE).is_file():
            found[corpus.name] = tuple(corpus / split for split in read_source(corpus).splits)
        else:
            found[corpus.name] = tuple(sorted(corpus.glob("*.jsonl")))
    return {name: files for name, files in found.items() if files}
