"""What a file of a corpus amounts to, beside the bounds that its settings set."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec

from compersion_nlp.corpus import Least, Most, felt_minima, labels_of, word_count
from compersion_nlp.corpus_checks.describe import StanceCounts, count_stances
from compersion_nlp.corpus_checks.placed import Problem
from compersion_nlp.corpus_checks.sameness import Recurring, openings, recurring_runs
from compersion_nlp.labels import FELT, SCHEME
from compersion_nlp.lexicon import default_lexicon
from compersion_nlp.records import Annotation

LONG_PASSAGE = range(40, 301)  # words
FEWEST_WITH_WORD = 30  # passages with a word of a label's family, for the share felt among them to say anything


class Measures(msgspec.Struct, frozen=True):
    """Figures of one file; shares lie between 0 and 1, and are nan where there is nothing to share.

    ``implied`` is the share of felt marks whose label has no word of its own family in the passage (the families are
    those of the lexicon); ``word_felt`` gives, by label, the share of passages with such a word in which the label is
    felt: near 1, the word alone would give the answer away. ``style_auc`` is how well the file is told from the
    corpus's train file by style alone, None where it is the train file or none is there.
    """

    passages: int
    groups: int
    long_passages: int
    nothing_felt: float
    implied: float
    word_felt: dict[str, float]
    recurring_runs: Recurring
    openings: Recurring
    style_auc: float | None = None


def measure(annotations: Sequence[Annotation], style_auc: float | None = None) -> Measures:
    """Returns the figures of a file's passages."""
    named_in = default_lexicon().named_in
    marks = [(annotation.felt, named_in(annotation.text)) for annotation in annotations]
    return Measures(
        passages=len(annotations),
        groups=len({annotation.group for annotation in annotations}),
        long_passages=sum(word_count(annotation.text) in LONG_PASSAGE for annotation in annotations),
        nothing_felt=share(not annotation.felt for annotation in annotations),
        implied=share(label not in named for felt, named in marks for label in felt),
        word_felt=_word_felt(marks),
        recurring_runs=recurring_runs(annotations),
        openings=openings(annotations),
        style_auc=style_auc,
    )


def _word_felt(marks: Sequence[tuple[Collection[str], Collection[str]]]) -> dict[str, float]:
    """Returns label to the share felt among passages (felt, named) that name it; labels named in few are left out."""
    with_word = {label: [label in felt for felt, named in marks if label in named] for label in SCHEME.names}
    return {label: share(found) for label, found in with_word.items() if len(found) >= FEWEST_WITH_WORD}


def share(found: Iterable[bool]) -> float:
    """Returns how many of the values are true, 0 to 1; nan of none."""
    values = list(found)
    return sum(values) / len(values) if values else float("nan")


def too_few(
    file: str, annotations: Sequence[Annotation], least: Least, labels: Sequence[str] = SCHEME.names
) -> Iterator[Problem]:
    """Yields what falls short of the minima that need no texts; ``labels`` are those that are annotated."""

    def short(what: str, found: int, minimum: int) -> Iterator[Problem]:
        if found < minimum:
            yield Problem("minima", file, f"{what}: {found}; at least {minimum} are asked for")

    stances = count_stances(annotations)
    yield from short("passages", len(annotations), least.passages)
    yield from short("groups", len({annotation.group for annotation in annotations}), least.groups)
    for label, minimum in felt_minima(least).items():
        if label in labels:
            yield from short(f"{label} felt", stances[label][FELT], minimum)
    for pair, minimum in least.felt_together.items():
        together = sum(set(labels_of(pair)) <= set(annotation.felt) for annotation in annotations)
        yield from short(f"{pair} felt together", together, minimum)
    for stance, found in _by_stance(stances).items():
        if stance != FELT:
            yield from short(stance, found, least.stance)
    yield from _low_share(
        file, "nothing felt", share(not annotation.felt for annotation in annotations), least.nothing_felt
    )


def too_little(file: str, measures: Measures, least: Least) -> Iterator[Problem]:
    """Yields what falls short of the minima that need the texts."""
    if measures.long_passages < least.long_passages:
        yield Problem(
            "minima", file, f"long passages: {measures.long_passages}; at least {least.long_passages} are asked for"
        )
    yield from _low_share(file, "implied", measures.implied, least.implied)


def _low_share(file: str, what: str, found: float, minimum: float) -> Iterator[Problem]:
    if found < minimum:
        yield Problem("minima", file, f"{what}: {found:.1%}; at least {minimum:.1%} is asked for")


def _by_stance(stances: StanceCounts) -> dict[str, int]:
    return {stance: sum(counts[stance] for counts in stances.values()) for stance in SCHEME.stance_names}


def too_much(file: str, measures: Measures, most: Most) -> Iterator[Problem]:
    """Yields what goes past the bounds on sameness."""
    if (found := measures.recurring_runs).share > most.recurring_runs:
        yield Problem(
            "sameness",
            file,
            f"{found.share:.1%} of the passages share a run of five words with another; at most "
            f"{most.recurring_runs:.1%} may. The most frequent: {_listed(found)}",
        )
    if (found := measures.openings).share > most.opening:
        yield Problem(
            "sameness",
            file,
            f"{found.share:.1%} of the passages open alike; at most {most.opening:.1%} may: {_listed(found)}",
        )
    for label, felt in measures.word_felt.items():
        if felt > most.word_felt:
            yield Problem(
                "leakage",
                file,
                f"{label} is felt in {felt:.1%} of the passages with a word of its family; "
                f"at most {most.word_felt:.1%} may be",
            )
    if measures.style_auc is not None and measures.style_auc > most.style_auc:
        yield Problem(
            "style",
            file,
            f"told from train by its style (AUC {measures.style_auc:.2f}); at most {most.style_auc:.2f} is allowed",
        )


def _listed(found: Recurring) -> str:
    return ", ".join(f"{phrase!r} ({count})" for phrase, count in found.most[:3])
