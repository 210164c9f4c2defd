"""Time left: right from the first finished training on, whatever came before it."""

import heapq
import itertools
from types import SimpleNamespace

import pytest

from lexurn.runs.tracking.clock import Clock, makespan


@pytest.fixture
def at(monkeypatch):
    """The time that clocks read, which a test moves."""
    time = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr("time.monotonic", lambda: time.seconds)
    return time


def seconds_left(text):
    """Return the number of seconds that a text names; None while it is estimating."""
    words = text.split()
    if words[0] != "about":
        return 0.0 if text == "almost done" else None
    units = {"s": 1, "min": 60, "h": 3600}
    return sum(int(n) * units[unit] for n, unit in zip(words[1:-1:2], words[2:-1:2], strict=True))


@pytest.mark.parametrize("first", [0, 5000])
def test_the_remaining_time_counts_the_remaining_steps(at, first):
    """Also when a training goes on from a late step."""
    n_steps = first + 30
    clock = Clock([float(n_steps)])
    assert clock.remaining([first / n_steps]) == "estimating"
    at.seconds += 30.0
    assert clock.remaining([(first + 10) / n_steps]) == "about 1 min 0 s left"


def test_a_slow_start_and_an_old_pause_do_not_count(at):
    """The mean speed since the start, which is the negative control, would be wrong."""
    clock = Clock([100.0])
    for step in range(61):
        text = clock.remaining([step / 100])
        at.seconds += 100.0 if step == 0 else 1.0
    assert text == "about 40 s left"
    assert at.seconds / 60 * 40 > 2 * 40


def simulate(at, costs, works, n_processes, start_up=4.0):
    """Return (time left, estimate) at every second of a grid that is trained in turn."""
    free = [start_up] * n_processes
    spans = []
    for cost in costs:
        start = heapq.heappop(free)
        spans.append((start, start + cost))
        heapq.heappush(free, start + cost)
    total = max(end for _, end in spans)
    clock = Clock(works, n_processes=n_processes)
    estimates = []
    for now in range(int(start_up), int(total)):
        at.seconds = float(now)
        shares = [min(max((now - start) / (end - start), 0.0), 1.0) for start, end in spans]
        text = clock.remaining(shares)
        estimates.append((total - now, seconds_left(text), shares))
    return estimates


COSTS = [60.0, 20.0, 10.0, 40.0, 15.0, 90.0, 20.0]


@pytest.mark.parametrize("n_processes", [1, 2, 3])
def test_trainings_of_unequal_cost_are_estimated_within_a_fifth(at, n_processes):
    """`work` is twice as much as the seconds: only ratios matter."""
    estimates = simulate(at, COSTS, [2 * cost for cost in COSTS], n_processes)
    assert estimates[0][1] is None
    for left, estimate, _ in estimates[3:]:
        assert estimate == pytest.approx(left, rel=0.2, abs=3.0)


def test_counting_trainings_as_equal_is_the_negative_control(at):
    """A mean time per finished training is wrong by more than a factor of two."""
    errors = [
        max(estimate / left, left / estimate)
        for left, estimate, shares in simulate(at, COSTS, [1.0] * len(COSTS), 2)
        if estimate and left > 10 and max(shares) == 1.0
    ]
    assert max(errors) > 2


def test_a_first_guess_holds_until_work_is_measured(at):
    clock = Clock([60.0, 60.0], n_processes=2, speed=1.0)
    assert clock.remaining([0.0, 0.0]) == "about 1 min 0 s left"
    at.seconds += 10.0
    assert clock.remaining([0.05, 0.05]) == "about 3 min 10 s left"


def test_the_end_is_not_told_in_minutes(at):
    clock = Clock([100.0])
    texts = []
    for step in range(101):
        texts.append(clock.remaining([step / 100]))
        at.seconds += 1.0
    assert texts[-1] == "almost done"
    assert all(left <= 12 for left in map(seconds_left, texts[-12:]))


def test_the_last_process_ends_as_if_each_took_the_next_training():
    for works in itertools.permutations([3.0, 1.0, 2.0]):
        ends = [works[0], works[1]]
        ends[ends.index(min(ends))] += works[2]
        assert makespan(works, 2) == max(ends)
    assert makespan([], 2) == 0.0
