"""Behavioural tests: reading a folder of them, swapping words, judging answers by hand counts, and showing them."""

from __future__ import annotations

import io
import json
import sys
from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from compersion_nlp.cli import app
from compersion_nlp.cli.console import run
from compersion_nlp.errors import BadConfig, BadInput
from compersion_nlp.evaluate import notes, read_behaviour, run_behaviour, tables, to_json, to_markdown
from compersion_nlp.evaluate.behaviour.result import MOVES
from compersion_nlp.evaluate.behaviour.swaps import Addition, Invariance, Replace, Swaps, make_pairs, replace_words
from compersion_nlp.evaluate.resampling import wilson_interval

# What each word of a text adds to the probability of a label; felt from 0.5 on.
WEIGHTS = {
    "happy": {"joy": 0.6},
    "jealous": {"jealousy": 0.6},
    "bit": {"jealousy": -0.1},
    "hardly": {"jealousy": -0.05},
    "not": {"jealousy": -0.5},
    "wife": {"joy": 0.05},
    "never": {"jealousy": 0.3},
}


class WordTagger:
    """Stands for a tagger: adds up the weights of the words, and counts the texts it was given."""

    model = "words@1"

    def __init__(self, *labels):
        self.labels = labels or ("joy", "jealousy")
        self.asked = []

    def probabilities(self, texts):
        self.asked.extend(texts)
        words = [[WEIGHTS.get(word.strip(".!").lower(), {}) for word in text.split()] for text in texts]
        return np.array([[sum(word.get(label, 0.0) for word in of) for label in self.labels] for of in words])

    def decide(self, probabilities):
        return probabilities >= 0.5


FUNCTIONALITY = {"id": "bf-1", "slice": "plain", "text": "I am happy.", "felt": ["joy"], "not_felt": ["jealousy"]}
DIRECTION = {
    "id": "bd-1",
    "slice": "not",
    "text": "I am jealous.",
    "changed": "I am not jealous.",
    "label": "jealousy",
    "expect": "falls",
}
INVARIANCE = {"id": "bi-1", "text": "My wife is happy."}
SWAPS = '[[replace]]\nslice = "partner"\npairs = [["wife", "husband"]]\n'


@pytest.fixture
def folder(tmp_path):
    """Returns a function that writes the files of a folder, by default one sound test of each kind."""

    def write(functionality=(FUNCTIONALITY,), direction=(DIRECTION,), invariance=(INVARIANCE,), swaps=SWAPS):
        kinds = {"functionality": functionality, "direction": direction, "invariance": invariance}
        for name, lines in kinds.items():
            if lines is not None:
                rows = [line if isinstance(line, str) else json.dumps(line) for line in lines]
                (tmp_path / f"{name}.jsonl").write_text("\n".join(rows) + "\n", "utf-8")
        if swaps is not None:
            (tmp_path / "swaps.toml").write_text(swaps, "utf-8")
        return tmp_path

    return write


def of_texts(*tests):
    return [FUNCTIONALITY | {"id": f"bf-{number}"} | test for number, test in enumerate(tests)]


def of_pairs(*tests):
    return [DIRECTION | {"id": f"bd-{number}"} | test for number, test in enumerate(tests)]


def read(folder, **files):
    """Returns the tests of a folder with only these files."""
    return read_behaviour(
        folder(**{"functionality": None, "direction": None, "invariance": None, "swaps": None} | files)
    )


# The folder


def test_a_folder_is_read_with_its_name_and_digest(folder, tmp_path):
    tests = read_behaviour(folder())
    assert tests.folder == tmp_path.name
    assert (tests.functionality[0].felt, tests.direction[0].expect) == (("joy",), "falls")
    assert (tests.invariance[0].id, tests.swaps.slices) == ("bi-1", ("partner",))
    before = tests.sha256
    assert read_behaviour(tmp_path).sha256 == before
    folder(swaps=SWAPS + "\n")
    assert read_behaviour(tmp_path).sha256 != before


