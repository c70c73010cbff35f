"""What all commands share: the two consoles, safe text, and errors without tracebacks."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from compersion_nlp.errors import CompersionError, Interrupted

EXIT_ERROR = 1
EXIT_INTERRUPTED = 130

WIDTH_OF_FILES = 160  # columns of a table that goes into a file or a pipe, where nobody set a width

# No markup and no emoji codes: what is printed comes from bundles, corpora and passages, not from here.
out = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
if not out.is_terminal and "COLUMNS" not in os.environ:
    out.width = WIDTH_OF_FILES
err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)

# Control characters could drive the terminal: each is shown as its picture, one for one.
_PICTURES = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"}
_PICTURES |= {127: 0x2421} | dict.fromkeys(range(0x80, 0xA0), 0xFFFD) | dict.fromkeys(range(0xD800, 0xE000), 0xFFFD)
_PICTURES |= dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0x2423)


def safe(text: str) -> str:
    """Returns ``text`` at the same length with nothing in it that a terminal would act on."""
    return text.translate(_PICTURES)


def print_json(value: Any) -> None:
    """Writes ``value`` to standard output as indented UTF-8 JSON."""
    write_json(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")


def write_json(encoded: bytes) -> None:
    """Writes UTF-8 JSON to standard output, whatever encoding the terminal has."""
    sys.stdout.flush()
    sys.stdout.buffer.write(encoded)
    sys.stdout.buffer.flush()


def fail(error: CompersionError) -> NoReturn:
    """Prints an error with its hint and leaves with the exit code that belongs to it."""
    err.print(Text.assemble(("error: ", "bold red"), safe(error.message)))
    if error.hint:
        err.print(Text(safe(error.hint), style="dim"))
    raise SystemExit(EXIT_INTERRUPTED if isinstance(error, Interrupted) else EXIT_ERROR)


def warn(message: str) -> None:
    """Prints a warning to standard error."""
    err.print(Text.assemble(("warning: ", "bold yellow"), safe(message)))


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turns errors into messages. An unexpected one shows its kind only, since it may quote a passage."""
    try:
        yield
    except CompersionError as error:
        fail(error)
    except Exception as error:
        fail(
            CompersionError(
                f"Unexpected {type(error).__name__}.",
                "Run the command again with --debug to see where; the traceback may quote your text.",
            )
        )


def run(app: Callable[[], Any], arguments: list[str]) -> None:
    """Runs the command line, with tracebacks only if ``--debug`` stands before any ``--``."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without emoji shows question marks, and no error
    end = arguments.index("--") if "--" in arguments else len(arguments)
    debug = "--debug" in arguments[:end]
    sys.argv[1:] = [argument for argument in arguments[:end] if argument != "--debug"] + arguments[end:]
    if debug:
        app()
    else:
        with plain_errors():
            app()


ModelOption = typer.Option(
    "--model", "-m", help="A bundle: its name or the path of its folder. [default: the store's default]"
)
JsonOption = typer.Option("--json", help="Print JSON instead, for scripts.")
DataDirOption = typer.Option(
    "--data-dir",
    envvar="COMPERSION_DATA_DIR",
    help="Folder that holds public sets, as SET/SPLIT.jsonl. [default: they are fetched from the hub]",
)
