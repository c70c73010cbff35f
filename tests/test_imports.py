"""What starting costs: the heavy packages are loaded by what needs them, and by nothing before."""

import subprocess
import sys

import pytest

HEAVY = (
    "spacy",
    "sklearn",
    "scipy",
    "pandas",
    "pyarrow",
    "torch",
    "transformers",
    "onnxruntime",
    "tokenizers",
    "skops",
    "joblib",
)
SCRIPT = """
import sys
{code}
print(*sorted(set(sys.modules) & set({heavy!r})))
"""


def loaded(code):
    """Returns which heavy packages are loaded after running code in a new process."""
    script = SCRIPT.format(code=code, heavy=HEAVY)
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return ran.stdout.splitlines()[-1].split()


def run_command(*arguments):
    """Returns code that runs the command line as its script does, and survives its exit."""
    return (
        f"sys.argv = ['compersion', *{arguments!r}]\n"
        "from compersion_nlp.cli import main\n"
        "try:\n    main()\nexcept SystemExit as ended:\n    assert not ended.code, ended.code"
    )


def test_the_package_is_imported_without_anything_heavy():
    assert loaded("import compersion_nlp") == []


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("labels",), ("label", "--help")], ids=" ".join)
def test_a_command_that_reads_nothing_loads_nothing_heavy(arguments):
    assert loaded(run_command(*arguments)) == []


def test_a_heavy_package_is_noticed():
    assert "scipy" in loaded("import scipy")
