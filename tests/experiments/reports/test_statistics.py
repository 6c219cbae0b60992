"""What a run scores, and whether two methods differ."""

import numpy as np
import pytest
import scipy.stats

from experiments.reports.statistics import Difference, best, last


def record(*epochs):
    return {"epochs": [{"scores": scores} for scores in epochs]}


def head(accuracy, macro_f1=0.0):
    return {"accuracy": accuracy, "macro_f1": macro_f1}


def test_last_is_the_last_epoch_and_best_the_one_of_the_best_joint_accuracy():
    run = record(
        {"joint": head(0.5), "gray": head(0.9)},
        {"joint": head(0.7), "gray": head(0.2)},
        {"joint": head(0.6), "gray": head(0.8)},
    )
    assert last(run)["joint"]["accuracy"] == 0.6
    assert best(run) == {"joint": head(0.7), "gray": head(0.2)}


def test_without_a_joint_head_the_mean_over_the_tasks_is_best():
    run = record(
        {"left": head(0.9), "right": head(0.1)},
        {"left": head(0.7), "right": head(0.6)},
        {"left": head(0.8), "right": head(0.3)},
    )
    assert best(run)["left"]["accuracy"] == 0.7
    scenes = record(
        {"segmentation": {"mean_iou": 0.2}, "depth": {"absolute_error": 1.0}},
        {"segmentation": {"mean_iou": 0.3}, "depth": {"absolute_error": 2.0}},
    )
    assert best(scenes)["depth"]["absolute_error"] == 2.0


@pytest.mark.parametrize("count", [2, 5, 30])
def test_a_difference_is_that_of_the_paired_t_test(count):
    rng = np.random.default_rng(count)
    ours, theirs = rng.normal(0.1, 1, count), rng.normal(0, 1, count)
    found = Difference.over(list(ours), list(theirs))
    interval = scipy.stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    assert found.mean - found.margin == pytest.approx(interval.low)
    assert found.mean + found.margin == pytest.approx(interval.high)
    significant = scipy.stats.ttest_rel(ours, theirs).pvalue < 0.05
    assert (found.sign != 0) == significant


def test_one_pair_tells_nothing_apart():
    assert Difference.over([3.0], [1.0]).sign == 0
