import hashlib
import os
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

import compersion_nlp
from compersion_nlp.bundle import (
    Manifest,
    add_bundle,
    find_bundle,
    list_bundles,
    load_bundle,
    open_bundle,
    pin_bundle,
    promote,
    verify,
    verify_bundle,
    write_bundle,
)
from compersion_nlp.bundle.manifest import MANIFEST, write_manifest
from compersion_nlp.decision import IDENTITY, Decision, LabelDecision
from compersion_nlp.errors import BadBundle
from compersion_nlp.scorers.linear import Features, LinearScorer, TfIdf

LABELS = ("joy", "compersion")
DECISION = {
    "joy": LabelDecision(1.5, 0.25, 0.4, 30, provisional=False),
    "compersion": LabelDecision(1.0, 0.0, 0.5, 3, provisional=True),
}


def make_scorer(labels=LABELS, weight=1.0):
    features = Features((1, 1), (2, 2), True, ("fun", "glad"), ("gl",))
    coefficients = np.full((3, len(labels)), weight, np.float32)
    return LinearScorer(labels, TfIdf(features, np.ones(3, np.float32)), coefficients, np.zeros(len(labels)))


def make_manifest(**changes):
    given = {"name": "tiny", "version": "1", "scorer": "linear", "labels": LABELS, "decision": DECISION}
    return Manifest(**{**given, **changes})


@pytest.fixture
def folder(tmp_path):
    write_bundle(tmp_path / "tiny", make_manifest(), make_scorer(), {"card.md": b"# Tiny\n"})
    return tmp_path / "tiny"


@pytest.fixture
def stores(tmp_path, monkeypatch):
    """Three empty stores in the order of the search: named by the variable, the user's, the shipped one."""
    first, user, shipped = tmp_path / "first", tmp_path / "user" / "models", tmp_path / "package" / "models"
    shipped.mkdir(parents=True)
    monkeypatch.setenv("COMPERSION_MODELS", str(first))
    monkeypatch.setattr("compersion_nlp.bundle.store.user_data_path", lambda name: tmp_path / "user")
    monkeypatch.setattr(compersion_nlp, "__file__", str(tmp_path / "package" / "__init__.py"))
    return first, user, shipped


def rewrite(folder, change):
    """Changes the manifest's JSON by hand, as somebody with an editor would."""
    raw = msgspec.json.decode((folder / MANIFEST).read_bytes())
    change(raw)
    (folder / MANIFEST).write_bytes(msgspec.json.encode(raw))


def setting(*path, value):
    def spoil(folder):
        def change(raw):
            for key in path[:-1]:
                raw = raw[key]
            raw[path[-1]] = value

        rewrite(folder, change)

    return spoil


def renaming(name):
    def spoil(folder):
        rewrite(folder, lambda raw: raw["files"].update({name: raw["files"].pop("card.md")}))
        (folder / "card.md").unlink()

    return spoil


def flip_byte(folder):
    path = folder / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def link(folder):
    (folder / "card.md").rename(folder.parent / "elsewhere.md")
    (folder / "card.md").symlink_to(folder.parent / "elsewhere.md")


def replaced(old, new):
    def spoil(folder):
        content = (folder / MANIFEST).read_bytes()
        assert old in content
        (folder / MANIFEST).write_bytes(content.replace(old, new))

    return spoil


def written(content):
    return lambda folder: (folder / MANIFEST).write_bytes(content)


