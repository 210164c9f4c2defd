"""The code blocks of a page."""

import re


def python_blocks(text):
    """Return the Python code blocks of a text, in their order."""
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)
