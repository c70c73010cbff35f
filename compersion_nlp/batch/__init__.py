"""Labels whole files: in chunks that survive a crash, into one output and an account of every row.

``reader`` is what an engine maps over chunks, ``ledger`` the work folder that says what is done,
``output`` joins input and readings, and ``run`` leads the job from one to the other.
"""

from __future__ import annotations

from compersion_nlp.batch.account import Account, account_path, read_account, rejected_path
from compersion_nlp.batch.job import CHUNK_SIZE, Identity, Job
from compersion_nlp.batch.progress import Progress
from compersion_nlp.batch.run import label

__all__ = [
    "CHUNK_SIZE",
    "Account",
    "Identity",
    "Job",
    "Progress",
    "account_path",
    "label",
    "read_account",
    "rejected_path",
]
