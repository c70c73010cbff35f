"""``compersion label``: a batch, of any size."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compersion_nlp.cli.console import JsonOption, ModelOption, out, print_json, safe
from compersion_nlp.cli.progress import show_progress

if TYPE_CHECKING:
    from compersion_nlp.batch import Account, Job

InputsArgument = typer.Argument(
    help="Files to label: .csv .tsv .jsonl .parquet .sqlite .db .txt .md (.gz and .zst too), or a folder of entries; "
    "in a bucket as s3://BUCKET/PATH and the like."
)


def label(
    inputs: Annotated[list[str], InputsArgument],
    output: Annotated[str, typer.Option("--output", "-o", help="Where to write; its suffix says the format.")],
    model: Annotated[str | None, ModelOption] = None,
    text_column: Annotated[str | None, typer.Option(help="Column with the text. [default: found by name]")] = None,
    title_column: Annotated[
        list[str] | None, typer.Option(help="Column put before the text, a blank line between. Repeatable.")
    ] = None,
    id_column: Annotated[str | None, typer.Option(help="Column with the id; ids given twice are counted.")] = None,
    format: Annotated[str | None, typer.Option(help="Format of the inputs, if their suffix does not say it.")] = None,
    output_format: Annotated[str | None, typer.Option(help="Format of the output, likewise.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="What separates CSV cells. [default: found]")] = None,
    encoding: Annotated[str, typer.Option(help="Encoding of CSV, JSON lines and text inputs.")] = "utf-8",
    table: Annotated[str | None, typer.Option(help="Table of an SQLite input.")] = None,
    query: Annotated[str | None, typer.Option(help="Query that gives the rows of an SQLite input.")] = None,
    guarded: Annotated[
        bool, typer.Option("--guarded", help="The CSV inputs were written by this command, without --raw-cells.")
    ] = False,
    raw_cells: Annotated[
        bool,
        typer.Option(
            "--raw-cells",
            help="Write CSV cells as they are. Without it, a cell that a spreadsheet would run as a formula gets "
            "an apostrophe in front.",
        ),
    ] = False,
    labels_only: Annotated[
        bool, typer.Option("--labels-only", help="Only what is felt and how surely: no stances, no evidence. Faster.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
    engine: Annotated[
        str | None, typer.Option(help="Engine. [default: serial for one worker, joblib for more]")
    ] = None,
    address: Annotated[str | None, typer.Option(help="Address of a Ray cluster, for --engine ray.")] = None,
    chunk_size: Annotated[int, typer.Option(min=1, help="Passages a chunk, the unit that is resumed.")] = 512,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an unfinished job; begin it if there is none.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Discard the output or the unfinished job there.")
    ] = False,
    work_folder: Annotated[
        Path | None,
        typer.Option(
            help="Where to keep what is fetched from a bucket or not yet put there. "
            "[default: beside a local output, else the current directory]"
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first row that would be rejected.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, and no account but for --json.")] = False,
    json: Annotated[bool, JsonOption] = False,
) -> None:
    """Label files of passages: one row each, with every input column kept.

    A job that was stopped goes on with --resume. Rows that cannot be read are counted and kept in
    OUTPUT.rejected.jsonl. Exit codes: 0 finished, 1 an error, 2 wrong usage, 130 interrupted.

    Example: compersion label forum.csv --text-column body --title-column title -o forum.labelled.csv
    """
    from compersion_nlp.batch import Job
    from compersion_nlp.sinks import WriteOptions
    from compersion_nlp.sources import ReadOptions

    job = Job(
        inputs=tuple(inputs),
        output=output,
        model=model,
        read=ReadOptions(
            format=format,
            text_column=text_column,
            id_column=id_column,
            title_columns=tuple(title_column or ()),
            delimiter=delimiter,
            encoding=encoding,
            table=table,
            query=query,
            guarded=guarded,
        ),
        write=WriteOptions(format=output_format, raw_cells=raw_cells),
        chunk_size=chunk_size,
        engine=engine or ("serial" if workers == 1 else "joblib"),
        workers=workers,
        address=address,
        work_folder=work_folder,
        explain=not labels_only,
        strict=strict,
        resume=resume,
        overwrite=overwrite,
    )
    account = _run(job, quiet)
    if json:
        print_json(account)
    elif not quiet:
        _show(account)


def _run(job: Job, quiet: bool) -> Account:
    # Imported here: the tagger takes a second to load, and the help page does not need it.
    from compersion_nlp.batch import label as run

    if quiet:
        return run(job)
    with show_progress() as progress:
        return run(job, progress)


def _show(account: Account) -> None:
    """Prints the account: what became of every row, and where to find it."""
    lines = [f"{account.read:,} read = {account.labelled:,} labelled + {account.rejected:,} rejected"]
    if account.rejected_file:
        lines += [f"  {count:,} {reason}" for reason, count in account.reasons.items()]
        if any(reason.startswith("bytes that are not valid") for reason in account.reasons):
            lines.append("  if the file has another encoding, name it: --encoding cp1252, for example")
        lines.append(f"  kept in {account.rejected_file}")
    if account.duplicate_ids:
        lines.append(f"{account.duplicate_ids:,} rows have an id that an earlier row has; all were labelled")
    lines += [f"column {old} is kept as {new}" for old, new in account.renamed.items()]
    if account.guarded:
        lines.append(f"{account.guarded:,} cells guarded against spreadsheet formulas (--raw-cells writes them as is)")
    if account.tiers:
        shares = (f"{name} {count:,} ({count / account.labelled:.1%})" for name, count in account.tiers.items())
        lines.append(f"read by {', '.join(shares)}")
    if account.chunks_resumed:
        how_fast = f"{account.chunks_resumed:,} of {account.chunks:,} chunks were done before"
    else:
        rate = account.read / account.seconds
        how_fast = f"{rate:,.0f} a second" if rate >= 10 else f"{rate:.1f} a second"
    lines.append(f"{account.model}, {account.seconds:.1f} s, {how_fast}")
    lines.append(f"written to {os.fspath(account.output)}")
    for line in lines:
        out.print(safe(line))
