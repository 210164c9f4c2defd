"""Which strategy does training select? Wurgaft et al. 2025 (arXiv 2506.17859), refitted here, and for lexical models.

account   the theory: weights of strategies from how well they predict and how complex they are
maps      the data: where models stand between strategies, at every kept step of their trainings
fitting   theory to data: parameters, what they are worth on what was held out, and how sure they are
"""

from lexurn.chapters.strategies.account import (
    COMPRESSORS,
    STRATEGIES,
    Account,
    bits,
    complexity,
    losses,
)
from lexurn.chapters.strategies.fitting import (
    FEWEST_CHECKPOINTS,
    FEWEST_D,
    SHARE,
    Baseline,
    Fit,
    FitError,
    fit,
    fit_baseline,
    fit_three,
    parts,
    resampled,
)
from lexurn.chapters.strategies.judging import (
    ablations,
    compositions,
    misplaced,
    scored,
    trial,
    weights,
)
from lexurn.chapters.strategies.maps import (
    LOG_ODDS,
    Curves,
    along,
    cell,
    curves,
    curves_of,
    followed,
    made_by,
)
from lexurn.chapters.strategies.transitions import crossings, dips, half_way, settled, slopes

__all__ = [
    "COMPRESSORS",
    "FEWEST_CHECKPOINTS",
    "FEWEST_D",
    "LOG_ODDS",
    "SHARE",
    "STRATEGIES",
    "Account",
    "Baseline",
    "Curves",
    "Fit",
    "FitError",
    "ablations",
    "along",
    "bits",
    "cell",
    "complexity",
    "compositions",
    "crossings",
    "curves",
    "curves_of",
    "dips",
    "fit",
    "fit_baseline",
    "fit_three",
    "followed",
    "half_way",
    "losses",
    "made_by",
    "misplaced",
    "parts",
    "slopes",
    "resampled",
    "scored",
    "settled",
    "trial",
    "weights",
]
