"""Stances of mentions: a table of sentences, what quotes and ends of sentences do, and hostile texts."""

import timeit
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compersion_nlp.errors import BadConfig
from compersion_nlp.labels import SCHEME
from compersion_nlp.phrases import Tokens
from compersion_nlp.stance import Cues, default_cues, find_mentions
from compersion_nlp.stance.quotation import Quotations
from compersion_nlp.text import parse

SENTENCES = [
    # the writer feels it
    ("I was jealous the whole drive back.", "jealousy", "felt"),
    ("im so jealous i cant think straight", "jealousy", "felt"),
    ("I’m jealous, there, I said it.", "jealousy", "felt"),
    ("Jealous again. Went for a run.", "jealousy", "felt"),
    ("Felt sick with envy all evening.", "envy", "felt"),
    ("SO ANGRY RIGHT NOW", "anger", "felt"),
    ("We were so relieved when the phone rang.", "relief", "felt"),
    ("He makes me jealous without even trying.", "jealousy", "felt"),
    ("She told me about him and I was furious.", "anger", "felt"),
    ("My jealousy is eating me alive.", "jealousy", "felt"),
    ("A tiny twinge of envy, nothing dramatic.", "envy", "felt"),
    ("It was a huge relief.", "relief", "felt"),
    ("My husband and I are excited about the trip.", "excitement", "felt"),
    ("Talked to my boyfriend about it and I still feel insecure.", "insecurity", "felt"),
    ("She is so annoying when she sings.", "anger", "felt"),
    ("I couldn't stop grinning.", "joy", "felt"),
    ("My stomach dropped when he said it.", "fear", "felt"),
    # pseudo-negation, pseudo-conditions
    ("Not gonna lie, I'm jealous.", "jealousy", "felt"),
    ("I'm not only jealous, I'm ashamed of it.", "jealousy", "felt"),
    ("I couldn't be happier.", "joy", "felt"),
    ("I can't help being jealous.", "jealousy", "felt"),
    ("No doubt about it, I'm in love.", "love", "felt"),
    ("I don't know why I'm so angry.", "anger", "felt"),
    ("I have never been so happy.", "joy", "felt"),
    ("If I'm honest I'm jealous.", "jealousy", "felt"),
    ("I'd be lying if I said I wasn't jealous.", "jealousy", "felt"),
    ("I could cry, I'm so lonely.", "loneliness", "felt"),
    ("It's not that I'm not grateful.", "gratitude", "felt"),
    ("I'm used to it now and still I get jealous.", "jealousy", "felt"),
    # denied
    ("I'm not jealous at all.", "jealousy", "denied"),
    ("im not jealous lol", "jealousy", "denied"),
    ("I dont feel guilty about it", "shame", "denied"),
    ("I AM NOT ANGRY", "anger", "denied"),
    ("I never felt lonely there.", "loneliness", "denied"),
    ("No jealousy here.", "jealousy", "denied"),
    ("I did it without any guilt.", "shame", "denied"),
    ("I was neither angry nor sad.", "anger", "denied"),
    ("I was neither angry nor sad.", "sadness", "denied"),
    ("I'm far from happy.", "joy", "denied"),
    ("Jealous? Not tonight.", "jealousy", "denied"),
    ("Am I jealous? No.", "jealousy", "denied"),
    ("I wasn't embarrassed or ashamed.", "shame", "denied"),
    ("Nobody is angry about it.", "anger", "denied"),
    ("They say it's jealousy. It isn't.", "jealousy", "denied"),
    # terminators cut the negation
    ("I'm not jealous but I am lonely.", "loneliness", "felt"),
    ("I'm not angry, just sad.", "sadness", "felt"),
    ("I'm not sad. I'm furious.", "anger", "felt"),
    ("I didn't sleep because I was scared.", "fear", "felt"),
    ("I wouldn't call her, however angry I was.", "anger", "felt"),
    # past
    ("I used to be jealous of everyone she met.", "jealousy", "past"),
    ("used to be so lonely at school", "loneliness", "past"),
    ("I'm no longer angry with him.", "anger", "past"),
    ("I'm not scared any more.", "fear", "past"),
    ("Years ago I was bitter about it.", "resentment", "past"),
    ("Back then I was so insecure.", "insecurity", "past"),
    ("In my twenties I was possessive.", "possessiveness", "past"),
    ("I got over my jealousy.", "jealousy", "past"),
    ("I stopped being ashamed.", "shame", "past"),
    ("When I was younger I was terrified of being alone.", "fear", "past"),
    ("For months I was jealous of her. It's gone now.", "jealousy", "past"),
    # somebody else's
    ("He was jealous all night.", "jealousy", "other"),
    ("My boyfriend gets jealous.", "jealousy", "other"),
    ("my wifes so excited she cant sit down", "excitement", "other"),
    ("My metamour isn't jealous at all.", "jealousy", "other"),
    ("Sam was furious about the bins.", "anger", "other"),
    ("Yesterday Priya felt lonely.", "loneliness", "other"),
    ("His jealousy wore everybody out.", "jealousy", "other"),
    ("Her anger filled the kitchen.", "anger", "other"),
    ("You sound jealous.", "jealousy", "other"),
    ("They are so in love.", "love", "other"),
    ("He was proud of me.", "pride", "other"),
    ("My mum is worried about the money.", "fear", "other"),
    ("I could see he was embarrassed.", "shame", "other"),
    ("It made her happy.", "joy", "other"),
    ("Both of them are excited.", "excitement", "other"),
    # two subjects in one sentence
    ("I was relieved that he was angry.", "relief", "felt"),
    ("I was relieved that he was angry.", "anger", "other"),
    ("He was angry and I was ashamed.", "anger", "other"),
    ("He was angry and I was ashamed.", "shame", "felt"),
    ("She came home glowing and I couldn't stop grinning.", "joy", "felt"),
    ("I went to dinner with my wife and was so happy.", "joy", "felt"),
    # imagined, asked, wished
    ("If she left I would be devastated.", "sadness", "hypothetical"),
    ("I wouldn't be jealous if he told me first.", "jealousy", "hypothetical"),
    ("I'd be so jealous.", "jealousy", "hypothetical"),
    ("id be so jealous", "jealousy", "hypothetical"),
    ("Would I be jealous?", "jealousy", "hypothetical"),
    ("Am I jealous?", "jealousy", "hypothetical"),
    ("I wish I felt compersion.", "compersion", "hypothetical"),
    ("I should feel grateful.", "gratitude", "hypothetical"),
    ("I'm supposed to feel compersion.", "compersion", "hypothetical"),
    ("He told me to be happy about it.", "joy", "hypothetical"),
    ("What if I get jealous?", "jealousy", "hypothetical"),
    ("I might get jealous, who can say.", "jealousy", "hypothetical"),
    ("I hope I don't get jealous.", "jealousy", "hypothetical"),
    ("I'll be gutted if it rains.", "sadness", "hypothetical"),
    # nobody in particular
    ("Jealousy is a normal emotion.", "jealousy", "general"),
    ("Compersion means taking joy in another's joy.", "compersion", "general"),
    ("People get jealous, it happens.", "jealousy", "general"),
    ("You should never feel ashamed.", "shame", "general"),
    ("One feels lonely at Christmas.", "loneliness", "general"),
    ("When someone is jealous, talk to them.", "jealousy", "general"),
    ("It's normal to feel jealous.", "jealousy", "general"),
    ("I read an article about jealousy.", "jealousy", "general"),
    ("Most couples feel anxious at first.", "fear", "general"),
    # quotation
    ('He said "I am so jealous of you two".', "jealousy", "other"),
    ("He said 'I am so jealous of you two'.", "jealousy", "other"),
    ("“I was so angry with her,” he told us.", "anger", "other"),
    ('I said "I am jealous, all right?"', "jealousy", "felt"),
    ("> I was so jealous of him\nWelcome to the forum.", "jealousy", "other"),
    ("[quote=anna] I was so jealous [/quote] Same here.", "jealousy", "other"),
    ("[quote]I was so jealous[/quote]Same here.", "jealousy", "other"),
    ("[quote]Same here[/quote]I was so jealous.", "jealousy", "felt"),
    ("Home alone?I was jealous!And tired.", "jealousy", "felt"),
    ('I felt this "jealousy" thing all night.', "jealousy", "felt"),
]


