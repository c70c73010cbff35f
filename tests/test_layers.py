"""The shape of the package: what may import what, and who may unpickle."""

import ast
from pathlib import Path

import pytest

import compersion_nlp

ROOT = Path(compersion_nlp.__file__).parent

# From the ground up: a module imports only from the lines before its own, from what stands before it
# in its own line, and from its own package. A package stands for its modules, but for those that have
# a place of their own.
LAYERS = (
    ("errors", "labels", "records", "readings", "folding", "text"),
    ("registry", "scorers.protocol", "corpus", "decision", "bundle", "sources", "sinks"),
    ("phrases", "lexicon", "stance", "corpus_checks"),
    ("scorers",),
    ("scoring", "evidence", "mentions", "learned", "explaining", "tagger"),
    ("evaluate",),
    ("training", "engines", "ray_crew", "ray_engine", "batch"),
    ("cli",),
)
ORDER = {name: place for place, name in enumerate(name for layer in LAYERS for name in layer)}

# The one module that opens a pickle, once, where a user says --trust-pickle.
MAY_UNPICKLE = "scorers.pipeline"
UNPICKLERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "shelve", "marshal"}


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# The face of the package is above all layers: it names what is imported on first use.
MODULES = {name: path for path in sorted(ROOT.rglob("*.py")) if (name := module_name(path))}


def place_of(module):
    """Returns the place of a module, or of the nearest package around it that has one."""
    while module:
        if module in ORDER:
            return module
        module = module.rpartition(".")[0]
    return None


def imported(tree):
    """Yields the module of every import of ours anywhere in a file, functions and type checking included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            # What is imported may be a module itself, or a name in one.
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            ours = name.removeprefix("compersion_nlp.")
            if ours != name:
                yield ours if ours in MODULES else ours.rpartition(".")[0]


def unpicklers(tree):
    """Yields what a file uses that unpickles."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names if alias.name.split(".")[0] in UNPICKLERS)
            case ast.ImportFrom(module=str(module), names=names):
                loads = module in ("joblib", "torch") and any(alias.name == "load" for alias in names)
                if loads or module.split(".")[0] in UNPICKLERS:
                    yield module
            case ast.Attribute(value=ast.Name(id="joblib" | "torch" as library), attr="load"):
                yield f"{library}.load"
            case ast.keyword(arg="allow_pickle", value=ast.Constant(value=value)) if value:
                yield "allow_pickle"


def parse(module):
    return ast.parse(MODULES[module].read_text("utf-8"))


def test_the_package_was_found():
    assert len(MODULES) > 30


def test_every_place_is_taken():
    empty = [name for name in ORDER if name not in MODULES]
    assert not empty, f"places of no module: {empty}"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_from_lower_layers(module):
    own = place_of(module)
    assert own is not None, f"{module} is in no layer: give it a place in LAYERS"
    for name in imported(parse(module)):
        if name and (place := place_of(name)) != own:
            assert place is not None, f"{module} imports {name}, which is in no layer"
            assert ORDER[place] < ORDER[own], f"{module} ({own}) imports {name} ({place}), which is above it"


@pytest.mark.parametrize("module", MODULES)
def test_nothing_is_unpickled(module):
    if module != MAY_UNPICKLE:
        assert not list(unpicklers(parse(module)))


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from pickle import loads",
        "from joblib import load",
        "import joblib\njoblib.load(path)",
        "torch.load(path)",
        "numpy.load(path, allow_pickle=True)",
    ],
)
def test_unpickling_is_noticed(code):
    assert list(unpicklers(ast.parse(code)))


def test_an_import_from_above_is_noticed():
    assert list(imported(ast.parse("def f():\n    from compersion_nlp.batch import label"))) == ["batch"]
    assert ORDER[place_of("batch.run")] > ORDER[place_of("tagger")]