NEST = b'{"format": 1, "recipe": {"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}"
HOSTILE = {
    "flipped byte": (flip_byte, r"weights.safetensors has the sha256 \w+; the manifest says"),
    "grown file": (lambda at: (at / "card.md").write_text("# Longer\n"), "card.md has 9 bytes; the manifest says 7"),
    "wrong size": (setting("files", "card.md", "size", value=8), "card.md has 7 bytes; the manifest says 8"),
    "extra file": (lambda at: (at / "x.py").touch(), "the file 'x.py' is not in the manifest"),
    "hidden file": (lambda at: (at / ".x").touch(), "the file '.x' is not in the manifest"),
    "missing file": (lambda at: (at / "card.md").unlink(), "the file 'card.md' is missing"),
    "no manifest": (lambda at: (at / MANIFEST).unlink(), "is no bundle: manifest.json cannot be read"),
    "symlink": (link, "holds 'card.md', which is not a regular file"),
    "pipe": (lambda at: os.mkfifo(at / "pipe"), "holds 'pipe', which is not a regular file"),
    "manifest is a pipe": (lambda at: ((at / MANIFEST).unlink(), os.mkfifo(at / MANIFEST)), "is not a regular file"),
    "manifest is a link": (
        lambda at: ((at / MANIFEST).rename(at.parent / "m"), (at / MANIFEST).symlink_to(at.parent / "m")),
        "manifest.json is not a regular file",
    ),
    "sub-folder": (lambda at: (at / "sub").mkdir(), "holds 'sub', which is not a regular file"),
    "parent in a name": (renaming("../card.md"), r"\$.files names '../card.md'; allowed are plain names"),
    "parent as a name": (renaming(".."), r"\$.files names '..'"),
    "absolute name": (renaming("/etc/passwd"), r"\$.files names '/etc/passwd'"),
    "nested name": (renaming("sub/../../card.md"), r"\$.files names 'sub/../../card.md'"),
    "backslash": (renaming("..\\card.md"), r"\$.files names '\.\.\\\\card.md'"),
    "drive": (renaming("c:card.md"), r"\$.files names 'c:card.md'"),
    "NUL in a name": (renaming("card\0.md"), r"\$.files names 'card\\x00.md'"),
    "manifest in itself": (renaming(MANIFEST), r"\$.files names 'manifest.json'"),
    "newer format": (setting("format", value=2), "has format 2; this version of compersion-nlp knows 1"),
    "newer format with new keys": (replaced(b'"format": 1', b'"format": 7, "new": 1'), "has format 7"),
    "no format": (lambda at: rewrite(at, lambda raw: raw.pop("format")), "missing required field `format`"),
    "newer scheme": (setting("scheme", value=9), r"\$.scheme is 9; this version knows label schemes to 1"),
    "unknown key": (setting("colour", value=1), "contains unknown field `colour`"),
    "unknown key inside": (setting("decision", "joy", "x", value=1), r"unknown field `x` - at `\$.decision"),
    "ill-typed value": (setting("labels", value="joy"), r"Expected `array`, got `str` - at `\$.labels`"),
    "bad name": (setting("name", value="../up"), r"Expected `str` matching regex .* - at `\$.name`"),
    "bad digest": (setting("files", "card.md", "sha256", value="0"), r"matching regex .* - at `\$.files"),
    "empty window": (setting("window", value=0), r"Expected `int` >= 1 - at `\$.window`"),
    "other aggregate": (setting("aggregate", value="mean"), r"Invalid enum value 'mean' - at `\$.aggregate`"),
    "no labels": (setting("labels", value=[]), r"\$.labels is empty"),
    "wrong label": (setting("labels", value=["joy", "glee"]), r"\$.labels\[1\] is 'glee', which is no label"),
    "label twice": (setting("labels", value=["joy", "joy"]), r"\$.labels\[1\] names 'joy' a second time"),
    "label undecided": (lambda at: rewrite(at, lambda raw: raw["decision"].pop("joy")), "difference: joy"),
    "decision of an unknown label": (
        setting("decision", "envy", value=msgspec.to_builtins(IDENTITY)),
        r"\$.decision does not cover exactly the labels; the difference: envy",
    ),
    "NaN slope": (replaced(b'"slope": 1.5', b'"slope": NaN'), "is not JSON in UTF-8: JSON is malformed"),
    "infinite slope": (replaced(b'"slope": 1.5', b'"slope": 1e999'), r"Number out of range - at `\$.decision"),
    "null slope": (setting("decision", "joy", "slope", value=None), r"Expected `float`, got `null`"),
    "threshold over 1": (setting("decision", "joy", "threshold", value=1.1), r"Expected `float` <= 1.0"),
    "not JSON": (written(b"format = 1"), "is not JSON in UTF-8"),
    "empty": (written(b""), "is not JSON in UTF-8"),
    "not UTF-8": (replaced(b"tiny", b"t\xffny"), "is not JSON in UTF-8: 'utf-8' codec"),
    "huge nesting": (written(NEST), "is nested too deeply to be a manifest"),
    "huge manifest": (written(b" " * (16 * 2**20 + 1)), "is larger than 16777216 bytes"),
    "unknown scorer": (setting("scorer", value="oracle"), r"\$.scorer is 'oracle', which is not installed"),
}


