"""The rules scorer: what raises a logit, and that a bundle of it is self-contained."""

import numpy as np
import pytest

from compersion_nlp.errors import BadBundle, BadConfig
from compersion_nlp.labels import SCHEME
from compersion_nlp.registry import FITTERS, SCORERS
from compersion_nlp.scorers.protocol import SavableScorer, check_scorer
from compersion_nlp.scorers.rules import NOTHING, load
from compersion_nlp.training import rules
from compersion_nlp.training.data import Part
from compersion_nlp.training.setting import Setting

LABELS = ("joy", "jealousy")
NOTHING_TO_LEARN = Part.of([], np.zeros((0, len(LABELS)), np.float32))


@pytest.fixture(scope="module")
def scorer():
    return rules.fit(rules.Options(), NOTHING_TO_LEARN, LABELS, Setting())


def test_the_scorer_keeps_the_contract(scorer):
    check_scorer(scorer)
    assert isinstance(scorer, SavableScorer)


def test_only_felt_mentions_raise_a_logit(scorer):
    scores = scorer.score(["I was jealous.", "I wasn't jealous.", "He was jealous.", "Nothing at all."])
    assert scores[0, 1] > 0
    assert scores[1:, 1].tolist() == [NOTHING] * 3
    assert (scores[:, 0] == NOTHING).all()


def test_more_felt_mentions_raise_it_further_and_by_less(scorer):
    one, two, three = scorer.score(["I was jealous. " * times for times in (1, 2, 3)])[:, 1].tolist()
    assert one < two < three
    assert two - one > three - two


def test_a_weak_phrase_raises_it_less(scorer):
    strong, weak = scorer.score(["I am ecstatic.", "I am glad."])[:, 0].tolist()
    assert NOTHING < weak < strong


def test_labels_that_the_bundle_lacks_are_left_out(scorer):
    assert scorer.score(["I am furious."]).tolist() == [[NOTHING, NOTHING]]


def test_a_saved_scorer_scores_the_same(scorer, tmp_path):
    scorer.save(tmp_path)
    texts = ["I couldn't stop grinning.", "Jealous again, and he was happy."]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cues.toml", "lexicon.toml"]
    assert np.array_equal(load(tmp_path, LABELS).score(texts), scorer.score(texts))


def test_a_bundle_reads_its_own_words(scorer, tmp_path):
    scorer.save(tmp_path)
    (tmp_path / "lexicon.toml").write_text('format = 1\n[labels.joy.named]\nstrong = ["yeehaw"]\n', "utf-8")
    adapted = load(tmp_path, ("joy",))
    assert adapted.score(["Yeehaw!"])[0, 0] > 0 > adapted.score(["I am happy."])[0, 0]


def test_a_missing_file_is_named(scorer, tmp_path):
    scorer.save(tmp_path)
    (tmp_path / "cues.toml").unlink()
    with pytest.raises(BadBundle, match=r"The bundle has no cues\.toml"):
        load(tmp_path, LABELS)


def test_a_label_without_an_entry_is_named(scorer, tmp_path):
    scorer.save(tmp_path)
    (tmp_path / "lexicon.toml").write_text('format = 1\n[labels.joy.named]\nstrong = ["yeehaw"]\n', "utf-8")
    with pytest.raises(BadBundle, match=r"lexicon\.toml has no entry for jealousy"):
        load(tmp_path, LABELS)


def test_a_key_that_does_not_fit_is_named_by_its_path(scorer, tmp_path):
    scorer.save(tmp_path)
    (tmp_path / "lexicon.toml").write_text("format = 1\n[labels.joy]\nnames = []\n", "utf-8")
    with pytest.raises(BadConfig, match=r"unknown field `names` - at `\$\.labels"):
        load(tmp_path, LABELS)


def test_a_file_that_is_not_utf8_is_named(scorer, tmp_path):
    scorer.save(tmp_path)
    (tmp_path / "cues.toml").write_bytes(b"format = 1 # \xff")
    with pytest.raises(BadBundle, match=r"cues\.toml is not UTF-8"):
        load(tmp_path, LABELS)


def test_a_recipe_can_name_its_own_files(tmp_path):
    own = tmp_path / "mine.toml"
    own.write_text('format = 1\n[labels.joy.named]\nstrong = ["yeehaw"]\n', "utf-8")
    options = rules.Options(lexicon=own)
    assert rules.fit(options, NOTHING_TO_LEARN, ("joy",), Setting()).score(["yeehaw"])[0, 0] > 0
    with pytest.raises(BadConfig, match="has no entry for jealousy"):
        rules.fit(options, NOTHING_TO_LEARN, LABELS, Setting())
    with pytest.raises(BadConfig, match="cannot be read"):
        rules.fit(rules.Options(cues=tmp_path / "absent.toml"), NOTHING_TO_LEARN, LABELS, Setting())


def test_scorer_and_fitter_are_registered():
    assert SCORERS.get("rules") is load
    assert FITTERS.get("rules") is rules


def test_all_labels_of_the_scheme_can_be_scored():
    scores = rules.fit(rules.Options(), NOTHING_TO_LEARN, SCHEME.names, Setting()).score(
        ["I am so proud and so lonely."]
    )
    felt = {label for label, score in zip(SCHEME.names, scores[0], strict=True) if score > 0}
    assert felt == {"pride", "loneliness"}


def test_words_of_feelings_that_are_not_felt_are_blanked_out(scorer):
    texts = ["I am not jealous.", "She is scared, I'm happy.", "No feeling here 😀\r\n", ""]
    found = scorer.read(texts)
    assert found.own_words == ["I am not        .", "She is       , I'm happy.", "No feeling here 😀\r\n", ""]
    assert [len(own) for own in found.own_words] == [len(text) for text in texts]
