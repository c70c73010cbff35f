import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from compersion_nlp.bundle import Manifest, add_bundle, list_bundles, load_bundle, open_bundle, write_bundle
from compersion_nlp.decision import Decision
from compersion_nlp.errors import BadBundle, BadConfig
from compersion_nlp.registry import FITTERS, SCORERS
from compersion_nlp.scorers.protocol import check_scorer
from compersion_nlp.training.data import Part
from compersion_nlp.training.setting import Setting

EXAMPLE = Path(__file__).parent / "plugin_example"
PAGE = Path(__file__).parent.parent / "docs" / "plugins.md"
LABELS = ("joy", "envy")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The example, built by its own build back end and installed by pip, into a folder of its own."""
    source = tmp_path_factory.mktemp("source") / "plugin"
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("__pycache__"))
    target = tmp_path_factory.mktemp("target")
    options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(source)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return target


@pytest.fixture
def plugin(installed, monkeypatch):
    monkeypatch.syspath_prepend(str(installed))
    return installed


def register(folder, distribution, group, entry, code=None):
    """Installs a one-file package that is nothing but an entry point."""
    info = folder / f"{distribution}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{entry}\n")
    if code is not None:
        (folder / f"{distribution}.py").write_text(code)


def test_the_page_shows_the_example_file_by_file():
    shown = dict(re.findall(r"^`([\w./]+)`:\n\n```\w+\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL))
    files = [path for path in EXAMPLE.rglob("*") if path.suffix in (".py", ".toml")]
    assert shown == {path.relative_to(EXAMPLE).as_posix(): path.read_text("utf-8") for path in files}


@pytest.mark.usefixtures("plugin")
def test_an_installed_plugin_is_listed_beside_the_built_in_ones():
    assert {"keywords", "linear", "rules"} <= set(SCORERS.names())
    assert {"keywords", "linear", "rules"} <= set(FITTERS.names())


def test_plugins_are_listed_without_being_imported(plugin):
    code = "import sys; from compersion_nlp.registry import *; print(SCORERS.names(), *sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(plugin)},
    )
    assert "'keywords'" in ran.stdout
    assert "compersion_keywords" not in ran.stdout


@pytest.fixture
def bundle(plugin, tmp_path):
    fitter = FITTERS.get("keywords")
    gold = np.array([[1, 0], [0, 1], [np.nan, 0]], dtype=np.float32)
    part = Part.of(["fun, fun!", "her weekends", "rain"], gold)
    scorer = fitter.fit(fitter.Options(most=3), part, LABELS, Setting())
    check_scorer(scorer)
    decision = Decision.identity(LABELS).by_label
    manifest = Manifest(name="mine", version="1", scorer="keywords", labels=LABELS, decision=decision)
    write_bundle(tmp_path / "mine", manifest, scorer)
    return tmp_path / "mine"


def test_a_bundle_with_a_plugins_scorer_is_loaded_and_listed(bundle, tmp_path, monkeypatch):
    monkeypatch.setenv("COMPERSION_MODELS", str(tmp_path / "store"))
    add_bundle(bundle, store=tmp_path / "store")
    assert load_bundle("mine").scorer.score(["What fun!", "rain"]).tolist() == [[-1, -3], [-3, -3]]
    assert next(listed for listed in list_bundles() if listed.name == "mine").manifest.scorer == "keywords"


def test_a_bundle_whose_plugin_is_not_installed_is_refused(bundle, installed, monkeypatch):
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(installed)])
    with pytest.raises(BadBundle, match=r"\$.scorer is 'keywords', which is not installed"):
        open_bundle(bundle)


def test_the_pages_script_runs(plugin, tmp_path):
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLE / "make_bundle.py")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(plugin)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert re.fullmatch(r"\[\[0\.\d+ +0\.\d+\s*\]\]\n", ran.stdout)
    assert (tmp_path / "keywords" / "manifest.json").is_file()


def test_a_plugin_that_cannot_be_imported_is_an_error_for_its_own_name_only(tmp_path, monkeypatch):
    register(tmp_path, "broken_one", SCORERS.group, "broken = broken_one:load", "raise RuntimeError('no such luck')")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert {"broken", "linear"} <= set(SCORERS.names())
    assert callable(SCORERS.get("linear"))
    with pytest.raises(BadConfig, match=r"scorer 'broken' \(broken_one:load\) could not be imported: no such luck"):
        SCORERS.get("broken")


def test_a_name_that_is_taken_is_refused_and_replaces_nothing(tmp_path, monkeypatch):
    register(tmp_path, "usurper", SCORERS.group, "linear = usurper:load", "load = print")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(BadConfig, match=r"Two packages register the scorer 'linear': .*\nUninstall one of them"):
        SCORERS.get("linear")
    assert callable(FITTERS.get("linear").fit)
    assert callable(SCORERS.get("pipeline"))