@pytest.mark.parametrize(("spoil", "message"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_bundle_is_refused_before_its_scorer_opens_a_file(folder, monkeypatch, spoil, message):
    spoil(folder)
    monkeypatch.setattr("compersion_nlp.scorers.linear.load_file", lambda path: pytest.fail("a file was opened"))
    with pytest.raises(BadBundle, match=message) as caught:
        open_bundle(folder)
    assert caught.value.hint


def test_a_newer_format_says_how_to_upgrade(folder):
    setting("format", value=2)(folder)
    with pytest.raises(BadBundle) as caught:
        verify_bundle(folder)
    assert "pip install --upgrade compersion-nlp" in caught.value.hint


def test_an_unknown_scorer_names_those_that_are_installed(folder):
    setting("scorer", value="oracle")(folder)
    with pytest.raises(BadBundle, match=r"Installed: .*linear"):
        open_bundle(folder)


def test_a_pin_that_does_not_match_is_refused(folder):
    with pytest.raises(BadBundle, match=r"its store's index.json says 00"):
        verify_bundle(folder, pin="00")


def test_a_bundle_is_read_back_as_it_was_written(folder):
    bundle = open_bundle(folder)
    assert bundle.manifest.decision == DECISION
    assert bundle.digest == hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    assert np.array_equal(bundle.scorer.score(["so glad", "fun"]), make_scorer().score(["so glad", "fun"]))
    assert set(bundle.manifest.files) == {"card.md", "features.json", "weights.safetensors"}


def test_columns_keep_the_order_of_the_labels(folder):
    # On disk the keys are sorted, compersion first; the labels, and the scorer's columns, begin with joy.
    bundle = open_bundle(folder)
    assert tuple(bundle.manifest.decision) == bundle.decision.labels == bundle.scorer.labels == LABELS
    assert bundle.decision.probabilities(np.zeros((1, 2)))[0, 1] == 0.5


def test_writing_again_gives_the_same_bytes(folder, tmp_path):
    write_bundle(tmp_path / "again", make_manifest(), make_scorer(), {"card.md": b"# Tiny\n"})
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_writing_replaces_an_older_bundle_and_leaves_nothing_beside_it(folder):
    write_bundle(folder, make_manifest(version="2"), make_scorer())
    assert verify_bundle(folder).version == "2"
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_a_failed_write_leaves_the_older_bundle(folder):
    class Broken:
        labels = LABELS

        def save(self, folder):
            (folder / "half").touch()
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_bundle(folder, make_manifest(version="2"), Broken())
    assert verify_bundle(folder).version == "1"
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_a_failed_swap_puts_the_older_bundle_back(folder, monkeypatch):
    rename = type(folder).rename

    def failing(path, target):
        if path.name.endswith(".new"):
            raise OSError("in use")
        return rename(path, target)

    monkeypatch.setattr(type(folder), "rename", failing)
    with pytest.raises(OSError, match="in use"):
        write_bundle(folder, make_manifest(version="2"), make_scorer())
    assert verify_bundle(folder).version == "1"


def test_a_folder_with_a_strangers_file_is_not_overwritten(tmp_path):
    (tmp_path / "thesis.txt").write_text("the only copy")
    with pytest.raises(BadBundle, match=r"holds 'thesis.txt', which is neither part of a bundle there"):
        write_bundle(tmp_path, make_manifest(), make_scorer())
    assert (tmp_path / "thesis.txt").read_text() == "the only copy"


def test_a_strangers_manifest_is_not_overwritten(tmp_path):
    (tmp_path / MANIFEST).write_text('{"manifest_version": 3}')
    with pytest.raises(BadBundle, match=r"holds 'manifest.json'"):
        write_bundle(tmp_path, make_manifest(), make_scorer())


def test_a_recipe_that_goes_into_the_bundle_may_lie_where_the_bundle_goes(tmp_path):
    (tmp_path / "recipe.toml").write_bytes(b"seed = 1\n")
    write_bundle(tmp_path, make_manifest(), make_scorer(), {"recipe.toml": b"seed = 1\n"})
    assert verify_bundle(tmp_path).files["recipe.toml"].size == 9


def test_an_edited_recipe_is_not_lost(tmp_path):
    write_bundle(tmp_path, make_manifest(), make_scorer(), {"recipe.toml": b"seed = 1\n"})
    (tmp_path / "recipe.toml").write_bytes(b"seed = 2\n")
    with pytest.raises(BadBundle, match=r"holds 'recipe.toml'"):
        write_bundle(tmp_path, make_manifest(), make_scorer(), {"recipe.toml": b"seed = 1\n"})


@pytest.mark.parametrize("name", ["../card.md", "features.json", "/tmp/card.md"])
def test_an_extra_file_stays_in_the_bundle_and_replaces_nothing(tmp_path, name):
    with pytest.raises(BadBundle, match="is taken, or no plain name"):
        write_bundle(tmp_path / "tiny", make_manifest(), make_scorer(), {name: b""})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": ("compersion", "joy")}, "the scorer has the labels joy, compersion; the manifest says"),
        ({"decision": {"joy": IDENTITY}}, "the difference: compersion"),
        ({"decision": {**DECISION, "joy": LabelDecision(float("nan"), 0, 0.5, 1, True)}}, r"joy.slope is nan"),
        ({"decision": {**DECISION, "joy": LabelDecision(1, float("inf"), 0.5, 1, True)}}, r"joy.intercept is inf"),
        ({"decision": {**DECISION, "joy": LabelDecision(1, 0, 1.5, 1, True)}}, r"joy.threshold is 1.5"),
        ({"name": "../up"}, r"\$.name"),
    ],
)
def test_a_manifest_that_could_not_be_read_is_not_written(tmp_path, changes, message):
    with pytest.raises(BadBundle, match=message):
        write_bundle(tmp_path / "tiny", make_manifest(**changes), make_scorer())
    assert not (tmp_path / "tiny").exists()