def test_a_folder_may_lack_a_kind_but_not_all(folder, tmp_path):
    with pytest.raises(BadConfig, match="holds no behavioural tests") as none:
        read_behaviour(tmp_path)
    assert "functionality.jsonl, direction.jsonl, invariance.jsonl" in none.value.hint
    assert read(folder, direction=[DIRECTION]).functionality == ()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"invariance": [INVARIANCE]}, "holds invariance.jsonl, and no swaps.toml"),
        ({"swaps": SWAPS}, "holds swaps.toml, and no invariance.jsonl"),
    ],
)
def test_invariance_takes_passages_and_swaps(folder, files, message):
    with pytest.raises(BadConfig, match=message):
        read(folder, **files)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"functionality": [FUNCTIONALITY, "{"]}, r"functionality.jsonl, line 2: .*truncated"),
        ({"functionality": [FUNCTIONALITY | {"fel": []}]}, r"line 1: .*unknown field `fel`"),
        ({"functionality": [FUNCTIONALITY | {"felt": ["jo"]}]}, r"line 1: There is no label 'jo'.* `\$.felt`"),
        ({"functionality": [FUNCTIONALITY | {"not_felt": ["jo"]}]}, r"no label 'jo'.* `\$.not_felt`"),
        ({"functionality": [FUNCTIONALITY | {"not_felt": ["joy"]}]}, r"'joy' is in felt too - at `\$.not_felt`"),
        ({"functionality": [FUNCTIONALITY | {"felt": [], "not_felt": []}]}, r"neither felt nor not_felt names a label"),
        ({"functionality": [FUNCTIONALITY | {"text": " "}]}, r"line 1: .*`\$.text`"),
        ({"functionality": [FUNCTIONALITY | {"slice": ""}]}, r"line 1: .*`\$.slice`"),
        ({"functionality": [""]}, r"functionality.jsonl holds no tests"),
        ({"direction": [DIRECTION | {"label": "jo"}]}, r"direction.jsonl, line 1: There is no label 'jo'.* `\$.label`"),
        ({"direction": [DIRECTION | {"expect": "drops"}]}, r"Invalid enum value 'drops' - at `\$.expect`"),
        ({"direction": [DIRECTION | {"changed": DIRECTION["text"]}]}, r"the text is not changed - at `\$.changed`"),
        ({"invariance": [INVARIANCE | {"slice": "x"}], "swaps": SWAPS}, r"invariance.jsonl, line 1: .*field `slice`"),
    ],
)
def test_a_line_that_is_no_test_is_refused_by_file_line_and_key(folder, files, message):
    with pytest.raises(BadConfig, match=message):
        read(folder, **files)


def test_an_id_is_given_once_in_a_folder(folder):
    with pytest.raises(BadConfig, match=r"line 3: the id 'bf-1' is taken by functionality.jsonl, line 1 - at `\$.id`"):
        read(folder, functionality=[FUNCTIONALITY, "", FUNCTIONALITY])
    with pytest.raises(BadConfig, match=r"direction.jsonl, line 1: the id 'bf-1' is taken by functionality.jsonl"):
        read(folder, functionality=[FUNCTIONALITY], direction=[DIRECTION | {"id": "bf-1"}])


def test_what_a_line_can_hold_is_in_the_hint(folder):
    with pytest.raises(BadConfig) as refused:
        read(folder, direction=[DIRECTION | {"labels": "joy"}])
    assert refused.value.hint == "One JSON object a line, its keys: id, slice, text, changed, label, expect."
    with pytest.raises(BadConfig) as refused:
        read(folder, direction=[DIRECTION | {"label": "jealous"}])
    assert "jealousy" in refused.value.hint


