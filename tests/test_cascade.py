"""The cascade: two tiny bundles, of which the second reads only what the first is not sure of."""

import csv
import json
import math
import shutil

import msgspec
import numpy as np
import pytest
import tiny_home

from compersion_nlp.batch import Job, label
from compersion_nlp.batch.reader import ChunkReader
from compersion_nlp.bundle import Manifest, load_bundle, open_bundle, write_bundle
from compersion_nlp.corpus import read_corpus
from compersion_nlp.decision import Decision, LabelDecision
from compersion_nlp.errors import BadBundle, BadConfig, Interrupted
from compersion_nlp.scorers import cascade
from compersion_nlp.scorers.cascade import SETTINGS, CascadeScorer, doubts
from compersion_nlp.scorers.linear import Features, LinearScorer, TfIdf
from compersion_nlp.scorers.protocol import PROBES, TieredScorer, check_scorer
from compersion_nlp.tagger import Tagger
from compersion_nlp.training.cascade import Options, _fit_line, _macro_f1, _most_doubt, fit
from compersion_nlp.training.data import Part
from compersion_nlp.training.setting import Setting
from compersion_nlp.training.train import train

LABELS = tiny_home.LABELS
RECIPE = """
format = 1
name = "both"
version = "1"
labels = ["joy", "fear"]
window = 200
[data]
train = ["../corpora/made/dev.jsonl"]
folds = 2
[scorer]
name = "cascade"
[scorer.options]
first = "../fast"
second = "../tiny"
most_lost = 0.05
"""


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    with tiny_home.one_thread():
        yield


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tiny_home.make_static_home(tmp_path_factory)
    train(tiny_home.write_recipe(home, "both", RECIPE), data_dir=home / "data")
    return home


@pytest.fixture(scope="module")
def trained(home):
    return load_bundle(home / "both").scorer


@pytest.fixture(scope="module")
def texts(home):
    return [*read_corpus(home / "corpora" / "made" / "dev.jsonl").texts[:30], *PROBES]


@pytest.fixture(scope="module")
def halved(trained, texts):
    """The cascade with so much doubt allowed that about half of the texts go on."""
    return allowing(trained, float(np.median(doubts_of(trained, texts))))


def allowing(scorer, most_doubt):
    settings = msgspec.structs.replace(scorer.settings, most_doubt=most_doubt)
    return CascadeScorer(scorer.labels, *scorer._bundles, settings)


def doubts_of(scorer, texts):
    first = scorer._bundles[0]
    return doubts(first.decision.margins(first.scorer.score(texts)).astype(np.float32), scorer._doubts)


# What it answers


def test_a_trained_cascade_keeps_the_contract_and_says_which_tiers_it_has(trained, halved):
    check_scorer(trained)
    check_scorer(halved)
    assert isinstance(trained, TieredScorer)
    assert trained.tiers == ("fast", "tiny")


def test_every_row_is_that_of_the_tier_that_the_text_came_to(halved, texts):
    scores, tiers = halved.score_tiers(texts)
    assert 0 < tiers.sum() < len(texts)
    for row, tier, text in zip(scores, tiers, texts, strict=True):
        bundle = halved._bundles[tier]
        assert np.array_equal(row, bundle.decision.margins(bundle.scorer.score([text])).astype(np.float32)[0])


def test_what_is_handed_on_is_what_there_is_more_doubt_about_than_allowed(halved, texts):
    expected = doubts_of(halved, texts) > halved.settings.most_doubt
    assert np.array_equal(halved.score_tiers(texts)[1] == 1, expected)


def test_without_any_doubt_allowed_all_texts_go_on(trained, texts):
    assert allowing(trained, 0.0).score_tiers(texts)[1].all()


def test_with_all_doubt_allowed_none_goes_on(trained, texts, monkeypatch):
    unasked = allowing(trained, float(len(LABELS)))
    monkeypatch.setattr(
        unasked._scorers[1], "score", lambda texts: np.empty((0, 2), np.float32) if not texts else 1 / 0
    )
    assert not unasked.score_tiers(texts)[1].any()


def test_score_answer_and_trace_agree(halved, texts):
    scores, tiers = halved.score_tiers(texts)
    assert np.array_equal(halved.score(texts), scores)
    answers = halved.answer(texts)
    traced, traces = halved.trace(texts)
    for one in (answers, traced):
        assert np.allclose(one.felt, scores, atol=1e-4)
    assert np.allclose(answers.mentioned, traced.mentioned, atol=1e-4)
    assert np.allclose(answers.stances, traced.stances, atol=1e-4)
    assert [trace.tier for trace in traces] == tiers.tolist()


