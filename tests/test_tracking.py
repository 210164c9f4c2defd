"""Metrics go where they are sent, and are there as soon as they are logged."""

import json

import pytest

from lexurn.runs import tracking
from lexurn.runs.tracking import Files, duration


def test_json_lines_are_flushed_one_by_one(tmp_path):
    tracker = Files(tmp_path)
    tracker.log({"loss": 1.5}, 0)
    tracker.log({"loss": 0.5}, 10)
    lines = (tmp_path / "metrics.jsonl").read_text().split("\n")  # before it is closed
    assert [json.loads(line) for line in lines if line] == [
        {"step": 0, "loss": 1.5},
        {"step": 10, "loss": 0.5},
    ]
    tracker.finish()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (65.0, "1 min 5 s"), (7800.0, "2 h 10 min")]
)
def test_durations_are_told_in_words(seconds, text):
    assert duration(seconds) == text


def test_the_time_left_is_that_of_the_steps_to_come(monkeypatch):
    """Also in a training that goes on from a late step."""
    now = iter([0.0, 100.0, 130.0, 0.0, 5.0, 35.0])
    monkeypatch.setattr(tracking.time, "monotonic", lambda: next(now))
    for first, second in ((0, 10), (5010, 5020)):
        clock = tracking.Clock(second + 20)
        assert clock.left(first) == "estimating" and clock.left(second) == "about 1 min 0 s left"
