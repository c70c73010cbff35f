"""The encoder: fitted from a recipe on a network of a few thousand numbers, kept in 8 bits, read back and explained."""

import json

import msgspec
import numpy as np
import onnx
import pytest
import tiny_home
from tokenizers import Tokenizer

from compersion_nlp.bundle import load_bundle, open_bundle
from compersion_nlp.errors import BadBundle, BadConfig
from compersion_nlp.scorers.encoder import EncoderScorer, Settings, load
from compersion_nlp.scorers.protocol import PROBES, StanceScorer, check_scorer
from compersion_nlp.scorers.wordpieces import WordPieces, spell
from compersion_nlp.tagger import Tagger
from compersion_nlp.training.data import Auxiliary, Part, read_data
from compersion_nlp.training.recipe import read_recipe
from compersion_nlp.training.train import train

TEACHER = """
[scorer.options.teacher]
base = "somebody/tiny-base"
kept = "../teacher.safetensors"
schedule = { epochs = 2, learning_rate = 2e-3, head_learning_rate = 1e-2, pieces_a_step = 200 }
"""


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    with tiny_home.one_thread():
        yield


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tiny_home.make_home(tmp_path_factory)


@pytest.fixture(scope="module")
def tagger(home):
    return Tagger(load_bundle(home / "tiny"))


@pytest.fixture(scope="module")
def scorer(tagger):
    return tagger.bundle.scorer


def test_a_trained_encoder_keeps_the_contract_and_knows_stances(scorer):
    check_scorer(scorer)
    assert isinstance(scorer, StanceScorer)


def test_it_reads_what_it_was_taught(tagger):
    reading = tagger.tag("the bins go out. so happy and glad what a day. rain on the tent.")
    assert reading.felt == ("joy",)
    assert "so happy and glad what a day." in [span.of(reading.text) for span in reading["joy"].evidence]


def test_what_is_only_mentioned_gets_the_stance_it_was_taught(tagger):
    reading = tagger.tag("the bins go out. his tent was full of rain. we had soup again.")
    assert reading["fear"].stance == "other"
    (mention,) = reading["fear"].mentions  # no word of the lexicon names it: a sentence stands for it
    assert mention.span.of(reading.text) in ("the bins go out.", "his tent was full of rain.", "we had soup again.")


def test_a_text_has_the_same_row_whatever_stands_beside_it(scorer):
    texts = ["so glad", "full of dread and rain and soup again", "", "x" * 300]
    together = scorer.score(texts)
    assert all(np.array_equal(scorer.score([text])[0], row) for text, row in zip(texts, together, strict=True))


def test_all_answers_are_of_one_mind(scorer):
    answers = scorer.answer(PROBES)
    assert np.array_equal(answers.felt, scorer.score(PROBES))
    assert (answers.mentioned.shape, answers.stances.shape) == ((len(PROBES), 2), (len(PROBES), 2, 6))


def test_no_answers_for_no_texts(scorer):
    assert scorer.answer([]).stances.shape == (0, 2, 6)
    assert scorer.trace([])[1] == []


def test_what_word_pieces_add_makes_up_the_logit(scorer):
    texts = ["so glad and happy", "his bus was late again"]
    logits = scorer.score(texts)
    sums = np.array([trace.felt.sum(axis=0) for trace in scorer.trace(texts)[1]])
    # The constant of a label falls out; in 8 bits, the two are not computed alike to the last digit.
    assert np.allclose(logits[0] - logits[1], sums[0] - sums[1], rtol=0.01, atol=0.05)


def test_a_trace_points_into_the_text_as_it_came_in(scorer):
    text = "so 🎉 glad"
    offsets = scorer.trace([text])[1][0].offsets
    assert {text[start:end] for start, end in offsets} == {"", "so", "🎉", "glad"}