def test_mentions_and_stances_are_those_of_the_tier_too(halved, texts):
    answers = halved.answer(texts)
    for row, tier in enumerate(halved.score_tiers(texts)[1]):
        alone = halved._bundles[tier].scorer.answer([texts[row]])
        assert np.allclose(answers.mentioned[row], alone.mentioned[0], atol=1e-4)
        assert np.allclose(answers.stances[row], alone.stances[0], atol=1e-4)


def test_a_trace_is_in_the_log_odds_that_the_score_is_in(halved, texts):
    scores, tiers = halved.score_tiers(texts)
    _, traces = halved.trace(texts)
    # Of texts that the second reads whole, the scores differ by what the pieces add: the constants fall out.
    whole = [row for row, trace in enumerate(traces) if tiers[row] == 1 and len(trace.offsets) < 32]
    first, second = whole[np.argmax(scores[whole, 0])], whole[np.argmin(scores[whole, 0])]
    added = [traces[row].felt.sum(axis=0) for row in (first, second)]
    assert np.allclose(scores[first] - scores[second], added[0] - added[1], rtol=0.01, atol=0.05)
    assert scores[first, 0] - scores[second, 0] > 1
    slope = halved._bundles[0].manifest.decision["joy"].slope
    stayed = np.flatnonzero(tiers == 0)[0]
    (own,) = halved._bundles[0].scorer.trace([texts[stayed]])[1]
    assert np.allclose(traces[stayed].felt[:, 0], own.felt[:, 0] * slope, atol=1e-4)


def test_no_answers_for_no_texts(halved):
    scores, tiers = halved.score_tiers([])
    assert (scores.shape, tiers.shape) == ((0, 2), (0,))
    assert halved.answer([]).stances.shape == (0, 2, 6)
    assert halved.trace([])[1] == []


def test_a_margin_is_above_zero_exactly_where_the_bundle_decides_that_a_label_is_felt(halved, texts):
    for bundle in halved._bundles:
        logits = bundle.scorer.score(texts)
        decided = bundle.decision.decide(bundle.decision.probabilities(logits))
        assert decided.any()
        assert np.array_equal(bundle.decision.margins(logits) >= 0, decided)


# Readings


def decided(readings):
    return [(row["felt"], row["probabilities"]) for row in readings.rows()]


def halved_tagger(home, halved):
    bundle = msgspec.structs.replace(open_bundle(home / "both"), scorer=halved)
    return Tagger(bundle)


def test_labels_alone_and_explained_say_the_same_and_count_the_same_tiers(home, halved, texts):
    tagger = halved_tagger(home, halved)
    bare, explained = (tagger.tabulate(texts, explain=explain) for explain in (False, True))
    assert decided(bare) == decided(explained)
    assert np.array_equal(bare.tier, explained.tier)
    assert bare.by_tier() == explained.by_tier()
    assert sum(bare.by_tier().values()) == len(texts)
    assert min(bare.by_tier().values()) > 0


def test_a_text_in_windows_comes_as_far_as_the_farthest_of_them(home, halved, texts):
    tiers = halved.score_tiers(texts)[1]
    stays, goes = (texts[np.flatnonzero(tiers == tier)[0]] for tier in (0, 1))
    manifest = msgspec.structs.replace(open_bundle(home / "both").manifest, window=max(len(stays), len(goes)))
    bundle = msgspec.structs.replace(open_bundle(home / "both"), scorer=halved, manifest=manifest)
    text = f"{stays}\n\n{goes}\n\n{stays}"
    for explain in (False, True):
        assert Tagger(bundle).tabulate([stays, text], explain).tier.tolist() == [0, 1]


def test_readings_of_no_texts_have_tiers_too(home, halved):
    assert halved_tagger(home, halved).tabulate([], explain=True).by_tier() == {"fast": 0, "tiny": 0}


# Jobs


@pytest.fixture(scope="module")
def even(home, halved):
    """The bundle of a cascade that hands on about half of the texts, beside its two tiers."""
    manifest = msgspec.structs.replace(open_bundle(home / "both").manifest, name="even", files={})
    write_bundle(home / "even", manifest, halved)
    return home / "even"


