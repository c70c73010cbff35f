"""The kinds of columns, over rows and over runs."""

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest

from compersion_nlp.errors import BadConfig
from compersion_nlp.sources import ColumnKinds, Kind


def kinds_of(*values):
    kinds = ColumnKinds()
    for value in values:
        kinds.observe({"a": value})
    return kinds


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([], None),
        ([None], Kind.NULL),
        ([True, None], Kind.BOOL),
        ([1, 2**63 - 1, -(2**63)], Kind.INT),
        ([2**63], Kind.STR),
        ([1, -(2**63) - 1], Kind.STR),
        ([1.5], Kind.FLOAT),
        ([1, 1.5], Kind.FLOAT),
        ([2**53, 1.5], Kind.FLOAT),
        ([2**53 + 1, 1.5], Kind.MIXED),
        ([2**63, 1.5], Kind.MIXED),
        (["a", None], Kind.STR),
        ([b"a"], Kind.BYTES),
        ([date(2024, 3, 9)], Kind.DATE),
        ([datetime(2024, 3, 9)], Kind.DATETIME),
        ([datetime(2024, 3, 9, tzinfo=UTC)], Kind.INSTANT),
        ([datetime(2024, 3, 9), date(2024, 3, 9)], Kind.MIXED),
        ([{"a": 1}, [1]], Kind.JSON),
        ([Decimal("1.5"), time(12)], Kind.STR),
        ([True, 1], Kind.MIXED),
        (["a", 1], Kind.MIXED),
        (["a", ["b"]], Kind.MIXED),
    ],
)
def test_one_kind_covers_all_values(values, kind):
    assert kinds_of(*values).kinds() == ({"a": kind} if kind else {})


def test_columns_keep_the_order_in_which_they_were_seen():
    kinds = ColumnKinds()
    kinds.observe({"b": 1})
    kinds.observe({"a": "x", "b": 2})
    assert kinds.kinds() == {"b": Kind.INT, "a": Kind.STR}
    assert list(kinds.kinds()) == ["b", "a"]


def test_merging_is_as_good_as_observing_together():
    kinds = kinds_of(1)
    other = kinds_of(2**53 + 1, 1.5)
    other.observe({"b": None})
    kinds.merge(other)
    assert kinds.kinds() == {"a": Kind.MIXED, "b": Kind.NULL}


def test_kinds_survive_json():
    kinds = kinds_of(1, 2**60, 2**70, None)
    kinds.observe({"b": "x"})
    again = ColumnKinds.from_json(json.loads(json.dumps(kinds.to_json())))
    assert again.kinds() == kinds.kinds()
    again.observe({"a": 0.5})
    assert again.kinds()["a"] == Kind.MIXED


def test_an_unknown_kind_is_refused():
    with pytest.raises(BadConfig, match="Column 'a' has unknown kinds: tensor"):
        ColumnKinds.from_json({"a": ["int", "tensor"]})
