"""Training: whole bundles from tiny corpora, the same bytes for the same input, honest scores."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from compersion_nlp.bundle import find_bundle, load_bundle, verify_bundle
from compersion_nlp.bundle.store import INDEX
from compersion_nlp.corpus import read_corpus
from compersion_nlp.decision import fit_decision
from compersion_nlp.errors import BadBundle, BadConfig
from compersion_nlp.evaluate import evaluate, predict
from compersion_nlp.tagger import Tagger, window_logits
from compersion_nlp.training import linear
from compersion_nlp.training.data import read_data
from compersion_nlp.training.recipe import read_recipe
from compersion_nlp.training.train import train

WORDS = {"joy": "what a happy glad day", "fear": "so scared and full of dread"}
FILLER = (
    "the bins go out",
    "we had soup again",
    "rain on the tent",
    "his bus was late",
    "her sister rang",
    "the cat slept",
)


def passages(n, prefix, labels=("joy", "fear")):
    """Passages in groups of two that show their labels in their words, one in ten of them falsely."""
    for i in range(n):
        felt = [label for place, label in enumerate(labels) if (i // 2 + i % 3) % (place + 2) == 0]
        said = felt if i % 10 else list(labels)
        text = ", ".join([FILLER[i % 6], f"{prefix} {i}", *(WORDS[label] for label in said), FILLER[(i * 7) % 6]])
        feelings = dict.fromkeys(felt, "felt")
        yield {
            "id": f"{prefix}{i}",
            "text": text,
            "kind": "comment",
            "group": f"{prefix}{i // 2}",
            "feelings": feelings,
        }


def write_lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture
def make(tmp_path):
    """Returns a function that writes corpora and a recipe, and returns the recipe's path."""
    write_lines(tmp_path / "corpora" / "made" / "train.jsonl", passages(120, "t"))
    write_lines(tmp_path / "corpora" / "made" / "dev.jsonl", passages(80, "d"))

    def make(data='dev = ["../../corpora/made/dev.jsonl"]', more="", name="tiny"):
        path = tmp_path / "models" / name / "recipe.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f'format = 1\nname = "{name}"\nversion = "1"\nlabels = ["joy", "fear"]\n{more}\n'
            f'[data]\ntrain = ["../../corpora/made/train.jsonl"]\n{data}\n'
            '[scorer]\nname = "linear"\n[scorer.options]\nchar_ngrams = [2, 3]\nmax_words = 200\nmax_chars = 200\n'
        )
        return path

    return make


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def test_the_bundle_is_written_beside_its_recipe_and_reads(make):
    path = make()
    before = path.read_bytes()
    manifest = train(path)
    assert manifest == verify_bundle(path.parent)
    assert path.read_bytes() == before
    assert {"recipe.toml", "card.md"} <= set(manifest.files)
    reading = Tagger(load_bundle(path.parent)).tag("What a happy glad day", explain=False)
    assert reading.felt == ("joy",)
    assert reading.model == "tiny@1"


def test_the_manifest_says_what_it_was_made_from(make):
    path = make()
    manifest = train(path)
    corpora = path.parent.parent.parent / "corpora" / "made"
    assert {name: (use.sha256, use.passages, use.use) for name, use in manifest.corpora.items()} == {
        "made/train": (read_corpus(corpora / "train.jsonl").sha256, 120, "train"),
        "made/dev": (read_corpus(corpora / "dev.jsonl").sha256, 80, "dev"),
    }
    assert manifest.recipe["scorer"]["options"]["min_df"] == 2
    assert {"compersion-nlp", "scikit-learn", "python"} <= set(manifest.libraries)
    assert str(path.parent) not in (path.parent / "manifest.json").read_text()


