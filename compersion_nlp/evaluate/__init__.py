"""How well a bundle reads: metrics with intervals, slices, paired comparison, and behavioural tests."""

from compersion_nlp.evaluate.behaviour import Behaviour, Tests, read_behaviour, run_behaviour
from compersion_nlp.evaluate.comparison import Comparison, Difference, compare
from compersion_nlp.evaluate.evaluation import Evaluation, Row, evaluate
from compersion_nlp.evaluate.explanations import Explanations, Marked, find_marks, judge_explanations
from compersion_nlp.evaluate.predictions import Predictions, make_predictions, predict, seen_in_training, stance_places
from compersion_nlp.evaluate.render import Result, notes, tables, to_json, to_markdown
from compersion_nlp.evaluate.resampling import Interval
from compersion_nlp.evaluate.table import Table, markdown_table

__all__ = [
    "Behaviour",
    "Comparison",
    "Difference",
    "Evaluation",
    "Explanations",
    "Interval",
    "Marked",
    "Predictions",
    "Result",
    "Row",
    "Table",
    "Tests",
    "compare",
    "evaluate",
    "find_marks",
    "judge_explanations",
    "make_predictions",
    "markdown_table",
    "notes",
    "predict",
    "read_behaviour",
    "run_behaviour",
    "seen_in_training",
    "stance_places",
    "tables",
    "to_json",
    "to_markdown",
]