def test_a_scorer_with_other_labels_than_its_manifest_is_refused(folder, monkeypatch):
    monkeypatch.setattr("compersion_nlp.scorers.linear.load", lambda folder, labels: make_scorer(("envy",)))
    with pytest.raises(BadBundle, match="the scorer has the labels envy; the manifest says joy, compersion"):
        open_bundle(folder)


def test_a_loader_that_fails_in_its_own_way_is_a_bad_bundle(folder, monkeypatch):
    monkeypatch.setattr("compersion_nlp.scorers.linear.load", lambda folder, labels: {}["weights"])
    with pytest.raises(BadBundle, match="the scorer 'linear' cannot read its files: KeyError: 'weights'"):
        open_bundle(folder)


def test_a_name_is_searched_in_the_variables_stores_then_the_users_then_the_shipped(folder, stores):
    for store in reversed(stores):
        add_bundle(folder, store=store)
        assert find_bundle("tiny") == store / "tiny"


def test_the_variable_can_name_several_stores(folder, stores, monkeypatch):
    add_bundle(folder, "second", store=stores[2])
    monkeypatch.setenv("COMPERSION_MODELS", os.pathsep.join(map(str, (stores[0], stores[2]))))
    assert load_bundle("second").manifest.name == "tiny"


def test_a_named_bundle_must_match_its_stores_pin(folder, stores):
    at = add_bundle(folder)
    shutil.rmtree(at)
    write_bundle(at, make_manifest(), make_scorer(weight=2.0))
    verify_bundle(at)
    with pytest.raises(BadBundle, match=r"its store's index.json says"):
        load_bundle("tiny")


def test_an_unknown_name_lists_what_there_is(folder, stores):
    add_bundle(folder)
    with pytest.raises(BadBundle, match=r"There is no bundle 'big'.\nThere are: tiny. Or give the path"):
        load_bundle("big")


@pytest.mark.usefixtures("stores")
def test_without_any_bundles_that_is_said():
    with pytest.raises(BadBundle, match="There are none yet"):
        load_bundle("tiny")
    with pytest.raises(BadBundle, match="No bundle is the default"):
        load_bundle()


@pytest.mark.usefixtures("stores")
def test_a_path_needs_no_store(folder, monkeypatch):
    assert load_bundle(folder).manifest.name == "tiny"
    assert load_bundle(str(folder)).manifest.name == "tiny"
    monkeypatch.chdir(folder.parent)
    assert find_bundle("./tiny").resolve() == find_bundle("tiny").resolve() == folder


