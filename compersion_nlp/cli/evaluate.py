"""``compersion evaluate``: how well a bundle reads a corpus."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table as RichTable

from compersion_nlp.cli.console import DataDirOption, JsonOption, out, safe, warn, write_json
from compersion_nlp.errors import BadConfig

_LEADING_ZERO = re.compile(r"(?<!\d)0\.")

if TYPE_CHECKING:
    from compersion_nlp.evaluate import Comparison, Evaluation, Table


def evaluate(
    model: Annotated[str, typer.Argument(help="A bundle: its name or the path of its folder.")],
    corpus: Annotated[
        Path, typer.Argument(help="A JSON-lines file of annotated passages, or a split of a public set.")
    ],
    against: Annotated[
        str | None, typer.Option("--against", help="Another bundle, to compare with on the same resamples.")
    ] = None,
    resamples: Annotated[int, typer.Option(min=1, help="Bootstrap resamples behind each interval.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    data_dir: Annotated[Path | None, DataDirOption] = None,
    json: Annotated[bool, JsonOption] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown instead, for a page.")] = False,
) -> None:
    """Measure a bundle on a corpus: precision, recall, F1, average precision, Brier score, calibration.

    Intervals are 95 % bootstrap intervals by group. Slices show where it is good and where it is not.

    Example: compersion evaluate linear corpora/relational/dev.jsonl --against rules
    """
    if json and markdown:
        raise BadConfig("--json and --markdown were both given.", "Choose one.")
    from compersion_nlp import evaluate as evaluation
    from compersion_nlp.corpus import read_corpus
    from compersion_nlp.tagger import load

    read = read_corpus(corpus, data_dir)
    predictions = [evaluation.predict(load(name), read) for name in (model, against) if name is not None]
    result: Evaluation | Comparison
    if against is None:
        result = evaluation.evaluate(predictions[0], resamples, seed)
    else:
        for side in predictions:
            if side.seen_as:
                warn(f"{side.model} saw this corpus in training ({side.seen_as}): its figures are optimistic.")
        result = evaluation.compare(predictions[0], predictions[1], resamples, seed)
    if json:
        write_json(evaluation.to_json(result))
    elif markdown:
        sys.stdout.write(evaluation.to_markdown(result))
    else:
        _show(result)


def _show(result: Evaluation | Comparison) -> None:
    from compersion_nlp.evaluate import notes, tables

    for table in tables(result):
        out.print(_drawn(table), soft_wrap=False)
        out.print()
    for note in notes(result):
        out.print(safe(note))


def _drawn(table: Table) -> RichTable:
    """Returns the table drawn narrow enough for a terminal of 80 columns."""
    drawn = RichTable(title=table.title, title_justify="left", box=SIMPLE_HEAD, padding=0, show_edge=False)
    for column, name in enumerate(table.header):
        is_name = column < table.names
        drawn.add_column(name, justify="left" if is_name else "right", no_wrap=is_name)
    for row in table.rows:
        drawn.add_row(*(_LEADING_ZERO.sub(".", safe(cell)) for cell in row))
    return drawn
