"""The checks of corpora: records, copies, sameness, bounds, style, and what a description counts."""

import json

import pytest
from corpus_files import row

from compersion_nlp.corpus import Corpus, Least, Most
from compersion_nlp.corpus_checks import check_corpus, compare_readers, describe_corpus, style_auc
from compersion_nlp.corpus_checks.copies import alike
from compersion_nlp.corpus_checks.measure import measure, too_few, too_little, too_much
from compersion_nlp.corpus_checks.sameness import openings, recurring_runs
from compersion_nlp.errors import BadConfig, BadInput
from compersion_nlp.records import Annotation


def problems(*paths):
    return [(problem.check, problem.where) for problem in check_corpus(paths).problems]


def test_checks_pass_a_sound_corpus(write):
    report = check_corpus([write(row(feelings={"joy": "felt"}), row("a2", "Bins go out on Tuesday, blue ones only."))])
    assert report.sound
    assert report.passages == {"made/train": 2}
    assert report.stances["joy"]["felt"] == 1


def test_checks_report_every_bad_line_and_go_on(write):
    path = write(
        row(), "{", row("a2", "Bins go out on Tuesday.", mood="glum"), row("a3", "The cat was sick.", kind="poem")
    )
    assert problems(path) == [
        ("schema", "made/train, line 2"),
        ("schema", "made/train, line 3"),
        ("kind", "made/train, line 4"),
    ]


def test_checks_find_ids_used_twice_over_files(write):
    one, other = write(row("a1")), write(row("a1", "Bins go out on Tuesday.", group="g"), name="dev.jsonl")
    report = check_corpus([one, other])
    assert [problem.message for problem in report.problems] == ["the id 'a1' is taken by made/train, line 1"]


def test_checks_find_blank_texts_and_odd_manners(write):
    report = check_corpus([write(row("a1", " \n"), row("a2", manner="loud"))])
    assert [problem.check for problem in report.problems] == ["empty", "manner"]
    assert "text must not be blank" in report.problems[0].message


def test_checks_find_groups_in_two_files(write):
    one = write(row("a1", group="g"))
    other = write(row("a2", "Bins go out on Tuesday.", group="g"), name="dev.jsonl")
    assert problems(one, other) == [("groups", "made/dev, line 1")]


def test_checks_find_near_duplicates_in_different_groups_only(write):
    text = "We went to the lake with her sister and he carried both of the bags all the way."
    path = write(
        row("a1", text, group="g"),
        row("a2", text.replace("lake", "river"), group="g"),
        row("a3", text.upper().replace("SISTER", "BROTHER") + "  ", group="h"),
    )
    report = check_corpus([path])
    assert {problem.check for problem in report.problems} == {"duplicates"}
    assert [problem.message.split(" (")[0] for problem in report.problems] == ["a3 reads like a1"]
    assert not any("lake" in problem.message for problem in report.problems)  # a report quotes no text


def test_checks_find_short_exact_duplicates(write):
    assert problems(write(row("a1", "lol"), row("a2", "LOL"))) == [("duplicates", "made/train, line 2")]


def test_checks_find_phrases_of_the_scheme_whatever_the_quotes(write):
    report = check_corpus(
        [write(row("a1", "And I can’t stop  thinking about KISSING her."), row("a2", "I was livid!"))]
    )
    assert [problem.check for problem in report.problems] == ["signs"]
    assert report.short_signs == ("made/train, line 2: 'I was livid'",)


def test_describe_counts_stances_bands_and_pairs():
    annotations = (
        Annotation("a", "one two", "journal", "g", {"joy": "felt", "fear": "felt", "envy": "past"}, manner="plain"),
        Annotation("b", "word " * 70, "comment", "g", {"joy": "felt", "fear": "felt"}),
        Annotation("c", "bins", "comment", "h", {"joy": "other"}),
    )
    found = describe_corpus(Corpus("made/train", annotations))
    assert (found.passages, found.groups, found.nothing_felt) == (3, 2, 1)
    assert found.kinds == {"journal": 1, "comment": 2}
    assert found.manners == {"plain": 1, "not recorded": 2}
    assert found.lengths == {"under 20 words": 2, "60 to 149 words": 1}
    assert (found.median_words, found.longest_words) == (2.0, 70)
    assert found.stances["joy"]["felt"] == 2
    assert found.stances["envy"]["past"] == 1
    assert found.together == (("joy", "fear", 2),)


def passage(id, text, group=None, **feelings):
    return Annotation(id, text, "comment", group or id, feelings)


def test_alike_gives_pairs_of_different_groups_with_their_likeness():
    texts = ["the train to the coast was late", "the train to the coast was early", "bins go out on tuesday", ""]
    found = list(alike(texts, "abcd"))
    assert [(left, right) for left, right, _ in found] == [(0, 1)]
    assert 0.4 <= found[0][2] < 1
    assert not list(alike(texts, "aacd"))


def test_many_copies_are_told_once_each():
    found = list(alike(["ok"] * 500, [str(n) for n in range(500)]))
    assert [(left, right) for left, right, _ in found] == [(0, right) for right in range(1, 500)]


