"""The static scorer: taught by an encoder from a recipe, read back, the same for a text whatever stands beside it."""

import numpy as np
import pytest
import tiny_home
from safetensors.numpy import load_file, save_file

from compersion_nlp.bundle import Manifest, load_bundle, write_bundle
from compersion_nlp.decision import Decision
from compersion_nlp.errors import BadBundle, BadConfig
from compersion_nlp.scorers.linear import Features, LinearScorer, TfIdf
from compersion_nlp.scorers.protocol import PROBES, StanceScorer, check_scorer
from compersion_nlp.scorers.static import TOKENIZER, WEIGHTS, StaticScorer, load
from compersion_nlp.tagger import Tagger
from compersion_nlp.training.data import Part
from compersion_nlp.training.setting import Setting
from compersion_nlp.training.static import Options, _parts, fit
from compersion_nlp.training.train import train

LABELS = tiny_home.LABELS
TEXTS = (
    "so glad and happy",
    "",
    "full of dread and rain and soup again",
    "so 🎉 glad",
    "his tent was full of rain.",
    "soup " * 700,  # longer than a block of pieces
    "x",
    "we had soup again. so scared and full of dread!",
    "\x00 [SEP] e\u0301 \u2019",
)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    with tiny_home.one_thread():
        yield


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tiny_home.make_static_home(tmp_path_factory)


@pytest.fixture(scope="module")
def tagger(home):
    return Tagger(load_bundle(home / "fast"))


@pytest.fixture(scope="module")
def scorer(tagger):
    return tagger.bundle.scorer


def changed(scorer, **arrays):
    """Returns the scorer with some of its arrays in the place of its own."""
    weights = {name: getattr(scorer.weights, name) for name in scorer.weights.__struct_fields__}
    return StaticScorer(scorer.labels, scorer._pieces.tokenizer, type(scorer.weights)(**weights | arrays))


def read_plainly(scorer, text):
    """Returns what a text is answered, and what its pieces add to felt, by the plainest arithmetic, in 64 bits."""
    weights = {name: np.float64(getattr(scorer.weights, name)) for name in scorer.weights.__struct_fields__}
    ids = scorer._pieces.cut([text])[0][0].ids
    reach = len(weights["window"]) // 2
    vectors = np.pad(weights["vectors"][ids] * weights["scales"][ids, None], ((reach, reach), (0, 0)))
    seen = [vectors[place : place + len(ids)] @ matrix for place, matrix in enumerate(weights["window"])]
    states = np.maximum(sum(seen) + weights["bias"], 0)
    looks = np.exp(states @ weights["queries"].T)
    looks /= looks.sum(axis=0)
    context = np.concatenate([states.max(axis=0), states.sum(axis=0) / np.sqrt(len(ids))])
    push = np.maximum(context @ weights["context"] + weights["context_bias"], 0) @ weights["push"]
    added = np.concatenate([looks * (states @ weights[name].T) for name in ("felt", "mentioned")], axis=1)
    felt, mentioned = np.split(added.sum(axis=0) + push, 2)
    stances = looks.T @ states @ weights["stances"].T + weights["stances_bias"]
    return felt + weights["felt_bias"], mentioned + weights["mentioned_bias"], stances, added[:, : len(scorer.labels)]


def test_a_trained_static_scorer_keeps_the_contract_and_knows_stances(scorer):
    check_scorer(scorer)
    assert isinstance(scorer, StanceScorer)


def test_it_reads_what_its_teacher_reads(tagger):
    assert tagger.tag("the bins go out. so happy and glad what a day. rain on the tent.").felt == ("joy",)
    assert tagger.tag("we had soup again. so scared and full of dread! the bins go out.").felt == ("fear",)
    assert tagger.tag("the bins go out. we had soup again. rain on the tent.").felt == ()


def test_what_carries_a_label_is_found_by_the_trace(tagger):
    reading = tagger.tag("the bins go out. so happy and glad what a day. rain on the tent.")
    assert [span.of(reading.text) for span in reading["joy"].evidence] == ["so happy and glad what a day."]


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_it_answers_what_the_plainest_arithmetic_does(scorer, text):
    felt, mentioned, stances, added = read_plainly(scorer, text)
    answers, (trace,) = scorer.trace([text])
    assert np.allclose(scorer.score([text])[0], felt, atol=1e-3)
    assert np.allclose(answers.felt[0], felt, atol=1e-3)
    assert np.allclose(answers.mentioned[0], mentioned, atol=1e-3)
    assert np.allclose(answers.stances[0], stances, atol=1e-3)
    assert np.allclose(trace.felt, added, atol=1e-3)


