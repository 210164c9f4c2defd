"""A Sphinx extension that keeps pages from asking other hosts: Thebe, which nobody here uses, is taken off them."""

from typing import Any


def setup(app: Any) -> dict[str, bool]:
    app.connect("html-page-context", without_thebe, priority=900)  # after those that put it there
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def without_thebe(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Drop scripts that name Thebe from a page."""
    context["script_files"] = [
        script
        for script in context["script_files"]
        if "thebe" not in f"{getattr(script, 'filename', script)}{getattr(script, 'attributes', '')}".lower()
    ]
