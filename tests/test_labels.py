import tomllib
from pathlib import Path

import pytest

import compersion_nlp
from compersion_nlp.errors import UnknownLabel
from compersion_nlp.labels import FELT, SCHEME


def test_the_scheme_has_23_labels_and_six_stances_with_felt_first():
    assert len(SCHEME.names) == len(set(SCHEME.names)) == 23
    assert SCHEME.stance_names == ("felt", "past", "denied", "other", "hypothetical", "general")
    assert SCHEME.stance_names[0] == FELT


def test_every_label_and_stance_is_defined():
    assert all(label.feels and label.signs for label in SCHEME.labels.values())
    assert all(stance.means and stance.example for stance in SCHEME.stances.values())


@pytest.mark.parametrize(
    ("stances", "winner"),
    [(("general", "denied"), "denied"), (("other", "past", "hypothetical"), "past"), (("denied", "felt"), "felt")],
)
def test_the_first_stance_in_scheme_order_wins(stances, winner):
    assert SCHEME.strongest(stances) == winner


def test_a_misspelt_label_is_answered_with_the_nearest():
    with pytest.raises(UnknownLabel, match=r"no label 'jealosy'[\s\S]*Did you mean jealousy"):
        SCHEME.check_label("jealosy")


def test_an_unknown_stance_is_answered_with_all():
    with pytest.raises(UnknownLabel, match=r"no stance 'maybe'[\s\S]*felt, past, denied, other"):
        SCHEME.check_stance("maybe")


def test_labels_are_written_in_one_place_only():
    """No module of the package lists the labels again: the TOML is where a label is added or renamed."""
    package = Path(compersion_nlp.__file__).parent
    rare = {"compersion", "possessiveness", "indifference", "gratitude"}
    offenders = [
        path.name
        for path in package.rglob("*.py")
        if all(f'"{name}"' in path.read_text(encoding="utf-8") for name in rare)
    ]
    assert offenders == []
    assert rare <= set(tomllib.loads((package / "labels.toml").read_text(encoding="utf-8"))["labels"])
