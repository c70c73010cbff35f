import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compersion_nlp.decision import IDENTITY, Decision, LabelDecision, cross_fit, fit_decision
from compersion_nlp.errors import BadConfig


def noisy(n, slope=1.0, intercept=0.0, seed=0):
    """Logits, and gold drawn with the probability ``sigmoid(slope * logit + intercept)``."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, 1)).astype(np.float32)
    gold = rng.random((n, 1)) < 1 / (1 + np.exp(-(slope * logits + intercept)))
    return logits, gold.astype(np.float32)


def f1(decided, gold):
    return 2 * (decided & gold).sum() / (decided.sum() + gold.sum())


def test_the_fit_finds_the_slope_and_intercept_that_made_the_labels():
    fitted = fit_decision(["joy"], *noisy(20_000, slope=0.5, intercept=-1.0)).by_label["joy"]
    assert fitted.slope == pytest.approx(0.5, abs=0.03)
    assert fitted.intercept == pytest.approx(-1.0, abs=0.05)
    assert not fitted.provisional


def test_the_fit_agrees_with_scikit_learns_platt_scaling():
    from sklearn.calibration import _SigmoidCalibration

    logits, gold = noisy(500, slope=0.7, intercept=-1.5)
    theirs = _SigmoidCalibration().fit(logits[:, 0].astype(np.float64), gold[:, 0])
    ours = fit_decision(["joy"], logits, gold).by_label["joy"]
    assert (ours.slope, ours.intercept) == pytest.approx((-theirs.a_, -theirs.b_), abs=1e-3)


@pytest.mark.parametrize(("scale", "shift"), [(1000.0, 0.0), (0.001, 0.0), (1.0, 500.0)])
def test_the_scale_of_the_logits_does_not_matter(scale, shift):
    logits, gold = noisy(400)
    plain = fit_decision(["joy"], logits, gold)
    moved = fit_decision(["joy"], logits * scale + shift, gold)
    expected = plain.probabilities(logits)
    assert moved.probabilities(logits * scale + shift) == pytest.approx(expected, abs=5e-3)


def test_perfectly_separated_labels_give_finite_numbers_and_no_certainty():
    logits = np.repeat([[3.0], [-3.0]], 30, axis=0)
    fitted = fit_decision(["joy"], logits, (logits > 0).astype(float))
    high, low = fitted.probabilities(np.array([[3.0], [-3.0]]))[:, 0]
    assert high == pytest.approx(31 / 32, abs=1e-3)  # Platt's target for 30 positives
    assert low == pytest.approx(1 / 32, abs=1e-3)


def test_calibration_never_turns_a_scorers_order_around():
    logits, gold = noisy(400, slope=-1.0)
    assert fit_decision(["joy"], logits, gold).by_label["joy"].slope > 0


def test_the_threshold_has_the_best_f1_that_any_threshold_has():
    logits, gold = noisy(300, intercept=-1.5)
    fitted = fit_decision(["joy"], logits, gold)
    probabilities = fitted.probabilities(logits)
    best = max(f1(probabilities >= cut, gold > 0) for cut in np.unique(probabilities)[1:])
    assert f1(fitted.decide(probabilities), gold > 0) == pytest.approx(best)


def test_of_equally_good_thresholds_the_one_nearest_to_a_half_wins():
    logits = np.concatenate([np.full((30, 1), 4.0), np.full((30, 1), -4.0)])
    assert fit_decision(["joy"], logits, (logits > 0).astype(float)).by_label["joy"].threshold == pytest.approx(0.5)


def test_a_threshold_lies_between_two_probabilities_that_were_seen():
    logits, gold = noisy(200)
    fitted = fit_decision(["joy"], logits, gold)
    probabilities = fitted.probabilities(logits)
    assert probabilities.min() < fitted.by_label["joy"].threshold < probabilities.max()
    assert fitted.decide(probabilities).any()


def test_a_rare_label_takes_the_pooled_numbers_and_is_provisional():
    logits, gold = noisy(400)
    rare = np.zeros_like(gold)
    rare[:19] = 1
    fitted = fit_decision(["joy", "envy"], np.hstack([logits, logits]), np.hstack([gold, rare])).by_label
    pooled = fit_decision(["joy"], np.vstack([logits, logits]), np.vstack([gold, rare])).by_label["joy"]
    envy = fitted["envy"]
    assert (envy.slope, envy.intercept) == pytest.approx((pooled.slope, pooled.intercept))
    assert envy.threshold == pytest.approx(pooled.threshold)
    assert (envy.positives, envy.provisional) == (19, True)
    assert not fitted["joy"].provisional


def test_twenty_positives_are_enough():
    logits, _ = noisy(400)
    gold = (logits >= np.sort(logits, axis=0)[-20]).astype(float)
    fitted = fit_decision(["joy"], logits, gold).by_label["joy"]
    assert (fitted.positives, fitted.provisional) == (20, False)


def test_unknown_gold_is_left_out():
    logits, gold = noisy(300)
    padded = np.vstack([logits, np.full((100, 1), 9.0)])
    unknown = np.vstack([gold, np.full((100, 1), np.nan)])
    assert fit_decision(["joy"], padded, unknown) == fit_decision(["joy"], logits, gold)


def test_a_label_without_any_known_gold_is_provisional():
    logits, gold = noisy(300)
    both = np.hstack([gold, np.full_like(gold, np.nan)])
    fitted = fit_decision(["joy", "envy"], np.hstack([logits, logits]), both).by_label
    assert fitted["envy"].provisional
    assert fitted["envy"].positives == 0
    assert fitted["envy"].slope == fitted["joy"].slope


@pytest.mark.parametrize(
    ("logits", "gold"),
    [
        (np.zeros((0, 1)), np.zeros((0, 1))),
        (np.ones((50, 1)), np.repeat([[0.0], [1.0]], 25, axis=0)),
        (np.arange(50.0).reshape(-1, 1), np.zeros((50, 1))),
        (np.arange(50.0).reshape(-1, 1), np.ones((50, 1))),
        (np.arange(50.0).reshape(-1, 1), np.full((50, 1), np.nan)),
    ],
    ids=["no rows", "constant logits", "no positives", "no negatives", "nothing known"],
)
def test_where_there_is_nothing_to_fit_the_numbers_are_the_identity(logits, gold):
    fitted = fit_decision(["joy"], logits, gold).by_label["joy"]
    assert (fitted.slope, fitted.intercept, fitted.threshold, fitted.provisional) == (1.0, 0.0, 0.5, True)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(BadConfig, match=r"2 labels got logits of shape \(3, 2\) and gold of shape \(4, 2\)"):
        fit_decision(["joy", "envy"], np.zeros((3, 2)), np.zeros((4, 2)))


def test_every_column_has_its_own_numbers():
    decision = Decision(
        {"joy": LabelDecision(2.0, 0.0, 0.9, 30, False), "envy": LabelDecision(1.0, -1.0, 0.2, 30, False)}
    )
    probabilities = decision.probabilities(np.array([[1.0, 0.0]], dtype=np.float32))
    assert decision.labels == ("joy", "envy")
    assert probabilities == pytest.approx(np.array([[1 / (1 + np.exp(-2)), 1 / (1 + np.e)]]))
    assert decision.decide(probabilities).tolist() == [[False, True]]


def test_a_probability_at_the_threshold_is_felt():
    assert Decision({"joy": IDENTITY}).decide(np.array([[0.5]])).all()


def test_extreme_logits_neither_overflow_nor_leave_the_range():
    found = Decision.identity(["joy"]).probabilities(np.array([[-3e38], [3e38]], dtype=np.float32))
    assert found[:, 0].tolist() == [0.0, 1.0]


def test_an_empty_batch_has_the_right_shape():
    decision = Decision.identity(["joy", "envy"])
    assert decision.decide(decision.probabilities(np.zeros((0, 2), np.float32))).shape == (0, 2)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(-50, 50), st.sampled_from([0.0, 1.0, np.nan])), max_size=80))
def test_any_data_gives_numbers_that_a_manifest_can_hold(rows):
    logits = np.array([[logit] for logit, _ in rows]).reshape(-1, 1)
    gold = np.array([[mark] for _, mark in rows]).reshape(-1, 1)
    fitted = fit_decision(["joy"], logits, gold).by_label["joy"]
    assert np.isfinite([fitted.slope, fitted.intercept]).all()
    assert 0 <= fitted.threshold <= 1
    assert fitted.slope > 0


def test_cross_fitting_judges_no_row_by_its_own_group():
    logits, gold = noisy(200)
    groups = [f"g{row // 2}" for row in range(200)]
    crossed = cross_fit(["joy"], logits, gold, groups, folds=4, seed=3)
    flipped = gold.copy()
    flipped[:2] = 1 - flipped[:2]
    again = cross_fit(["joy"], logits, flipped, groups, folds=4, seed=3)
    assert np.array_equal(crossed.probabilities[:2], again.probabilities[:2])
    assert not np.array_equal(crossed.probabilities, again.probabilities)


def test_cross_fitting_covers_every_row_and_is_repeatable():
    logits, gold = noisy(200)
    groups = [str(row) for row in range(200)]
    first, second = (cross_fit(["joy"], logits, gold, groups, seed=1) for _ in range(2))
    assert (first.probabilities > 0).all()
    assert np.array_equal(first.probabilities, second.probabilities)
    assert np.array_equal(first.decided, second.decided)


def test_cross_fitting_takes_fewer_folds_where_there_are_fewer_groups():
    logits, gold = noisy(100)
    crossed = cross_fit(["joy"], logits, gold, ["a"] * 50 + ["b"] * 50)
    other = fit_decision(["joy"], logits[50:], gold[50:])
    assert crossed.probabilities[:50] == pytest.approx(other.probabilities(logits[:50]))


def test_cross_fitting_needs_two_groups():
    with pytest.raises(BadConfig, match="Cross-fitting got 1 group"):
        cross_fit(["joy"], *noisy(10), ["a"] * 10)


def test_thresholds_are_raised_until_few_passages_without_a_feeling_are_given_one():
    draw = np.random.default_rng(0)
    gold = (draw.random((400, 2)) < 0.3).astype(np.float32)
    logits = (draw.normal(size=(400, 2)) + 1.5 * gold).astype(np.float32)
    empty = ~(gold > 0).any(axis=1)

    def alarms(decision):
        return decision.decide(decision.probabilities(logits))[empty].any(axis=1).mean()

    free = fit_decision(("joy", "fear"), logits, gold)
    bound = fit_decision(("joy", "fear"), logits, gold, most_false_alarms=0.05)
    assert alarms(free) > 0.05 >= alarms(bound) > 0.03
    raises = [
        np.log(b.threshold / (1 - b.threshold)) - np.log(a.threshold / (1 - a.threshold))
        for a, b in zip(free.by_label.values(), bound.by_label.values(), strict=True)
    ]
    assert raises[0] == pytest.approx(raises[1], abs=1e-6)


def test_a_bound_that_holds_already_changes_nothing():
    logits = np.array([[3.0], [-3.0]] * 40, np.float32)
    gold = (logits > 0).astype(np.float32)
    assert fit_decision(("joy",), logits, gold, most_false_alarms=0.5) == fit_decision(("joy",), logits, gold)
