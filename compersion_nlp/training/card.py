"""The page that goes with a bundle: what it reads, what it was made from, and how well it does."""

from __future__ import annotations

from compersion_nlp.bundle import Manifest
from compersion_nlp.evaluate import Evaluation, notes, tables
from compersion_nlp.evaluate.render import markdown_table

CARD = "card.md"


def write_card(manifest: Manifest, evaluation: Evaluation, how: str) -> str:
    """Returns the card of a bundle in Markdown, made from its manifest and its scores alone."""
    parts = [
        f"# {manifest.name} {manifest.version}",
        manifest.description,
        _facts(manifest),
        "## Scores",
        how,
        "\n".join(f"- {note}" for note in notes(evaluation)),
        *(f"### {table.title}\n\n{markdown_table(table)}" for table in tables(evaluation)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _facts(manifest: Manifest) -> str:
    facts = {
        "Labels": ", ".join(manifest.labels),
        "Scorer": f"`{manifest.scorer}`",
        "Reads": "a text of any length" if manifest.window is None else f"windows of {manifest.window} characters",
        "Made with": "; ".join(
            f"{name} ({use.passages} passages, {use.use})" for name, use in sorted(manifest.corpora.items())
        ),
        "Calibrated on too few examples": ", ".join(
            label for label in manifest.labels if manifest.decision[label].provisional
        ),
        "Licence": manifest.licence,
    }
    return "\n".join(f"- {name}: {fact}" for name, fact in facts.items() if fact)
