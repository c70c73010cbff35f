"""How well a bundle reads a corpus: metrics with intervals, slices, and paired comparison."""

from compersion_nlp.evaluate.comparison import Comparison, Difference, compare
from compersion_nlp.evaluate.evaluation import Evaluation, Row, evaluate
from compersion_nlp.evaluate.predictions import Predictions, make_predictions, predict, seen_in_training, stance_places
from compersion_nlp.evaluate.render import Table, markdown_table, notes, tables, to_json, to_markdown
from compersion_nlp.evaluate.resampling import Interval

__all__ = [
    "Comparison",
    "Difference",
    "Evaluation",
    "Interval",
    "Predictions",
    "Row",
    "Table",
    "compare",
    "evaluate",
    "make_predictions",
    "markdown_table",
    "notes",
    "predict",
    "seen_in_training",
    "stance_places",
    "tables",
    "to_json",
    "to_markdown",
]
