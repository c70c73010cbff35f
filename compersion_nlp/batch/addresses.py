"""Paths as users write them: which are this machine's, and what of the others may be written down."""

from __future__ import annotations

import re
from pathlib import Path

_PROTOCOL = re.compile(r"(?:[a-z][a-z0-9+.-]+::)*[a-z][a-z0-9+.-]+://", re.IGNORECASE)  # a drive has one letter
_LOCAL = re.compile(r"(?:file|local)://(?:/(?=[A-Za-z]:))?")  # and the slash before a drive
# A user and password, in which slashes are often left as they are. A number after the colon is a port,
# and a second colon begins what the path before it lies in.
_USER = re.compile(r"(?<=://)(?:[^/\s]*@|[^/@:\s]*:(?!:|\d+(?:/|$))[^@]*@)")
_CONTAINER = re.compile(r"(?:abfss?|az|wasbs?)://[^/@:]*@[^@]*", re.IGNORECASE)  # of Azure: no user
_SIGNATURE = re.compile(r"[?#][^?#]*=.*", re.DOTALL)


def is_remote(path: str | Path) -> bool:
    """Says whether ``path`` has a protocol, and one that is not this machine's own."""
    return isinstance(path, str) and _PROTOCOL.match(path) is not None and _LOCAL.match(path) is None


def local_path(path: str | Path) -> Path:
    """Returns a path of this machine, which may be given as ``file://``."""
    return Path(_LOCAL.sub("", path, count=1) if isinstance(path, str) and _LOCAL.match(path) else path)


def show_url(url: str) -> str:
    """Returns ``url`` without anything that may be a credential."""
    return _SIGNATURE.sub("", url if _CONTAINER.fullmatch(url) else _USER.sub("", url))


def address_part(url: str) -> str:
    """Returns the part of a chained address that names the file: ``zip://a.csv`` of ``zip://a.csv::s3://b/c.zip``."""
    return next(part for part in url.split("::") if "://" in part)
