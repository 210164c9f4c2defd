"""Install what Colab lacks. A chapter's first cell imports this module; elsewhere it does nothing.

Colab has torch and most other packages, so pip adds only what is missing. An installation that was
cut off is done again: what pip has left in the clone does not count as installed.
"""

import importlib
import subprocess
import sys
from importlib import metadata

from lexurn.base.paths import LIBRARY

CLONE = str(LIBRARY.parent)
elsewhere = [path for path in sys.path if path != CLONE]
if "google.colab" in sys.modules and not any(metadata.distributions(name="lexurn", path=elsewhere)):
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "-e", CLONE], check=True)
    importlib.invalidate_caches()
