"""What starting costs, beside importing spaCy: medians of several rounds in new processes."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

STARTS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import compersion_nlp": [sys.executable, "-c", "import compersion_nlp"],
    "compersion --help": [sys.executable, "-c", "import sys; from compersion_nlp.cli import main; main()", "--help"],
    "import spacy": [sys.executable, "-c", "import spacy"],
    "import sklearn.linear_model": [sys.executable, "-c", "import sklearn.linear_model"],
}


def main() -> None:
    """Prints a table of seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    seconds: dict[str, list[float]] = {name: [] for name in STARTS}
    for _ in range(rounds):
        for name, command in STARTS.items():
            began = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - began)
    print(f"{'start':<30}{'median s':>10}{'fastest':>10}{'slowest':>10}")
    for name, found in seconds.items():
        print(f"{name:<30}{statistics.median(found):>10.3f}{min(found):>10.3f}{max(found):>10.3f}")


if __name__ == "__main__":
    main()