def stances(text, label):
    return [mention.stance for mention in find_mentions(parse(text)) if mention.label == label]


@pytest.mark.parametrize(("text", "label", "expected"), SENTENCES, ids=[f"{s[1]}: {s[0][:50]}" for s in SENTENCES])
def test_stance_of_a_sentence(text, label, expected):
    found = stances(text, label)
    assert found, f"{label} is not found"
    assert SCHEME.strongest(found) == expected


COMPERSION = [
    ("I'm so happy for them, they're adorable together.", "felt"),
    ("Watching him beam at her was lovely.", "felt"),
    ("She's delighted for her husband and his new girlfriend.", "other"),
    ("I wasn't happy for him, I was sick with worry.", "denied"),
    ("I used to be happy for them.", "past"),
]


@pytest.mark.parametrize(("text", "expected"), COMPERSION)
def test_gladness_for_a_partner_is_compersion_and_not_joy(text, expected):
    assert expected in stances(text, "compersion")
    assert "happy" not in [mention.span.of(text) for mention in find_mentions(parse(text)) if mention.label == "joy"]


def test_a_passage_gives_one_label_several_stances():
    text = "I used to be jealous. He never was jealous. Tonight I am jealous."
    assert stances(text, "jealousy") == ["past", "other", "felt"]