# The same row, whatever stands beside it


@pytest.mark.parametrize("at_once", [1, 40, 800, 2**15])
def test_a_text_has_exactly_the_same_row_alone_and_among_others(scorer, monkeypatch, at_once):
    alone = np.concatenate([scorer.score([text]) for text in TEXTS])
    assert len(np.unique(alone, axis=0)) > 5
    monkeypatch.setattr("compersion_nlp.scorers.static._AT_ONCE", at_once)
    assert np.array_equal(scorer.score(TEXTS), alone)
    assert np.array_equal(scorer.score(TEXTS[::-1]), alone[::-1])
    assert np.array_equal(scorer.score([*TEXTS, *TEXTS[3:6] * 4])[: len(TEXTS)], alone)


@pytest.mark.parametrize("at_once", [1, 800, 2**15])
def test_answers_and_traces_too_are_exactly_the_same(scorer, monkeypatch, at_once):
    alone = [scorer.trace([text]) for text in TEXTS]
    monkeypatch.setattr("compersion_nlp.scorers.static._AT_ONCE", at_once)
    answers, traces = scorer.trace(TEXTS)
    for together, one in ((answers, alone), (scorer.answer(TEXTS), alone)):
        for place, found in enumerate(together):
            assert np.array_equal(found, np.concatenate([answered[place] for answered, _ in one]))
    for trace, (_, (one,)) in zip(traces, alone, strict=True):
        assert np.array_equal(trace.offsets, one.offsets)
        assert np.array_equal(trace.felt, one.felt)
        assert np.array_equal(trace.mentioned, one.mentioned)


def test_all_answers_are_of_one_mind(scorer):
    answers, _ = scorer.trace(PROBES)
    assert np.array_equal(scorer.answer(PROBES).felt, answers.felt)
    assert np.array_equal(scorer.score(PROBES), answers.felt)


def test_a_wide_network_too_gives_a_text_exactly_the_same_row(scorer):
    """As wide as what is shipped: products of large matrices are summed in more ways than those of small ones."""
    draw = np.random.default_rng(0)
    n_pieces = scorer._pieces.tokenizer.get_vocab_size()
    labels = ("joy", "fear", "envy", "love", "jealousy", "compersion", "sadness")

    def make(*shape):
        return (draw.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)

    wide = StaticScorer(
        labels,
        scorer._pieces.tokenizer,
        type(scorer.weights)(
            vectors=draw.integers(-127, 128, (n_pieces, 96)).astype(np.int8),
            scales=np.full(n_pieces, 0.01, np.float32),
            window=make(5, 96, 192),
            bias=make(192),
            **{name: make(7, 192) for name in ("queries", "felt", "mentioned")},
            **{name: make(7) for name in ("felt_bias", "mentioned_bias")},
            stances=make(6, 192),
            stances_bias=make(7, 6),
            context=make(384, 128),
            context_bias=make(128),
            push=make(128, 14),
        ),
    )
    texts = [" ".join(draw.permutation(TEXTS[7].split())[: n % 12]) for n in range(300)]
    together = wide.answer(texts)
    assert np.array_equal(wide.score(texts), together.felt)
    assert np.array_equal(wide.score(texts[::-1])[::-1], together.felt)
    for row in (0, 1, 150, 298, 299):
        alone = wide.answer([texts[row]])
        assert all(np.array_equal(one[0], found[row]) for one, found in zip(alone, together, strict=True))


# Odd texts


def test_no_answers_for_no_texts(scorer):
    assert scorer.score([]).shape == (0, 2)
    assert scorer.answer([]).stances.shape == (0, 2, 6)
    answers, traces = scorer.trace([])
    assert (answers.felt.shape, answers.felt.dtype, traces) == ((0, 2), np.float32, [])


def test_an_empty_text_is_two_special_pieces_and_can_be_read(scorer):
    (trace,) = scorer.trace([""])[1]
    assert trace.offsets.tolist() == [[0, 0], [0, 0]]
    assert np.isfinite(scorer.score([""])).all()


