import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file
from scipy.sparse import hstack

from compersion_nlp.errors import BadBundle, BadConfig
from compersion_nlp.scorers.linear import FEATURES, WEIGHTS, load
from compersion_nlp.scorers.protocol import PROBES, check_scorer
from compersion_nlp.training.data import Part
from compersion_nlp.training.linear import Options, fit, fit_tfidf
from compersion_nlp.training.setting import Setting

LABELS = ("compersion", "jealousy", "joy")
TEXTS = [
    "He came home glowing and I could not stop grinning.",
    "She glowed after her date, and I grinned for her all evening.",
    "I felt sick picturing them together.",
    "Sick with it, I pictured them. Don’t ask — I can't…",
    "Best weekend in months!! 😀",
    "What a weekend, what fun; best in years.",
    "The bus was late again.",
    "Which bus goes to the market on Tuesdays?",
]
GOLD = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1], [0, 0, 0], [0, 0, 0]], np.float32)


@pytest.fixture(scope="module")
def scorer():
    return fit(Options(min_df=1), Part.of(TEXTS, GOLD), LABELS, Setting(seed=1))


@pytest.fixture
def saved(scorer, tmp_path):
    scorer.save(tmp_path)
    return tmp_path


def test_it_learns_its_training_texts(scorer):
    assert np.array_equal(scorer.score(TEXTS) > 0, GOLD > 0)


def test_it_keeps_the_scorer_contract(scorer):
    check_scorer(scorer)
    check_scorer(scorer, [*PROBES, *TEXTS, "\ud800 lone surrogate", "x" * 2_000_000])


def test_scores_are_exactly_equal_after_saving(scorer, saved):
    again = load(saved, LABELS)
    assert np.array_equal(again.score([*TEXTS, *PROBES]), scorer.score([*TEXTS, *PROBES]))


def test_saving_again_gives_the_same_bytes(saved, tmp_path_factory):
    other = tmp_path_factory.mktemp("again")
    load(saved, LABELS).save(other)
    for name in (FEATURES, WEIGHTS):
        assert (other / name).read_bytes() == (saved / name).read_bytes()


def test_fitting_again_gives_the_same_scorer(scorer):
    assert np.array_equal(
        fit(Options(min_df=1), Part.of(TEXTS, GOLD), LABELS, Setting(seed=1)).score(TEXTS), scorer.score(TEXTS)
    )


def test_a_texts_row_is_the_same_whatever_stands_beside_it(scorer):
    texts = [" ".join(TEXTS[: size % 8 + 1]) + " bus" * size for size in range(60)]
    together = scorer.score(texts)
    for row, text in enumerate(texts):
        assert scorer.score(["", text, *texts[row:], ""])[1] == pytest.approx(together[row], abs=1e-5)


def test_typographic_and_plain_apostrophes_score_alike(scorer):
    curly, plain = scorer.score(["I don’t know", "I DON'T know"])
    assert np.array_equal(curly, plain)


def test_a_label_without_examples_gets_a_constant_low_logit():
    gold = GOLD.copy()
    gold[:, 2] = 0
    gold[0, 1] = np.nan
    scores = fit(Options(min_df=1), Part.of(TEXTS, gold), LABELS, Setting()).score(["fun", "a bus"])
    assert scores[0, 2] == scores[1, 2] < -4


def test_a_label_that_is_never_known_gets_the_prior():
    gold = GOLD.copy()
    gold[:, 2] = np.nan
    scores = fit(Options(min_df=1), Part.of(TEXTS, gold), LABELS, Setting()).score(["fun"])
    assert scores[0, 2] == pytest.approx(np.log(0.01 / 0.99), abs=1e-4)


def test_unknown_gold_is_left_out_of_its_own_label_only(scorer):
    gold = GOLD.copy()
    gold[6:, 0] = np.nan
    scores = fit(Options(min_df=1), Part.of(TEXTS, gold), LABELS, Setting(seed=1)).score(TEXTS)
    assert np.array_equal(scores[:, 1:], scorer.score(TEXTS)[:, 1:])
    assert not np.array_equal(scores[:, 0], scorer.score(TEXTS)[:, 0])


def test_texts_without_any_features_are_refused():
    with pytest.raises(BadConfig, match="No n-gram stands in 2 of the 2 passages"):
        fit(Options(), Part.of(["", " "], np.array([[1], [0]], np.float32)), ("joy",), Setting())


def test_columns_that_tell_nothing_apart_still_make_a_scorer():
    gold = np.array([[1], [1], [0], [0]], np.float32)
    scorer = fit(Options(), Part.of(["same words"] * 4, gold), ("joy",), Setting())
    assert scorer.score(["same words"])[0, 0] == pytest.approx(0, abs=1e-3)


