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
    from compersion_nlp.evaluate import Result, Table


def evaluate(
    model: Annotated[str, typer.Argument(help="A bundle: its name or the path of its folder.")],
    corpus: Annotated[
        Path | None, typer.Argument(help="A JSON-lines file of annotated passages, or a split of a public set.")
    ] = None,
    behaviour: Annotated[
        Path | None, typer.Option("--behaviour", help="In place of a corpus: a folder of behavioural tests.")
    ] = None,
    explanations: Annotated[
        bool, typer.Option("--explanations", help="Measure stances and evidence instead of what is felt.")
    ] = False,
    against: Annotated[
        str | None, typer.Option("--against", help="Another bundle, to compare with on the same resamples.")
    ] = None,
    resamples: Annotated[
        int | None, typer.Option(min=1, help="Bootstrap resamples behind each interval. [default: 1000]")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the bootstrap. [default: 0]")] = None,
    data_dir: Annotated[Path | None, DataDirOption] = None,
    json: Annotated[bool, JsonOption] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown instead, for a page.")] = False,
) -> None:
    """Measure a bundle on a corpus: precision, recall, F1, average precision, Brier score, calibration.

    Intervals are 95 % bootstrap intervals by group. Slices show where it is good and where it is not.
    With --behaviour, measure instead what it reads in texts made to test one thing each, which way its
    probabilities move when a text changes, and whether it stays the same where nothing of weight does.
    With --explanations, measure the stances of what is only mentioned, and whether the evidence is the
    sentence that readers marked (where CORPUS has a folder evidence beside it) and the one that counts.

    Example: compersion evaluate linear corpora/relational/dev.jsonl --against rules
    """
    if json and markdown:
        raise BadConfig("--json and --markdown were both given.", "Choose one.")
    if (explanations or behaviour is not None) and (resamples is not None or seed is not None):
        raise BadConfig("--resamples or --seed was given.", "They are for what is felt: leave them out here.")
    from compersion_nlp.evaluate import to_json, to_markdown

    result: Result
    if corpus is not None and behaviour is None:
        if explanations:
            result = _on_explanations(model, corpus, against, data_dir)
        else:
            result = _on_corpus(model, corpus, against, resamples or 1000, seed or 0, data_dir)
    elif behaviour is not None and corpus is None:
        if explanations:
            raise BadConfig("--explanations and --behaviour were both given.", "Ask for one after the other.")
        result = _on_behaviour(model, behaviour, against)
    else:
        found = "Neither CORPUS nor --behaviour was" if corpus is None else "CORPUS and --behaviour were both"
        raise BadConfig(f"{found} given.", "Give one of them: a file of passages, or a folder of behavioural tests.")
    if json:
        write_json(to_json(result))
    elif markdown:
        sys.stdout.write(to_markdown(result))
    else:
        _show(result)


def _on_corpus(
    model: str, corpus: Path, against: str | None, resamples: int, seed: int, data_dir: Path | None
) -> Result:
    from compersion_nlp.corpus import read_corpus
    from compersion_nlp.evaluate import compare, evaluate, predict
    from compersion_nlp.tagger import load

    read = read_corpus(corpus, data_dir)
    predictions = [predict(load(name), read) for name in (model, against) if name is not None]
    if against is None:
        return evaluate(predictions[0], resamples, seed)
    for side in predictions:
        if side.seen_as:
            warn(f"{side.model} saw this corpus in training ({side.seen_as}): its figures are optimistic.")
    return compare(predictions[0], predictions[1], resamples, seed)


def _on_explanations(model: str, corpus: Path, against: str | None, data_dir: Path | None) -> Result:
    if against is not None:
        raise BadConfig("--against and --explanations were both given.", "Run each bundle on its own, and see both.")
    from compersion_nlp.corpus import read_corpus
    from compersion_nlp.evaluate import find_marks, judge_explanations
    from compersion_nlp.tagger import load

    return judge_explanations(load(model), read_corpus(corpus, data_dir), find_marks(corpus))


def _on_behaviour(model: str, folder: Path, against: str | None) -> Result:
    if against is not None:
        raise BadConfig("--against and --behaviour were both given.", "Run each bundle on its own, and see both.")
    from compersion_nlp.evaluate import read_behaviour, run_behaviour
    from compersion_nlp.tagger import load

    tests = read_behaviour(folder)
    return run_behaviour(load(model), tests)


def _show(result: Result) -> None:
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
