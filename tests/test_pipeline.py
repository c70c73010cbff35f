import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from functools import partial

import joblib
import msgspec
import numpy as np
import pytest

pytest.importorskip("skops")

import skops.io
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, chi2
from sklearn.linear_model import LogisticRegression, Perceptron, RidgeClassifier, RidgeClassifierCV, SGDClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import ComplementNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler
from sklearn.svm import SVC, LinearSVC

from compersion_nlp.bundle import list_bundles, load_bundle, open_bundle
from compersion_nlp.bundle.folder import digest_file
from compersion_nlp.corpus import Corpus
from compersion_nlp.decision import fit_decision
from compersion_nlp.errors import BadBundle, BadConfig, UnknownLabel
from compersion_nlp.evaluate import seen_in_training
from compersion_nlp.records import Annotation
from compersion_nlp.scorers.pipeline import PIPELINE, add_pipeline, read_pipeline
from compersion_nlp.scorers.protocol import check_scorer

LABELS = ("joy", "jealousy")
TEXTS = ["what fun", "fun with friends", "sick with it", "I felt sick", "the bus is late", "sick fun"] * 4
GOLD = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [0, 0], [1, 1]] * 4)


def fitted(*steps):
    return make_pipeline(*steps).fit(TEXTS, GOLD)


@pytest.fixture
def saved(tmp_path):
    def save(pipeline):
        joblib.dump(pipeline, tmp_path / "model.joblib")
        return tmp_path / "model.joblib"

    return save


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("COMPERSION_MODELS", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def one_vs_rest(saved):
    return saved(fitted(TfidfVectorizer(), OneVsRestClassifier(LogisticRegression())))


def test_a_one_vs_rest_pipeline_gives_its_own_log_odds(one_vs_rest):
    scores = read_pipeline(one_vs_rest, trust_pickle=True, labels=LABELS).score(TEXTS)
    assert scores == pytest.approx(joblib.load(one_vs_rest).decision_function(TEXTS), abs=1e-5)


def test_a_multi_output_classifier_gives_its_positive_columns(saved):
    path = saved(make_pipeline(CountVectorizer(), MultiOutputClassifier(LogisticRegression())).fit(TEXTS, GOLD))
    scores = read_pipeline(path, trust_pickle=True, labels=LABELS).score(TEXTS)
    found = joblib.load(path).predict_proba(TEXTS)
    assert 1 / (1 + np.exp(-scores)) == pytest.approx(np.stack([part[:, 1] for part in found], axis=1), abs=1e-5)


def test_a_label_that_was_never_seen_in_training_stays_improbable(saved):
    from sklearn.dummy import DummyClassifier

    path = saved(make_pipeline(CountVectorizer(), MultiOutputClassifier(DummyClassifier())).fit(TEXTS, GOLD * [1, 0]))
    scores = read_pipeline(path, trust_pickle=True, labels=LABELS).score(["fun"])
    assert scores[0, 1] == -20


def test_a_pipeline_without_probabilities_gives_its_decision_function(saved):
    path = saved(fitted(TfidfVectorizer(), OneVsRestClassifier(LinearSVC())))
    scores = read_pipeline(path, trust_pickle=True, labels=LABELS).score(TEXTS)
    assert scores == pytest.approx(joblib.load(path).decision_function(TEXTS), abs=1e-5)


@pytest.mark.parametrize("classifier", [LogisticRegression(), RidgeClassifier()])
def test_one_label_is_enough(saved, classifier):
    path = saved(make_pipeline(TfidfVectorizer(), classifier).fit(TEXTS, GOLD[:, 0]))
    scores = read_pipeline(path, trust_pickle=True, labels=("joy",)).score(["what fun", "the bus"])
    assert scores[0, 0] > scores[1, 0]


def test_classes_that_are_labels_need_no_labels(saved):
    path = saved(
        make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(["fun", "sick", "bored"], [*LABELS, "hope"])
    )
    assert read_pipeline(path, trust_pickle=True).labels == ("hope", "jealousy", "joy")


def test_it_keeps_the_scorer_contract(saved):
    path = saved(fitted(HashingVectorizer(n_features=64), OneVsRestClassifier(LogisticRegression())))
    scorer = read_pipeline(path, trust_pickle=True, labels=LABELS)
    check_scorer(scorer, [*TEXTS, "\ud800 lone surrogate", "x" * 2_000_000])
    assert scorer.score([]).shape == (0, 2)


def test_it_is_kept_as_a_bundle_and_scores_the_same(one_vs_rest, store):
    scorer = read_pipeline(one_vs_rest, trust_pickle=True, labels=LABELS)
    folder = add_pipeline(scorer, "mine", store=store)
    one_vs_rest.unlink()
    bundle = load_bundle("mine")
    assert np.array_equal(bundle.scorer.score(TEXTS), scorer.score(TEXTS))
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", PIPELINE]
    assert "mine" in [listed.name for listed in list_bundles()]


def test_without_development_data_each_label_is_provisional(one_vs_rest, store):
    folder = add_pipeline(read_pipeline(one_vs_rest, trust_pickle=True, labels=LABELS), "mine", store=store)
    for numbers in open_bundle(folder).manifest.decision.values():
        assert (numbers.slope, numbers.intercept, numbers.threshold, numbers.provisional) == (1.0, 0.0, 0.5, True)


def test_with_development_data_the_decision_is_fitted_and_the_corpus_remembered(one_vs_rest, store):
    scorer = read_pipeline(one_vs_rest, trust_pickle=True, labels=LABELS)
    marks = np.tile(GOLD, (5, 1))
    annotations = tuple(
        Annotation(
            f"p{i}", text, "comment", f"p{i}", {label: "felt" for label, mark in zip(LABELS, row, strict=True) if mark}
        )
        for i, (text, row) in enumerate(zip(TEXTS * 5, marks, strict=True))
    )
    dev = Corpus("mine/dev", annotations, sha256="a" * 64)
    manifest = open_bundle(add_pipeline(scorer, "mine", dev=dev, store=store)).manifest
    assert manifest.decision == fit_decision(LABELS, scorer.score(dev.texts), marks.astype(np.float32)).by_label
    assert not manifest.decision["joy"].provisional
    assert seen_in_training(manifest, dev) == "dev"


class Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (self.path,))


