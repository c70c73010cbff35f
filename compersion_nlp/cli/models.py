"""``compersion models``: the bundles there are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from compersion_nlp.cli.console import EXIT_ERROR, JsonOption, out, print_json, safe
from compersion_nlp.errors import BadConfig

if TYPE_CHECKING:
    from compersion_nlp.bundle import Listed, Manifest

app = typer.Typer(help="List, show, check, add and promote the bundles that can be loaded.", no_args_is_help=True)

NameArgument = typer.Argument(help="A bundle: its name or the path of its folder. [default: the default bundle]")


@app.command("list")
def list_models(json: Annotated[bool, JsonOption] = False) -> None:
    """List the bundles of all stores; the default one is marked with a star.

    Example: compersion models list
    """
    from compersion_nlp.bundle import list_bundles

    listed = list_bundles()
    if json:
        print_json([_summary(item) for item in listed])
        return
    table = Table("", "name", "version", "scorer", "labels", "description", "store")
    for item in listed:
        mark = "*" if item.default else ""
        if item.manifest is None:
            table.add_row(mark, item.name, "", "", "", f"unreadable: {safe(item.problem)}", str(item.store))
        else:
            m = item.manifest
            table.add_row(
                mark,
                item.name,
                safe(m.version),
                safe(m.scorer),
                str(len(m.labels)),
                safe(m.description),
                str(item.store),
            )
    out.print(table, soft_wrap=False)


def _summary(item: Listed) -> dict[str, object]:
    manifest = item.manifest
    return {
        "name": item.name,
        "default": item.default,
        "store": str(item.store),
        "version": manifest.version if manifest else None,
        "scorer": manifest.scorer if manifest else None,
        "labels": manifest.labels if manifest else None,
        "description": manifest.description if manifest else None,
        "problem": item.problem or None,
    }


@app.command("show")
def show_model(name: Annotated[str | None, NameArgument] = None, json: Annotated[bool, JsonOption] = False) -> None:
    """Show what a bundle's manifest says: what it reads, how it was made, and how well it did.

    Example: compersion models show linear
    """
    from compersion_nlp.bundle import verify

    found = verify(name)
    if json:
        print_json(found.manifest)
        return
    manifest = found.manifest
    for key, value in _facts(manifest):
        out.print(f"{key:<12} {safe(value)}")
    table = Table("label", "threshold", "positives", "", title="Decision", title_justify="left")
    for label, decision in manifest.decision.items():
        remark = "provisional" if decision.provisional else ""
        table.add_row(label, f"{decision.threshold:.2f}", str(decision.positives), remark)
    out.print(table, soft_wrap=False)


def _facts(manifest: Manifest) -> list[tuple[str, str]]:
    facts = [
        ("name", f"{manifest.name}@{manifest.version}"),
        ("description", manifest.description),
        ("scorer", manifest.scorer),
        ("licence", manifest.licence),
        ("window", f"{manifest.window} characters" if manifest.window else "reads a text of any length at once"),
        ("seed", "" if manifest.seed is None else str(manifest.seed)),
    ]
    facts += [("corpus", f"{name}: {use.passages} passages for {use.use}") for name, use in manifest.corpora.items()]
    facts += [("library", f"{package} {version}") for package, version in manifest.libraries.items()]
    facts += [("file", f"{name}: {file.size:,} bytes") for name, file in manifest.files.items()]
    return [(key, value) for key, value in facts if value]


@app.command("verify")
def verify_models(
    names: Annotated[list[str] | None, typer.Argument(help="Bundles, by name or path. [default: all of them]")] = None,
    json: Annotated[bool, JsonOption] = False,
) -> None:
    """Check bundles against their manifests, file by file, and against the index that pins them.

    Leaves with exit code 1 if one of them is not sound.

    Example: compersion models verify linear
    """
    from compersion_nlp.bundle import list_bundles

    results = [_verify_one(name) for name in names or [item.name for item in list_bundles()]]
    if json:
        print_json(results)
    else:
        for result in results:
            out.print(f"{result['name']}: {result['problem'] or 'sound'}{_pin_remark(result)}")
    if any(result["problem"] for result in results):
        raise typer.Exit(EXIT_ERROR)


def _verify_one(name: str) -> dict[str, object]:
    from compersion_nlp.bundle import verify
    from compersion_nlp.errors import BadBundle

    try:
        found = verify(name)
    except BadBundle as error:
        return {"name": name, "problem": safe(str(error)), "pinned": None, "files": None, "bytes": None}
    files = len(found.manifest.files)
    return {"name": name, "problem": None, "pinned": found.pinned, "files": files, "bytes": found.size}


def _pin_remark(result: dict[str, object]) -> str:
    if result["problem"]:
        return ""
    pinned = "pinned by its store's index" if result["pinned"] else "not pinned by an index"
    return f" ({result['files']} files, {result['bytes']:,} bytes, {pinned})"


@app.command("add")
def add_model(
    source: Annotated[Path, typer.Argument(help="A bundle's folder, or a scikit-learn pipeline saved with joblib.")],
    name: Annotated[str | None, typer.Option(help="Name in your store. [default: the bundle's, or the file's]")] = None,
    trust_pickle: Annotated[
        bool,
        typer.Option(
            "--trust-pickle",
            help="Unpickle FILE once, to keep it in a safe format. Unpickling runs code in the file: do this only "
            "with a file you made yourself, or whose maker you trust with your account.",
        ),
    ] = False,
    labels: Annotated[
        str | None, typer.Option(help="Labels of the pipeline's columns, in order, separated by commas.")
    ] = None,
    dev: Annotated[
        Path | None, typer.Option(help="A corpus on which the pipeline's calibration and thresholds are fitted.")
    ] = None,
) -> None:
    """Add a bundle, or a scikit-learn pipeline of your own, to your store.

    Example: compersion models add mine.joblib --trust-pickle --labels joy,fear --dev dev.jsonl
    """
    from compersion_nlp.bundle import add_bundle

    if source.is_dir():
        if trust_pickle or labels or dev:
            raise BadConfig(
                f"{source} is a folder, taken as a bundle.",
                "--trust-pickle, --labels and --dev are for a pipeline file.",
            )
        added = add_bundle(source, name)
    else:
        added = _add_pipeline(source, name, trust_pickle, labels, dev)
    out.print(f"added {added.name}: {added}")


def _add_pipeline(source: Path, name: str | None, trust_pickle: bool, labels: str | None, dev: Path | None) -> Path:
    from compersion_nlp.corpus import read_corpus
    from compersion_nlp.scorers.pipeline import add_pipeline, read_pipeline

    names = tuple(label.strip() for label in labels.split(",")) if labels else None
    scorer = read_pipeline(source, trust_pickle, names)
    return add_pipeline(scorer, name or source.stem.lower(), dev=read_corpus(dev) if dev else None)


@app.command("promote")
def promote_model(name: Annotated[str, typer.Argument(help="The bundle that is to be loaded by default.")]) -> None:
    """Make a bundle the default of this user account.

    Example: compersion models promote rules
    """
    from compersion_nlp.bundle import promote

    promote(name)
    out.print(f"{name} is now the default.")