def test_a_name_in_a_store_comes_before_a_folder_that_happens_to_be_called_so(folder, stores, monkeypatch):
    at = add_bundle(folder)
    monkeypatch.chdir(folder.parent)
    assert find_bundle("tiny") == at


def test_the_first_store_with_a_default_decides(folder, stores):
    for name in ("mine", "theirs"):
        add_bundle(folder, name, store=stores[2])
    promote("theirs", store=stores[2])
    assert find_bundle() == stores[2] / "theirs"
    promote("mine")  # by the user's index, though the bundle is shipped
    assert find_bundle() == stores[2] / "mine"


@pytest.mark.usefixtures("stores")
def test_only_what_exists_can_be_promoted():
    with pytest.raises(BadBundle, match="There is no bundle 'tiny'"):
        promote("tiny")


def test_adding_twice_is_refused(folder, stores):
    add_bundle(folder)
    with pytest.raises(BadBundle, match="already has a bundle 'tiny'"):
        add_bundle(folder)


def test_a_name_is_free_again_when_its_folder_is_deleted(folder, stores):
    shutil.rmtree(add_bundle(folder))
    add_bundle(folder)
    assert load_bundle("tiny").manifest.name == "tiny"


def test_a_spoilt_bundle_is_not_added(folder, stores):
    flip_byte(folder)
    with pytest.raises(BadBundle, match="has the sha256"):
        add_bundle(folder)
    assert not list_bundles()


@pytest.mark.parametrize("name", ["..", "a/b", "Ä", "-x", "x" * 65, "x\n"])
def test_a_name_that_is_no_folder_name_is_refused(folder, stores, name):
    with pytest.raises(BadBundle, match="cannot be the name of a bundle"):
        add_bundle(folder, name)


def test_the_list_shows_each_name_once_and_says_what_is_wrong(folder, stores):
    for store in stores[1:]:
        add_bundle(folder, store=store)
    broken = add_bundle(folder, "broken")
    (broken / MANIFEST).write_text("{")
    promote("tiny")
    first, second = list_bundles()
    assert (first.name, first.manifest, first.default) == ("broken", None, False)
    assert "is not JSON" in first.problem
    assert (second.name, second.store, second.default) == ("tiny", stores[1], True)
    assert second.manifest.labels == LABELS


def test_verify_reports_whether_the_bundle_is_pinned(folder, stores):
    add_bundle(folder)
    assert verify("tiny").pinned
    report = verify(folder)
    assert not report.pinned
    assert report.size == sum(path.stat().st_size for path in folder.iterdir() if path.name != MANIFEST)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is not the index of a store"),
        (b'{"bundles": {"tiny": "00"}}', r"matching regex .* - at `\$.bundles"),
        (b'{"colour": 1}', "unknown field `colour`"),
        (b'{"format": 2}', "has format 2; this version knows 1"),
        (b'{"bundles": {"../up": "' + b"0" * 64 + b'"}}', "'../up' cannot be the name of a bundle"),
    ],
)
def test_a_spoilt_index_is_refused(stores, content, message):
    stores[1].mkdir(parents=True)
    (stores[1] / "index.json").write_bytes(content)
    with pytest.raises(BadBundle, match=message):
        list_bundles()


def test_a_new_pin_follows_a_new_bundle(folder, stores):
    at = add_bundle(folder)
    write_bundle(at, make_manifest(version="2"), make_scorer(), {"card.md": b"# Tiny\n"})
    pin_bundle(stores[1], "tiny", default=True)
    assert load_bundle().manifest.version == "2"


def test_the_identity_decision_is_a_sound_one(tmp_path):
    write_bundle(tmp_path / "new", make_manifest(decision=Decision.identity(LABELS).by_label), make_scorer())
    assert all(label.provisional for label in verify_bundle(tmp_path / "new").decision.values())


def test_the_manifests_bytes_are_sorted_and_end_in_a_newline():
    content = write_manifest(make_manifest(), Path(MANIFEST))
    keys = list(msgspec.json.decode(content))
    assert keys == sorted(keys)
    assert content.endswith(b"}\n")
