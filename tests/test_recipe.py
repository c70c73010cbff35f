"""Recipes: read strictly, refused by key path, resolved with every default."""

from __future__ import annotations

import pytest

from compersion_nlp.errors import BadConfig
from compersion_nlp.labels import SCHEME
from compersion_nlp.training import linear
from compersion_nlp.training.recipe import find_fitter, read_recipe, resolve

SOUND = """
format = 1
name = "tiny"
version = "3"

[data]
train = ["train.jsonl"]
dev_share = 0.25

[scorer]
name = "linear"

[scorer.options]
word_ngrams = [1, 1]
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "recipe.toml"
        path.write_text(text, "utf-8")
        return path

    return write


def test_a_sound_recipe_has_its_defaults(write):
    recipe = read_recipe(write(SOUND))
    assert (recipe.name, recipe.version, recipe.seed, recipe.window) == ("tiny", "3", 0, None)
    assert recipe.labels == SCHEME.names
    assert (recipe.data.train, recipe.data.dev, recipe.data.dev_share) == (("train.jsonl",), (), 0.25)


def test_options_become_the_fitters_own_struct(write):
    path = write(SOUND)
    fitter, options = find_fitter(read_recipe(path), path)
    assert fitter is linear
    assert options == linear.Options(word_ngrams=(1, 1))


def test_an_option_that_is_a_path_is_relative_to_the_recipe_and_resolved_as_it_is_written(write):
    path = write(
        SOUND.replace('name = "linear"', 'name = "rules"').replace("word_ngrams = [1, 1]", 'lexicon = "my/own.toml"')
    )
    recipe = read_recipe(path)
    _, options = find_fitter(recipe, path)
    assert options.lexicon == path.parent / "my" / "own.toml"
    assert resolve(recipe, options)["scorer"]["options"] == {"lexicon": "my/own.toml", "cues": None}


def test_the_resolved_recipe_writes_every_default_out_and_reads_back(write):
    path = write(SOUND)
    recipe = read_recipe(path)
    resolved = resolve(recipe, find_fitter(recipe, path)[1])
    assert resolved["scorer"]["options"]["word_ngrams"] == [1, 1]
    assert resolved["scorer"]["options"]["min_df"] == linear.Options().min_df
    assert resolved["labels"] == list(SCHEME.names)
    assert resolved["data"] == {
        "train": ["train.jsonl"],
        "dev": [],
        "dev_share": 0.25,
        "folds": None,
        "auxiliary": [],
    }


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('name = "tiny"', 'nam = "tiny"', "nam: Object contains unknown field `nam`"),
        ('version = "3"', "version = 3", "version: Expected `str`, got `int`"),
        ('version = "3"', "", "version: Object missing required field `version`"),
        ("format = 1", "format = 2", "format: Invalid enum value 2"),
        ('name = "tiny"', 'name = "Tiny bundle"', "name: Expected `str` matching regex"),
        ('version = "3"', 'version = "3"\nseed = -1', "seed: Expected `int` >= 0"),
        ('version = "3"', 'version = "3"\nwindow = 0', "window: Expected `int` >= 1"),
        ('version = "3"', 'version = "3"\nlabels = ["joyy"]', "labels: There is no label 'joyy'"),
        ('version = "3"', 'version = "3"\nlabels = ["joy", "joy"]', "labels: 'joy' is named 2 times."),
        ("dev_share = 0.25", "dev_share = 1.0", "data.dev_share: Expected `float` < 1.0"),
        ("dev_share = 0.25", "folds = 1", "data.folds: Expected `int` >= 2"),
        ("dev_share = 0.25", "share = 0.25", "data.share: Object contains unknown field `share`"),
        ("dev_share = 0.25", "", "data: found none of dev, dev_share and folds."),
        ("dev_share = 0.25", "dev_share = 0.25\nfolds = 5", "data: found dev_share and folds of dev"),
        ('train = ["train.jsonl"]', "train = []", "data.train: Expected `array` of length >= 1"),
        ('train = ["train.jsonl"]', "train = [1]", "data.train[0]: Expected `str`, got `int`"),
        ('name = "linear"', "", "scorer.name: Object missing required field `name`"),
    ],
)
def test_what_is_off_is_named_by_file_and_key(write, old, new, expected):
    assert old in SOUND
    path = write(SOUND.replace(old, new, 1))
    with pytest.raises(BadConfig) as caught:
        read_recipe(path)
    assert caught.value.message.startswith(f"{path}: {expected}")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("word_ngrams = 3", "scorer.options.word_ngrams: Expected `array`, got `int`"),
        ("depth = 3", "scorer.options.depth: Object contains unknown field `depth`"),
        ("C = 0", "scorer.options.C: Expected `float` > 0.0"),
    ],
)
def test_an_option_that_is_off_is_named_by_its_whole_path(write, options, expected):
    path = write(SOUND.replace("word_ngrams = [1, 1]", options))
    with pytest.raises(BadConfig) as caught:
        find_fitter(read_recipe(path), path)
    assert caught.value.message.startswith(f"{path}: {expected}")
    assert "word_ngrams" in caught.value.hint


def test_a_path_that_is_no_string_is_refused(write):
    path = write(SOUND.replace('name = "linear"', 'name = "rules"').replace("word_ngrams = [1, 1]", "cues = 3"))
    with pytest.raises(BadConfig, match=r"scorer\.options\.cues: Expected a path, got 3"):
        find_fitter(read_recipe(path), path)


def test_an_unknown_fitter_is_refused_with_those_there_are(write):
    path = write(SOUND.replace('name = "linear"', 'name = "oracle"'))
    with pytest.raises(BadConfig, match="no fitter 'oracle'") as caught:
        find_fitter(read_recipe(path), path)
    assert "linear" in caught.value.hint


def test_what_is_not_toml_is_refused(write):
    with pytest.raises(BadConfig, match="is not TOML"):
        read_recipe(write("name ="))


def test_a_missing_recipe_is_refused(tmp_path):
    with pytest.raises(BadConfig, match="cannot be read"):
        read_recipe(tmp_path / "recipe.toml")
