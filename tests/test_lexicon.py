"""What the lexicon finds, what it leaves alone, and how its file is checked."""

import tomllib
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compersion_nlp.errors import BadConfig
from compersion_nlp.labels import SCHEME
from compersion_nlp.lexicon import Lexicon, default_lexicon
from compersion_nlp.phrases import Tokens
from compersion_nlp.text import parse


def labels_in(text):
    return {hit.label for hit in default_lexicon().find(Tokens(parse(text)))}


NAMED = {
    "compersion": ["compersion", "so compersive", "feeling frubbly"],
    "joy": ["happy", "chuffed", "over the moon", "elated"],
    "love": ["I adore her", "fell in love", "I love him"],
    "desire": ["horny", "that turned me on", "attracted to him", "I fancy her"],
    "excitement": ["giddy", "butterflies", "so excited", "can't wait", "NRE"],
    "security": ["reassured", "I feel so safe", "I trust him"],
    "gratitude": ["grateful", "so thankful", "gratitude"],
    "relief": ["relieved", "phew", "what a relief"],
    "pride": ["proud", "pride"],
    "hope": ["hopeful", "fingers crossed", "I hope we make it"],
    "curiosity": ["curious", "intrigued", "fascinated"],
    "jealousy": ["jealous af", "jelly", "jelous", "jealousy"],
    "envy": ["envious", "envy", "green with envy"],
    "insecurity": ["insecure", "not good enough", "inadequate", "self-doubt"],
    "fear": ["terrified", "anxious", "dreading it", "panicking"],
    "possessiveness": ["possessive", "territorial", "controlling"],
    "resentment": ["resentful", "bitter", "butthurt", "holding a grudge"],
    "anger": ["furious", "pissed off", "livid", "angrey"],
    "sadness": ["gutted", "heartbroken", "sad", "disappointed"],
    "loneliness": ["lonely", "left out", "I miss him"],
    "shame": ["ashamed", "guilty", "embarassed", "mortified"],
    "indifference": ["couldn't care less", "indifferent", "meh"],
    "confusion": ["confused", "torn", "mixed feelings", "gobsmacked"],
}


@pytest.mark.parametrize(("label", "text"), [(label, text) for label, texts in NAMED.items() for text in texts])
def test_a_word_of_the_family_names_the_label(label, text):
    assert label in default_lexicon().named_in(text)


DESCRIBED = [
    ("compersion", "I was so happy for them both."),
    ("joy", "couldn't stop grinning on the bus"),
    ("love", "I could just hold him. He is my favourite person."),
    ("desire", "I can't keep my hands off him"),
    ("excitement", "counted down the days"),
    ("security", "I know where I stand with her"),
    ("gratitude", "I don't know what I'd do without you"),
    ("relief", "my shoulders came down"),
    ("pride", "I walked home ten feet tall, walking tall"),
    ("hope", "maybe we'll be ok"),
    ("curiosity", "I want to know everything about it"),
    ("jealousy", "I checked his phone"),
    ("envy", "she gets the weekends, I get Tuesdays"),
    ("insecurity", "what does she have that I don't"),
    ("fear", "my stomach dropped"),
    ("possessiveness", "nobody else gets to sit there"),
    ("resentment", "not even a thank you"),
    ("anger", "I slammed the door"),
    ("sadness", "crying in the car again"),
    ("loneliness", "the flat was so quiet"),
    ("shame", "I couldn't look him in the eye"),
    ("indifference", "I felt nothing either way"),
    ("confusion", "I don't know what I want"),
]


@pytest.mark.parametrize(("label", "text"), DESCRIBED)
def test_a_feeling_is_found_without_its_word(label, text):
    assert label in labels_in(text)
    assert label not in default_lexicon().named_in(text) or label == "compersion"


COURTESY = [
    "Would love to know how you all store the tickets.",
    "I'd love any advice.",
    "I'm afraid I can't make Thursday.",
    "Hope this helps!",
    "Hope you are well.",
    "Sorry for the slow answer.",
    "Happy to chat if you pm me.",
    "We are excited to announce the new rota.",
    "Proud owner of a new fridge.",
    "Thanks in advance.",
    "He found an old love letter in the drawer.",
    "She came third in Miss Universe.",
    "I left my Lonely Planet on the train.",
    "We had a crush orange at the station.",
    "Happy birthday Dave",
    "Better safe than sorry, stay safe everyone.",
    "Jelly and ice cream at four, bring jelly beans.",
    "The green dress is in the wash.",
    "No worries, the trust fund pays.",
    "Flour, eggs, sugar. Bake for forty minutes.",
]


@pytest.mark.parametrize("text", COURTESY)
def test_courtesy_and_other_senses_name_nothing(text):
    assert labels_in(text) == set()


def test_a_pseudo_phrase_blocks_only_what_it_overlaps():
    assert labels_in("Hope this helps. I am so jealous.") == {"jealousy"}


def test_named_words_are_found_under_a_longer_description():
    assert "joy" not in default_lexicon().named_in("I was smiling like an idiot")
    assert default_lexicon().named_in("no jealousy, no envy") == {"jealousy", "envy"}


def test_every_label_has_words_and_descriptions():
    content = tomllib.loads(files("compersion_nlp").joinpath("lexicon.toml").read_text("utf-8"))
    assert tuple(content["labels"]) == SCHEME.names
    for entry in content["labels"].values():
        assert entry["named"]["strong"]
        assert len(entry["described"]["strong"]) >= 10


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=200))
def test_hits_of_a_label_never_overlap(text):
    tokens = Tokens(parse(text))
    ends = {}
    for hit in default_lexicon().find(tokens):
        assert hit.start >= ends.get(hit.label, 0)
        assert hit.start < hit.end <= len(tokens)
        ends[hit.label] = hit.end


OWN = 'format = 1\n[labels.joy.named]\nstrong = ["yeehaw"]\n'


def test_an_own_lexicon_replaces_the_packages():
    lexicon = Lexicon(OWN)
    assert lexicon.labels == ("joy",)
    assert lexicon.named_in("Yeehaw, I am happy") == {"joy"}
    (hit,) = lexicon.find(Tokens(parse("Yeehaw, I am happy")))
    assert (hit.start, hit.end, hit.weight) == (0, 1, 1.0)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("format = 1", "mine.toml: Object missing required field `labels`."),
        ("format = 2\n[labels]", "mine.toml: format is 2; this release reads format 1."),
        ("format = 1\nlabels = ", "mine.toml is not TOML"),
        ("format = 1\n[labels.rage]", "mine.toml: labels.rage is no label of the scheme."),
        ('format = 1\n[labels.joy.named]\nloud = ["yeehaw"]', "unknown field `loud` - at `$.labels[...].named`"),
        ("format = 1\n[labels.joy.named]\nstrong = [3]", "at `$.labels[...].named.strong[0]`"),
        ('format = 1\n[labels.joy.named]\nstrong = ["(a"]', "the phrase '(a' cannot be read"),
    ],
)
def test_a_bad_lexicon_is_refused_by_key(source, message):
    with pytest.raises(BadConfig) as caught:
        Lexicon(source, "mine.toml")
    assert message in str(caught.value)