@pytest.mark.parametrize(
    ("swaps", "message"),
    [
        ("[[replace]", r"swaps.toml: "),
        ("", r"swaps.toml: there is no swap"),
        ('[[swap]]\nslice = "x"', r"unknown field `swap`"),
        (SWAPS + "without = []", r"unknown field `without` - at `\$.replace\[0\]`"),
        ('[[replace]]\nslice = "x"\npairs = []', r"`\$.replace\[0\].pairs`"),
        ('[[replace]]\nslice = "x"\npairs = [["wife"]]', r"`\$.replace\[0\].pairs\[0\]`"),
        (
            '[[replace]]\nslice = "x"\npairs = [["a", "b"], ["A", "c"]]',
            r"'A' is replaced twice - at `.*\[0\].pairs\[1\]`",
        ),
        ('[[append]]\nslice = "x"\ntexts = []', r"`\$.append\[0\].texts`"),
        ('[[prepend]]\nslice = "x"', r"missing required field `texts`"),
    ],
)
def test_swaps_that_are_not_sound_are_refused_by_key(folder, swaps, message):
    with pytest.raises(BadConfig, match=message) as refused:
        read(folder, invariance=[INVARIANCE], swaps=swaps)
    assert "[[replace]] with slice, pairs, only_without" in refused.value.hint


# Swaps


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("My wife and her girlfriend.", "My husband and his boyfriend."),
        ("Wife! WIFE! Wives, midwife.", "Husband! HUSBAND! Wives, midwife."),
        ("My wife's ex-wife", "My husband's ex-husband"),
        ("his husband", "her wife"),
        ("best friend, friend", "brother, mate"),
        ("BEST FRIEND Best friend", "BROTHER Brother"),
        ("Sam and sam and SAM", "Alex and alex and ALEX"),
        ("I don’t, I DON'T", "I do not, I DO NOT"),
        ("a wifeless friend_of", "a wifeless friend_of"),
    ],
)
def test_whole_words_are_replaced_at_once_and_keep_their_case(text, changed):
    pairs = [("wife", "husband"), ("husband", "wife"), ("girlfriend", "boyfriend"), ("her", "his"), ("his", "her")]
    pairs += [("friend", "mate"), ("best friend", "brother"), ("Sam", "Alex"), ("don't", "do not")]
    assert replace_words(text, pairs) == changed


def test_what_is_put_in_is_written_as_given_but_for_case():
    assert replace_words("he said", [("he", "Alex")]) == "Alex said"
    assert replace_words("He and I", [("he", "my NP"), ("I", "she")]) == "My NP and she"


@given(st.text(alphabet="abAB '’-\nıſK", max_size=20))
def test_swapping_there_and_back_gives_the_text_again(text):
    pairs = [("a", "b"), ("b", "a")]
    assert replace_words(replace_words(text, pairs), pairs) == text


def test_a_pair_counts_only_if_the_text_changed_and_holds_no_barred_word():
    passages = [
        Invariance("1", "my wife"),
        Invariance("2", "my cat"),
        Invariance("3", "my wife. Hers"),
        Invariance("4", "my wife, HER cat"),
    ]
    swaps = Swaps(replace=(Replace("partner", (("wife", "husband"),), only_without=("her",)),))
    assert [(pair.id, pair.slice, pair.changed) for pair in make_pairs(passages, swaps)] == [
        ("1", "partner", "my husband"),
        ("3", "partner", "my husband. Hers"),
    ]


def test_each_passage_gets_one_of_the_texts_by_its_id_alone():
    passages = [Invariance(f"bi-{number}", "text") for number in range(40)]
    swaps = Swaps(append=(Addition("end", ("one", "two")),))
    found = {pair.id: pair.changed for pair in make_pairs(passages, swaps)}
    assert {"text one", "text two"} == set(found.values())
    assert {pair.id: pair.changed for pair in make_pairs(passages[::-2], swaps)}.items() <= found.items()
    assert (found["bi-0"], found["bi-2"]) == ("text one", "text two")  # on every machine


