"""What explains readings: mentions with their stances, and evidence. Looked for only where something was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from compersion_nlp.bundle import Bundle
from compersion_nlp.decision import Decided
from compersion_nlp.evidence import Windowed, find_evidence
from compersion_nlp.learned import decide_unfelt, learn_mentions
from compersion_nlp.lexicon import Lexicon, default_lexicon
from compersion_nlp.mentions import Learned
from compersion_nlp.records import Mention, Span
from compersion_nlp.scorers.protocol import Answers, Scorer, Trace
from compersion_nlp.scorers.rules import RulesScorer
from compersion_nlp.scoring import Scored, find_unfelt
from compersion_nlp.stance import Cues, default_cues, find_mentions
from compersion_nlp.text import bounded_memory, parse, sentences


class Traced(NamedTuple):
    """What a scorer that knows stances says of a text's windows: its answers, and the trace of each."""

    answers: Answers
    traces: Sequence[Trace]


class Explained(NamedTuple):
    """What explains one reading.

    ``mentions`` are those by the rules; ``learned``, by column, is what the scorer says of labels that are mentioned
    and not felt, None where it does not know stances. ``evidence`` has the sentences of each felt label, by column.
    """

    mentions: Sequence[Mention]
    learned: Mapping[int, Learned] | None
    evidence: Mapping[int, tuple[Span, ...]]


NOTHING = Explained((), {}, {})


def explain(
    bundle: Bundle, texts: Sequence[str], scored: Sequence[Scored], felt: Decided, traced: Sequence[Traced] | None
) -> list[Explained]:
    """Returns what explains the readings of texts, of whose labels ``felt``, of shape (n, L), are felt.

    A text in which a scorer that knows stances finds nothing felt and nothing mentioned is not looked at again.
    """
    columns = [np.flatnonzero(row).tolist() for row in felt]
    if traced is None:
        windowed, mentions = _parse_all(bundle.scorer, texts, scored, columns, [None] * len(texts))
        evidence = find_evidence(bundle.scorer, bundle.decision, windowed)
        return [Explained(found, None, spans) for found, spans in zip(mentions, evidence, strict=True)]
    unfelt = [find_unfelt(one.answers) for one in traced]
    mentioned = decide_unfelt(bundle.manifest, unfelt, felt)
    rows = np.flatnonzero(felt.any(axis=1) | mentioned.any(axis=1)).tolist()
    windowed, mentions = _parse_all(
        bundle.scorer,
        [texts[row] for row in rows],
        [scored[row] for row in rows],
        [columns[row] for row in rows],
        [traced[row] for row in rows],
    )
    evidence = find_evidence(bundle.scorer, bundle.decision, windowed)
    explained = [NOTHING] * len(texts)
    for row, passage, found, spans in zip(rows, windowed, mentions, evidence, strict=True):
        learned = learn_mentions(passage, unfelt[row], np.flatnonzero(mentioned[row]).tolist())
        explained[row] = Explained(found, learned, spans)
    return explained


def _parse_all(
    scorer: Scorer,
    texts: Sequence[str],
    scored: Sequence[Scored],
    columns: Sequence[Sequence[int]],
    traced: Sequence[Traced | None],
) -> tuple[list[Windowed], list[tuple[Mention, ...]]]:
    """Returns texts with their sentences, as evidence is looked for in them, and their mentions by the rules."""
    lexicon, cues = _words_of(scorer)  # compiled before the block, or they would not outlive it
    windowed, mentions = [], []
    with bounded_memory():
        for text, (spans, logits), felt, one in zip(texts, scored, columns, traced, strict=True):
            doc = parse(text)
            mentions.append(tuple(find_mentions(doc, lexicon, cues)))
            windowed.append(Windowed(text, spans, logits, sentences(doc), felt, None if one is None else one.traces))
    return windowed, mentions


def _words_of(scorer: Scorer) -> tuple[Lexicon, Cues]:
    """Returns what the scorer itself reads by, so that mentions speak of the words that it judged; else our own."""
    rules = getattr(scorer, "rules", scorer)
    return (rules.lexicon, rules.cues) if isinstance(rules, RulesScorer) else (default_lexicon(), default_cues())
