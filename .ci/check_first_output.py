"""Checks what the README's first command wrote: rows, columns and offsets, for the example forum."""

import csv
import json
import sys
from pathlib import Path

with Path(sys.argv[1]).open(encoding="utf-8", newline="") as file:
    rows = list(csv.DictReader(file))
with Path("corpora/examples/forum.csv").open(encoding="utf-8", newline="") as file:
    posts = {post["post_id"]: post for post in csv.DictReader(file)}

assert len(rows) == 59, f"{len(rows)} rows"
checked = 0
for row in rows:
    post = posts[row["post_id"]]
    text = "\n\n".join(part for part in (post["title"], post["body"]) if part)
    felt = set(filter(None, row["felt"].split(";")))
    assert felt == {name.removeprefix("stance_") for name, cell in row.items() if cell == "felt"}, row["post_id"]
    evidence = json.loads(row["evidence"])
    assert set(evidence) == felt, row["post_id"]
    for spans in evidence.values():
        for start, end in spans:
            assert 0 <= start < end <= len(text) and text[start:end].strip(), row["post_id"]
            checked += 1
assert checked > 0, "no evidence anywhere"
print(f"{len(rows)} rows and {checked} evidence spans are sound")
