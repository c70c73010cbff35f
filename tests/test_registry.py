from importlib.metadata import EntryPoint, EntryPoints

import pytest

from compersion_nlp.errors import BadConfig, MissingExtra
from compersion_nlp.registry import ENGINES, FITTERS, SCORERS, Registry


@pytest.fixture
def registry(monkeypatch):
    """A registry of things in the standard library, some of which are not there."""
    points = [
        EntryPoint("root", "math:sqrt", "things"),
        EntryPoint("root", "math:sqrt", "things"),
        EntryPoint("twice", "math:sin", "things"),
        EntryPoint("twice", "math:cos", "things"),
        EntryPoint("gone", "no_such_module:load", "things"),
        EntryPoint("empty", "math:no_such_name", "things"),
        EntryPoint("other", "math:tan", "others"),
    ]
    monkeypatch.setattr("compersion_nlp.registry.entry_points", lambda **chosen: EntryPoints(points).select(**chosen))
    return Registry("things", "thing")


def test_names_are_sorted_and_given_once(registry):
    assert registry.names() == ("empty", "gone", "root", "twice")


def test_get_returns_what_the_entry_point_names(registry):
    assert registry.get("root")(4) == 2


def test_the_same_plugin_found_twice_is_one_plugin(registry):
    assert registry.get("root") is registry.get("root")


def test_a_name_of_another_group_is_unknown_and_the_names_are_listed(registry):
    with pytest.raises(BadConfig, match=r"There is no thing 'other'.\nAvailable: empty, gone, root, twice."):
        registry.get("other")


def test_two_claims_of_one_name_are_refused(registry):
    with pytest.raises(BadConfig, match="Two packages register the thing 'twice': math and math"):
        registry.get("twice")


@pytest.mark.parametrize(("name", "value"), [("gone", "no_such_module:load"), ("empty", "math:no_such_name")])
def test_what_cannot_be_imported_says_where_it_comes_from(registry, name, value):
    with pytest.raises(BadConfig, match=rf"The thing '{name}' \({value}\) could not be imported"):
        registry.get(name)


def test_a_plugins_own_error_is_passed_on(registry, monkeypatch):
    def load(point):
        raise MissingExtra("skops", "pipelines", "A pipeline")

    monkeypatch.setattr(EntryPoint, "load", load)
    with pytest.raises(MissingExtra, match="A pipeline needs the package skops"):
        registry.get("root")


@pytest.mark.parametrize(
    ("registry", "name"),
    [(registry, name) for registry in (SCORERS, FITTERS, ENGINES) for name in registry.names()],
    ids=lambda value: value if isinstance(value, str) else value.noun,
)
def test_every_built_in_plugin_can_be_imported(registry, name):
    assert registry.get(name) is not None
