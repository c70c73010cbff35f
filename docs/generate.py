"""Writes the pages that are derived from code: ``labels.md`` and ``cli.md``.

Run it after a change to the label scheme or the command line: ``python docs/generate.py``. A test
compares the pages with what this script makes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from compersion_nlp.cli import app
from compersion_nlp.labels import SCHEME

HERE = Path(__file__).parent


def labels_page() -> str:
    """Returns the page that lists the labels and stances, in Markdown."""
    lines = [
        "# Labels and stances",
        "",
        "The 23 feelings and six stances of the scheme, generated from `compersion_nlp/labels.toml`.",
        "A label is *felt* if the writer feels it, or felt it in the episode being told, in any strength.",
        "",
        "| label | the writer feels … | typical signs | not this, but |",
        "| --- | --- | --- | --- |",
    ]
    for label in SCHEME.labels.values():
        signs = "; ".join(f"“{sign}”" for sign in label.signs)
        lines.append(f"| `{label.name}` | {label.feels} | {signs} | {label.not_this} |")
    lines += [
        "",
        "Where a passage gives one label several stances, the first in this order wins. Only `felt` is a",
        "label of the passage; the others are *mentions*.",
        "",
        "| stance | meaning | example |",
        "| --- | --- | --- |",
    ]
    lines += [f"| `{stance.name}` | {stance.means} | “{stance.example}” |" for stance in SCHEME.stances.values()]
    return "\n".join(lines) + "\n"


def cli_page() -> str:
    """Returns the reference of the command line, in Markdown."""
    lines = ["# Command line", "", "Generated from the help pages of the commands.", ""]
    lines += _command_section(typer.main.get_command(app), "compersion")
    return "\n".join(lines).rstrip() + "\n"


def _command_section(command: Any, name: str) -> Iterator[str]:
    yield from (f"## `{name}`", "")
    for paragraph in (command.help or "").split("\n\n"):
        text = " ".join(paragraph.split())
        yield from ([f"`{text}`" if text.startswith("compersion ") else _example(text), ""] if text else [])
    for parameter in command.params:
        if help_text := (getattr(parameter, "help", None) or ""):
            yield f"- {_names(parameter)}: {_one_line(help_text)}{_default(parameter)}"
    yield ""
    for child_name, child in getattr(command, "commands", {}).items():
        yield from _command_section(child, f"{name} {child_name}")


def _example(text: str) -> str:
    before, found, example = text.partition("Example: ")
    return f"{before}Example:\n\n```console\n$ {example}\n```" if found else text


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.name.upper()}`"
    return ", ".join(f"`{option}`" for option in (*parameter.opts, *parameter.secondary_opts))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _default(parameter: Any) -> str:
    shown = getattr(parameter, "show_default", True)
    value = parameter.default
    if parameter.param_type_name == "argument" or not shown or value in (None, False, (), [], "") or callable(value):
        return ""
    return f" (default: {value})"


PAGES = {"labels.md": labels_page, "cli.md": cli_page}


def main() -> None:
    """Writes every derived page."""
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
