"""The box at the top of a chapter, whose numbers are computed."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

from lexurn.base import session


def brief(
    *,
    question: str,
    done: str,
    found: Sequence[str],
    sure: str,
    change: str,
    numbers: Mapping[str, str] | None = None,
) -> Any:
    """Return a box that says what a chapter asks, does and finds, and how sure that is.

    The parts are plain sentences, `found` three to five of them, each with a computed number.
    `change` says what would change our mind. The landing page quotes `numbers` by their names:
    a chapter gives them only at the published scale, for which that page is written.
    """
    from IPython.display import HTML  # not above: only notebooks show boxes

    session.current().numbers.update(numbers or {})

    def paragraph(name: str, text: str) -> str:
        return f"<p><strong>{name}</strong> {html.escape(text, quote=False)}</p>"

    items = "".join(f"<li>{html.escape(text, quote=False)}</li>" for text in found)
    return HTML(
        '<div class="brief admonition"><p class="admonition-title">In brief</p>'
        + paragraph("Question.", question)
        + paragraph("What we do.", done)
        + f"<p><strong>What we find.</strong></p><ul>{items}</ul>"
        + paragraph("How sure.", sure)
        + paragraph("What would change our mind.", change)
        + "</div>"
    )