def test_an_addition_stands_apart_and_may_bring_its_own_space():
    swaps = Swaps(append=(Addition("end", ("\n\nThanks.",)), Addition("end", ("Thanks.",))))
    swaps = Swaps(append=swaps.append, prepend=(Addition("start", ("Hi all.",)), Addition("start", ("Hi!\n",))))
    found = [pair.changed for pair in make_pairs([Invariance("1", "text")], swaps)]
    assert found == ["text\n\nThanks.", "text Thanks.", "Hi all. text", "Hi!\ntext"]
    assert swaps.slices == ("end", "start")


# Judging


@pytest.mark.parametrize(("hits", "tries"), [(0, 5), (5, 5), (3, 7), (120, 150), (1, 1)])
def test_wilson_interval_is_that_of_scipy(hits, tries):
    wanted = binomtest(hits, tries).proportion_ci(0.95, method="wilson")
    found = wilson_interval(hits, tries)
    assert (found.low, found.high) == (pytest.approx(wanted.low), pytest.approx(wanted.high))
    assert 0 <= found.low <= hits / tries <= found.high <= 1


def test_the_interval_of_no_tries_is_none():
    assert wilson_interval(0, 0) is None


def test_a_text_passes_if_all_that_is_felt_is_read_and_nothing_else(folder):
    lines = of_texts(
        {},
        {"text": "Happy and jealous."},  # joy is read, and so is jealousy
        {"text": "Nothing.", "slice": "none", "felt": []},
        {"text": "Nothing.", "slice": "none"},
        {"text": "Happy and jealous.", "slice": "both", "felt": ["joy", "jealousy"], "not_felt": []},
    )
    found = run_behaviour(WordTagger(), read(folder, functionality=lines))
    assert [(row.slice, row.tests, row.passed, row.rate) for row in found.functionality.rows] == [
        ("plain", 2, 1, 0.5),
        ("none", 2, 1, 0.5),
        ("both", 1, 1, 1.0),
    ]
    total = found.functionality.total
    assert (total.slice, total.tests, total.passed, total.rate) == ("all", 5, 3, 0.6)
    assert total.interval == wilson_interval(3, 5)
    assert (found.direction, found.invariance) == (None, None)
    assert [(failure.id, failure.kind, failure.slice) for failure in found.failures] == [
        ("bf-1", "functionality", "plain"),
        ("bf-3", "functionality", "none"),
    ]
    (miss,) = found.failures[0].misses
    assert (miss.label, miss.expected, miss.read, miss.probabilities) == ("jealousy", "not felt", ("felt",), (0.6,))


def test_a_label_moves_right_by_a_tenth_or_by_its_decision(folder):
    lines = of_pairs(
        {},  # 0.6 to 0.1
        {"slice": "little", "text": "Happy jealous never", "changed": "Happy jealous never bit"},  # 0.9 to 0.8
        {"slice": "little", "text": "Jealous never", "changed": "Jealous never hardly"},  # 0.9 to 0.85
        {"slice": "little", "text": "Jealous hardly", "changed": "Jealous hardly hardly hardly"},  # 0.55 to 0.45
        {"slice": "rise", "text": "Never", "changed": "Never jealous", "expect": "rises"},  # 0.3 to 0.9
        {"slice": "rise", "text": "Jealous", "changed": "Jealous not", "expect": "rises"},  # the wrong way
        {"slice": "edge", "text": "Jealous bit", "changed": "Jealous bit hardly"},  # 0.5 to 0.45: no longer felt
    )
    found = run_behaviour(WordTagger(), read(folder, direction=lines))
    assert found.moves == MOVES == 0.1
    assert [(row.slice, row.pairs, row.right) for row in found.direction.rows] == [
        ("not", 1, 1),
        ("little", 3, 2),
        ("rise", 2, 1),
        ("edge", 1, 1),
    ]
    rise = found.direction.rows[2]
    assert (rise.shift, rise.shift_as_expected) == (pytest.approx(0.05), pytest.approx(0.05))
    total = found.direction.total
    assert (total.pairs, total.right, total.interval) == (7, 5, wilson_interval(5, 7))
    assert total.shift == pytest.approx((-0.5 - 0.1 - 0.05 - 0.1 + 0.6 - 0.5 - 0.05) / 7)
    assert total.shift_as_expected == pytest.approx((0.5 + 0.1 + 0.05 + 0.1 + 0.6 - 0.5 + 0.05) / 7)
    assert [failure.id for failure in found.failures] == ["bd-2", "bd-5"]
    (miss,) = found.failures[1].misses
    assert (miss.expected, miss.read, miss.probabilities) == ("rises", ("felt", "not felt"), (0.6, 0.1))