@pytest.fixture
def job(tmp_path, even, texts):
    posts = tmp_path / "posts.csv"
    with posts.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "text"])
        rows.writerows([n, text or "so glad"] if n % 7 else [n] for n, text in enumerate(texts[:30]))
    return Job(inputs=(posts,), output=tmp_path / "out.jsonl", model=even, chunk_size=4)


@pytest.mark.parametrize("explain", [False, True], ids=["labels only", "explained"])
def test_the_account_of_a_job_adds_up_by_tier_also_where_it_was_resumed(job, halved, texts, explain):
    job = msgspec.structs.replace(job, explain=explain)
    account = label(job)
    stayed = [n for n in range(30) if n % 7]
    went_on = int(halved.score_tiers([texts[n] for n in stayed])[1].sum())
    assert account.tiers == {"fast": len(stayed) - went_on, "tiny": went_on}
    assert sum(account.tiers.values()) == account.labelled == 25
    assert account.rejected == 5

    def stop(progress):
        if progress.chunks == 3:
            raise KeyboardInterrupt

    again = msgspec.structs.replace(job, output=job.output.with_name("again.jsonl"))
    with pytest.raises(Interrupted):
        label(again, stop)
    resumed = label(msgspec.structs.replace(again, resume=True))
    assert resumed.chunks_resumed == 3
    assert resumed.tiers == account.tiers
    assert again.output.read_bytes() == job.output.read_bytes()


def test_labels_only_and_explained_jobs_decide_the_same(job):
    rows = []
    for explain in (False, True):
        label(msgspec.structs.replace(job, explain=explain, overwrite=True))
        readings = [json.loads(line)["reading"] for line in job.output.read_text("utf-8").splitlines()]
        rows.append([(reading["felt"], reading["probabilities"]) for reading in readings])
    assert rows[0] == rows[1]


# Files


@pytest.fixture
def beside(home, tmp_path):
    """A copy of the three bundles, to be spoiled."""
    for name in ("fast", "tiny", "both"):
        shutil.copytree(home / name, tmp_path / name)
    return tmp_path


def test_a_cascade_saved_again_is_the_same(home, trained, tmp_path):
    trained.save(tmp_path)
    assert (tmp_path / SETTINGS).read_bytes() == (home / "both" / SETTINGS).read_bytes()


def test_a_whole_copy_of_the_three_is_opened(beside, texts, trained):
    assert np.array_equal(open_bundle(beside / "both").scorer.score(texts), trained.score(texts))


NOT_AS_IT_WAS = (
    r"both reads with the bundle '{}' beside it, which is not there as it was: [\s\S]*\nKeep the two together"
)


@pytest.mark.parametrize("name", ["fast", "tiny"])
def test_a_bundle_that_is_missing_beside_it_is_told(beside, name):
    shutil.rmtree(beside / name)
    with pytest.raises(BadBundle, match=NOT_AS_IT_WAS.format(name)):
        open_bundle(beside / "both")


@pytest.mark.parametrize("name", ["fast", "tiny"])
def test_a_bundle_that_was_changed_beside_it_is_told(beside, name):
    with (beside / name / "card.md").open("a") as card:
        card.write("changed")
    with pytest.raises(BadBundle, match=NOT_AS_IT_WAS.format(name)):
        open_bundle(beside / "both")


def test_another_bundle_in_its_place_is_told(beside):
    manifest = msgspec.structs.replace(open_bundle(beside / "fast").manifest, version="2", files={})
    scorer = open_bundle(beside / "fast").scorer
    shutil.rmtree(beside / "fast")
    write_bundle(beside / "fast", manifest, scorer)
    with pytest.raises(BadBundle, match=NOT_AS_IT_WAS.format("fast")):
        open_bundle(beside / "both")


def test_a_bundle_with_other_labels_beside_it_is_refused(beside):
    with pytest.raises(BadBundle, match="fast has other labels"):
        cascade.load(beside / "both", (*LABELS, "envy"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda settings: settings.update(most_doubt=-1.0), "most_doubt"),
        (lambda settings: settings.pop("second"), "second"),
        (lambda settings: settings.update(third=settings["first"]), "third"),
        (lambda settings: settings["doubts"]["joy"].update(yes_slope=-0.5), "doubts"),
        (lambda settings: settings["first"].update(name="../fast"), "first.name"),
        (lambda settings: settings["doubts"].pop("joy"), "doubts are not those of the labels"),
    ],
)
def test_settings_that_break_their_schema_are_refused(beside, change, message):
    path = beside / "both" / SETTINGS
    settings = json.loads(path.read_bytes())
    change(settings)
    path.write_text(json.dumps(settings))
    with pytest.raises(BadBundle, match=rf"cascade\.json: [\s\S]*{message}"):
        cascade.load(beside / "both", LABELS)


