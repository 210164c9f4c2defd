"""Durations and numbers with errors, in the words of progress lines, tables and prose."""

from math import floor, isfinite, isnan, log10

SMALLEST = 1e-4
"""Smaller numbers are written with a power of ten."""

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def duration(seconds: float) -> str:
    """Return a duration in words: `8 s`, `1 min 5 s`, `2 h 10 min` or `more than a year`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_of_hour = divmod(minutes, 60)
    if hours > 24 * 365:
        return "more than a year"
    if hours:
        return f"{hours} h {minutes_of_hour} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 seed`, `3 seeds`."""
    return f"{number} {noun}" + "s" * (number != 1)


def percent(share: float) -> str:
    """Return a share as percent, `47 %`, with two significant digits below ten percent."""
    digits = ".0f" if abs(share) >= 0.0995 else ".2g"
    return f"{100 * share:{digits}} %".replace("-", "−")


def format_with_error(mean: float, sem: float) -> str:
    """Return `0.0216 ± 0.0006`: to the second digit of the error, at least two decimals.

    Numbers that are zero up to rounding are `0`, tiny ones have a power of ten, and a single value,
    which has no error, says so.
    """
    size = max(abs(mean), sem)  # the mean alone where the error is NaN
    if not isfinite(mean) or size < 1e-12:  # rounding alone
        return format_number(mean)
    if isnan(sem):
        return f"{format_number(mean)} (one value)"
    if sem <= 1e-9 * abs(mean):  # constant up to rounding
        return f"{format_number(mean)} ± 0"
    if size < SMALLEST:
        power = floor(log10(size))
        numbers = format_with_error(mean / 10.0**power, sem / 10.0**power)
        return f"({numbers}) × 10{str(power).translate(SUPERSCRIPTS)}"
    decimals = decimals_for(sem)
    return f"{round(mean, decimals) + 0.0:.{decimals}f} ± {sem:.{decimals}f}"


def format_number(value: float) -> str:
    """Return a number with three significant digits; whole numbers with all of theirs."""
    if not isfinite(value):
        return "undetermined" if isnan(value) else "infinite"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) < 1e-12:
        return "0"
    if abs(value) < SMALLEST:
        power = floor(log10(abs(value)))
        return f"{value / 10.0**power:.2f} × 10{str(power).translate(SUPERSCRIPTS)}"
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.{max(2 - floor(log10(abs(rounded))), 0)}f}"


def decimals_for(error: float) -> int:
    """Return how many decimals show the second digit of an error: at least 2, at most 12."""
    return min(max(1 - floor(log10(error)), 2), 12) if error > 0 else 4