SWAPS_OF_TWO = """
[[replace]]
slice = "partner"
pairs = [["wife", "husband"]]
[[replace]]
slice = "never made"
pairs = [["absent", "missing"]]
[[append]]
slice = "end"
texts = ["Not now."]
[[prepend]]
slice = "end"
texts = ["Hello."]
"""


def test_flips_are_counted_by_cell_and_by_pair(folder):
    lines = [
        {"id": "bi-1", "text": "My wife is happy."},  # 0.65 to 0.6: no flip
        {"id": "bi-2", "text": "I am jealous."},  # with "Not now.": jealousy flips
    ]
    found = run_behaviour(WordTagger(), read(folder, invariance=lines, swaps=SWAPS_OF_TWO))
    partner, never, end = found.invariance.rows
    assert (partner.slice, partner.pairs, partner.cells, partner.flips, partner.any_flip) == ("partner", 1, 2, 0.0, 0.0)
    assert (partner.mean_shift, partner.largest_shift) == (pytest.approx(0.025), pytest.approx(0.05))
    assert (never.slice, never.pairs, never.any_flip_interval) == ("never made", 0, None)
    assert isnan(never.flips)
    assert isnan(never.largest_shift)
    assert (end.pairs, end.cells, end.flipped_cells, end.flips) == (4, 8, 1, 0.125)
    assert (end.flipped_pairs, end.any_flip, end.any_flip_interval) == (1, 0.25, wilson_interval(1, 4))
    total = found.invariance.total
    assert (total.pairs, total.cells, total.flips, total.any_flip) == (5, 10, 0.1, 0.2)
    (failure,) = found.failures
    assert (failure.id, failure.kind, failure.slice) == ("bi-2", "invariance", "end")
    assert [(miss.label, miss.expected, miss.read) for miss in failure.misses] == [
        ("jealousy", "same", ("felt", "not felt"))
    ]


def test_labels_that_the_bundle_does_not_read_are_left_out_and_counted(folder):
    lines = of_texts(
        {},  # joy is left
        {"felt": ["love"], "not_felt": ["jealousy"], "slice": "love"},  # nothing is left
        {"felt": ["love", "joy"], "not_felt": []},
    )
    tests = read_behaviour(folder(functionality=lines))
    found = run_behaviour(WordTagger("joy"), tests)
    assert found.labels == ("joy",)
    assert found.unread == {"jealousy": 3, "love": 2}
    assert found.skipped == 2
    assert [(row.slice, row.tests, row.passed) for row in found.functionality.rows] == [("plain", 2, 2), ("love", 0, 0)]
    assert (found.direction.total.pairs, found.direction.total.interval) == (0, None)
    assert isnan(found.direction.total.shift)
    assert found.invariance.total.cells == 1
    (note,) = (note for note in notes(found) if note.startswith("Not read"))
    assert "jealousy (3), love (2); tests of which nothing was left: 2." in note


