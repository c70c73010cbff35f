"""Rows written through a sink: what the tests of outputs share."""

from compersion_nlp.records import Passage
from compersion_nlp.sinks import WriteOptions, open_sink
from compersion_nlp.sources import ColumnKinds

ROW = {"felt": ["joy"], "probabilities": {"joy": 0.75}, "provisional": [], "model": "base@1.0"}
FORMATS = ["a.csv", "a.tsv", "a.jsonl", "a.parquet", "a.sqlite", "a.csv.gz", "a.jsonl.zst"]


def write(path, rows, explained=False, **options):
    kinds = ColumnKinds()
    for row in rows:
        kinds.observe(row)
    with open_sink(path, kinds.kinds(), ["joy"], explained, WriteOptions(**options)) as sink:
        for row in rows:
            sink.write(Passage(str(row.get("text")), columns=row), ROW)
    return sink
