"""Tables of urns and of sequences."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike


def from_matrix(values: ArrayLike) -> pd.DataFrame:
    """Return a matrix as a table, with its columns named "0", "1" and so on."""
    return pd.DataFrame(np.asarray(values)).rename(columns=str)
