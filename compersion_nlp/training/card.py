"""The page that goes with a bundle: what it is for, what it was made from, and how well it does.

In the manner of Mitchell et al., Model Cards for Model Reporting, FAT* 2019.
"""

from __future__ import annotations

from collections.abc import Sequence

from compersion_nlp.bundle import Manifest
from compersion_nlp.evaluate import Behaviour, Evaluation, Explanations, markdown_table, notes, tables
from compersion_nlp.training.report import Result

CARD = "card.md"

INTENDED = """\
Reads which of the scheme's feelings the writer of an English journal entry, forum post or comment feels, and shows the
sentences that made it say so. Meant for people who look through text and decide for themselves: moderators who sort a
year of posts, researchers who describe a corpus, people who look back over their own journal, programmers who build for
them."""

NOT_FOR = """\
- It is not a risk screen and not a diagnosis: it says nothing about whether anybody is well, truthful, safe or at risk.
- It is not for automatic action against a writer: no banning, ranking, pricing or reporting by what it reads.
- It is not for reading people who do not know of it, or for languages other than English.
- Feelings have no moral value here: a label is neither a fault nor a merit."""


def write_card(manifest: Manifest, evaluation: Evaluation, how: str, reports: Sequence[Result] = ()) -> str:
    """Returns the card of a bundle in Markdown, made from its manifest and its figures alone."""
    parts = [
        f"# {manifest.name} {manifest.version}",
        manifest.description,
        _facts(manifest),
        "## Intended use",
        INTENDED,
        "## Uses to avoid",
        NOT_FOR,
        *(part for report in reports for part in _report(manifest, report)),
        "## Felt, on the passages that thresholds were fitted on",
        how,
        *_figures(evaluation),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _report(manifest: Manifest, report: Result) -> list[str]:
    match report:
        case Evaluation():
            title, options = f"## Felt, on {report.corpus}", _path(report.corpus)
        case Explanations():
            title, options = f"## Explanations, on {report.corpus}", f"{_path(report.corpus)} --explanations"
        case Behaviour():
            title, options = "## Behaviour", f"--behaviour corpora/{report.folder}"
    return [title, f"Made by `compersion evaluate {manifest.name} {options}`.", *_figures(report)]


def _path(corpus: str) -> str:
    return f"corpora/{corpus}.jsonl"


def _figures(report: Result) -> list[str]:
    return [
        "\n".join(f"- {note}" for note in notes(report)),
        *(f"### {table.title}\n\n{markdown_table(table)}" for table in tables(report)),
    ]


def _facts(manifest: Manifest) -> str:
    facts = {
        "Labels": ", ".join(manifest.labels),
        "Scorer": f"`{manifest.scorer}`",
        "Reads": "a text of any length" if manifest.window is None else f"windows of {manifest.window} characters",
        "Made with": "; ".join(
            f"{name} ({use.passages} passages, {use.use})" for name, use in sorted(manifest.corpora.items())
        ),
        "In 8 bits": _in_eight_bits(manifest),
        "Calibrated on too few examples": ", ".join(
            label for label in manifest.labels if manifest.decision[label].provisional
        ),
        "Licence": manifest.licence,
    }
    return "\n".join(f"- {name}: {fact}" for name, fact in facts.items() if fact)


def _in_eight_bits(manifest: Manifest) -> str:
    scores = manifest.scores or {}
    whole = scores.get("macro_f1_in_full_precision")
    if whole is None:
        return ""
    eight = f"macro F1 {scores['macro_f1']:.4f} on the passages that thresholds were fitted on"
    return f"{eight}, where the same network in 32 bits has {whole:.4f}"