@pytest.mark.parametrize("text", ["soup " * 400_000, "x" * 2_000_000], ids=["words", "one word"])
def test_two_megabytes_are_read_and_change_no_neighbour(scorer, text):
    rows = scorer.score(["so glad", text, "so glad"])
    assert np.isfinite(rows).all()
    assert np.array_equal(rows[[0, 2]], np.repeat(scorer.score(["so glad"]), 2, axis=0))


def test_texts_are_read_in_groups_of_a_bounded_number_of_pieces(scorer, monkeypatch):
    read, sizes = scorer._read, []
    monkeypatch.setattr(scorer, "_read", lambda ids, heads: (sizes.append([*map(len, ids)]), read(ids, heads))[1])
    monkeypatch.setattr("compersion_nlp.scorers.static._AT_ONCE", 20)
    scorer.score(["so glad"] * 12 + ["soup " * 50] + ["so glad"] * 3)
    assert sizes == [[4] * 5, [4] * 5, [4] * 2, [52], [4] * 3]


# Traces


def test_what_word_pieces_add_makes_up_the_logit_with_the_bias_and_what_the_context_pushes(scorer):
    unpushed = changed(scorer, push=np.zeros_like(scorer.weights.push))
    pushed = scorer.score(TEXTS) - unpushed.score(TEXTS)
    assert np.abs(pushed).max() > 0.1
    answers, traces = scorer.trace(TEXTS)
    sums = np.array([trace.felt.sum(axis=0) for trace in traces])
    assert np.allclose(answers.felt - sums, scorer.weights.felt_bias + pushed, atol=1e-4)
    mentioned = np.array([trace.mentioned.sum(axis=0) for trace in traces])
    pushed = answers.mentioned - unpushed.answer(TEXTS).mentioned
    assert np.allclose(answers.mentioned - mentioned, scorer.weights.mentioned_bias + pushed, atol=1e-4)


def test_a_trace_points_into_the_text_as_it_came_in(scorer):
    text = "so 🎉 glad"
    (trace,) = scorer.trace([text])[1]
    assert {text[start:end] for start, end in trace.offsets} == {"", "so", "🎉", "glad"}
    assert len(trace.offsets) == len(trace.felt) == len(trace.mentioned)


# Files


def test_a_bundle_saved_again_is_the_same(home, scorer, tmp_path):
    scorer.save(tmp_path)
    for name in (WEIGHTS, TOKENIZER):
        assert (tmp_path / name).read_bytes() == (home / "fast" / name).read_bytes()
    assert np.array_equal(load(tmp_path, LABELS).score(TEXTS), scorer.score(TEXTS))


def without(name):
    return lambda arrays: arrays.pop(name)


def instead(name, change):
    return lambda arrays: arrays.update({name: np.ascontiguousarray(change(arrays[name]))})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without("push"), "does not hold a static scorer: TypeError.*push"),
        (lambda arrays: arrays.update(more=arrays["bias"]), "does not hold a static scorer: TypeError.*more"),
        (
            instead("queries", lambda array: array[:, :-1]),
            r"queries is float32 of shape \(2, 15\); expected .*\(2, 16\)",
        ),
        (instead("felt", lambda array: array[:1]), r"felt is float32 of shape \(1, 16\)"),
        (
            instead("push", lambda array: array[:, :2]),
            r"push is float32 of shape \(8, 2\); expected float32 of \(8, 4\)",
        ),
        (instead("context", lambda array: array[1:]), r"context is float32 of shape \(31, 8\)"),
        (instead("window", lambda array: array[:2]), r"window has the shape \(2, 8, 16\).*the first of them odd"),
        (instead("window", lambda array: array[0]), r"window has the shape \(8, 16\); expected three dimensions"),
        (
            instead("vectors", lambda array: array[:-1]),
            r"vectors is int8 of shape \(\d+, 8\); expected int8 of \(\d+, 8\)",
        ),
        (instead("vectors", lambda array: array.astype(np.int16)), "vectors is int16 .*expected int8"),
        (instead("bias", lambda array: array.astype(np.float64)), "bias is float64 .*expected float32"),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(scorer, tmp_path, spoil, message):
    scorer.save(tmp_path)
    arrays = load_file(tmp_path / WEIGHTS)
    spoil(arrays)
    save_file(arrays, tmp_path / WEIGHTS)
    with pytest.raises(BadBundle, match=f"{message}[\\s\\S]*\nTrain the bundle again"):
        load(tmp_path, LABELS)


