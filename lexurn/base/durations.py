"""Durations in words."""


def duration(seconds: float) -> str:
    """Return a duration in words: `8 s`, `1 min 5 s` or `2 h 10 min`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_of_hour = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes_of_hour} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
