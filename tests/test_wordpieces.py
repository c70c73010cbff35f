"""The fast way to cut a text into pieces: piece by piece what the vocabulary itself does."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from compersion_nlp.scorers import wordpieces
from compersion_nlp.scorers.wordpieces import PieceIds, WordPieces

VOCABULARY = Path(__file__).parent.parent / "models" / "encoder" / "tokenizer.json"


@pytest.fixture(scope="module")
def pieces():
    return WordPieces(Tokenizer.from_file(str(VOCABULARY)), longest=None)


@pytest.fixture(scope="module")
def ids(pieces):
    return PieceIds(pieces)  # what it has learned from one text is used for the next


def cut_whole(pieces, text):
    return pieces.cut([text])[0][0].ids.tolist()


ASCII = st.text(st.characters(max_codepoint=127))
WORDS = st.lists(
    st.sampled_from(["so", "Glad", "unbelievably", "don't", "[SEP]", "[CLS]", "##ing", "x_y", "3.5", "!?", "\t"])
)


@settings(max_examples=300, deadline=None)
@given(text=st.one_of(st.text(), ASCII, WORDS.map(" ".join), WORDS.map("".join)))
@example("\ud800 lone")
@example("\x00\x07\x1c\x7f a\x00b")
def test_any_text_is_cut_as_the_vocabulary_cuts_it(pieces, ids, text):
    assert ids.cut([text]) == [cut_whole(pieces, text)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t\r\n ",
        "so proud 🎉🏳️‍🌈👍🏽 of her",
        "Zoë’s café naïve e\u0301",
        "“I’m fine” — she said… «no»",
        "我很高兴 for them",
        "NUL \x00 here\x00there",
        "a" * 100,
        "a" * 101,
        "a" * 5_000 + " b",
        "ab1" * 60 + "-" + "9" * 400,
        "[SEP] [CLS] [PAD] [MASK] [UNK] [sep]",
        "under_score @name #tag https://a.b/c?d=e&f=%20 ^_^ <3 ~~~ `x` $5",
        "İstanbul K ſ",  # capitals that become longer, or ASCII, in lower case
    ],
    ids=lambda text: text[:12].encode("ascii", "backslashreplace").decode() or "nothing",
)
def test_what_people_type_is_cut_as_the_vocabulary_cuts_it(pieces, text):
    ids = PieceIds(pieces)
    expected = cut_whole(pieces, text)
    assert ids.cut([text, text]) == [expected, expected]  # as it is learned, and as it is remembered


@pytest.mark.parametrize("odd", ["", "é"], ids=["ascii", "beyond"])
def test_two_megabytes_are_cut_as_the_vocabulary_cuts_them(pieces, odd):
    text = odd + "I am so glad, aren't you? " * 4_000 + "x" * 1_900_000 + " I am."
    assert PieceIds(pieces).cut([text])[0] == cut_whole(pieces, text)


def test_the_special_pieces_stand_at_both_ends_and_nowhere_else(pieces, ids):
    found = ids.cut(["so [SEP] glad [CLS]"])[0]
    assert [piece for piece in found if piece in (pieces.first, pieces.last)] == [pieces.first, pieces.last]
    assert (found[0], found[-1]) == (pieces.first, pieces.last)


def test_a_word_goes_through_the_vocabulary_once(pieces):
    asked = []

    class Watched:
        def encode_batch(self, words, add_special_tokens):
            asked.extend(words)
            return pieces.tokenizer.encode_batch(words, add_special_tokens=add_special_tokens)

    watched = WordPieces(Tokenizer.from_file(str(VOCABULARY)), longest=None)
    watched.tokenizer = Watched()
    ids = PieceIds(watched)
    for _ in range(3):
        ids.cut(["So glad, so very glad.", "glad!"])
    assert sorted(asked) == ["!", ",", ".", "glad", "so", "very"]


def test_no_more_words_are_remembered_than_the_memory_has_room_for(pieces, monkeypatch):
    monkeypatch.setattr(wordpieces, "_MOST_KNOWN", 50)
    ids = PieceIds(pieces)
    for number in range(100):
        text = " ".join(f"w{number}q{word}" for word in range(8)) + " glad"
        assert ids.cut([text])[0] == cut_whole(pieces, text)
        assert len(ids._known) <= 50 + 9
    assert np.unique(ids.cut(["glad"])[0]).size == 3