def test_settings_that_are_no_json_are_refused(beside):
    (beside / "both" / SETTINGS).write_bytes(b"\xff{")
    with pytest.raises(BadBundle, match=r"cascade\.json"):
        cascade.load(beside / "both", LABELS)


# Fitting


@pytest.fixture
def plain(tmp_path):
    """The folder of a bundle that reads the labels and knows no stances."""
    features = Features((1, 1), (1, 2), True, words=("glad",), chars=("la",))
    zeros = np.zeros((2, 2), np.float32)
    scorer = LinearScorer(LABELS, TfIdf(features, np.ones(2, np.float32)), zeros, zeros[0])
    write_bundle(
        tmp_path / "plain", Manifest("plain", "1", "linear", LABELS, Decision.identity(LABELS).by_label), scorer
    )
    return tmp_path / "plain"


PART = Part.of(["so glad.", "so scared."], np.array([[1, 0], [0, 1]], np.float32))


def test_a_bundle_that_knows_no_stances_is_no_tier(trained, plain):
    scorer = CascadeScorer(LABELS, open_bundle(plain), trained._bundles[1], trained.settings)
    with pytest.raises(BadBundle, match=r"plain knows no stances\.\nA cascade is made of bundles that do"):
        scorer.score(["so glad"])


def test_bundles_of_other_labels_than_the_recipes_are_refused(home):
    options = Options(first=home / "fast", second=home / "tiny")
    with pytest.raises(BadConfig, match="fast has other labels than the recipe"):
        fit(options, PART, LABELS[::-1], Setting())


def test_the_manifest_says_what_the_cascade_was_judged_on(home):
    manifest = open_bundle(home / "both").manifest
    assert {name: use.use for name, use in manifest.corpora.items()} == {"made/dev": "train"}
    assert set(manifest.mentioned) == set(LABELS)
    assert manifest.scores["macro_f1"] > 0.9


def test_fitting_again_gives_the_same_settings(home, trained, texts):
    texts = texts[:30]
    part = Part.of(texts, (trained._bundles[1].scorer.score(texts) > 0).astype(np.float32))
    options = Options(first=home / "fast", second=home / "tiny")
    first, second = (fit(options, part, LABELS, Setting()).settings for _ in range(2))
    assert first == second


# How much doubt there is, and how much is allowed


def sigmoid(number):
    return 1 / (1 + math.exp(-number))


def test_doubt_is_the_sum_over_labels_of_how_likely_the_second_decides_otherwise():
    numbers = np.array([[1.0, 0.0], [2.0, 3.0], [-1.0, -2.0], [0.5, 0.0]])  # starts and slopes, above and below
    scores = np.array([[0.0, -4.0], [3.0, 1.0], [-2.0, 0.5]], np.float32)
    expected = [
        sigmoid(1) + sigmoid(-2),
        sigmoid(1 - 2 * 3) + sigmoid(0 - 3 * 1),
        sigmoid(-1 - 0.5 * 2) + sigmoid(0 - 3 * 0.5),
    ]
    assert np.allclose(doubts(scores, numbers), expected)


def test_doubt_is_finite_however_far_the_margin_is():
    numbers = np.array([[50.0], [20.0], [-900.0], [20.0]])
    assert np.allclose(doubts(np.array([[0.0], [1e6], [-1e6]], np.float32), numbers), [1, 0, 0])


def test_a_line_is_found_again_that_marks_were_drawn_from():
    margin = np.repeat(np.linspace(0, 4, 9), 1000).astype(np.float32)
    share = np.array([sigmoid(1 - 2 * m) for m in np.linspace(0, 4, 9)])
    differs = (np.tile(np.arange(1000), 9) / 1000) < np.repeat(share, 1000)
    assert _fit_line(margin, differs, None) == pytest.approx((1.0, 2.0), abs=0.02)


def test_a_label_without_passages_takes_the_line_of_all_labels():
    nothing = np.empty(0, np.float32)
    assert _fit_line(nothing, np.empty(0, np.bool_), (0.3, 1.5)) == pytest.approx((0.3, 1.5))