@pytest.mark.parametrize("name", [WEIGHTS, TOKENIZER])
@pytest.mark.parametrize("content", [b"", b"no such format", b"\xff\xfe" * 40], ids=["empty", "words", "bytes"])
def test_files_that_are_something_else_are_refused(scorer, tmp_path, name, content):
    scorer.save(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadBundle, match="does not hold a static scorer"):
        load(tmp_path, LABELS)


def test_a_missing_file_is_refused(scorer, tmp_path):
    scorer.save(tmp_path)
    (tmp_path / TOKENIZER).unlink()
    with pytest.raises(BadBundle, match="does not hold a static scorer: FileNotFoundError"):
        load(tmp_path, LABELS)


def test_arrays_for_other_labels_are_refused(home):
    with pytest.raises(BadBundle, match=r"queries is float32 of shape \(2, 16\); expected float32 of \(3, 16\)"):
        load(home / "fast", (*LABELS, "envy"))


# Fitting


def test_the_same_recipe_gives_the_same_bytes(home, tmp_path):
    train(home / "fast" / "recipe.toml", tmp_path / "again", data_dir=home / "data")
    for name in (WEIGHTS, TOKENIZER, "manifest.json"):
        assert (tmp_path / "again" / name).read_bytes() == (home / "fast" / name).read_bytes()


PART = Part.of(["so glad.", "so scared."], np.array([[1, 0], [0, 1]], np.float32))


def test_an_even_width_is_refused(home):
    options = Options(teacher=home / "tiny", base="somebody/tiny-base", width=4)
    with pytest.raises(BadConfig, match=r"scorer\.options\.width is 4\.\nIt is odd"):
        fit(options, PART, LABELS, Setting(0, home / "data"))


def test_a_teacher_of_other_labels_is_refused(home):
    options = Options(teacher=home / "tiny", base="somebody/tiny-base")
    with pytest.raises(BadConfig, match=r"scorer\.options\.teacher: .*tiny does not answer the recipe's labels"):
        fit(options, PART, LABELS[::-1], Setting(0, home / "data"))


def test_a_teacher_that_knows_no_stances_is_refused(home, tmp_path):
    plain = LinearScorer(
        LABELS,
        TfIdf(Features((1, 1), (1, 2), True, words=("glad",), chars=("la",)), np.ones(2, np.float32)),
        np.zeros((2, 2), np.float32),
        np.zeros(2, np.float32),
    )
    manifest = Manifest("plain", "1", "linear", LABELS, Decision.identity(LABELS).by_label)
    write_bundle(tmp_path / "plain", manifest, plain)
    with pytest.raises(BadConfig, match=r"plain does not answer .*stances\.\nName an encoder bundle"):
        fit(Options(teacher=tmp_path / "plain"), PART, LABELS, Setting(0, home / "data"))


CUT = ("Ann ate. Bob ran. Cy sang.", "Di dug. Ed fed. Flo flew. Gus grew.", "Hal hid.", "")
SENTENCES = {"Ann ate.", "Bob ran.", "Cy sang.", "Di dug.", "Ed fed.", "Flo flew.", "Gus grew.", "Hal hid."}


def test_parts_are_made_of_the_sentences_of_the_texts_and_nothing_else():
    found = list(_parts(CUT, 20, set(CUT), seed=0))
    assert 20 < len(found) <= 20 * len(CUT)
    for part in found:
        words = part.split(" ")
        assert {" ".join(pair) for pair in zip(words[::2], words[1::2], strict=True)} <= SENTENCES
    assert any(part in text for part in found for text in CUT)  # a run of sentences
    assert any("Ann ate." in part and "Gus grew." in part for part in found)  # sentences of two texts


def test_no_part_is_known_already_or_comes_twice():
    known = {*CUT, "Ann ate.", "Bob ran. Cy sang.", "Ed fed. Flo flew."}
    found = list(_parts(CUT, 20, set(known), seed=0))
    assert len(found) == len(set(found))
    assert not known & set(found)


def test_parts_are_the_same_for_the_same_seed():
    assert list(_parts(CUT, 5, set(), seed=1)) == list(_parts(CUT, 5, set(), seed=1))
    assert list(_parts(CUT, 5, set(), seed=1)) != list(_parts(CUT, 5, set(), seed=2))


def test_no_parts_are_asked_for_and_none_come():
    assert list(_parts(CUT, 0, set(), seed=0)) == []