def test_a_public_sets_own_labels_have_a_head(scorer):
    assert scorer.settings.heads == {"theirs": ("dull", "fun")}
    assert scorer.score_head("theirs", ["rain on the tent.", "soup"]).shape == (2, 2)
    with pytest.raises(BadConfig, match="no head 'ours'"):
        scorer.score_head("ours", ["x"])


def test_attention_is_one_kernel_a_layer_in_eight_bits(scorer):
    nodes = [node.op_type for node in onnx.load_from_string(scorer.model).graph.node]
    assert nodes.count("MultiHeadAttention") == 2
    assert nodes.count("Softmax") == 1  # the labels' own


def test_a_bundle_saved_again_is_the_same(home, scorer, tmp_path):
    scorer.save(tmp_path)
    for name in ("model.onnx", "tokenizer.json", "encoder.json"):
        assert (tmp_path / name).read_bytes() == (home / "tiny" / name).read_bytes()


def test_thresholds_can_be_fitted_anew_and_the_scorer_kept(home):
    before = load_bundle(home / "tiny")
    recipe = home / "tiny" / "recipe.toml"
    text = recipe.read_text()
    recipe.write_text(text.replace("window = 200", "window = 200\nmost_false_alarms = 0.01"))
    manifest = train(recipe, data_dir=home / "data", keep_scorer=True)
    recipe.write_text(text)
    assert manifest.files["model.onnx"] == before.manifest.files["model.onnx"]
    assert all(
        manifest.decision[label].threshold >= before.manifest.decision[label].threshold for label in ("joy", "fear")
    )
    train(recipe, data_dir=home / "data", keep_scorer=True)
    assert load_bundle(home / "tiny").manifest.decision == before.manifest.decision


def test_a_teacher_is_fitted_once_and_kept(home):
    said = []
    recipe = tiny_home.write_recipe(home, "taught", tiny_home.RECIPE.format(epochs=2, teacher=TEACHER))
    train(recipe, progress=said.append, data_dir=home / "data")
    kept = (home / "teacher.safetensors").read_bytes()
    steps = sum("Step" in line for line in said)
    train(recipe, progress=said.append, data_dir=home / "data")
    assert (home / "teacher.safetensors").read_bytes() == kept
    assert sum("Step" in line for line in said) == steps + steps // 2
    assert open_bundle(home / "taught").scorer.labels == ("joy", "fear")


def test_spelling_keeps_places():
    text = "e\u0301 \u2019 👍🏽\ufe0f"
    spelled, places = spell(text)
    assert len(spelled) == len(places)
    assert "thumbs up sign" in spelled
    assert spell("plain text") == ("plain text", None)


@pytest.mark.parametrize("text", ["", " ", "x" * 5000, "🎉" * 300, "soup " * 200])
def test_a_text_is_cut_into_chunks_that_leave_nothing_out(home, text):
    pieces = WordPieces(Tokenizer.from_file(str(home / "data" / "tiny-base" / "tokenizer.json")), 32)
    chunks = pieces.cut([text])[0]
    assert all(len(chunk.ids) <= 32 for chunk in chunks)
    whole = pieces.tokenizer.encode(spell(text)[0], add_special_tokens=False).ids
    assert [id_ for chunk in chunks for id_ in chunk.ids[1:-1]] == whole


def test_what_is_typed_like_a_special_piece_is_text(scorer):
    first, last = scorer.pieces.first, scorer.pieces.last
    (chunk,) = scorer.pieces.cut(["so [SEP] glad [CLS]"])[0]
    assert [id_ for id_ in chunk.ids if id_ in (first, last)] == [first, last]


def test_texts_that_are_decided_on_are_not_learned_from_in_public_sets(home):
    recipe = read_recipe(home / "tiny" / "recipe.toml")
    theirs = home / "data" / "theirs" / "train.jsonl"
    before = theirs.read_text()
    held = json.loads((home / "corpora" / "made" / "dev.jsonl").read_text().splitlines()[0])["text"]
    theirs.write_text(before + json.dumps({"id": "x", "text": held, "labels": ["fun"]}) + "\n")
    (auxiliary,) = read_data(recipe, home / "tiny", home / "data").train.auxiliary
    theirs.write_text(before)
    assert held not in auxiliary.texts
    assert (len(auxiliary.texts), auxiliary.gold.shape) == (40, (40, 2))