def test_mentions_are_ordered_by_place_and_then_label():
    found = find_mentions(parse("Proud, jealous, sad and proud again."))
    assert [mention.label for mention in found] == ["pride", "jealousy", "sadness", "pride"]
    assert [mention.span for mention in found] == sorted(mention.span for mention in found)


def test_the_longest_phrase_of_a_label_counts_once():
    text = "I was over the moon."
    (mention,) = [found for found in find_mentions(parse(text)) if found.label == "joy"]
    assert mention.span.of(text) == "over the moon"


HOSTILE = [
    "😀👨‍👩‍👧 I was jealous 😭",
    "first line\r\nI was jealous\r\nlast line",
    "cafe\u0301 cafe\u0301 I was jealous",
    "*So* __jealous__, I was  jealous",
    "zero\u200bwidth I was\u00a0jealous\ud800 indeed",
    "“Fine”, I wrote… I was jealous",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_spans_point_into_the_text_as_it_came_in(text):
    spans = [mention.span.of(text) for mention in find_mentions(parse(text)) if mention.label == "jealousy"]
    assert spans
    assert set(spans) == {"jealous"}


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_read(text):
    for mention in find_mentions(parse(text)):
        assert 0 <= mention.span.start < mention.span.end <= len(text)


WORDS = [
    "I",
    "he",
    "jealous",
    "not",
    "if",
    "happy for them",
    "used to",
    "?",
    ".",
    '"',
    "'",
    "my",
    "\n",
    "[quote]",
    "people",
    "Sam was",
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=60).map(" ".join))
def test_any_order_of_cues_gives_each_mention_one_stance(text):
    found = find_mentions(parse(text))
    assert len({(mention.label, mention.span) for mention in found}) == len(found)
    assert all(mention.stance in SCHEME.stance_names for mention in found)
    for label in {mention.label for mention in found}:
        spans = [mention.span for mention in found if mention.label == label]
        assert all(one.end <= other.start for one, other in pairwise(spans))


@pytest.mark.parametrize(
    "unit", ["I am not jealous if he ", "my heart ", '"I said ', "[quote] ", "' not ", "jealous " * 3]
)
def test_time_grows_with_the_text_and_not_with_its_square(unit):
    def seconds(text):
        doc = parse(text)
        return timeit.timeit(lambda: find_mentions(doc), number=1)  # without the garbage collector

    find_mentions(parse(unit))
    short = min(seconds(unit * 250) for _ in range(5))
    long = min(seconds(unit * 4000) for _ in range(2))
    assert long < 80 * short + 0.05  # sixteen times the text; a square would take 256 times as long


def test_short_quotations_are_not_speech():
    tokens = Tokens(parse('the "jealousy" chapter and "I was so very sad" chapter'))
    quotations = Quotations(tokens, [])
    foreign = [word for number, word in enumerate(tokens.lower) if quotations.holds(number)]
    assert foreign == ['"', "i", "was", "so", "very", "sad", '"']


def test_default_cues_are_compiled_once():
    assert default_cues() is default_cues()


MINIMAL = 'format = 1\n[names]\nverbs = ["is"]\nnot_names = []\n'


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('[[rules]]\ngives = "felt"\nphrases = ["a"]\nnear = 3', "unknown field `near` - at `$.rules[0]`"),
        ('[[rules]]\ngives = "maybe"\nphrases = ["a"]', "`$.rules[0].gives`"),
        ('[[rules]]\ngives = "felt"\nphrases = ["a"]\nwithin = 500', "rules[0].within is 500"),
        ('[[rules]]\ngives = "felt"\nphrases = ["a"]\nlabels = ["rage"]', "rules[0].labels: 'rage' is no label"),
        ('[[rules]]\ngives = "felt"\nphrases = ["(a"]', "'(a' cannot be read"),
    ],
)
def test_a_bad_cue_file_is_refused_by_key(change, message):
    with pytest.raises(BadConfig) as caught:
        Cues(MINIMAL + change, "mine.toml")
    assert message.replace("unknown", "unknown field").replace("field field", "field") in str(caught.value)
    assert "mine.toml" in str(caught.value)


def test_own_rules_replace_the_packages():
    cues = Cues(MINIMAL + '[[rules]]\ngives = "denied"\nphrases = ["nae"]')
    mentions = find_mentions(parse("I'm nae jealous, not jealous"), cues=cues)
    assert [mention.stance for mention in mentions] == ["denied", "denied"]
