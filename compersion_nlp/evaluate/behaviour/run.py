"""Behavioural tests asked of a bundle."""

from __future__ import annotations

from collections import Counter

from compersion_nlp.errors import BadInput
from compersion_nlp.evaluate.behaviour.answers import read_texts
from compersion_nlp.evaluate.behaviour.files import Direction, Tests
from compersion_nlp.evaluate.behaviour.judge import judge_direction, judge_functionality, judge_invariance
from compersion_nlp.evaluate.behaviour.result import Behaviour
from compersion_nlp.evaluate.behaviour.swaps import Pair, make_pairs
from compersion_nlp.tagger import Tagger


def run_behaviour(tagger: Tagger, tests: Tests) -> Behaviour:
    """Returns how ``tagger`` did; raises BadInput if it reads no label that is asked for and no swap changes a passage.

    Each text is read once, however many tests it is in.
    """
    pairs = tuple(make_pairs(tests.invariance, tests.swaps))
    named = [{*test.felt, *test.not_felt} for test in tests.functionality] + [{test.label} for test in tests.direction]
    read = set(tagger.labels)
    skipped = sum(not labels & read for labels in named)
    if skipped == len(named) and not pairs:
        raise BadInput(
            f"Nothing in {tests.folder} can be asked of {tagger.model}.",
            f"It reads {', '.join(tagger.labels)}: no test names one of these, and no swap changes a passage.",
        )
    changes: tuple[Direction | Pair, ...] = (*tests.direction, *pairs)
    answers = read_texts(
        tagger,
        [test.text for test in tests.functionality] + [text for pair in changes for text in (pair.text, pair.changed)],
    )
    functionality, misread = judge_functionality(tests.functionality, answers)
    direction, unmoved = judge_direction(tests.direction, answers)
    invariance, flipped = judge_invariance(pairs, tests.swaps.slices, answers)
    return Behaviour(
        model=tagger.model,
        folder=tests.folder,
        sha256=tests.sha256,
        labels=tagger.labels,
        functionality=functionality,
        direction=direction,
        invariance=invariance,
        failures=(*misread, *unmoved, *flipped),
        unread=dict(sorted(Counter(label for labels in named for label in labels - read).items())),
        skipped=skipped,
    )
