"""Evaluations, comparisons and behavioural tests as tables of text, as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan

import msgspec

from compersion_nlp.evaluate.behaviour.render import behaviour_notes, behaviour_tables
from compersion_nlp.evaluate.behaviour.result import Behaviour
from compersion_nlp.evaluate.comparison import Comparison, Difference
from compersion_nlp.evaluate.evaluation import Evaluation, Row
from compersion_nlp.evaluate.explanations import Explanations
from compersion_nlp.evaluate.explanations_render import explanation_notes, explanation_tables
from compersion_nlp.evaluate.slices import SliceRow
from compersion_nlp.evaluate.table import UNDEFINED, Table, show_figure, show_interval
from compersion_nlp.evaluate.table import markdown_table as markdown_table

Result = Evaluation | Comparison | Behaviour | Explanations

PROVISIONAL = " *"


def tables(result: Result) -> tuple[Table, ...]:
    """Returns the tables of a result, ready to be drawn; a figure that is not defined is a dash."""
    match result:
        case Comparison():
            return _comparison_tables(result)
        case Behaviour():
            return behaviour_tables(result)
        case Explanations():
            return explanation_tables(result)
    return (_label_table(result), _slice_table(result), _stance_table(result))


def notes(result: Result) -> tuple[str, ...]:
    """Returns what a reader of the tables has to know, a sentence each; warnings come first."""
    match result:
        case Comparison():
            return tuple(_comparison_notes(result))
        case Behaviour():
            return tuple(behaviour_notes(result))
        case Explanations():
            return tuple(explanation_notes(result))
    return tuple(_evaluation_notes(result))


def to_markdown(result: Result) -> str:
    """Returns the result as a Markdown page."""
    parts = [f"# {_title(result)}", "\n".join(f"- {note}" for note in notes(result))]
    parts.extend(f"## {table.title}\n\n{markdown_table(table)}" for table in tables(result))
    return "\n\n".join(parts) + "\n"


def _title(result: Result) -> str:
    match result:
        case Comparison():
            return f"{result.a} against {result.b} on {result.corpus}"
        case Behaviour():
            return f"{result.model} on {result.folder}"
        case Explanations():
            return f"Explanations of {result.model} on {result.corpus}"
    return f"{result.model} on {result.corpus}"


def to_json(result: Result) -> bytes:
    """Returns the result as indented JSON; a figure that is not defined is null."""
    return msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n"


def _label_table(result: Evaluation) -> Table:
    header = ("label", "gold", "read", "prec.", "recall", "F1", "F1 95 %", "AP", "AP 95 %", "Brier", "ECE")
    rows = (*result.labels, result.micro, result.macro)
    return Table("Labels", header, tuple(_label_cells(row) for row in rows))


def _label_cells(row: Row) -> tuple[str, ...]:
    return (
        row.name + PROVISIONAL * row.provisional,
        str(row.support),
        str(row.decided),
        show_figure(row.precision),
        show_figure(row.recall),
        show_figure(row.f1),
        show_interval(row.f1_interval),
        show_figure(row.average_precision),
        show_interval(row.average_precision_interval),
        show_figure(row.brier, 3),
        show_figure(row.calibration_error, 3),
    )


def _slice_table(result: Evaluation) -> Table:
    header = ("slice", "", "texts", "gold", "prec.", "recall", "micro F1", "95 %", "macro F1", "false alarm")
    return Table("Slices", header, tuple(_slice_cells(row) for row in result.slices), names=2)


def _slice_cells(row: SliceRow) -> tuple[str, ...]:
    return (
        row.family,
        row.name,
        str(row.passages),
        str(row.support),
        show_figure(row.precision),
        show_figure(row.recall),
        show_figure(row.micro_f1),
        show_interval(row.micro_f1_interval),
        show_figure(row.macro_f1),
        show_figure(row.false_alarm),
    )


def _stance_table(result: Evaluation) -> Table:
    rows = tuple((row.stance, str(row.mentions), show_figure(row.read_as_felt)) for row in result.stances)
    return Table("Stances", ("stance", "mentions", "read as felt"), rows)


def _evaluation_notes(result: Evaluation) -> Iterator[str]:
    if result.warning:
        yield result.warning
    yield (
        f"{result.passages} passages in {result.groups} groups; intervals: 95 % percentile bootstrap by group, "
        f"{result.resamples} resamples, seed {result.seed}; ECE over {result.calibration_bins} bins of equal width."
    )
    yield "gold: passages that carry the label; read: passages in which the model reads it; AP: average precision."
    if result.contrasts:
        yield (
            f"Groups whose passages differ in gold: {result.contrasts.groups}; right in every passage, on the labels "
            f"that differ: {result.contrasts.consistency:.1%}."
        )
    if any(row.provisional for row in result.labels):
        yield f"{PROVISIONAL.strip()} provisional: calibrated on too few examples to trust its probabilities."
    if result.without_gold:
        yield f"Without gold, and left out of macro: {', '.join(result.without_gold)}."
    if result.unread:
        yield f"Not read by the model, and left out: {', '.join(result.unread)}."
    if result.unannotated:
        yield f"Not annotated in the corpus, and left out: {', '.join(result.unannotated)}."


def _comparison_tables(result: Comparison) -> tuple[Table, ...]:
    header = ("figure", result.a, result.b, "difference", "95 %", "first is better")
    return (
        Table("Totals", header, tuple(_difference_cells(row) for row in result.totals)),
        Table("F1 by label", header, tuple(_difference_cells(row) for row in result.labels)),
    )


def _difference_cells(row: Difference) -> tuple[str, ...]:
    bounds = UNDEFINED if row.interval is None else f"{row.interval.low:+.2f} to {row.interval.high:+.2f}"
    better = UNDEFINED if isnan(row.a_better) else f"{row.a_better:.1%}"
    return (row.name, show_figure(row.a), show_figure(row.b), show_figure(row.difference, sign=True), bounds, better)


def _comparison_notes(result: Comparison) -> Iterator[str]:
    yield (
        f"{result.passages} passages in {result.groups} groups; intervals: paired 95 % percentile bootstrap by group, "
        f"{result.resamples} resamples, seed {result.seed}; first is better: share of resamples, a tie counting half."
    )
    if result.left_out:
        yield f"Not known to both models and the corpus, and left out: {', '.join(result.left_out)}."
