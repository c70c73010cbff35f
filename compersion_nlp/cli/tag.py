"""``compersion tag``: one passage, for reading."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from compersion_nlp.cli.console import JsonOption, ModelOption, out, print_json, safe, warn
from compersion_nlp.errors import BadInput
from compersion_nlp.labels import FELT
from compersion_nlp.records import Finding, Reading

BAR_WIDTH = 20
RUNNERS_UP = 3  # labels shown although they were neither felt nor mentioned: the surest few


def tag(
    text: Annotated[str, typer.Argument(help="The passage, or - to read it from standard input.")],
    model: Annotated[str | None, ModelOption] = None,
    json: Annotated[bool, JsonOption] = False,
) -> None:
    """Read one passage: what the writer feels, how surely, and which sentences show it.

    A label is felt from its own threshold on, which may be high or low. Evidence is underlined. A
    feeling that is only mentioned is listed with its stance: past, denied, other (somebody
    else's), hypothetical or general.

    Example: compersion tag "He came home glowing and I couldn't stop grinning. Was I jealous? No, not tonight."
    """
    if text == "-":
        text = _read_standard_input()
    if not text.strip():
        raise BadInput("The passage is empty.", "Pass a text, or pipe one in: compersion tag - < entry.txt")
    _import_spacy()
    from compersion_nlp.tagger import load

    reading = load(model).tag(text)
    if json:
        print_json({"text": safe_for_json(text), "reading": reading.to_row()})
    else:
        show(reading)


def _import_spacy() -> None:
    """Imports spaCy without PyTorch, which it takes along wherever it is installed: a second, for nothing we use."""
    if "torch" in sys.modules:
        return
    sys.modules["torch"] = None  # type: ignore[assignment] # what is None cannot be imported
    try:
        import spacy  # noqa: F401
    finally:
        del sys.modules["torch"]


def _read_standard_input() -> str:
    raw = sys.stdin.buffer.read()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        warn(f"standard input is not valid UTF-8 at byte {error.start}; each bad byte is read as U+FFFD.")
        return raw.decode("utf-8-sig", errors="replace")


def safe_for_json(text: str) -> str:
    """Returns ``text`` with lone surrogates, which UTF-8 cannot hold, as U+FFFD; offsets stay true."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def show(reading: Reading) -> None:
    """Prints a reading: the passage with its evidence marked, then a line a label."""
    out.print(_marked_passage(reading))
    out.print()
    felt = [finding for finding in reading if finding.felt]
    mentioned = [finding for finding in reading if finding.stance not in (None, FELT)]
    others = sorted((f for f in reading if f.stance is None), key=lambda finding: -finding.probability)
    if not felt:
        out.print(Text("nothing felt", style="italic"))
    felt.sort(key=lambda finding: -finding.probability)
    shown = [(felt, "bold"), (mentioned, "none"), (others[:RUNNERS_UP], "dim")]
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for findings, style in shown:
        for finding in findings:
            table.add_row(*_line(finding, reading.text, style))
    out.print(table, soft_wrap=False)
    if any(finding.provisional for findings, _ in shown for finding in findings):
        out.print(Text("~ provisional: this label's calibration rests on few examples", style="dim"))
    out.print(Text(reading.model, style="dim"))


def _marked_passage(reading: Reading) -> Text:
    passage = Text(safe(reading.text))
    for finding in reading:
        for span in finding.evidence:
            passage.stylize("underline", span.start, span.end)
    for mention in reading.mentions:
        passage.stylize("bold", mention.span.start, mention.span.end)
    return passage


def _line(finding: Finding, text: str, style: str) -> tuple[Text, ...]:
    filled = round(finding.probability * BAR_WIDTH)
    name = finding.label + ("~" if finding.provisional else "")
    return (
        Text("felt" if finding.felt else "", style=style),
        Text(name, style=style),
        Text("█" * filled + "░" * (BAR_WIDTH - filled), style=style),
        Text(f"{finding.probability:.2f}", style=style),
        Text(_remark(finding, text), style="none" if finding.felt else "dim"),
    )


def _remark(finding: Finding, text: str) -> str:
    if finding.felt:
        shown = " … ".join(" ".join(safe(span.of(text)).split()) for span in finding.evidence)
        return f"“{_shorten(shown)}”" if shown else ""
    said = [mention for mention in finding.mentions if mention.stance == finding.stance]
    words = ", ".join(f"“{safe(mention.span.of(text))}”" for mention in said)
    return f"{finding.stance}: {_shorten(words)}" if finding.stance else ""


def _shorten(text: str, longest: int = 90) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
