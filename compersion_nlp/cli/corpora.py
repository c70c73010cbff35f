"""``compersion corpora``: what annotated corpora hold, and whether they are sound."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from compersion_nlp.cli.console import EXIT_ERROR, JsonOption, out, print_json, safe
from compersion_nlp.errors import BadInput

if TYPE_CHECKING:
    from compersion_nlp.corpus_checks import Description

app = typer.Typer(help="List, show and check annotated corpora.", no_args_is_help=True)

MOST_PAIRS = 12  # pairs of labels felt together that are shown; JSON has all of them

FilesArgument = typer.Argument(help="Corpus files (JSON lines), or a folder of them.")


@app.command("list")
def list_all(
    folder: Annotated[Path, typer.Argument(help="The folder that holds the corpora.")] = Path("corpora"),
    json: Annotated[bool, JsonOption] = False,
) -> None:
    """List the corpora in a folder, with their files.

    Example: compersion corpora list
    """
    from compersion_nlp.corpus import list_corpora, read_corpus

    if not folder.is_dir():
        raise BadInput(f"{folder} is no folder.", "Name the folder that holds the corpora.")
    counts = {
        name: {file.name: len(read_corpus(file).annotations) for file in files}
        for name, files in list_corpora(folder).items()
    }
    if json:
        print_json(counts)
        return
    table = Table("corpus", "file", "passages")
    for name, files in counts.items():
        for file, passages in files.items():
            table.add_row(safe(name), safe(file), str(passages))
    out.print(table, soft_wrap=False)


@app.command("check")
def check(files: Annotated[list[Path], FilesArgument], json: Annotated[bool, JsonOption] = False) -> None:
    """Check the files of one corpus together: schema, ids, groups across files, near-duplicates, copied examples.

    Leaves with exit code 1 if there is something to mend.

    Example: compersion corpora check corpora/relational
    """
    from compersion_nlp.corpus_checks import check_corpus

    report = check_corpus(_expand(files))
    if json:
        print_json(report)
    else:
        for problem in report.problems:
            out.print(safe(f"{problem.check}: {problem.where}: {problem.message}"))
        passages = ", ".join(f"{name} {count}" for name, count in report.passages.items())
        out.print(safe(f"{sum(report.passages.values())} passages ({passages}): {_verdict(len(report.problems))}"))
    if not report.sound:
        raise typer.Exit(EXIT_ERROR)


def _verdict(problems: int) -> str:
    return "sound" if not problems else f"{problems} problem{'s' * (problems != 1)}"


def _expand(paths: list[Path]) -> list[Path]:
    files = [file for path in paths for file in (sorted(path.glob("*.jsonl")) if path.is_dir() else [path])]
    if not files:
        raise BadInput(f"There is no .jsonl file in {', '.join(map(str, paths))}.", "Name a corpus file or its folder.")
    return files


@app.command("show")
def show(files: Annotated[list[Path], FilesArgument], json: Annotated[bool, JsonOption] = False) -> None:
    """Show what corpus files hold: labels by stance, kinds, lengths, and what is felt together.

    Example: compersion corpora show corpora/relational/train.jsonl
    """
    from compersion_nlp.corpus import read_corpus
    from compersion_nlp.corpus_checks import describe_corpus

    described = [describe_corpus(read_corpus(file)) for file in _expand(files)]
    if json:
        print_json(described)
        return
    for description in described:
        _show_one(description)


def _show_one(description: Description) -> None:
    out.print(
        safe(
            f"{description.name}: {description.passages} passages in {description.groups} groups, "
            f"{description.nothing_felt} with nothing felt; median {description.median_words:.0f} words, "
            f"longest {description.longest_words}"
        ),
    )
    for title, counts in (
        ("kinds", description.kinds),
        ("manners", description.manners),
        ("lengths", description.lengths),
    ):
        out.print(f"{title}: " + ", ".join(f"{name} {count}" for name, count in counts.items()))
    table = Table("label", *next(iter(description.stances.values())))
    for label, counts in description.stances.items():
        table.add_row(label, *(str(count) if count else "" for count in counts.values()))
    out.print(table, soft_wrap=False)
    pairs = ", ".join(f"{one} + {other} {count}" for one, other, count in description.together[:MOST_PAIRS])
    out.print(f"felt together: {pairs}\n")
