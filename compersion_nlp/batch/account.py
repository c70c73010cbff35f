"""The account a job ends with, and the tally it is made from."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

import msgspec
import numpy as np

from compersion_nlp.batch.job import Identity
from compersion_nlp.batch.ledger import write_synced
from compersion_nlp.errors import BadInput
from compersion_nlp.records import Passage, Rejected

REASONS = 100  # distinct reasons that are counted each by itself
OTHER = "other reasons"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What became of every row: ``read`` is ``labelled`` and ``rejected`` together.

    ``reasons`` counts the rejected rows by why, ``duplicate_ids`` the rows whose id an earlier row
    has (they are labelled all the same). ``renamed`` holds input columns that had to give way to
    ours, old name to new, and ``guarded`` counts cells that a spreadsheet would have run as a
    formula. ``tiers`` counts the labelled passages by the scorer that they came to, for a model that hands on what
    it is not sure of. ``seconds`` is this run's time alone; ``chunks_resumed`` were done before it.
    """

    output: str
    rejected_file: str | None
    identity: Identity
    read: int
    labelled: int
    rejected: int
    reasons: dict[str, int]
    duplicate_ids: int
    renamed: dict[str, str]
    guarded: int
    chunks: int
    chunks_resumed: int
    engine: str
    workers: int
    seconds: float
    tiers: dict[str, int] = {}

    def __post_init__(self) -> None:
        if self.read != self.labelled + self.rejected or self.rejected != sum(self.reasons.values()):
            raise AssertionError(
                f"The account does not add up: {self.read} read, {self.labelled} labelled, "
                f"{self.rejected} rejected, for reasons {self.reasons}."
            )

    @property
    def model(self) -> str:
        """The model, ``name@version``."""
        return self.identity.model


def account_path(output: Path) -> Path:
    """Returns where the account of an output is kept."""
    return output.with_name(f"{output.name}.job.json")


def rejected_path(output: Path) -> Path:
    """Returns where the rejected rows of an output are kept, if there are any."""
    return output.with_name(f"{output.name}.rejected.jsonl")


def write_account(account: Account, output: Path) -> None:
    """Writes the account beside the output."""
    write_synced(account_path(output), msgspec.json.format(msgspec.json.encode(account), indent=2) + b"\n")


def read_account(output: Path) -> Account:
    """Returns the account of an output; raises BadInput if there is none, or if it is damaged."""
    path = account_path(output)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Account)
    except FileNotFoundError:
        raise BadInput(f"{output} has no account: {path} is missing.", "Label it again with --overwrite.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not an account: {error}.", "Label it again with --overwrite.") from None


class Tally:
    """Counts rows as they are merged. It keeps eight bytes of every id, and no id."""

    def __init__(self) -> None:
        self.labelled = 0
        self.reasons: Counter[str] = Counter()
        self.tiers: Counter[str] = Counter()
        self._ids = array("Q")

    @property
    def rejected(self) -> int:
        """How many rows were rejected."""
        return self.reasons.total()

    def count(self, rows: Iterable[Passage | Rejected]) -> None:
        """Counts rows: a passage was labelled."""
        for row in rows:
            if isinstance(row, Rejected):
                known = row.reason in self.reasons or len(self.reasons) < REASONS
                self.reasons[row.reason if known else OTHER] += 1
                continue
            self.labelled += 1
            if row.id:
                hashed = blake2b(row.id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
                self._ids.append(int.from_bytes(hashed, "little"))

    def duplicate_ids(self) -> int:
        """Returns how many labelled rows have the id of an earlier one."""
        hashes = np.frombuffer(self._ids, dtype=np.uint64)
        hashes.sort()  # in place: ten million ids take 80 MB, and no more while they are sorted
        return int(np.count_nonzero(hashes[1:] == hashes[:-1]))
