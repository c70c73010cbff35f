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

    def without(self, texts: Set[str]) -> Auxiliary:
        """Returns the set without the rows that have one of ``texts``."""
        kept = np.array([text not in texts for text in self.texts], dtype=np.bool_)
        left = tuple(text for text, row in zip(self.texts, kept, strict=True) if row)
        return Auxiliary(self.name, left, self.labels, self.gold[kept])


class Part(msgspec.Struct, frozen=True, eq=False):
    """Passages of one or more corpora, with gold of shape (n, L): 1, 0 or nan where their corpus does not say.

    A group's name has the corpus before it that its passages come from, so that two corpora share a group only where
    one gives marks for passages of the other. ``mentioned``, of the shape of ``gold``, says whether a label is marked
    in any stance; a public set says nothing of what it does not mark. ``auxiliary`` are public sets that can be learned
    from beside them.
    """

    names: tuple[str, ...]
    annotations: tuple[Annotation, ...]
    gold: npt.NDArray[np.float32]
    mentioned: npt.NDArray[np.float32]
    auxiliary: tuple[Auxiliary, ...] = ()

    @classmethod
    def of(cls, texts: Sequence[str], gold: npt.NDArray[np.float32]) -> Part:
        """Returns a part of bare texts, each a group of its own, for a fitter that is used without a recipe."""
        numbered = enumerate(texts, start=1)
        annotations = (Annotation(str(number), text, KINDS[0], str(number), {}) for number, text in numbered)
        return cls((), tuple(annotations), gold, _only_felt(gold))

    @property
    def texts(self) -> list[str]:
        """The passages' texts."""
        return [annotation.text for annotation in self.annotations]

    @property
    def groups(self) -> tuple[str, ...]:
        """The passages' groups."""
        return tuple(annotation.group for annotation in self.annotations)

    def only(self, rows: npt.NDArray[np.bool_]) -> Part:
        """Returns the part with only the rows that are true, of shape (n,); their public sets lose the other texts."""
        kept = tuple(annotation for annotation, row in zip(self.annotations, rows, strict=True) if row)
        dropped = {annotation.text for annotation, row in zip(self.annotations, rows, strict=True) if not row}
        auxiliary = tuple(one.without(dropped) for one in self.auxiliary)
        return Part(self.names, kept, self.gold[rows], self.mentioned[rows], auxiliary)


class Data(msgspec.Struct, frozen=True, eq=False):
    """What a recipe learns from and decides on; ``dev`` is empty where it deals ``train`` into folds.

    ``reports`` are the corpora that the finished bundle is measured on, each with its path as the recipe has it.
    """

    train: Part
    dev: Part
    uses: dict[str, CorpusUse]
    reports: tuple[tuple[str, Corpus], ...] = ()


def read_data(recipe: Recipe, folder: Path, data_dir: Path | None = None) -> Data:
    """Returns a recipe's data, its paths taken from ``folder``, public sets from ``data_dir`` or the hub.

    Public sets are learned from without the texts that are decided or reported on. Raises BadConfig if a corpus is not
    sound, is named twice, has a group both in train and in dev, or is to be reported on and is also in the data.
    """
    train = _read_corpora(recipe.data.train, folder, data_dir)
    dev = _read_corpora(recipe.data.dev, folder, data_dir)
    reports = _read_corpora(recipe.report.corpora, folder, data_dir)
    _refuse_repeats([*train, *dev, *reports])
    learned, held = _join(train, recipe.labels), _join(dev, recipe.labels)
    public = [read_native(folder / path, data_dir) for path in recipe.data.auxiliary]
    unseen = {text for corpus in reports for text in corpus.texts} | set(held.texts)
    learned = msgspec.structs.replace(learned, auxiliary=_auxiliaries(public, unseen))
    if recipe.data.dev_share is not None:
        learned, held = _hold_out(learned, recipe.data.dev_share, recipe.seed)
    _refuse_shared_groups(learned, held)
    uses = {corpus.name: CorpusUse(corpus.sha256, len(corpus.annotations), "train") for corpus in train}
    uses |= {corpus.name: CorpusUse(corpus.sha256, len(corpus.annotations), "dev") for corpus in dev}
    uses |= {one.name: CorpusUse(one.sha256, len(one.texts), "auxiliary") for one in public if one.name not in uses}
    return Data(learned, held, uses, tuple(zip(recipe.report.corpora, reports, strict=True)))


def _read_corpora(paths: Iterable[str], folder: Path, data_dir: Path | None) -> list[Corpus]:
    return [read_corpus(folder / path, data_dir) for path in paths]


def _auxiliaries(public: Sequence[NativeSet], unseen: Set[str]) -> tuple[Auxiliary, ...]:
    """Returns public sets to learn from, without the texts that the bundle is decided or measured on."""
    names = [one.name.partition("/")[0] for one in public]
    if twice := sorted(name for name in set(names) if names.count(name) > 1):
        raise BadConfig(f"data.auxiliary names two splits of {twice[0]}.", "Name one split of each public set.")
    sets = []
    for name, one in zip(names, public, strict=True):
        marks = np.array([[label in marked for label in one.labels] for marked in one.marks], dtype=np.float32)
        sets.append(Auxiliary(name, one.texts, one.labels, marks).without(unseen))
    return tuple(sets)


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
    empty = np.empty((0, len(labels)), dtype=np.float32)
    marks = [gold(corpus.annotations, labels, corpus.labels) for corpus in corpora]
    mentions = [_mentioned(corpus, labels, felt) for corpus, felt in zip(corpora, marks, strict=True)]
    names = tuple(corpus.name for corpus in corpora)
    return Part(names, tuple(annotations), np.concatenate([empty, *marks]), np.concatenate([empty, *mentions]))


def _mentioned(corpus: Corpus, labels: Sequence[str], felt: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    if corpus.public:
        return _only_felt(felt)
    marks = [[label in annotation.feelings for label in labels] for annotation in corpus.annotations]
    known = np.array(marks, dtype=np.float32).reshape(felt.shape)
    return np.where(np.isnan(felt), felt, known)


def _only_felt(gold: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Returns what is known of mentions where only what is felt was marked: that the felt is mentioned."""
    return np.where(gold > 0, gold, np.float32(np.nan))


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