def test_the_ratios_can_be_left_out():
    from sklearn.linear_model import LogisticRegression

    options = Options(min_df=1, ratio_power=0, balanced=False)
    scorer = fit(options, Part.of(TEXTS, GOLD), LABELS, Setting(seed=1))
    rows = hstack(scorer.tfidf.blocks(TEXTS), format="csr")
    plain = LogisticRegression(C=options.C, solver="liblinear").fit(rows, GOLD[:, 1])
    assert scorer.score(TEXTS)[:, 1] == pytest.approx(plain.decision_function(rows), abs=1e-3)


def test_the_most_frequent_n_grams_are_kept():
    features = fit_tfidf(Options(min_df=1, max_words=2, max_chars=3), ["bus bus", "a bus", "a tram", "bus"]).features
    assert features.words == ("a", "bus")
    assert len(features.chars) == 3


@pytest.fixture(scope="module")
def with_rules():
    return fit(Options(min_df=1, rule_weight=0.5), Part.of(TEXTS, GOLD), LABELS, Setting(seed=1))


def test_with_rules_it_tells_whose_feeling_a_word_is(with_rules):
    texts = ["I was jealous all night.", "My husband was jealous all night."]
    mine, his = with_rules.score(texts)[:, 1]
    assert mine > his + 0.2


def test_with_rules_it_keeps_the_contract_and_survives_saving(with_rules, tmp_path):
    check_scorer(with_rules)
    with_rules.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {FEATURES, WEIGHTS, "lexicon.toml", "cues.toml"}
    again = load(tmp_path, LABELS)
    assert np.array_equal(again.score([*TEXTS, *PROBES]), with_rules.score([*TEXTS, *PROBES]))


def test_the_weight_of_the_rules_does_not_change_what_they_find(with_rules):
    split = len(with_rules.tfidf.idf)
    assert with_rules.coefficients.shape == (split + len(LABELS), len(LABELS))
    assert np.abs(with_rules.coefficients[split:]).max() > 0


def test_gold_of_another_shape_is_refused():
    with pytest.raises(BadConfig, match=r"gold of shape \(8, 3\) for 7 texts and 3 labels"):
        fit(Options(), Part.of(TEXTS[:-1], GOLD), LABELS, Setting())


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(st.characters(), max_size=60), max_size=5))
def test_any_strings_can_be_scored(scorer, texts):
    scores = scorer.score(texts)
    assert scores.shape == (len(texts), 3)
    assert np.isfinite(scores).all()


def change_weights(folder, **changes):
    save_file({**load_file(folder / WEIGHTS), **changes}, folder / WEIGHTS)


def change_features(folder, **changes):
    raw = msgspec.json.decode((folder / FEATURES).read_bytes())
    (folder / FEATURES).write_bytes(msgspec.json.encode({**raw, **changes}))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda at: (at / FEATURES).write_text("{"), "does not list the features of a linear scorer"),
        (lambda at: (at / FEATURES).unlink(), "does not list the features of a linear scorer"),
        (lambda at: change_features(at, colour=1), "unknown field `colour`"),
        (lambda at: change_features(at, words=1), r"Expected `array`, got `int` - at `\$.words`"),
        (lambda at: change_features(at, char_ngrams=[0, 5]), r"`int` >= 1 - at `\$.char_ngrams"),
        (lambda at: change_features(at, words=["a", "a"]), r"\$.words lists no n-gram, or one twice"),
        (lambda at: change_features(at, words=[]), r"\$.words lists no n-gram"),
        (lambda at: change_features(at, words=["a"]), r"idf is float32 of shape \(\d+,\); expected float32 \(\d+,\)"),
        (lambda at: (at / WEIGHTS).write_bytes(b"no tensors"), "is not a safetensors file"),
        (lambda at: (at / WEIGHTS).unlink(), "is not a safetensors file"),
        (lambda at: change_weights(at, extra=np.zeros(1)), "holds coefficients, extra, idf, intercepts; expected"),
        (lambda at: change_weights(at, intercepts=np.zeros(2, np.float32)), r"intercepts is float32 of shape \(2,\)"),
        (lambda at: change_weights(at, intercepts=np.zeros(3)), r"intercepts is float64 of shape \(3,\)"),
        (lambda at: change_weights(at, intercepts=np.full(3, np.nan, np.float32)), "intercepts holds .* not finite"),
        (lambda at: change_weights(at, idf=load_file(at / WEIGHTS)["idf"] * 0), "idf holds .* not positive"),
    ],
)
def test_files_that_do_not_fit_together_are_refused(saved, spoil, message):
    spoil(saved)
    with pytest.raises(BadBundle, match=message):
        load(saved, LABELS)


def test_other_labels_than_the_weights_have_are_refused(saved):
    with pytest.raises(BadBundle, match="expected float32"):
        load(saved, ("joy",))
