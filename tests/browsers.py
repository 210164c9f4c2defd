"""Pages in a browser: what they ask for, which errors they have, what axe finds, and clicks."""

import shutil

import pytest

from lexurn.base import paths

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="needs chromium (apt-get install chromium)"
)

AXE = paths.root() / "tests" / "vendor" / "axe-core" / "axe.min.js"
SERIOUS = """axe.run({resultTypes: ["violations"], preload: false})
  .then(({violations}) => violations
  .filter(({impact}) => ["serious", "critical"].includes(impact))
  .map(({id, nodes}) => `${id}: ${nodes.length}, ${nodes[0].target} ${nodes[0].html.slice(0, 80)}`))
"""


def watch(page):
    """Return two lists that grow with the addresses a page asks for and with the errors it has."""
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on(
        "console", lambda message: errors.append(message.text) if message.type == "error" else None
    )
    page.on("pageerror", lambda error: errors.append(str(error)))
    return asked, errors


def press(page, name, times=1):
    """Click the button with this name."""
    button = page.get_by_role("button", name=name, exact=True)
    button.evaluate("(button, times) => { while (times--) button.click(); }", times)
