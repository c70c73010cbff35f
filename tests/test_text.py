import threading
import time
from functools import cache

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st

from compersion_nlp import text as text_module
from compersion_nlp.text import bounded_memory, fold, language, parse, sentences, windows

HOSTILE = [
    "",
    "   \n\t ",
    "😀👨‍👩‍👧‍👦🏳️‍🌈",
    "line one\r\nline two\rline three\u2028line four",
    "NUL \x00 inside",
    "e\u0301a\u0308 combining",
    "no punctuation at all " * 300,
    "lone \ud800 surrogate",
    "שלום, אני בסדר. مرحبا!",
    "!?!?!?" * 400,
    "a" * 5000,
]


def cut(text):
    return [span.of(text) for span in sentences(parse(text))]


@pytest.mark.parametrize(
    ("odd", "plain"),
    [
        ("I\u2019m \u201cfine\u201d", 'I\'m "fine"'),
        ("well \u2014 no\u00a0doubt", "well - no doubt"),
        ("so\u2026", "so."),
        ("jea\u200blous", "jea lous"),
        ("a\r\nb\rc", "a \nb\nc"),
        ("\x00\x1b[31m\ud800", "  [31m\ufffd"),
    ],
)
def test_folding_makes_look_alikes_plain(odd, plain):
    assert fold(odd) == plain


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec=None, exclude_categories=[])))
def test_folding_keeps_every_position(text):
    assert len(fold(text)) == len(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[quote]I left[/quote]no", "[ quote ] I left [ /quote ] no"),
        ("sad(ish), they(he/him)", "sad ( ish ) , they ( he / him )"),
        ("<b>sad</b> ~~sad~~", "< b > sad < /b > ~ ~ sad ~ ~"),
        ("Really?No!I left", "Really ? No ! I left"),
        ("see https://a.example/?q=[1]&r=(2)&s :-) <3", "see https://a.example/?q=[1]&r=(2)&s :-) <3"),
    ],
)
def test_words_typed_without_spaces_are_parted_and_links_are_not(text, words):
    doc = parse(text)
    assert [token.text for token in doc] == words.split()
    assert all(text[token.idx : token.idx + len(token)] == token.text for token in doc)


def test_sentences_end_at_punctuation_blank_lines_and_list_items():
    text = "He\u2019s home. I grinned!\n\nTwo things\n- she rang\n- I slept\nok?"
    assert cut(text) == ["He’s home.", "I grinned!", "Two things", "- she rang", "- I slept", "ok?"]


def test_a_wrapped_line_does_not_end_a_sentence():
    text = "This line was wrapped by a mail program at sixty characters and\nit goes on here.\nNew one."
    assert cut(text) == [text[: text.index("\nNew")], "New one."]


@pytest.mark.parametrize("text", HOSTILE)
def test_sentences_of_hostile_text_are_in_order_and_miss_nothing(text):
    end = 0
    for span in sentences(parse(text)):
        assert end <= span.start < span.end <= len(text)
        assert fold(text[end : span.start]).strip() == ""
        end = span.end
    assert fold(text[end:]).strip() == ""


@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from("ab .!?\n\r\u2019\u200b😀\x00,"), max_size=120))
def test_sentences_of_any_text_miss_nothing(text):
    covered = set()
    for span in sentences(parse(text)):
        covered.update(range(span.start, span.end))
    folded = fold(text)
    assert all(index in covered for index, character in enumerate(folded) if not character.isspace())


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("size", [1, 7, 50, 1500])
def test_windows_cover_the_text_exactly_and_fit(text, size):
    found = windows(text, size)
    assert "".join(span.of(text) for span in found) == text
    assert all(span.end - span.start <= size for span in found)


def test_windows_hold_whole_sentences_where_they_can():
    text = "First sentence here. Second sentence here. Third one."
    assert [span.of(text) for span in windows(text, 45)] == [
        "First sentence here. Second sentence here. ",
        "Third one.",
    ]


def test_a_long_sentence_is_cut_at_a_space():
    text = "word " * 40
    assert all(span.of(text).endswith(" ") for span in windows(text, 23))


@pytest.mark.parametrize("text", ["a" * 2_000_000, "!" * 200_000, "😀" * 200_000, "jealous, " * 200_000])
def test_huge_texts_are_read(text):
    """Each of these takes spaCy's tokenizer minutes to hours if its long runs are left whole."""
    assert sentences(parse(text))
    assert "".join(span.of(text) for span in windows(text, 1500)) == text


def test_parsing_in_bounded_memory_leaves_nothing_behind():
    with bounded_memory():
        parse("warm up")
    before = len(language().vocab.strings)
    for number in range(50):
        with bounded_memory(), bounded_memory():
            parse(f"neverseen{number} word{number}")
    assert len(language().vocab.strings) == before


def test_threads_that_come_first_share_one_language(monkeypatch):
    def slowly(name, blank=spacy.blank):
        time.sleep(0.05)
        return blank(name)

    monkeypatch.setattr(spacy, "blank", slowly)
    monkeypatch.setattr(text_module, "_build_language", cache(text_module._build_language.__wrapped__))
    found = []
    threads = [threading.Thread(target=lambda: found.append(language())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert len({id(one) for one in found}) == 1