def test_runs_count_passages_of_different_groups_only():
    shared = "we went down to the river"
    found = recurring_runs(
        [
            passage("a", f"On Monday {shared} again."),
            passage("b", f"{shared.upper()}!"),
            passage("c", "He said, every now and then, no.", group="g"),
            passage("d", "She said every now and then no", group="g"),
        ]
    )
    assert found.share == 0.5
    assert dict(found.most) == {"we went down to the": 2, "went down to the river": 2}


def test_openings_are_the_first_three_words_of_passages_that_have_them():
    found = openings([passage("a", "So here we are"), passage("b", "so, here we go"), passage("c", "So here")])
    assert found.share == pytest.approx(2 / 3)
    assert found.most[0] == ("so here we", 2)


def test_measures_count_what_is_implied_and_what_a_word_gives_away():
    named = [passage(f"n{n}", f"I was so jealous of number {n}.", jealousy="felt") for n in range(30)]
    shown = [passage(f"s{n}", f"Checked his phone {n} times, hands cold.", jealousy="felt") for n in range(10)]
    told = [passage(f"t{n}", f"Jealous people phone {n} times.", jealousy="general") for n in range(10)]
    found = measure([*named, *shown, *told])
    assert found.implied == pytest.approx(10 / 40)
    assert found.word_felt["jealousy"] == pytest.approx(30 / 40)
    assert found.nothing_felt == pytest.approx(10 / 50)
    assert (found.passages, found.groups, found.long_passages) == (50, 50, 0)


def test_a_share_of_nothing_is_no_number_and_breaks_no_bound():
    found = measure([passage("a", "Bins go out on Tuesday.")])
    assert found.implied != found.implied
    assert not list(too_little("made/train", found, Least(implied=0.4)))


@pytest.mark.parametrize(
    ("least", "message"),
    [
        (Least(passages=3), "passages: 2; at least 3"),
        (Least(groups=2), "groups: 1; at least 2"),
        (Least(long_passages=2), "long passages: 1; at least 2"),
        (Least(felt_of={"envy": 2}), "envy felt: 1; at least 2"),
        (Least(felt_together={"envy + joy": 2}), "envy + joy felt together: 1; at least 2"),
        (Least(nothing_felt=0.6), "nothing felt: 50.0%; at least 60.0%"),
        (Least(implied=0.6), "implied: 50.0%; at least 60.0%"),
    ],
)
def test_what_falls_short_is_told_with_what_is_asked_for(least, message):
    passages = [
        passage("a", "Such envy. " + "She has the garden. " * 10, "g", envy="felt", joy="felt"),
        passage("b", "He was livid.", "g", anger="other"),
    ]
    assert [problem.message.startswith(message) for problem in _short(passages, least)] == [True]
    assert not _short(passages, Least(passages=2, groups=1, long_passages=1, nothing_felt=0.5, implied=0.5))


def _short(passages, least):
    found = measure(passages)
    return [*too_few("made/train", passages, least), *too_little("made/train", found, least)]


def test_every_label_and_every_stance_has_its_minimum():
    passages = [passage("a", "Such envy.", envy="felt", joy="other")]
    assert len(_short(passages, Least(felt=1))) == 22
    stances = [problem.message.split(":")[0] for problem in _short(passages, Least(stance=1))]
    assert stances == ["past", "denied", "hypothetical", "general"]


def test_what_goes_past_a_bound_is_told():
    passages = [passage(f"n{n}", f"I was so jealous of him, round {n}.", jealousy="felt") for n in range(40)]
    found = measure(passages, style_auc=0.9)
    bounds = Most(recurring_runs=0.5, opening=0.5, word_felt=0.9, style_auc=0.65)
    assert [problem.check for problem in too_much("made/train", found, bounds)] == [
        "sameness",
        "sameness",
        "leakage",
        "style",
    ]
    assert not list(too_much("made/train", found, Most()))


def bounds(path, text):
    (path.parent / "corpus.toml").write_text(text)
    return path


def test_a_file_is_held_to_the_bounds_in_its_settings(write):
    train = bounds(write(row()), "[files.train.least]\npassages = 2\n")
    assert problems(train) == [("minima", "made/train")]


def test_a_bound_of_a_file_that_is_not_there_is_told(write):
    report = check_corpus([bounds(write(row()), "[files.trian.least]\npassages = 2\n")])
    assert [problem.check for problem in report.problems] == ["settings"]
    assert "no trian.jsonl" in report.problems[0].message


def test_an_empty_file_falls_short(write):
    assert problems(bounds(write(""), "[files.train.least]\npassages = 2\n")) == [("minima", "made/train")]


def test_labels_that_are_not_annotated_have_no_minimum(write):
    path = bounds(write(row(feelings={"joy": "felt"})), 'labels = ["joy"]\n[files.train.least]\nfelt = 1\n')
    assert problems(path) == []


