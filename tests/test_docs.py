"""The documentation is true: generated pages are fresh, examples run, links lead somewhere."""

import importlib.util
import re
from pathlib import Path

import msgspec
import pytest

import compersion_nlp
from compersion_nlp.batch import Account
from compersion_nlp.cli import app
from compersion_nlp.scorers.pipeline import add_pipeline, read_pipeline
from compersion_nlp.training.recipe import Recipe

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md"), *ROOT.glob("*/*/card.md")])
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+?)(?:#[^)]*)?\)")


def read(name):
    return (ROOT / name).read_text("utf-8")


def generator():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["labels.md", "cli.md"])
def test_a_generated_page_is_fresh(name):
    assert generator().PAGES[name]() == read(f"docs/{name}"), f"{name} is stale: run python docs/generate.py"


def test_the_readmes_example_runs_and_says_what_it_says():
    (example,) = PYTHON.findall(read("README.md"))
    names = {}
    exec(compile(example, "README.md", "exec"), names)
    first = names["tagger"].tag("He came home glowing and I couldn't stop grinning. Was I jealous? No, not tonight.")
    assert "compersion" in first.felt
    assert compersion_nlp.Span(0, 50) in first["compersion"].evidence
    assert first["jealousy"].stance == "denied"


def test_the_example_on_training_runs(monkeypatch):
    monkeypatch.chdir(ROOT)
    (example,) = (example for example in PYTHON.findall(read("docs/training.md")) if "evaluate(" in example)
    example = example.replace("predict(compersion_nlp.load(), corpus)", "predict(compersion_nlp.load(), corpus), 10")
    names = {}
    exec(compile(example, "docs/training.md", "exec"), names)
    assert 0 < names["result"].macro.f1 < 1


def test_the_pipeline_in_the_documentation_can_be_added(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (example,) = (example for example in PYTHON.findall(read("docs/training.md")) if "joblib.dump" in example)
    exec(compile(example, "docs/training.md", "exec"), {})
    added = add_pipeline(read_pipeline(Path("mine.joblib"), True, ("joy", "fear")), "mine")
    assert compersion_nlp.load(added).tag("so happy today").felt == ("joy",)


def test_the_recipe_in_the_documentation_is_a_recipe():
    (recipe,) = re.findall(r"```toml\n(.*?)```", read("docs/training.md"), re.DOTALL)
    assert msgspec.toml.decode(recipe, type=Recipe).name == "mine"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    for target in LINK.findall(page.read_text("utf-8")):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_readme_names_every_command():
    text = read("README.md")
    for command in app.registered_commands:
        assert f"compersion {command.name}" in text
    for group in app.registered_groups:
        assert f"compersion {group.name}" in text


def test_the_page_on_batches_names_every_key_of_a_reading():
    reading = compersion_nlp.load().tag("I was so happy for them.")
    for key in reading.to_row():
        assert f"| `{key}` |" in read("docs/batch.md")


def test_the_page_on_batches_tells_where_the_account_is():
    assert "OUT.job.json" in read("docs/batch.md")
    assert {"read", "labelled", "rejected"} <= set(Account.__struct_fields__)


def test_versions_agree():
    pyproject = read("pyproject.toml")
    assert f'version = "{compersion_nlp.__version__}"' in pyproject
    assert f"## {compersion_nlp.__version__}" in read("CHANGELOG.md")
