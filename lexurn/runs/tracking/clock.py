"""Time left of one training, or of several that processes train side by side."""

import heapq
import time
from collections import deque
from collections.abc import Sequence

from lexurn.base.wording import duration


class Clock:
    """Estimate how long trainings still take that `n_processes` processes take up in turn.

    `work` says for each training how much there is to do, in any unit. The clock starts at the
    first call of `remaining`, and the speed is the speed of the later half of what was done since.
    So neither a slow start nor a pause long ago matters. `speed` is a first guess, if there is one:
    the work that one process does in a second.
    """

    def __init__(self, work: Sequence[float], *, n_processes: int = 1, speed: float | None = None):
        self.work = work
        self.n_processes = n_processes
        self.speed = speed
        self.process_seconds = 0.0
        self.done_before = 0.0
        self.last_call: float | None = None
        self.n_busy = 0
        self.marks: deque[tuple[float, float]] = deque()  # work done, process seconds until then

    def remaining(self, shares: Sequence[float]) -> str:
        """Return for example `about 1 min 5 s left`, or `estimating` while the speed is unknown.

        `shares` has the part of each training that is done, from 0 to 1.
        """
        now = time.monotonic()
        if self.last_call is not None:
            self.process_seconds += (now - self.last_call) * self.n_busy
        left = [work * (1 - share) for work, share in zip(self.work, shares, strict=True)]
        done = sum(self.work) - sum(left)
        self.last_call = now
        self.n_busy = min(self.n_processes, sum(work > 0 for work in left))
        if not self.marks:
            self.done_before = done
        if not self.marks or done > self.marks[-1][0]:
            self.marks.append((done, self.process_seconds))
        while len(self.marks) > 1 and self.marks[1][0] <= (self.done_before + done) / 2:
            self.marks.popleft()
        (first, start), (last, end) = self.marks[0], self.marks[-1]
        if end > start:
            self.speed = (last - first) / (end - start)
        if not self.speed:
            return "estimating"
        seconds = makespan(left, self.n_processes) / self.speed
        return f"about {duration(seconds)} left" if seconds >= 1 else "almost done"


def makespan(work: Sequence[float], n_processes: int) -> float:
    """Return when the last process ends, if each process takes the next piece of work in turn."""
    ends = [0.0] * n_processes
    for piece in work:
        heapq.heapreplace(ends, ends[0] + piece)
    return max(ends)
