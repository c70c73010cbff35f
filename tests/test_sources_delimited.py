"""CSV and TSV: headers, delimiters, quoting, encodings, and what is rejected."""

import base64
import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compersion_nlp.errors import BadInput
from compersion_nlp.records import Passage, Rejected
from compersion_nlp.sources import ReadOptions, open_source
from compersion_nlp.sources.delimited import _Lines
from compersion_nlp.sources.fields import unique_names


@pytest.fixture
def read(tmp_path):
    def read(content, name="a.csv", **options):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return list(open_source([path], ReadOptions(**options)))

    return read


def texts(items):
    return [item.text for item in items if isinstance(item, Passage)]


def reasons(items):
    return [item.reason for item in items if isinstance(item, Rejected)]


def test_a_passage_keeps_the_whole_row(read):
    (passage,) = read("id,author,Text,n\n7,sam,I was glad,3\n", id_column="id")
    assert passage == Passage(
        "I was glad", number=1, id="7", columns={"id": "7", "author": "sam", "Text": "I was glad", "n": "3"}
    )


def test_titles_stand_before_the_text_and_empty_ones_are_left_out(read):
    content = "flair,title,body\nrant,Home late,She came home\n,  ,Only text\n,Only title,\n"
    items = read(content, title_columns=("flair", "title"))
    assert texts(items) == ["rant\n\nHome late\n\nShe came home", "Only text", "Only title"]


@pytest.mark.parametrize(("header", "chosen"), [("content,BODY", "BODY"), ("comment,entry", "comment")])
def test_the_first_usual_name_is_the_text_column(read, header, chosen):
    (passage,) = read(f"{header}\na,b\n")
    assert passage.text == passage.columns[chosen]


def test_a_named_text_column_wins_over_the_usual_names(read):
    assert texts(read("text,diary\na,b\n", text_column="diary")) == ["b"]


@pytest.mark.parametrize("option", [{"text_column": "dairy"}, {"id_column": "dairy"}, {"title_columns": ("dairy",)}])
def test_a_missing_column_is_an_error_that_lists_the_columns(read, option):
    with pytest.raises(BadInput, match=r"a\.csv: there is no column 'dairy'") as caught:
        read("id,text\n1,a\n", **option)
    assert "'id', 'text'" in caught.value.hint


def test_no_usual_text_column_is_an_error_that_lists_the_columns(read):
    with pytest.raises(BadInput, match="no column has a usual name") as caught:
        read("id,words\n1,a\n")
    assert "'id', 'words'" in caught.value.hint


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_in_the_header(read, delimiter):
    items = read(f"id{delimiter}text{delimiter}n\n1{delimiter}a, b; c{delimiter}2\n".replace("a, b; c", '"a, b; c"'))
    assert texts(items) == ["a, b; c"]


def test_the_delimiter_that_shows_the_named_column_is_taken(read):
    items = read("a,b,c;my text\nx;hello\n", text_column="my text")
    assert texts(items) == ["hello"]


def test_a_given_delimiter_is_used(read):
    assert texts(read("id:text\n1:hello\n", delimiter=":")) == ["hello"]


def test_tsv_does_not_split_at_commas(read):
    assert texts(read("a,b\ttext\n1\thello, you\n", name="a.tsv")) == ["hello, you"]


def test_a_single_column_is_a_table(read):
    assert texts(read("text\nhello\n")) == ["hello"]


def test_quoted_newlines_and_doubled_quotes_are_kept(read):
    content = 'id,text\r\n1,"first\r\nsecond\n\nthird ""aside"" , end"\r\n2,b\r\n'
    assert texts(read(content)) == ['first\r\nsecond\n\nthird "aside" , end', "b"]


