"""What a stranger's skops file may hold: exact types, and numbers that compiled code cannot be led astray by.

skops trusts all of scikit-learn's estimators. Some of them hand the numbers of a file to compiled code that takes
them for its own, and a forged file makes that code read past its arrays. So only types are let in here that have been
read, and of these the vectorizers are looked at before a text is: their columns end up as indices.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import skops.io
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer

# Each was read: it computes from its own numbers in shapes that numpy or scipy check, and neither calls what a file
# names nor touches the disk. Exact names: a prefix would let in whatever a later release adds.
HARMLESS = frozenset(
    {
        "builtins.bool",
        "builtins.dict",
        "builtins.float",
        "builtins.int",
        "builtins.list",
        "builtins.set",
        "builtins.slice",
        "builtins.str",
        "builtins.tuple",
        "numpy.bool",
        "numpy.dtype",
        "numpy.float32",
        "numpy.float64",
        "numpy.int32",
        "numpy.int64",
        "numpy.ndarray",
        "numpy.random.mtrand.RandomState",
        "sklearn._loss._loss.CyHalfBinomialLoss",
        "sklearn.calibration.CalibratedClassifierCV",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.decomposition._truncated_svd.TruncatedSVD",
        "sklearn.dummy.DummyClassifier",
        "sklearn.feature_extraction.text.CountVectorizer",
        "sklearn.feature_extraction.text.HashingVectorizer",
        "sklearn.feature_extraction.text.TfidfTransformer",
        "sklearn.feature_extraction.text.TfidfVectorizer",
        "sklearn.feature_selection._univariate_selection.SelectKBest",
        "sklearn.feature_selection._univariate_selection.SelectPercentile",
        "sklearn.feature_selection._univariate_selection.chi2",
        "sklearn.feature_selection._univariate_selection.f_classif",
        "sklearn.isotonic.IsotonicRegression",
        "sklearn.linear_model._logistic.LogisticRegression",
        "sklearn.linear_model._logistic.LogisticRegressionCV",
        "sklearn.linear_model._passive_aggressive.PassiveAggressiveClassifier",
        "sklearn.linear_model._perceptron.Perceptron",
        "sklearn.linear_model._ridge.RidgeClassifier",
        "sklearn.linear_model._ridge.RidgeClassifierCV",
        "sklearn.linear_model._sgd_fast.Hinge",
        "sklearn.linear_model._sgd_fast.Log",
        "sklearn.linear_model._sgd_fast.ModifiedHuber",
        "sklearn.linear_model._sgd_fast.SquaredHinge",
        "sklearn.linear_model._stochastic_gradient.SGDClassifier",
        "sklearn.multiclass.OneVsRestClassifier",
        "sklearn.multiclass._ConstantPredictor",
        "sklearn.multioutput.ClassifierChain",
        "sklearn.multioutput.MultiOutputClassifier",
        "sklearn.naive_bayes.BernoulliNB",
        "sklearn.naive_bayes.ComplementNB",
        "sklearn.naive_bayes.MultinomialNB",
        "sklearn.neural_network._multilayer_perceptron.MLPClassifier",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.pipeline.FeatureUnion",
        "sklearn.pipeline.Pipeline",
        "sklearn.preprocessing._data.MaxAbsScaler",
        "sklearn.preprocessing._data.Normalizer",
        "sklearn.preprocessing._data.StandardScaler",
        "sklearn.preprocessing._label.LabelBinarizer",
        "sklearn.preprocessing._label.LabelEncoder",
        "sklearn.svm._classes.LinearSVC",
    }
)


def unknown_types(content: bytes) -> list[str]:
    """Returns the types that a skops file names and that are not known to be harmless; nothing is built from it.

    Raises whatever zipfile, json and skops do where the content is no skops file.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        schema = json.loads(file.read("schema.json"))
    return sorted({*_named(schema), *skops.io.get_untrusted_types(data=content)} - HARMLESS)


def _named(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if "__class__" in schema:
            yield f"{schema.get('__module__')}.{schema['__class__']}"
        for part in schema.values():
            yield from _named(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _named(part)


def forged_vectorizer(built: Any) -> str:
    """Returns what is wrong with a vectorizer in what was built from a file; nothing, if all are sound."""
    return next(filter(None, map(_forgery, _parts(built, set()))), "")


def _forgery(part: Any) -> str:
    if not isinstance(part, CountVectorizer | HashingVectorizer):
        return ""
    if part.input != "content":
        return "takes texts for names of files"
    columns = getattr(part, "vocabulary_", {}).values()
    return "" if sorted(columns) == list(range(len(columns))) else "counts a word in a column that it does not have"


def _parts(value: Any, seen: set[int]) -> Iterator[Any]:
    """Yields everything that is held by ``value``, itself included, once."""
    if id(value) in seen:
        return
    seen.add(id(value))
    yield value
    if isinstance(value, dict):
        held = [*value.values()]
    elif isinstance(value, list | tuple | set):
        held = [*value]
    else:
        held = [*getattr(value, "__dict__", {}).values()]
    for part in held:
        yield from _parts(part, seen)
