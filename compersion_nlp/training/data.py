"""The passages that a recipe names, with their gold, parted into what is learned from and what is decided on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from compersion_nlp.bundle import CorpusUse
from compersion_nlp.corpus import KINDS, Corpus, NativeSet, gold, read_corpus, read_native, split_by_group
from compersion_nlp.errors import BadConfig
from compersion_nlp.records import Annotation
from compersion_nlp.training.recipe import Recipe


class Auxiliary(msgspec.Struct, frozen=True, eq=False):
    """Texts of a public set with the set's own ``labels``; ``gold``, of shape (n, K), is 1 or 0."""

    name: str
    texts: tuple[str, ...]
    labels: tuple[str, ...]
    gold: npt.NDArray[np.float32]


class Part(msgspec.Struct, frozen=True, eq=False):
    """Passages of one or more corpora, with gold of shape (n, L): 1, 0 or nan where their corpus does not say.

    A group's name has the corpus before it that its passages come from, so that two corpora share a group only where
    one gives marks for passages of the other. ``auxiliary`` are public sets that can be learned from beside them.
    """

    names: tuple[str, ...]
    annotations: tuple[Annotation, ...]
    gold: npt.NDArray[np.float32]
    auxiliary: tuple[Auxiliary, ...] = ()

    @classmethod
    def of(cls, texts: Sequence[str], gold: npt.NDArray[np.float32]) -> Part:
        """Returns a part of bare texts, each a group of its own, for a fitter that is used without a recipe."""
        numbered = enumerate(texts, start=1)
        annotations = (Annotation(str(number), text, KINDS[0], str(number), {}) for number, text in numbered)
        return cls((), tuple(annotations), gold)

    @property
    def texts(self) -> list[str]:
        """The passages' texts."""
        return [annotation.text for annotation in self.annotations]

    @property
    def groups(self) -> tuple[str, ...]:
        """The passages' groups."""
        return tuple(annotation.group for annotation in self.annotations)

    def only(self, rows: npt.NDArray[np.bool_]) -> Part:
        """Returns the part with only the rows that are true, of shape (n,)."""
        kept = tuple(annotation for annotation, row in zip(self.annotations, rows, strict=True) if row)
        return Part(self.names, kept, self.gold[rows], self.auxiliary)


class Data(msgspec.Struct, frozen=True, eq=False):
    """What a recipe learns from and decides on; ``dev`` is empty where it deals ``train`` into folds."""

    train: Part
    dev: Part
    uses: dict[str, CorpusUse]


def read_data(recipe: Recipe, folder: Path, data_dir: Path | None = None) -> Data:
    """Returns a recipe's data, its paths taken from ``folder``, public sets from ``data_dir`` or the hub.

    Raises BadConfig if a corpus is not sound, is named twice, or has a group both in train and in dev.
    """
    train = _read_corpora(recipe.data.train, folder, data_dir)
    dev = _read_corpora(recipe.data.dev, folder, data_dir)
    _refuse_repeats([*train, *dev])
    learned, held = _join(train, recipe.labels), _join(dev, recipe.labels)
    public = [read_native(folder / path, data_dir) for path in recipe.data.auxiliary]
    unseen = {text for path in recipe.report.corpora for text in read_corpus(folder / path, data_dir).texts}
    unseen |= set(held.texts)
    learned = msgspec.structs.replace(learned, auxiliary=tuple(_auxiliary(one, unseen) for one in public))
    if recipe.data.dev_share is not None:
        learned, held = _hold_out(learned, recipe.data.dev_share, recipe.seed)
    _refuse_shared_groups(learned, held)
    uses = {corpus.name: CorpusUse(corpus.sha256, len(corpus.annotations), "train") for corpus in train}
    uses |= {corpus.name: CorpusUse(corpus.sha256, len(corpus.annotations), "dev") for corpus in dev}
    uses |= {one.name: CorpusUse(one.sha256, len(one.texts), "auxiliary") for one in public if one.name not in uses}
    return Data(learned, held, uses)


def _read_corpora(paths: Iterable[str], folder: Path, data_dir: Path | None) -> list[Corpus]:
    return [read_corpus(folder / path, data_dir) for path in paths]


def _auxiliary(public: NativeSet, unseen: Set[str]) -> Auxiliary:
    """Returns a public set to learn from, without the texts that the bundle is decided or measured on."""
    kept = [(text, marked) for text, marked in zip(public.texts, public.marks, strict=True) if text not in unseen]
    marks = np.array([[label in marked for label in public.labels] for _, marked in kept], dtype=np.float32)
    return Auxiliary(public.name.partition("/")[0], tuple(text for text, _ in kept), public.labels, marks)


def _refuse_repeats(corpora: Sequence[Corpus]) -> None:
    digests: dict[str, str] = {}
    for corpus in corpora:
        if corpus.name in digests.values():
            raise BadConfig(f"Two corpora are called {corpus.name}.", "Rename the folder or the file of one of them.")
        if corpus.sha256 in digests:
            raise BadConfig(
                f"The corpora {digests[corpus.sha256]} and {corpus.name} are the same file.", "Name each corpus once."
            )
        digests[corpus.sha256] = corpus.name


def _home(corpus: Corpus) -> str:
    return corpus.origin or corpus.name.partition("/")[0]


def _join(corpora: Sequence[Corpus], labels: Sequence[str]) -> Part:
    annotations = [
        msgspec.structs.replace(annotation, group=f"{_home(corpus)}/{annotation.group}")
        for corpus in corpora
        for annotation in corpus.annotations
    ]
    marks = [gold(corpus.annotations, labels, corpus.labels) for corpus in corpora]
    empty = np.empty((0, len(labels)), dtype=np.float32)
    return Part(tuple(corpus.name for corpus in corpora), tuple(annotations), np.concatenate([empty, *marks]))


def _hold_out(part: Part, share: float, seed: int) -> tuple[Part, Part]:
    _, held = split_by_group(part.annotations, share, seed)
    groups = {annotation.group for annotation in held}
    rows = np.array([group in groups for group in part.groups])
    return part.only(~rows), part.only(rows)


def _refuse_shared_groups(train: Part, dev: Part) -> None:
    if shared := sorted(set(train.groups) & set(dev.groups)):
        raise BadConfig(
            f"{len(shared)} groups have passages both in train and in dev, the first {shared[0]!r}.",
            "A group stays in one split: move its passages, or use dev_share.",
        )
