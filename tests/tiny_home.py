"""A home of tiny bundles, trained from recipes: what the tests of the encoder, of static vectors and of cascades share.

An encoder is fitted on passages of a few words, and a static scorer is taught by it. Each is made once for all modules,
which get copies to do with as they like.
"""

import json
import shutil
from contextlib import contextmanager

import numpy as np
import torch
from tiny_base import write_tiny_base

from compersion_nlp.training.train import train

LABELS = ("joy", "fear")
RECIPE = """
format = 1
name = "tiny"
version = "1"
labels = ["joy", "fear"]
window = 200
[data]
train = ["../corpora/made/train.jsonl"]
dev = ["../corpora/made/dev.jsonl"]
auxiliary = ["../corpora/theirs/train"]
[scorer]
name = "encoder"
[scorer.options]
base = "somebody/tiny-base"
longest = 32
heads = ["theirs"]
schedule = {{ epochs = {epochs}, learning_rate = 2e-3, head_learning_rate = 1e-2, pieces_a_step = 200 }}
{teacher}
"""
STATIC_RECIPE = """
format = 1
name = "fast"
version = "1"
labels = ["joy", "fear"]
window = 200
[data]
train = ["../corpora/made/train.jsonl"]
dev = ["../corpora/made/dev.jsonl"]
auxiliary = ["../corpora/theirs/train"]
[scorer]
name = "static"
[scorer.options]
teacher = "../tiny"
base = "somebody/tiny-base"
depth = 8
states = 16
width = 3
context = 8
parts = 1
schedule = { epochs = 8, learning_rate = 2e-2, head_learning_rate = 2e-2, pieces_a_step = 300 }
"""
SENTENCES = {
    ("joy", "felt"): "so happy and glad what a day.",
    ("joy", "past"): "once a glad day, again no.",
    ("fear", "felt"): "so scared and full of dread!",
    ("fear", "other"): "his tent was full of rain.",
}
FILLER = ("the bins go out.", "we had soup again.", "rain on the tent.", "his bus was late.")
_MADE = {}  # homes, by what was fitted last: that takes seconds


def passages(prefix, n):
    """Passages of two or three sentences, each mark with a sentence of its own."""
    draw = np.random.default_rng(len(prefix))
    for i in range(n):
        chosen = [key for key in SENTENCES if draw.random() < 0.4]
        marks = {}
        for label, stance in chosen:
            if marks.get(label) != "felt":
                marks[label] = stance
        text = " ".join([FILLER[i % 4], *(SENTENCES[key] for key in chosen), FILLER[(i + 1) % 4]])
        yield {"id": f"{prefix}{i}", "text": text, "kind": "comment", "group": f"{prefix}{i}", "feelings": marks}


def write_lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_recipe(home, name, text):
    path = home / name / "recipe.toml"
    path.parent.mkdir()
    path.write_text(text)
    return path


@contextmanager
def one_thread():
    """Keeps so small a network from being spread over cores, which costs more than it brings."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def make_home(factory):
    """Returns a folder with corpora, a public set, a pretrained network, and the encoder ``tiny`` trained from them."""
    if "encoder" not in _MADE:
        _MADE["encoder"] = _with_encoder(factory.mktemp("encoder"))
    return _copy(factory, _MADE["encoder"])


def make_static_home(factory):
    """Returns such a folder that also has ``fast``, a static scorer which the encoder has taught."""
    if "static" not in _MADE:
        _MADE["static"] = _with_static(make_home(factory))
    return _copy(factory, _MADE["static"])


def _with_encoder(home):
    for name, n in (("train", 240), ("dev", 80)):
        write_lines(home / "corpora" / "made" / f"{name}.jsonl", passages(name, n))
    (home / "corpora" / "theirs").mkdir()
    (home / "corpora" / "theirs" / "source.toml").write_text(
        'title = "Theirs"\nhub = "nobody/theirs"\nlicence = "MIT"\nlabels = "labels"\nid = "id"\n'
        'splits = { train = "train" }\n[fit]\njoy = ["fun"]\n'
    )
    rows = [{"id": str(i), "text": FILLER[i % 4], "labels": [["fun"], ["dull"]][i % 2]} for i in range(40)]
    write_lines(home / "data" / "theirs" / "train.jsonl", rows)
    write_tiny_base(home / "data" / "tiny-base")
    _train(home, "tiny", RECIPE.format(epochs=12, teacher=""))
    return home


def _with_static(home):
    _train(home, "fast", STATIC_RECIPE)
    return home


def _train(home, name, recipe):
    with one_thread():
        train(write_recipe(home, name, recipe), data_dir=home / "data")


def _copy(factory, home):
    return shutil.copytree(home, factory.mktemp("home") / "home")