def test_a_byte_order_mark_is_no_part_of_the_header(read):
    (passage,) = read(b"\xef\xbb\xbftext,n\nhello,1\n")
    assert list(passage.columns) == ["text", "n"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_utf_16_and_32_are_known_by_their_mark(read, encoding):
    mark = "\ufeff" if encoding.endswith("le") else ""
    assert texts(read((mark + "text,n\nça va 😀,1\n").encode(encoding))) == ["ça va 😀"]


def test_another_encoding_can_be_named(read):
    assert texts(read("text\nI’m glad\n".encode("cp1252"), encoding="cp1252")) == ["I’m glad"]


def test_a_header_in_another_encoding_is_an_error(read):
    with pytest.raises(BadInput, match="the header has bytes that are not valid utf-8"):
        read("text,humør\na,b\n".encode("latin-1"))


def test_invalid_bytes_reject_the_row_and_keep_them_exactly(read):
    first, second = read(b"id,text\n1,caf\xe9 \xff\n2,fine\n")
    assert first.number == 1
    assert first.reason == "bytes that are not valid utf-8 in 'text'"
    assert first.raw == r"1,caf\xe9 \xff"
    assert base64.b64decode(first.raw_base64) == b"1,caf\xe9 \xff"
    assert second.text == "fine"


def test_lone_surrogates_in_utf_16_are_rejected(read):
    items = read(b"\xff\xfe" + "text\n".encode("utf-16-le") + b"\x00\xd8\n\x00" + "fine\n".encode("utf-16-le"))
    assert reasons(items) == ["bytes that are not valid utf-16-le in 'text'"]
    assert base64.b64decode(items[0].raw_base64) == b"\x00\xd8"
    assert texts(items) == ["fine"]


def test_utf_16_cut_within_a_character_is_an_error(read):
    with pytest.raises(BadInput, match="cannot be read as utf-16-le"):
        read(b"\xff\xfe" + "text\nhello\n".encode("utf-16-le") + b"h")


def test_rows_with_too_few_or_too_many_cells_are_rejected(read):
    items = read("a,b,text\n1,2\n1,2,3,4\n1,2,fine\n")
    assert reasons(items) == ["row has 2 cells, the header 3", "row has 4 cells, the header 3"]
    assert [item.raw for item in items[:2]] == ["1,2", "1,2,3,4"]
    assert texts(items) == ["fine"]


def test_a_quote_never_closed_costs_only_its_own_line(read):
    items = read('id,text\n1,"open\n2,second\n3,third\n')
    assert reasons(items) == ["a quote is opened here and never closed"]
    assert items[0].raw == '1,"open'
    assert texts(items) == ["second", "third"]
    assert [item.number for item in items] == [1, 2, 3]


def test_an_open_quote_before_quoted_rows_costs_only_its_own_line(read):
    items = read('id,text\n1,"open\n2,"second"\n3,"third, ""so"""\n')
    assert len(reasons(items)) == 1
    assert reasons(items)[0].startswith("malformed quoting")
    assert texts(items) == ["second", 'third, "so"']


def test_quotes_left_open_on_every_row_take_a_time_that_grows_with_the_rows_alone(read, monkeypatch):
    taken = []
    take = _Lines.__next__
    monkeypatch.setattr(_Lines, "__next__", lambda lines: (taken.append(1), take(lines))[1])
    items = read("text,b\n" + 'a""","b\n' * 500)
    assert reasons(items) == ["a quote is opened here and never closed"] * 500
    assert len(taken) < 5 * 500


def test_a_row_beyond_the_limit_is_rejected_and_reading_goes_on(read, monkeypatch):
    monkeypatch.setattr("compersion_nlp.sources.delimited.LONGEST_ROW", 100)
    items = read("text,b\n" + 'a""","b\n' * 20 + "the last,1\n")
    assert texts(items) == ["the last"]
    assert "is a quote left open?" in reasons(items)[0]


def test_a_cell_beyond_the_limit_is_rejected_and_reading_goes_on(read, monkeypatch):
    monkeypatch.setattr("compersion_nlp.sources.delimited.LONGEST_CELL", 50)
    items = read('id,text\n1,"' + "x" * 60 + '"\n2,fine\n')
    assert reasons(items) == ["a cell is longer than 50 characters; is a quote left open?"]
    assert texts(items) == ["fine"]


def test_malformed_quoting_in_invalid_bytes_keeps_the_bytes(read):
    (item,) = read(b'id,text\n1,"caf\xe9\n')
    assert base64.b64decode(item.raw_base64) == b'1,"caf\xe9'


def test_empty_and_duplicate_names_are_made_unique(read):
    (passage,) = read(",text,text,text_2,\n1,a,b,c,d\n")
    assert passage.columns == {"column_1": "1", "text": "a", "text_3": "b", "text_2": "c", "column_5": "d"}


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff", " \r\n"])
def test_a_file_without_header_is_an_error(read, content):
    with pytest.raises(BadInput, match="has no header row"):
        read(content)


def test_a_header_of_one_name_many_times_is_made_unique_at_once():
    names = unique_names(["text"] * 20_000 + [""] * 20_000)
    assert len(set(names)) == 40_000
    assert names[19_999] == "text_20000"


def test_a_text_in_place_of_the_header_is_not_quoted_in_full(read):
    with pytest.raises(BadInput, match=r"there are: 'I have never told anybody, but .*\.\.\.'") as caught:
        read("I have never told anybody, but last night he\n", delimiter=";")
    assert "last night" not in str(caught.value)


def test_a_header_alone_is_no_rows(read):
    assert read("\nid,text\n") == []


def test_blank_lines_are_no_rows(read):
    items = read("id,text\n\n1,a\n   \n\r\n2,b\n")
    assert [(item.number, item.text) for item in items] == [(1, "a"), (2, "b")]


@pytest.mark.parametrize("cell", ["", "   ", '"\n\t "'])
def test_a_text_of_white_space_is_rejected(read, cell):
    assert reasons(read(f"id,text\n1,{cell}\n")) == ["empty text"]


@pytest.mark.parametrize("cell", ["😀", "12345", "a\0b", "\u200b", "\u2028x"])
def test_emoji_digits_and_odd_characters_are_passages(read, cell):
    assert texts(read(f"id,text\n1,{cell}\n")) == [cell]


def test_guarded_cells_are_read_as_they_were(read):
    (passage,) = read("'=id,text,n\n'-a,'=1+1,-3\n", guarded=True)
    assert passage.columns == {"=id": "-a", "text": "=1+1", "n": "-3"}


@given(st.binary(max_size=300))
@settings(deadline=None, max_examples=150)
def test_any_bytes_are_passages_and_rejections_without_surrogates(tmp_path_factory, noise):
    path = tmp_path_factory.mktemp("noise") / "a.csv"
    path.write_bytes(b"id,text\n" + noise)
    for place, item in enumerate(open_source([path]), start=1):
        assert item.number == place
        words = item.raw if isinstance(item, Rejected) else "".join(item.columns.values())
        words.encode()


@given(st.lists(st.tuples(st.text(), st.text(min_size=1)), max_size=8))
@settings(deadline=None, max_examples=100)
def test_what_the_csv_module_writes_is_read_back(tmp_path_factory, rows):
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(["id", "text"])
    writer.writerows(rows)
    path = tmp_path_factory.mktemp("rows") / "a.csv"
    path.write_bytes(stream.getvalue().encode())
    items = list(open_source([path]))
    assert [tuple(item.columns.values()) for item in items if isinstance(item, Passage)] == [
        row for row in rows if row[1].strip()
    ]
    assert len(items) == len(rows)