def test_a_label_with_few_passages_stays_near_the_line_of_all_labels_and_one_with_many_goes_its_way():
    few = _fit_line(np.array([1.0], np.float32), np.array([True]), (-2.0, 1.0))
    many = _fit_line(np.full(500, 1.0, np.float32), np.ones(500, np.bool_), (-2.0, 1.0))
    assert sigmoid(few[0] - few[1]) < 0.3
    assert sigmoid(many[0] - many[1]) > 0.8


def test_doubt_never_rises_with_the_margin():
    margin = np.linspace(0, 4, 200).astype(np.float32)
    _, slope = _fit_line(margin, margin > 2, None)
    assert slope == pytest.approx(0.05)
    _, slope = _fit_line(margin, margin < 0.01, None)
    assert 1 < slope <= 20


def column(*cells):
    return np.array(cells)[:, None]


DOUBT = np.array([0.1, 0.4, 0.2, 0.3])
GOLD = column(1, 1, 0, 0).astype(np.float32)
GOOD = column(True, True, False, False)


@pytest.mark.parametrize(
    ("fast", "most_lost", "expected"),
    [
        (column(True, False, False, False), 0.01, 0.3),  # the only mistake has the most doubt
        (column(True, False, False, False), 0.34, 0.4),  # and it is allowed: a third of F1
        (column(True, False, False, False), 0.33, 0.3),
        (column(True, True, True, False), 0.01, 0.1),  # a false alarm at 0.2
        (column(True, True, True, False), 0.2, 0.4),
        (column(False, True, False, False), 0.01, 0.0),  # the surest is wrong: none stays
        (GOOD, 0.0, 0.4),
    ],
)
def test_as_much_doubt_is_allowed_as_loses_no_more_than_it_may(fast, most_lost, expected):
    assert _most_doubt(DOUBT, fast, GOOD, GOLD, most_lost) == expected


def test_where_the_first_knows_better_nothing_is_lost():
    good = column(True, False, False, True)
    assert _most_doubt(DOUBT, GOOD, good, GOLD, 0.0) == 0.4


def test_all_that_stays_loses_no_more_than_allowed():
    draw = np.random.default_rng(0)
    gold = (draw.random((300, 3)) < 0.3).astype(np.float32)
    gold[draw.random(gold.shape) < 0.1] = np.nan
    good, fast = ((gold == 1) ^ (draw.random(gold.shape) < wrong) for wrong in (0.05, 0.25))
    doubt = draw.random(300)
    for most_lost in (0.0, 0.02, 0.1):
        most = _most_doubt(doubt, fast, good, gold, most_lost)
        joined = np.where((doubt <= most)[:, None], fast, good)
        assert _macro_f1(joined, gold) >= _macro_f1(good, gold) - most_lost
    assert 0 < most < doubt.max()


def test_macro_f1_leaves_out_what_is_unknown_and_labels_that_nothing_has():
    nan = np.nan
    gold = np.array([[1, nan, 0], [1, 1, 0], [0, 1, 0], [nan, 0, nan]], np.float32)
    decided = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 0], [1, 0, 1]], np.bool_)
    # joy: 1 hit of 2 called and 2 there; the second: 1 hit of 1 called and 2 there; the third has none there.
    assert _macro_f1(decided, gold) == pytest.approx(np.mean([2 / 4, 2 / 3]))


def test_margins_are_how_far_above_the_threshold_in_log_odds_the_probability_is(plain):
    bundle = open_bundle(plain)
    numbers = {"joy": LabelDecision(2.0, -1.0, 0.8, 9, False), "fear": LabelDecision(1.0, 0.5, 1.0, 9, False)}
    bundle = msgspec.structs.replace(bundle, manifest=msgspec.structs.replace(bundle.manifest, decision=numbers))
    found = bundle.decision.margins(np.array([[1.5, 3.0]], np.float32))
    assert found.dtype == np.float64
    assert found[0, 0] == pytest.approx(2 * 1.5 - 1 - math.log(0.8 / 0.2), abs=1e-6)
    assert found[0, 1] == pytest.approx(3.5 - math.log(1e9), abs=1e-3)  # a threshold of 1 is kept finite


def test_a_worker_reads_the_cascade_from_its_folder(even, texts):
    from compersion_nlp.batch.reader import Chunk, read_part
    from compersion_nlp.records import Passage

    bundle = open_bundle(even)
    chunk = Chunk(1, tuple(Passage(text, number) for number, text in enumerate(texts, start=1)))
    stored = read_part(ChunkReader(str(even), bundle.digest, explain=False)(chunk).data)
    assert sum(stored.readings.unpack().by_tier().values()) == len(texts)
