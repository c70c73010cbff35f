"""JSON lines: keys, values, malformed rows."""

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compersion_nlp.errors import BadInput
from compersion_nlp.records import Passage, Rejected
from compersion_nlp.sources import ReadOptions, open_source


@pytest.fixture
def read(tmp_path):
    def read(content, **options):
        path = tmp_path / "a.jsonl"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return list(open_source([path], ReadOptions(**options)))

    return read


def test_values_keep_their_types(read):
    row = {"id": 7, "text": "hi", "score": -3, "share": 0.5, "flags": ["a"], "edited": None, "deep": {"a": [1]}}
    (passage,) = read(json.dumps(row) + "\n", id_column="id")
    assert passage == Passage("hi", number=1, id="7", columns=row)


def test_titles_are_joined_and_nulls_left_out(read):
    content = '{"title": "One", "selftext": "two"}\n{"title": null, "selftext": "three"}\n{"selftext": "four"}\n'
    items = read(content, title_columns=("title",))
    assert [item.text for item in items] == ["One\n\ntwo", "three", "four"]


def test_a_row_without_the_text_is_rejected_with_its_keys(read):
    _, rejected = read('{"text": "a"}\n{"id": 1, "words": "b"}\n')
    assert rejected == Rejected(2, "there is no 'text' here, only: 'id', 'words'", '{"id": 1, "words": "b"}')


def test_a_named_column_that_no_row_has_is_an_error(read):
    with pytest.raises(BadInput, match="there is no column 'diary'") as caught:
        read('{"text": "a"}\n{"id": 1}\n', text_column="diary")
    assert "'text', 'id'" in caught.value.hint


def test_a_named_column_may_come_after_the_first_row(read):
    items = read('{"id": 1}\n{"diary": "a"}\n', text_column="diary")
    assert [type(item) for item in items] == [Rejected, Passage]


def test_no_usual_text_key_is_an_error(read):
    with pytest.raises(BadInput, match="no column has a usual name"):
        read('{"words": "a"}\n')


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("null", "empty text"),
        ('" \\n"', "empty text"),
        ("12", "'text' is not text but int"),
        ("1.5", "'text' is not text but float"),
        ("true", "'text' is not text but bool"),
        ('["a"]', "'text' is not text but list"),
    ],
)
def test_a_text_that_is_none_is_rejected_with_its_type(read, value, reason):
    assert [item.reason for item in read(f'{{"text": {value}}}\n')] == [reason]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{broken", "not valid JSON: "),
        ('{"text": "a"} x', "not valid JSON: "),
        ('{"text": "\\ud800 and more words"}', "not valid JSON: "),
        ('{"text": "and more words \\udc00"}', "not valid JSON: "),
        ('{"n": 1e999, "text": "a"}', "not valid JSON: "),
        ('{"n": ' + "1" * 5000 + ', "text": "a"}', "not valid JSON: "),
        ('["text"]', "not a JSON object but list"),
        ('"text"', "not a JSON object but str"),
        ("[" * 100_000, "nested deeper than 64 levels"),
        ('{"text": "a", "deep": ' + "[" * 80 + "]" * 80 + "}", "nested deeper than 64 levels"),
    ],
)
def test_a_malformed_line_is_rejected_and_reading_goes_on(read, line, reason):
    first, second = read(f'{line}\n{{"text": "fine"}}\n')
    assert first.reason.startswith(reason)
    assert first.raw == line
    assert second.text == "fine"


def test_brackets_in_a_text_are_not_depth(read):
    assert read('{"text": "' + "[{" * 100 + '"}\n')[0].text == "[{" * 100


def test_many_flat_values_are_not_depth(read):
    row = {"text": "a", "list": [[number] for number in range(200)]}
    assert read(json.dumps(row) + "\n")[0].columns == row


def test_blank_lines_are_no_rows_and_unicode_line_ends_do_not_split(read):
    items = read('\n{"text": "a\u2028b\x85c"}\r\n  \n{"text": "d"}')
    assert [(item.number, item.text) for item in items] == [(1, "a\u2028b\x85c"), (2, "d")]


def test_invalid_bytes_are_rejected_and_kept(read):
    first, second = read(b'{"text": "caf\xe9"}\n{"text": "fine"}\n')
    assert first.reason == "bytes that are not valid utf-8"
    assert first.raw == r'{"text": "caf\xe9"}'
    assert base64.b64decode(first.raw_base64) == b'{"text": "caf\xe9"}'
    assert second.text == "fine"


def test_other_encodings_and_marks_are_read(read):
    assert read('\ufeff{"text": "ça"}\n'.encode())[0].text == "ça"
    assert read('{"text": "ça"}\n'.encode("utf-16"))[0].text == "ça"
    assert read('{"text": "ça"}\n'.encode("cp1252"), encoding="cp1252")[0].text == "ça"


def test_escaped_pairs_and_nul_are_text(read):
    assert read('{"text": "\\ud83d\\ude00 a\\u0000b"}\n')[0].text == "😀 a\0b"


def test_a_very_long_line_is_fine(read):
    assert len(read(json.dumps({"text": "word " * 500_000}))[0].text) == 2_500_000


def test_an_empty_file_has_no_rows(read):
    assert read("") == []


def test_a_file_that_holds_no_objects_is_an_error(read):
    with pytest.raises(BadInput, match="none of the first 1,000 lines is a JSON object"):
        read("id,text\n" * 2000)


@given(st.lists(st.text(), max_size=8))
@settings(deadline=None, max_examples=60)
def test_any_text_that_json_holds_is_read_back(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("rows") / "a.jsonl"
    path.write_text("".join(json.dumps({"text": value}) + "\n" for value in values), "utf-8")
    items = list(open_source([path]))
    assert [item.text for item in items if isinstance(item, Passage)] == [value for value in values if value.strip()]