def test_a_bundle_that_can_be_asked_nothing_is_refused(folder):
    with pytest.raises(BadInput, match="can be asked of words@1") as refused:
        run_behaviour(WordTagger("fear"), read(folder, direction=[DIRECTION]))
    assert "It reads fear" in refused.value.hint


def test_each_text_is_read_once(folder):
    lines = of_pairs({}, {"changed": "I am jealous and not."})
    tagger = WordTagger()
    run_behaviour(tagger, read_behaviour(folder(direction=lines)))
    assert len(tagger.asked) == len(set(tagger.asked)) == 6


# Showing


def test_json_lists_failures_without_text_and_null_where_nothing_is_defined(folder):
    tests = read_behaviour(folder(functionality=of_texts({"text": "Jealous."}), swaps=SWAPS_OF_TWO))
    encoded = to_json(run_behaviour(WordTagger(), tests))
    found = json.loads(encoded)
    assert found["failures"][0]["misses"][0] == {
        "label": "joy",
        "expected": "felt",
        "read": ["not felt"],
        "probabilities": [0.0],
    }
    assert (found["invariance"]["rows"][1]["flips"], found["invariance"]["rows"][1]["pairs"]) == (None, 0)
    assert found["direction"]["total"]["interval"] == [pytest.approx(0.2065, abs=1e-4), 1.0]
    assert b"Jealous." not in encoded
    assert b"happy" not in encoded


def test_markdown_has_a_table_a_kind_with_its_total_last(folder, tmp_path):
    result = run_behaviour(WordTagger(), read_behaviour(folder(swaps=SWAPS_OF_TWO)))
    page = to_markdown(result)
    assert page.startswith(f"# words@1 on {tmp_path.name}\n")
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        "## Functionality",
        "## Direction",
        "## Invariance",
    ]
    assert "| all | 1 | 1 | 1.00 | 0.21–1.00 |" in page
    assert "| not | 1 | 1 | 1.00 | 0.21–1.00 | -0.50 | +0.50 |" in page
    assert "| never made | 0 | – | – | – | – | – |" in page
    assert "(2 a pair) decided differently" in page
    assert "nan" not in page
    for table in tables(result):
        assert {len(row) for row in table.rows} == {len(table.header)}


def test_a_kind_that_is_not_there_is_not_shown(folder):
    result = run_behaviour(WordTagger(), read(folder, direction=[DIRECTION]))
    assert [table.title for table in tables(result)] == ["Direction"]
    assert not any(note.startswith(("Functionality", "Invariance")) for note in notes(result))


# The command


@pytest.fixture
def compersion(capsys, monkeypatch):
    """Runs a command in this process; returns its exit code, output and errors."""

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["compersion"])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
        with pytest.raises(SystemExit) as ended:
            run(app, [str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return ended.value.code or 0, captured.out, captured.err

    return command


def test_the_command_shows_tables_json_and_markdown(compersion, folder):
    path = folder()
    code, out, err = compersion("evaluate", "rules", "--behaviour", path)
    assert (code, err) == (0, "")
    assert all(title in out for title in ("Functionality", "Direction", "Invariance", "Tests failed: "))
    _, out, _ = compersion("evaluate", "rules", "--behaviour", path, "--json")
    assert json.loads(out)["functionality"]["total"]["passed"] == 1
    _, out, _ = compersion("evaluate", "rules", "--behaviour", path, "--markdown")
    assert "| slice | tests |" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Neither CORPUS nor --behaviour was given."),
        (("corpus.jsonl", "--behaviour", "folder"), "CORPUS and --behaviour were both given."),
        (("--behaviour", "folder", "--against", "linear"), "--against and --behaviour were both given."),
        (("--behaviour", "no-such-folder"), "no-such-folder holds no behavioural tests."),
    ],
)
def test_the_command_takes_a_corpus_or_a_folder_of_tests(compersion, arguments, message):
    code, _, err = compersion("evaluate", "rules", *arguments)
    assert code == 1
    assert message in err
