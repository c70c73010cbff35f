"""The phrase syntax, and where phrases are found."""

import threading

import pytest

from compersion_nlp.errors import BadConfig
from compersion_nlp.phrases import PhraseBook, Tokens, parse_phrase
from compersion_nlp.text import bounded_memory, parse

GROUPS = {"pet": ("cat", "old dog"), "contractions": ("can't " * 30,), "gappy": ("fat", " ")}


def found(phrases, text):
    tokens = Tokens(parse(text))
    places = PhraseBook(phrases, GROUPS).find(tokens)
    return [tokens.span(place.start, place.end).of(text) for place in places]


@pytest.mark.parametrize(
    ("phrase", "text", "expected"),
    [
        ("over the moon", "Over The Moon, truly", ["Over The Moon"]),
        ("heart (sank|broke)", "heart broke, heart stopped", ["heart broke"]),
        ("(went|turned) (bright )?red", "went red, turned bright red", ["went red", "turned bright red"]),
        ("my <pet>", "my cat and my old dog", ["my cat", "my old dog"]),
        ("a <pet>? bed", "a bed, a cat bed", ["a bed", "a cat bed"]),
        ("heart * sank", "heart just really sank", ["heart just really sank"]),
        ("heart * sank", "heart just really quickly sank", []),
        ("heart *3 sank", "heart just really quickly sank", ["heart just really quickly sank"]),
        ("one * two", "one or one or two", ["one or two"]),
        ("(a (b|c)|d) e", "a c e, d e, b e", ["a c e", "d e"]),
    ],
)
def test_each_mark_of_the_syntax(phrase, text, expected):
    assert found([phrase], text) == expected


@pytest.mark.parametrize("text", ["I can't wait", "i cant wait", "I CAN'T WAIT", "I can’t wait", "CANT WAIT"])
def test_a_contraction_is_found_however_it_is_typed(text):
    assert len(found(["can't wait"], text)) == 1


@pytest.mark.parametrize(
    "text", ["so *very* sad", "so  very   sad", "so very\nsad", "so \u200bvery sad", "so __very__ sad"]
)
def test_layout_and_emphasis_do_not_hide_a_phrase(text):
    assert found(["so very sad"], text) == [text]


@pytest.mark.parametrize("text", ["heart. Sank", "heart\n\nSank", "heart! sank", "heart? sank"])
def test_a_gap_does_not_reach_over_the_end_of_a_sentence(text):
    assert found(["heart *4 sank"], text) == []


@pytest.mark.parametrize(
    ("phrase", "why"),
    [
        ("", "begins and ends with a word"),
        ("* sank", "begins and ends with a word"),
        ("heart *", "begins and ends with a word"),
        ("(a|b)?", "begins and ends with a word"),
        ("(a|b", "not closed"),
        ("a b)", "has no ("),
        ("(a||b) c", "an alternative is empty"),
        ("Heart sank", "lower case"),
        ("my <bird>", "there is no group 'bird'; groups: contractions, gappy, pet"),
        ("my <bird", "< and > stand around"),
        ("heart *9 sank", "a gap is 1 to 8 words"),
        ("(a|b|c|d|e|f|g|h|i|j) " * 4, "more than 5000"),
        ("my <contractions>", "more than 5000"),
        ("my <gappy> cat", "the group 'gappy' has an empty choice"),
    ],
)
def test_a_phrase_that_breaks_the_syntax_is_refused(phrase, why):
    with pytest.raises(BadConfig) as caught:
        parse_phrase(phrase, GROUPS, "mine.toml")
    assert why in caught.value.message
    assert caught.value.message.startswith("mine.toml: the phrase ")


def test_phrases_are_not_compiled_into_the_bounded_memory_of_another_thread():
    books = []
    compiling = threading.Thread(target=lambda: books.append(PhraseBook(["unheard of phrase"], {})))
    with bounded_memory():
        parse("anything")
        compiling.start()
        compiling.join(0.2)
        assert not books
    compiling.join()
    assert len(books[0].find(Tokens(parse("an unheard of phrase")))) == 1