@pytest.mark.parametrize("data", ['dev = ["../../corpora/made/dev.jsonl"]', "dev_share = 0.3", "folds = 3"])
def test_the_same_recipe_and_corpora_give_the_same_bytes(make, tmp_path, data):
    path = make(data)
    train(path, tmp_path / "one")
    train(path, tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_fitting_has_one_thread_so_that_the_number_of_cores_changes_no_digit(make, monkeypatch):
    threads = []
    fit = linear.fit

    def watched(*arguments):
        threads.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return fit(*arguments)

    monkeypatch.setattr(linear, "fit", watched)
    with threadpool_limits(2, user_api="blas"):
        train(make("folds = 2"))
        after = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    assert set(threads) == {1}
    assert set(after) == {2}


def test_training_again_replaces_the_bundle(make):
    path = make()
    train(path)
    path.write_text(path.read_text().replace('version = "1"', 'version = "2"'))
    train(path)
    assert verify_bundle(path.parent).version == "2"


def test_decisions_are_fitted_on_dev_through_the_taggers_windows(make):
    path = make(more="window = 40")
    manifest = train(path)
    recipe = read_recipe(path)
    dev = read_data(recipe, path.parent).dev
    logits = window_logits(load_bundle(path.parent).scorer, dev.texts, 40)
    assert manifest.decision == fit_decision(recipe.labels, logits, dev.gold).by_label
    assert manifest.window == 40


def test_scores_come_from_numbers_that_did_not_see_the_passage(make):
    path = make()
    scores = train(path).scores
    dev = path.parent.parent.parent / "corpora" / "made" / "dev.jsonl"
    fitted_there = evaluate(predict(Tagger(load_bundle(path.parent)), read_corpus(dev)), resamples=50)
    assert fitted_there.warning == "In training, thresholds were fitted on this corpus: the figures are optimistic."
    assert scores["passages"] == fitted_there.passages == 80
    assert scores["groups"] == 40
    assert scores["macro_f1"] <= fitted_there.macro.f1
    assert scores["calibration_error"] != fitted_there.micro.calibration_error
    assert scores["macro_f1_interval"][0] <= scores["macro_f1"] <= scores["macro_f1_interval"][1]
    assert "fitted on other groups" in scores["how"]
    assert set(scores["labels"]) == {"joy", "fear"}


def test_folds_judge_every_training_passage_and_mark_the_corpus_as_trained_on(make):
    steps = []
    manifest = train(make("folds = 3"), progress=steps.append)
    assert manifest.scores["passages"] == 120
    assert [use.use for use in manifest.corpora.values()] == ["train"]
    assert [step for step in steps if step.startswith("Fitting fold")] == [f"Fitting fold {n} of 3" for n in (1, 2, 3)]


def test_more_folds_than_groups_are_refused(make):
    with pytest.raises(BadConfig, match="There are 60 groups for 61 folds"):
        train(make("folds = 61"))


def test_a_share_is_held_out_by_group(make):
    path = make("dev_share = 0.3")
    data = read_data(read_recipe(path), path.parent)
    assert not set(data.train.groups) & set(data.dev.groups)
    assert (len(data.train.annotations), len(data.dev.annotations)) == (84, 36)
    assert len(data.train.gold) == 84


def test_a_group_in_train_and_dev_is_refused(make, tmp_path):
    write_lines(tmp_path / "corpora" / "made" / "dev.jsonl", passages(10, "t"))
    with pytest.raises(BadConfig, match="5 groups have passages both in train and in dev, the first 'made/t0'"):
        train(make())


def test_groups_of_two_corpora_may_share_a_name(make, tmp_path):
    write_lines(tmp_path / "corpora" / "other" / "dev.jsonl", passages(80, "t"))
    assert train(make('dev = ["../../corpora/other/dev.jsonl"]')).corpora["other/dev"].passages == 80


def test_a_corpus_named_twice_is_refused(make):
    with pytest.raises(BadConfig, match="Two corpora are called made/train"):
        train(make('dev = ["../../corpora/made/train.jsonl"]'))


def test_labels_that_a_corpus_does_not_annotate_stay_unknown(make, tmp_path):
    write_lines(tmp_path / "corpora" / "joyful" / "more.jsonl", passages(20, "j", labels=("joy",)))
    (tmp_path / "corpora" / "joyful" / "corpus.toml").write_text('labels = ["joy"]')
    path = make()
    path.write_text(path.read_text().replace("train.jsonl", 'train.jsonl", "../../corpora/joyful/more.jsonl'))
    gold = read_data(read_recipe(path), path.parent).train.gold
    assert np.isnan(gold[:, 1]).sum() == 20
    assert not np.isnan(gold[:, 0]).any()
    assert train(path).corpora["joyful/more"].use == "train"


def test_the_stores_index_pins_the_new_manifest(make, monkeypatch):
    path = make()
    store = path.parent.parent
    (store / INDEX).write_text('{"format": 1, "default": null, "bundles": {}}')
    train(path)
    monkeypatch.setenv("COMPERSION_MODELS", str(store))
    assert find_bundle("tiny") == store / "tiny"
    assert load_bundle("tiny").manifest.name == "tiny"


def test_no_index_is_made_where_there_is_none(make):
    path = make()
    train(path)
    assert not (path.parent.parent / INDEX).exists()


def test_a_folder_that_holds_something_else_is_left_alone(make, tmp_path):
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "letter.txt").write_text("dear")
    with pytest.raises(BadBundle, match=r"letter\.txt"):
        train(make(), taken)
    assert contents(taken) == {"letter.txt": b"dear"}


def test_a_recipe_of_another_name_needs_an_output(make, tmp_path):
    path = make().rename(tmp_path / "models" / "tiny" / "mine.toml")
    with pytest.raises(BadConfig, match=r"is not called recipe\.toml"):
        train(path)
    train(path, tmp_path / "out")
    assert verify_bundle(tmp_path / "out").name == "tiny"


def test_the_card_shows_the_scores_and_how_they_came_about(make):
    path = make(more='description = "Reads two feelings."\nlicence = "CC0-1.0"')
    manifest = train(path)
    card = (path.parent / "card.md").read_text("utf-8")
    assert card.startswith("# tiny 1\n\nReads two feelings.\n\n")
    assert "- Licence: CC0-1.0" in card
    assert "- Made with: made/dev (80 passages, dev); made/train (120 passages, train)" in card
    assert manifest.scores["how"] in card
    assert f"| {manifest.scores['macro_f1']:.2f} |" in next(line for line in card.splitlines() if "| macro |" in line)
