"""``compersion corpora``: what annotated corpora hold, and whether they are sound."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from compersion_nlp.cli.console import EXIT_ERROR, DataDirOption, JsonOption, err, out, print_json, safe
from compersion_nlp.errors import BadConfig, BadInput

if TYPE_CHECKING:
    from compersion_nlp.corpus_checks import CorpusReport, Measures

app = typer.Typer(help="List, show and check annotated corpora.", no_args_is_help=True)

MOST_PHRASES = 5  # recurring phrases that are shown of each kind; JSON has more


@app.command("list")
def list_all(
    folder: Annotated[Path, typer.Argument(help="The folder that holds the corpora.")] = Path("corpora"),
    data_dir: Annotated[Path | None, DataDirOption] = None,
    json: Annotated[bool, JsonOption] = False,
) -> None:
    """List the corpora in a folder, with their files. Public sets are counted only if --data-dir has them.

    Example: compersion corpora list
    """
    from compersion_nlp.corpus import corpus_bytes, is_public, list_corpora, public_file, read_corpus, read_lines

    def count(path: Path) -> int | None:
        if path.suffix == ".jsonl":
            return sum(1 for _ in read_lines(corpus_bytes(path)))
        there = is_public(path) and data_dir is not None and public_file(path, data_dir).is_file()
        return len(read_corpus(path, data_dir).annotations) if there else None

    if not folder.is_dir():
        raise BadInput(f"{folder} is no folder.", "Name the folder that holds the corpora.")
    counts = {name: {file.name: count(file) for file in files} for name, files in list_corpora(folder).items()}
    if json:
        print_json(counts)
        return
    table = Table("corpus", "file or split", "passages")
    for name, files in counts.items():
        for file, passages in files.items():
            unread = "not sound" if file.endswith(".toml") else "public"
            table.add_row(safe(name), safe(file), unread if passages is None else str(passages))
    out.print(table, soft_wrap=False)


@app.command("check")
def check(
    files: Annotated[list[Path], typer.Argument(help="Corpus files (JSON lines), or a folder of them.")],
    data_dir: Annotated[Path | None, DataDirOption] = None,
    json: Annotated[bool, JsonOption] = False,
) -> None:
    """Check the files of one corpus together, and hold them to the bounds in its corpus.toml.

    Schema, ids, groups across files, near-duplicates, examples copied from the scheme; then counts against their
    minima, feelings that are implied, phrases and openings that recur, label words that give the answer away, and
    whether a file can be told from train by its style. Leaves with exit code 1 if there is something to mend.

    Example: compersion corpora check corpora/relational
    """
    from compersion_nlp.corpus_checks import check_corpus

    report = check_corpus(_expand(files), data_dir)
    if json:
        print_json(report)
    else:
        _show_report(report)
    if not report.sound:
        raise typer.Exit(EXIT_ERROR)


def _show_report(report: CorpusReport) -> None:
    for name, found in report.measures.items():
        _show_measures(name, found)
    for name in report.without_texts:
        out.print(safe(f"{name}: marks only; its texts belong to a public set and were not looked at (--data-dir)"))
    for name in report.style_not_measured:
        out.print(
            safe(f"{name}: its style is bounded, but was not measured: no train among the files, or too few passages")
        )
    for problem in report.problems:
        out.print(safe(f"{problem.check}: {problem.where}: {problem.message}"))
    passages = ", ".join(f"{name} {count}" for name, count in report.passages.items())
    verdict = "sound" if report.sound else f"{len(report.problems)} problem{'s' * (len(report.problems) != 1)}"
    out.print(safe(f"{sum(report.passages.values())} passages ({passages}): {verdict}"))


def _show_measures(name: str, found: Measures) -> None:
    figures = {
        "passages": f"{found.passages} in {found.groups} groups, {found.long_passages} of 40 to 300 words",
        "nothing felt": f"{found.nothing_felt:.1%} of the passages",
        "implied": f"{found.implied:.1%} of the felt marks have no word of their label's family",
        "recurring runs": f"{found.recurring_runs.share:.1%} share five words in a row with another passage",
        "most frequent": _phrases(found.recurring_runs.most),
        "openings": f"{_phrases(found.openings.most)}",
        "felt where named": ", ".join(f"{label} {felt:.0%}" for label, felt in _most(found.word_felt)),
    }
    if found.style_auc is not None:
        figures["style"] = f"told from train with an AUC of {found.style_auc:.2f} (0.5 is chance)"
    out.print(safe(name))
    for title, text in figures.items():
        if text and not text.startswith("nan"):
            out.print(safe(f"  {title}: {text}"))


def _phrases(most: tuple[tuple[str, int], ...]) -> str:
    return ", ".join(f"{phrase!r} {count}" for phrase, count in most[:MOST_PHRASES])


def _most(shares: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(shares.items(), key=lambda item: -item[1])[:MOST_PHRASES]


@app.command("show")
def show(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Corpus files (JSON lines), folders of them, or splits of public sets (corpora/goemotions/train)."
        ),
    ],
    data_dir: Annotated[Path | None, DataDirOption] = None,
    page: Annotated[Path | None, typer.Option("--html", help="Write the picture to this HTML file as well.")] = None,
    json: Annotated[bool, JsonOption] = False,
) -> None:
    """Show what corpus files hold: labels by stance, kinds, manners, lengths, and a map of what is felt together.

    Example: compersion corpora show corpora/relational/train.jsonl --html train.html
    """
    from compersion_nlp.cli.picture import draw, write_page
    from compersion_nlp.corpus import read_corpus
    from compersion_nlp.corpus_checks import describe_corpus

    described = [describe_corpus(read_corpus(file, data_dir)) for file in _expand(files)]
    if page is not None:
        write_page(described, page)
        err.print(safe(f"Written: {page}"))
    if json:
        print_json(described)
        return
    for description in described:
        draw(description, out)


@app.command("agree")
def agree(
    first: Annotated[Path, typer.Argument(help="One reader's marks: a corpus file, or a file of marks by id.")],
    second: Annotated[Path, typer.Argument(help="The other reader's marks of the same passages.")],
    json: Annotated[bool, JsonOption] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown instead, for a page.")] = False,
) -> None:
    """Measure how far two readers agree: Cohen's kappa and F1 for each label felt, and for the stances.

    Example: compersion corpora agree corpora/relational_blind/first.jsonl corpora/relational_blind/second.jsonl
    """
    from compersion_nlp.corpus_checks import compare_readers
    from compersion_nlp.evaluate import Table as Figures
    from compersion_nlp.evaluate import markdown_table

    if json and markdown:
        raise BadConfig("--json and --markdown were both given.", "Choose one.")
    found = compare_readers(first, second)
    if json:
        print_json(found)
        return
    header = ("label", "first", "second", "both", "kappa", "F1")
    rows = [(x.name, str(x.first), str(x.second), str(x.both), f"{x.kappa:.2f}", f"{x.f1:.2f}") for x in found.labels]
    rows.append(("macro", "", "", "", f"{found.macro_kappa:.2f}", f"{found.macro_f1:.2f}"))
    if markdown:
        out.print(markdown_table(Figures("Agreement", header, tuple(rows))))
    else:
        table = Table(*header)
        for cells in rows:
            table.add_row(*cells)
        out.print(table, soft_wrap=False)
    out.print(
        f"{found.passages} passages that both marked (only one marked {found.only_one}), {found.identical:.0%} of them "
        f"identically; micro F1 {found.micro_f1:.2f}. "
        f"Stance of the {found.mentions} marks that both made: the same in {found.stance_accuracy:.0%}, "
        f"kappa {found.stance_kappa:.2f}."
    )


def _expand(paths: list[Path]) -> list[Path]:
    files = [file for path in paths for file in (sorted(path.glob("*.jsonl")) if path.is_dir() else [path])]
    if not files:
        raise BadInput(
            f"There is no .jsonl file in {', '.join(map(str, paths))}.",
            "Name a corpus file or its folder, or a split of a public set (corpora/goemotions/train).",
        )
    return files
