"""The command line: ``compersion``. Each command is a thin layer over a function that can be imported."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import compersion_nlp
from compersion_nlp.cli import corpora, evaluate, label, labels, models, tag, train
from compersion_nlp.cli.console import run

app = typer.Typer(
    name="compersion",
    help="Reads feelings in what people write about love. Text never leaves this machine.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("tag")(tag.tag)
app.command("label")(label.label)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.add_typer(models.app, name="models")
app.add_typer(corpora.app, name="corpora")
app.command("labels")(labels.labels)


def _version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"compersion {compersion_nlp.__version__}\n")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks. They may quote your text.")] = False,
) -> None:
    pass


def main() -> None:
    """Runs the command line with the arguments of this process."""
    run(app, sys.argv[1:])
