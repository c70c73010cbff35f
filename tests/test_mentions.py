"""Mentions by the rules and by a scorer that knows stances, joined so that a reading does not contradict itself."""

import pytest

from compersion_nlp.mentions import Learned, join_mentions
from compersion_nlp.records import Mention, Span

PLACE = Span(40, 60)


def mentions(*stances):
    return tuple(Mention("envy", stance, Span(place, place + 1)) for place, stance in enumerate(stances))


def test_what_is_felt_keeps_its_mentions():
    found = mentions("denied", "felt")
    assert join_mentions(found, "envy", felt=True, learned={0: Learned("past", PLACE)}) == ("felt", found)


def test_what_is_not_felt_has_no_mention_that_says_felt():
    assert join_mentions(mentions("felt"), "envy", felt=False) == (None, ())
    assert join_mentions(mentions("felt", "other"), "envy", felt=False) == ("other", mentions("felt", "other")[1:])


def test_of_several_stances_the_schemes_order_decides():
    assert join_mentions(mentions("general", "past"), "envy", felt=False)[0] == "past"


def test_a_feeling_that_no_word_names_is_mentioned_by_its_sentence():
    learned = {0: Learned("other", PLACE)}
    assert join_mentions((), "envy", felt=False, learned=learned) == ("other", (Mention("envy", "other", PLACE),))


def test_a_scorer_that_knows_stances_decides_whether_there_is_a_mention():
    assert join_mentions(mentions("past"), "envy", felt=False, learned={}) == (None, ())


def test_a_mention_that_says_felt_takes_the_stance_that_is_learned():
    stance, found = join_mentions(mentions("felt"), "envy", felt=False, learned={0: Learned("past", PLACE)})
    assert (stance, found) == ("past", mentions("past"))


@pytest.mark.parametrize("stances", [("past", "other"), ("other",), ("felt", "general"), ("denied", "felt", "past")])
def test_the_learned_stance_is_always_that_of_a_mention(stances):
    stance, found = join_mentions(mentions(*stances), "envy", felt=False, learned={0: Learned("past", PLACE)})
    assert stance == "past"
    assert "past" in {mention.stance for mention in found}
    assert "felt" not in {mention.stance for mention in found}