def test_a_pickle_is_not_opened_without_the_flag(tmp_path, saved):
    path = saved(Hostile(str(tmp_path / "executed")))
    with pytest.raises(BadConfig, match=r"is a pickle, and opening a pickle runs .*\n.*--trust-pickle"):
        read_pipeline(path)
    assert not (tmp_path / "executed").exists()


def test_the_hostile_pickle_of_the_test_before_would_have_run(tmp_path, saved):
    path = saved(Hostile(str(tmp_path / "executed")))
    with pytest.raises(BadConfig):
        read_pipeline(path, trust_pickle=True, labels=LABELS)
    assert (tmp_path / "executed").exists()


def replace_pipeline(folder, content):
    """Puts other content into a bundle, with its digest mended: the work of somebody who makes bundles."""
    (folder / PIPELINE).write_bytes(content)
    raw = msgspec.json.decode((folder / "manifest.json").read_bytes())
    raw["files"][PIPELINE] = msgspec.to_builtins(digest_file(folder / PIPELINE))
    (folder / "manifest.json").write_bytes(msgspec.json.encode(raw))


def forged(content, old, new):
    """Rewrites names in the schema of a skops file."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            part = source.read(name)
            target.writestr(name, part.replace(old, new) if name == "schema.json" else part)
    assert out.getvalue() != content
    return out.getvalue()


@pytest.fixture
def bundle(one_vs_rest, store):
    return add_pipeline(read_pipeline(one_vs_rest, trust_pickle=True, labels=LABELS), "mine", store=store)


def test_a_hostile_skops_file_is_refused_and_not_executed(bundle, tmp_path):
    schema = {
        "__class__": "Popen",
        "__module__": "subprocess",
        "__loader__": "ObjectNode",
        "__id__": 1,
        "content": None,
        "protocol": 2,
        "_skops_version": "0.13",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as target:
        target.writestr("schema.json", json.dumps(schema))
    replace_pipeline(bundle, out.getvalue())
    with pytest.raises(BadBundle, match=r"holds the type subprocess.Popen, which is not known to be harmless"):
        open_bundle(bundle)


def test_a_type_that_only_begins_like_an_allowed_one_is_refused(bundle):
    content = (bundle / PIPELINE).read_bytes()
    replace_pipeline(bundle, forged(content, b'"LogisticRegression"', b'"LogisticRegressionX"'))
    with pytest.raises(BadBundle, match=r"holds the type sklearn.linear_model._logistic.LogisticRegressionX"):
        open_bundle(bundle)


def test_a_forged_classifier_that_compiled_code_would_read_past_is_refused(bundle):
    """Its support vectors are many and their coefficients few: scoring with it ends the process."""
    pipeline = make_pipeline(TfidfVectorizer(), TruncatedSVD(2), SVC()).fit(TEXTS, GOLD[:, 0])
    pipeline[-1]._dual_coef_ = np.zeros((1, 1))
    content = skops.io.dumps(pipeline)
    assert skops.io.get_untrusted_types(data=content) == []
    replace_pipeline(bundle, content)
    with pytest.raises(BadBundle, match=r"holds the type sklearn.svm._classes.SVC, which is not known to be harmless"):
        open_bundle(bundle)


@pytest.mark.parametrize("column", [2**30, -1, 0])
def test_a_forged_vocabulary_is_refused(bundle, column):
    """A column that the coefficients do not have is read past their end: scoring with it ends the process."""
    vectorizer = CountVectorizer().fit(TEXTS)
    vectorizer.vocabulary_["fun"] = column if column else vectorizer.vocabulary_["sick"]
    words = make_pipeline(FeatureUnion([("words", vectorizer)]), LogisticRegression())
    words[-1].fit(CountVectorizer().fit_transform(TEXTS), GOLD[:, 0])
    replace_pipeline(bundle, skops.io.dumps(words))
    with pytest.raises(BadBundle, match="counts a word in a column that it does not have"):
        open_bundle(bundle)


@pytest.mark.parametrize("vectorizer", [CountVectorizer(), HashingVectorizer(n_features=8)])
def test_a_vectorizer_that_opens_files_is_refused(bundle, vectorizer):
    pipeline = make_pipeline(vectorizer, LogisticRegression()).fit(TEXTS, GOLD[:, 0])
    vectorizer.input = "filename"
    replace_pipeline(bundle, skops.io.dumps(pipeline))
    with pytest.raises(BadBundle, match="has a vectorizer that takes texts for names of files"):
        open_bundle(bundle)


CLASSIFIERS = [
    SGDClassifier(loss="log_loss"),
    Perceptron(),
    RidgeClassifierCV(),
    ComplementNB(),
    CalibratedClassifierCV(LinearSVC(), method="isotonic", cv=2),
]


@pytest.mark.parametrize("classifier", CLASSIFIERS, ids=lambda classifier: type(classifier).__name__)
def test_the_usual_classifiers_are_taken(saved, classifier):
    features = FeatureUnion([("words", CountVectorizer()), ("letters", TfidfVectorizer(analyzer="char"))])
    path = saved(fitted(features, MaxAbsScaler(), SelectKBest(chi2, k=5), OneVsRestClassifier(classifier)))
    assert read_pipeline(path, trust_pickle=True, labels=LABELS).score(TEXTS).shape == (len(TEXTS), 2)


def test_a_neural_network_is_taken(saved):
    path = saved(make_pipeline(TfidfVectorizer(), MLPClassifier(4, max_iter=2000, random_state=0)).fit(TEXTS, GOLD))
    assert read_pipeline(path, trust_pickle=True, labels=LABELS).score(TEXTS).shape == (len(TEXTS), 2)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", pickle.dumps([1])], ids=["empty", "cut short", "a pickle"])
def test_what_is_no_skops_file_is_refused(bundle, content):
    replace_pipeline(bundle, content)
    with pytest.raises(BadBundle, match=r"is no pipeline that skops wrote"):
        open_bundle(bundle)


def test_a_missing_pipeline_is_refused_by_the_bundle(bundle):
    (bundle / PIPELINE).unlink()
    with pytest.raises(BadBundle, match=r"the file 'pipeline.skops' is missing"):
        open_bundle(bundle)


def shorten(texts):
    return [text[:100] for text in texts]


@pytest.mark.parametrize(
    ("function", "named"),
    [(partial(sorted, key=None), "partial"), (shorten, "shorten")],
    ids=["partial", "function"],
)
def test_function_transformers_are_refused_when_added(saved, function, named):
    path = saved(fitted(FunctionTransformer(function), TfidfVectorizer(), OneVsRestClassifier(LogisticRegression())))
    with pytest.raises(BadConfig, match=rf"cannot be kept without pickle: .*{named}") as caught:
        read_pipeline(path, trust_pickle=True, labels=LABELS)
    assert "Functions, lambdas and your own classes cannot be kept" in caught.value.hint


def test_random_forests_are_refused_when_added(saved):
    from sklearn.ensemble import RandomForestClassifier

    path = saved(fitted(TfidfVectorizer(), RandomForestClassifier(2, random_state=0)))
    with pytest.raises(BadConfig, match=r"it holds .*, sklearn.tree._tree.Tree"):
        read_pipeline(path, trust_pickle=True, labels=LABELS)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (None, BadConfig, r"does not say which labels its columns are; its classes are 0, 1.\nPass labels"),
        (("joy", "glee"), UnknownLabel, "There is no label 'glee'"),
        (("joy", "envy", "hope"), BadConfig, r"gave 2 columns for 3 labels: joy, envy, hope"),
    ],
)
def test_labels_that_do_not_fit_are_refused(one_vs_rest, labels, error, message):
    with pytest.raises(error, match=message):
        read_pipeline(one_vs_rest, trust_pickle=True, labels=labels)


def test_what_is_no_classifier_is_refused(saved):
    with pytest.raises(BadConfig, match="holds dict, which has neither predict_proba nor decision_function"):
        read_pipeline(saved({"a": 1}), trust_pickle=True, labels=LABELS)


def test_a_classifier_that_does_not_take_texts_is_refused(saved):
    path = saved(LogisticRegression().fit([[0], [1]], [0, 1]))
    with pytest.raises(BadConfig, match="failed on a list of strings: ValueError"):
        read_pipeline(path, trust_pickle=True, labels=("joy",))


def test_a_file_that_joblib_cannot_load_is_refused(tmp_path):
    (tmp_path / "model.joblib").write_text("hello")
    with pytest.raises(BadConfig, match="could not be loaded"):
        read_pipeline(tmp_path / "model.joblib", trust_pickle=True)


def test_without_skops_the_extra_is_named():
    code = (
        "import sys; sys.modules['skops'] = None\n"
        "from compersion_nlp.registry import SCORERS\n"
        "try: SCORERS.get('pipeline')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("MissingExtra A scikit-learn pipeline needs the package skops")
    assert "compersion-nlp[pipelines]" in ran.stdout
