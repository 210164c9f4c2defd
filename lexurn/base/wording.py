"""Durations and numbers with errors, in the words of progress lines, tables and prose."""

from math import floor, inf, isnan, log10


def duration(seconds: float) -> str:
    """Return a duration in words: `8 s`, `1 min 5 s` or `2 h 10 min`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_of_hour = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes_of_hour} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def format_with_error(mean: float, sem: float) -> str:
    """Return `0.0216 ± 0.0006`: to the second digit of the error, at least two decimals."""
    if isnan(mean):
        return "undetermined"
    if mean == inf:
        return "infinite"
    if max(abs(mean), sem) < 1e-12:  # rounding alone
        return "0 ± 0"
    if not sem > 1e-9 * abs(mean):  # constant up to rounding, or NaN for a single sequence
        return f"{mean:.4g} ± {'?' if isnan(sem) else 0}"
    decimals = decimals_for(sem)
    return f"{mean:.{decimals}f} ± {sem:.{decimals}f}"


def decimals_for(error: float) -> int:
    """Return how many decimals show the second digit of an error: at least 2, at most 12."""
    return min(max(1 - floor(log10(error)), 2), 12) if error > 0 else 4