def test_a_part_of_the_passages_leaves_the_others_texts_out_of_public_sets():
    gold = np.array([[1], [0]], np.float32)
    theirs = Auxiliary("theirs", ("one", "two", "three"), ("fun",), np.ones((3, 1), np.float32))
    part = msgspec.structs.replace(Part.of(["one", "two"], gold), auxiliary=(theirs,))
    assert part.only(np.array([True, False])).auxiliary[0].texts == ("one", "three")


def test_bare_texts_say_nothing_of_what_is_mentioned_and_not_felt():
    part = Part.of(["one", "two"], np.array([[1, 0], [0, np.nan]], np.float32))
    assert np.array_equal(part.mentioned, np.array([[1, np.nan], [np.nan, np.nan]], np.float32), equal_nan=True)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('heads = ["theirs"]', 'heads = ["ours"]', r"scorer.options.heads names 'ours'[\s\S]*theirs"),
        ('auxiliary = ["', 'auxiliary = ["../corpora/theirs/train", "', "names two splits of theirs"),
        ('name = "encoder"', 'name = "linear"', r"data.auxiliary: the fitter 'linear' does not learn|unknown field"),
        ("[scorer]", '[report]\ncorpora = ["../corpora/made/dev.jsonl"]\n[scorer]', "Two corpora are called made/dev"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused_before_anything_is_fitted(home, tmp_path, old, new, message):
    recipe = tmp_path / "tiny" / "recipe.toml"
    recipe.parent.mkdir()
    text = (home / "tiny" / "recipe.toml").read_text().replace("../corpora", str(home / "corpora"))
    assert old in text
    recipe.write_text(text.replace(old, new.replace("../corpora", str(home / "corpora"))))
    said = []
    with pytest.raises(BadConfig, match=message):
        train(recipe, progress=said.append, data_dir=home / "data")
    assert not any("Step" in line for line in said)


def test_a_scorer_of_another_kind_is_not_kept(home, tmp_path):
    other = tiny_home.write_lines(tmp_path / "corpora" / "other.jsonl", tiny_home.passages("other", 60))
    recipe = home / "tiny" / "recipe.toml"
    text = recipe.read_text()
    recipe.write_text(text.replace("../corpora/made/train.jsonl", str(other)))
    with pytest.raises(BadConfig, match="was fitted on other corpora"):
        train(recipe, data_dir=home / "data", keep_scorer=True)
    recipe.write_text(text)


def test_files_that_are_no_encoder_are_refused(home, tmp_path):
    scorer = load_bundle(home / "tiny").scorer
    scorer.save(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"not a network")
    with pytest.raises(BadBundle, match="does not hold an encoder"):
        load(tmp_path, ("joy", "fear"))


def test_a_network_for_other_labels_is_refused(home, tmp_path):
    scorer = load_bundle(home / "tiny").scorer
    scorer.save(tmp_path)
    with pytest.raises(BadBundle, match="the output felt has the shape"):
        load(tmp_path, ("joy", "fear", "envy"))
    (tmp_path / "encoder.json").write_text('{"longest": 32, "heads": {"other": ["a"]}}')
    with pytest.raises(BadBundle, match="the output other has the shape None"):
        load(tmp_path, ("joy", "fear"))


def test_workers_of_a_batch_use_one_thread_each(monkeypatch, scorer):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    alone = EncoderScorer(scorer.labels, Settings(32, scorer.settings.heads), scorer.pieces.tokenizer, scorer.model)
    assert alone._threads == 1
    assert np.array_equal(alone.score(PROBES), scorer.score(PROBES))