def test_a_style_that_cannot_be_told_is_said_not_to_be_measured(write):
    dev = bounds(write(row(), name="dev.jsonl"), "[files.dev.most]\nstyle_auc = 0.65\n")
    assert check_corpus([dev]).style_not_measured == ("made/dev",)
    train = write(row("b1", "Bins go out on Tuesday."))
    assert check_corpus([train, dev]).style_not_measured == ("made/dev",)


def test_style_is_told_from_train_where_it_is_bounded(write):
    def passages(name, end):
        return [row(f"{name}{n}", f"{name} {n * 7919} went to number {n * 31}{end}") for n in range(60)]

    train = write(*passages("t", "..."))
    dev = write(*passages("d", " !!!"), name="dev.jsonl")
    bounds(train, "[files.dev.most]\nstyle_auc = 0.65\n")
    report = check_corpus([train, dev])
    assert report.measures["made/train"].style_auc is None
    assert report.measures["made/dev"].style_auc > 0.99
    assert "style" in {problem.check for problem in report.problems}


def test_style_does_not_see_topics():
    def passages(name, words):
        return [passage(f"{name}{n}", f"The {words[n % 3]} was in the {words[n % 2]} and I saw it.") for n in range(90)]

    auc = style_auc(passages("a", ["cat", "garden", "roof"]), passages("b", ["boiler", "kitchen", "lease"]))
    assert auc == pytest.approx(0.5, abs=0.1)


def test_style_does_not_see_names_in_the_possessive():
    def passages(name, owner):
        return [passage(f"{name}{n}", f"It was {owner}'s and _{owner}_ did not want it {n} times.") for n in range(90)]

    assert style_auc(passages("a", "Marco"), passages("b", "Nadia")) == pytest.approx(0.5, abs=0.1)


def test_marks_without_texts_are_checked_for_what_they_are(write):
    marks = [
        {"id": "x1", "feelings": {"joy": "felt"}},
        {"id": "x1", "feelings": {}},
        {"id": "x2", "feelings": {"j": "felt"}},
    ]
    path = bounds(
        write(*marks, name="annotations.jsonl"), 'texts = ["../set/train"]\n[files.annotations.least]\npassages = 9\n'
    )
    report = check_corpus([path])
    assert [problem.check for problem in report.problems] == ["schema", "ids", "minima"]
    assert report.without_texts == ("made/annotations",)
    assert report.measures == {}


def test_a_report_of_a_file_without_sound_lines_is_written(write):
    report = check_corpus([write("{")])
    assert [problem.check for problem in report.problems] == ["schema"]
    assert json.dumps(report.passages) == '{"made/train": 0}'


def readings(write, one, other):
    return [
        write(*({"id": id, "feelings": marks} for id, marks in side.items()), name=f"{name}.jsonl")
        for name, side in (("first", one), ("second", other))
    ]


def test_agreement_is_counted_over_the_passages_that_both_marked(write):
    first, second = readings(
        write,
        {
            "a": {"joy": "felt"},
            "b": {"joy": "felt", "fear": "past"},
            "c": {},
            "d": {"envy": "other"},
            "x": {"joy": "felt"},
        },
        {"a": {"joy": "felt"}, "b": {"joy": "denied", "fear": "past"}, "c": {}, "d": {"envy": "other"}},
    )
    bounds(first, 'texts = ["../none/train"]')
    found = compare_readers(first, second)
    joy = found.labels[1]
    assert (found.passages, found.only_one, found.identical) == (4, 1, 0.75)
    assert (joy.name, joy.first, joy.second, joy.both) == ("joy", 2, 1, 1)
    assert joy.f1 == pytest.approx(2 / 3)
    assert joy.kappa == pytest.approx(0.5)  # agreed 3/4; by chance 1/2 * 1/4 + 1/2 * 3/4 = 1/2
    assert (found.macro_f1, found.macro_kappa) == (joy.f1, joy.kappa)
    assert (found.mentions, found.stance_accuracy) == (4, 0.75)
    assert found.stance_kappa == pytest.approx(2 / 3)  # agreed 3/4; by chance 1/4


def test_readings_of_other_passages_and_unsound_ones_are_refused(write):
    first, second = readings(write, {"a": {}}, {"b": {}})
    bounds(first, 'texts = ["../none/train"]')
    with pytest.raises(BadInput, match="no passage in common"):
        compare_readers(first, second)
    second.write_text('{"id": "a", "feelings": {}}\n{"id": "a", "feelings": {}}')
    with pytest.raises(BadConfig, match="line 2: the id 'a' was given before"):
        compare_readers(first, second)
    second.write_text('{"id": "a", "feelings": {"joyy": "felt"}}')
    with pytest.raises(BadConfig, match=r"second\.jsonl, line 1: .*joyy"):
        compare_readers(first, second)


def test_labels_that_both_always_mark_leave_the_means_alone(write):
    marks = {"a": {"joy": "felt", "fear": "felt"}, "b": {"joy": "felt"}}
    first, second = readings(write, marks, marks)
    bounds(first, 'texts = ["../none/train"]')
    found = compare_readers(first, second)
    assert found.labels[1].kappa != found.labels[1].kappa
    assert found.macro_kappa == 1.0
