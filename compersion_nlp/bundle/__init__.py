"""Bundles: a folder with a manifest, the weights of one scorer, and how its labels are decided.

``manifest`` says what a manifest holds, ``folder`` reads and writes one bundle, and ``store`` keeps bundles by name.
"""

from compersion_nlp.bundle.folder import Bundle, open_bundle, verify_bundle, write_bundle
from compersion_nlp.bundle.manifest import FORMAT, CorpusUse, FileDigest, Manifest
from compersion_nlp.bundle.store import (
    Listed,
    Verified,
    add_bundle,
    find_bundle,
    list_bundles,
    load_bundle,
    pin_bundle,
    promote,
    user_store,
    verify,
)

__all__ = [
    "FORMAT",
    "Bundle",
    "CorpusUse",
    "FileDigest",
    "Listed",
    "Manifest",
    "Verified",
    "add_bundle",
    "find_bundle",
    "list_bundles",
    "load_bundle",
    "open_bundle",
    "pin_bundle",
    "promote",
    "user_store",
    "verify",
    "verify_bundle",
    "write_bundle",
]
