import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import joblib
import pytest
import typer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline

from compersion_nlp.batch import Progress
from compersion_nlp.bundle import pin_bundle
from compersion_nlp.cli import app
from compersion_nlp.cli.console import run, safe
from compersion_nlp.cli.progress import describe

ROOT = Path(__file__).parent.parent
FORUM = ROOT / "corpora" / "examples" / "forum.csv"
DEV = ROOT / "corpora" / "relational" / "dev.jsonl"
GLOWING = "He came home glowing and I couldn't stop grinning. Was I jealous? No, not tonight."


@pytest.fixture
def compersion(capsys, monkeypatch):
    """Runs a command in this process; returns its exit code, output and errors."""

    def command(*arguments, stdin=b""):
        monkeypatch.setattr(sys, "argv", ["compersion"])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as ended:
            run(app, [str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return ended.value.code or 0, captured.out, captured.err

    return command


def commands(command=None, path=()):
    """Yields every command with its words."""
    command = command or typer.main.get_command(app)
    if path:
        yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, (*path, name))


ALL = dict(commands())


def test_there_are_the_commands_that_the_documentation_lists():
    assert set(ALL) == {
        ("tag",),
        ("label",),
        ("train",),
        ("evaluate",),
        ("labels",),
        ("models",),
        *(("models", name) for name in ("list", "show", "verify", "add", "promote")),
        ("corpora",),
        *(("corpora", name) for name in ("list", "check", "show", "agree")),
    }


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_explains_itself_with_an_example(path, compersion):
    code, out, _ = compersion(*path, "--help")
    assert code == 0
    if not getattr(ALL[path], "commands", None):
        assert f"Example: compersion {' '.join(path)}" in " ".join(ALL[path].help.split())
        assert "Example:" in out


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_parameter_is_explained(path):
    for parameter in ALL[path].params:
        assert getattr(parameter, "help", "help"), f"{path}: {parameter.name}"


def test_tag_shows_what_is_felt_and_what_is_mentioned(compersion):
    code, out, err = compersion("tag", GLOWING)
    assert (code, err) == (0, "")
    assert GLOWING in out
    assert "compersion" in out
    assert "█" in out


def test_tag_says_in_words_what_is_felt_and_what_is_not(compersion):
    _, out, _ = compersion("tag", GLOWING)
    lines = {line.split()[1]: line for line in out.splitlines() if line.startswith("felt")}
    assert "compersion" in lines
    assert any("denied: “jealous”" in line and not line.startswith("felt") for line in out.splitlines())


@pytest.mark.parametrize(
    "text",
    ["I am not jealous.", "My husband gets jealous.", "I wish I could feel compersion.", "Jealousy is a feeling."],
)
def test_a_feeling_that_is_only_mentioned_is_not_felt(compersion, text):
    _, out, _ = compersion("tag", "--json", text)
    assert not {"jealousy", "compersion"} & set(json.loads(out)["reading"]["felt"])


def test_json_is_utf_8_whatever_the_terminal_has():
    command = [sys.executable, "-c", "from compersion_nlp.cli import main; main()", "labels", "--json"]
    ran = subprocess.run(command, capture_output=True, check=True, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert len(json.loads(ran.stdout.decode("utf-8"))["labels"]) == 23


def test_a_terminal_without_the_characters_gets_replacements():
    command = [sys.executable, "-c", "from compersion_nlp.cli import main; main()", "labels"]
    ran = subprocess.run(command, capture_output=True, check=True, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert b"jealousy" in ran.stdout


def test_progress_is_told_in_words():
    told = describe(Progress(stage="reading", chunks=2, items=512, rejected=1, seconds=2.0, share=0.999))
    assert told == "512 rows (99%), 1 rejected, 256/s, 0:00 left"
    assert describe(Progress(stage="reading", items=5, seconds=0.0)) == "5 rows"


def test_tag_gives_json_with_offsets_into_the_text(compersion):
    code, out, _ = compersion("tag", "--json", GLOWING)
    answer = json.loads(out)
    assert code == 0
    assert answer["text"] == GLOWING
    reading = answer["reading"]
    assert "compersion" in reading["felt"]
    (start, end), *_ = reading["evidence"]["compersion"]
    assert GLOWING[start:end].startswith("He came home glowing")
    assert set(reading["stances"]) >= set(reading["felt"])


def test_tag_reads_standard_input(compersion):
    code, out, _ = compersion("tag", "-", "--json", stdin="J’étais so jealous 😀".encode())
    assert code == 0
    assert json.loads(out)["text"] == "J’étais so jealous 😀"


def test_tag_survives_bytes_that_are_no_text(compersion):
    code, out, err = compersion("tag", "-", "--json", stdin=b"so happy \xff\x00 today")
    assert code == 0
    assert json.loads(out)["text"] == "so happy \ufffd\x00 today"
    assert "not valid UTF-8 at byte 9" in err


def test_tag_refuses_an_empty_passage(compersion):
    code, out, err = compersion("tag", "  ")
    assert (code, out) == (1, "")
    assert "The passage is empty." in err


def test_a_passage_cannot_drive_the_terminal(compersion):
    code, out, _ = compersion("tag", "happy \x1b]0;owned\x07\x1b[31m red [bold]not markup[/bold] \x9b1m")
    assert code == 0
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "\x9b" not in out
    assert "[bold]not markup[/bold]" in out


def test_safe_text_keeps_its_length():
    assert safe("a\x1bb\r\nc\x00\u202e\ud800") == "a␛b␍\nc␀␣\ufffd"


def test_label_writes_a_row_for_every_post_and_an_account(compersion, tmp_path):
    out_file = tmp_path / "out.csv"
    code, out, _ = compersion("label", FORUM, "--text-column", "body", "--title-column", "title", "-o", out_file)
    assert code == 0
    assert "60 read = 59 labelled + 1 rejected" in out
    assert "encoder@" in out
    with out_file.open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 59


def test_label_answers_in_json(compersion, tmp_path):
    code, out, _ = compersion("label", FORUM, "--text-column", "body", "-o", tmp_path / "o.jsonl", "--json", "--quiet")
    account = json.loads(out)
    assert code == 0
    assert account["read"] == account["labelled"] + account["rejected"] == 60


def test_labels_only_gives_the_same_decisions(compersion, tmp_path):
    arguments = ("label", FORUM, "--text-column", "body", "--quiet")
    compersion(*arguments, "-o", tmp_path / "all.jsonl")
    compersion(*arguments, "-o", tmp_path / "bare.jsonl", "--labels-only")
    whole, bare = (
        [json.loads(line)["reading"] for line in (tmp_path / name).read_text("utf-8").splitlines()]
        for name in ("all.jsonl", "bare.jsonl")
    )
    assert [(row["felt"], row["probabilities"]) for row in whole] == [
        (row["felt"], row["probabilities"]) for row in bare
    ]
    assert "evidence" in whole[0]
    assert "evidence" not in bare[0]


def test_a_missing_text_column_is_told_with_the_columns_there_are(compersion, tmp_path):
    code, _, err = compersion("label", FORUM, "--text-column", "words", "-o", tmp_path / "out.csv")
    assert code == 1
    assert "words" in err
    assert "'post_id', 'posted_at', 'board', 'author', 'title', 'body'" in err


def test_an_output_that_exists_is_not_overwritten(compersion, tmp_path):
    target = tmp_path / "out.csv"
    target.write_text("mine")
    code, _, err = compersion("label", FORUM, "--text-column", "body", "-o", target)
    assert code == 1
    assert "--overwrite" in err
    assert target.read_text() == "mine"


def test_wrong_usage_has_its_own_exit_code(compersion):
    code, _, err = compersion("label", FORUM)
    assert code == 2
    assert "--output" in err


def test_an_unexpected_error_is_told_without_the_text(compersion, monkeypatch):
    def fail(*arguments, **options):
        raise RuntimeError(f"cannot read {GLOWING}")

    monkeypatch.setattr("compersion_nlp.tagger.load", fail)
    code, out, err = compersion("tag", GLOWING)
    assert code == 1
    assert "Unexpected RuntimeError" in err
    assert "--debug" in err
    assert "glowing" not in out + err


def test_debug_shows_the_traceback(compersion, monkeypatch):
    def fail(*arguments, **options):
        raise RuntimeError("here")

    monkeypatch.setattr("compersion_nlp.tagger.load", fail)
    monkeypatch.setattr(sys, "argv", ["compersion"])
    with pytest.raises(RuntimeError, match="here"):
        run(app, ["tag", GLOWING, "--debug"])


def test_a_passage_may_look_like_an_option(compersion):
    code, out, _ = compersion("tag", "--json", "--", "--debug")
    assert code == 0
    assert json.loads(out)["text"] == "--debug"


def test_labels_lists_the_scheme(compersion):
    _, out, _ = compersion("labels")
    assert "compersion" in out
    assert "hypothetical" in out
    _, out, _ = compersion("labels", "--json")
    assert len(json.loads(out)["labels"]) == 23


def test_models_are_listed_shown_verified_and_promoted(compersion, own_store):
    _, out, _ = compersion("models", "list", "--json")
    listed = {item["name"]: item for item in json.loads(out)}
    assert {name for name, item in listed.items() if item["default"]} == {"encoder"}
    _, out, _ = compersion("models", "show", "linear")
    assert "trained on" in out or "train" in out
    code, out, _ = compersion("models", "verify")
    assert code == 0
    assert "linear: sound" in out
    code, out, _ = compersion("models", "promote", "rules")
    assert code == 0
    _, out, _ = compersion("models", "list", "--json")
    assert {item["name"]: item["default"] for item in json.loads(out)} == {
        "auto": False,
        "encoder": False,
        "fast": False,
        "hybrid": False,
        "linear": False,
        "rules": True,
    }


def test_what_a_bundle_says_of_itself_is_shown_as_it_is(compersion, plain_bundle, own_store):
    shutil.copytree(plain_bundle, own_store / "odd")
    manifest = own_store / "odd" / "manifest.json"
    manifest.write_text(
        manifest.read_text().replace('"description": ""', '"description": "[/b] :joy: [link=x]y[/link]"')
    )
    pin_bundle(own_store, "odd")
    code, out, _ = compersion("models", "list")
    assert code == 0
    assert "[/b] :joy: [link=x]y[/link]" in " ".join(out.split())


def test_a_bundle_that_is_not_sound_fails_verification(compersion, plain_bundle):
    (plain_bundle / "extra.txt").write_text("")
    code, out, _ = compersion("models", "verify", plain_bundle)
    assert code == 1
    assert "'extra.txt' is not in the manifest" in out


def test_a_bundle_can_be_added_to_the_store(compersion, plain_bundle, own_store):
    code, out, _ = compersion("models", "add", plain_bundle, "--name", "mine")
    assert code == 0
    assert (own_store / "mine" / "manifest.json").is_file()
    assert "added mine" in out


@pytest.fixture
def pipeline_file(tmp_path):
    texts = ["so happy today", "terrified of it", "happy and glad", "fear took me", "the bus", "a tram"] * 4
    gold = [[1, 0], [0, 1], [1, 0], [0, 1], [0, 0], [0, 0]] * 4
    pipeline = make_pipeline(TfidfVectorizer(), OneVsRestClassifier(LogisticRegression()))
    joblib.dump(pipeline.fit(texts, gold), tmp_path / "mine.joblib")
    return tmp_path / "mine.joblib"


def test_a_pipeline_is_added_only_if_it_is_trusted(compersion, pipeline_file):
    code, _, err = compersion("models", "add", pipeline_file, "--labels", "joy,fear")
    assert code == 1
    assert "--trust-pickle" in err
    code, out, _ = compersion("models", "add", pipeline_file, "--labels", "joy,fear", "--trust-pickle")
    assert code == 0
    code, out, _ = compersion("tag", "so happy", "--model", "mine", "--json")
    assert code == 0
    assert set(json.loads(out)["reading"]["probabilities"]) == {"joy", "fear"}
    assert json.loads(out)["reading"]["provisional"] == ["joy", "fear"]


def test_a_pipeline_can_be_calibrated_on_a_corpus(compersion, pipeline_file):
    arguments = ("models", "add", pipeline_file, "--labels", "joy,fear", "--trust-pickle", "--dev", DEV)
    assert compersion(*arguments, "--name", "tuned")[0] == 0
    _, out, _ = compersion("models", "show", "tuned", "--json")
    assert json.loads(out)["decision"]["joy"]["positives"] > 0


def test_corpora_are_listed_checked_and_shown(compersion):
    _, out, _ = compersion("corpora", "list", ROOT / "corpora", "--json")
    assert json.loads(out)["relational"]["dev.jsonl"] > 200
    code, out, _ = compersion("corpora", "check", ROOT / "corpora" / "relational")
    assert code == 0
    assert "sound" in out
    _, out, _ = compersion("corpora", "show", DEV)
    assert "jealousy" in out
    assert "felt together" in out


def test_a_corpus_is_drawn_on_a_page(compersion, tmp_path):
    code, _, err = compersion("corpora", "show", DEV, "--html", tmp_path / "dev.html")
    assert code == 0
    assert "dev.html" in err
    page = (tmp_path / "dev.html").read_text("utf-8")
    assert "possessiveness (po)" in page
    assert "background-color" in page
    code, _, err = compersion("corpora", "show", DEV, "--html", tmp_path / "none" / "dev.html")
    assert code == 1
    assert "cannot be written" in err


def test_public_sets_are_listed_without_being_fetched_and_counted_where_they_are(compersion, tmp_path):
    _, out, _ = compersion("corpora", "list", ROOT / "corpora", "--json")
    assert json.loads(out)["goemotions"] == {"train": None, "validation": None, "test": None}
    (tmp_path / "lemotif").mkdir()
    (tmp_path / "lemotif" / "train.jsonl").write_text('{"id": "x1", "text": "ha ha", "labels": ["happy"]}\n')
    _, out, _ = compersion("corpora", "list", ROOT / "corpora", "--data-dir", tmp_path, "--json")
    assert json.loads(out)["lemotif"] == {"train": 1}
    _, out, _ = compersion("corpora", "show", ROOT / "corpora" / "lemotif" / "train", "--data-dir", tmp_path, "--json")
    assert json.loads(out)[0]["stances"]["joy"]["felt"] == 1


def test_two_readers_are_compared(compersion, tmp_path):
    for name, marks in (("one", {"joy": "felt"}), ("other", {"joy": "past"})):
        row = {"id": "a", "text": "x", "kind": "comment", "group": "a", "feelings": marks}
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(row))
    files = (tmp_path / "one.jsonl", tmp_path / "other.jsonl")
    code, out, _ = compersion("corpora", "agree", *files)
    assert code == 0
    assert "1 passages that both marked (only one marked 0), 0% of them identically" in out
    _, out, _ = compersion("corpora", "agree", *files, "--json")
    assert json.loads(out)["mentions"] == 1
    _, out, _ = compersion("corpora", "agree", *files, "--markdown")
    assert "| joy | 1 | 0 | 0 |" in out


def test_a_corpus_with_a_problem_fails_its_check(compersion, tmp_path):
    line = DEV.read_text("utf-8").splitlines()[0]
    (tmp_path / "twice.jsonl").write_text(f"{line}\n{line}\n", "utf-8")
    code, out, _ = compersion("corpora", "check", tmp_path / "twice.jsonl")
    assert code == 1
    assert "is taken by" in out


def test_evaluate_prints_a_table_json_and_markdown(compersion):
    code, out, _ = compersion("evaluate", "linear", DEV, "--resamples", "20")
    assert code == 0
    assert "macro" in out
    _, out, _ = compersion("evaluate", "linear", DEV, "--resamples", "20", "--json")
    assert len(json.loads(out)["labels"]) == 23
    _, out, _ = compersion("evaluate", "linear", DEV, "--resamples", "20", "--markdown")
    assert "| label |" in out


def test_evaluate_compares_two_bundles(compersion):
    code, out, _ = compersion("evaluate", "linear", DEV, "--against", "rules", "--resamples", "20")
    assert code == 0
    assert "first is" in out


def test_a_recipe_is_trained(compersion, tmp_path):
    (tmp_path / "recipe.toml").write_text(
        'format = 1\nname = "small"\nversion = "1"\nlabels = ["joy", "jealousy"]\n'
        f'[data]\ntrain = [{json.dumps(str(DEV))}]\ndev_share = 0.3\n[scorer]\nname = "linear"\n'
        "[scorer.options]\nmax_words = 300\nmax_chars = 300\n",
        "utf-8",
    )
    code, out, err = compersion("train", tmp_path / "recipe.toml", "-o", tmp_path / "small")
    assert code == 0, err
    assert "macro f1" in out
    assert compersion("tag", "so jealous", "-m", tmp_path / "small")[0] == 0
