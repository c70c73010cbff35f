"""Front matter: the block of YAML between ``---`` lines that an entry may begin with."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import yaml

_LONGEST = 2**16  # what is longer is no front matter, and costs PyYAML seconds
_BLOCK = re.compile(r"---[ \t]*\r?\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)


class _PlainLoader(yaml.BaseLoader):
    """Reads every scalar as text, and refuses the references that let a short block grow without end."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if getattr(self.peek_event(), "anchor", None) is not None:  # type: ignore[no-untyped-call]
            raise yaml.YAMLError("anchors and aliases are not allowed")
        return super().compose_node(parent, index)


def split_front_matter(text: str) -> tuple[dict[str, Any], str]:
    """Returns the front matter, all scalars as strings, and the text after it.

    Values may be lists (of tags, say) or mappings. A block that is no mapping, is not sound YAML, or
    has anchors or aliases, is no front matter: it stays in the text.
    """
    block = _BLOCK.match(text, 0, _LONGEST)
    matter = _load(block[1]) if block is not None else None
    if block is None or matter is None:
        return {}, text
    return matter, text[block.end() :].lstrip("\r\n")


def _load(block: str) -> dict[str, Any] | None:
    try:
        matter = yaml.load(block, _PlainLoader)
        msgspec.json.encode(matter)  # lone surrogates, which YAML can escape, are refused here
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        return None
    if not isinstance(matter, dict) or not all(isinstance(key, str) for key in matter):
        return None
    return matter
