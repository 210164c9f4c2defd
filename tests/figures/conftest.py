"""Pages that hold one explorable, opened as files."""

import pytest
from browsers import watch


@pytest.fixture
def open_page(browser, tmp_path):
    """A function that opens a page with an output as a file; no page may have an error."""
    contexts = []

    def open_output(output, theme="light", **options):
        colors = {"light": "#FFFFFF; color: #222832", "dark": "#14181E; color: #CED6DD"}[theme]
        path = tmp_path / "page.html"
        path.write_text(
            f'<!doctype html><html lang="en" data-theme="{theme}"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width"><title>Page</title>'
            f'<body style="background: {colors}"><main><h1>Page</h1>{output["text/html"]}'
        )
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        watched.append(watch(page))
        page.goto(path.as_uri())
        return page

    watched = []
    yield open_output
    for context in contexts:
        context.close()
    for requests, errors in watched:
        assert errors == []
        assert all(url.startswith(("file:", "data:")) for url in requests)
