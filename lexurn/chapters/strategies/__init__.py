"""Which strategy does training select? Wurgaft et al. 2025 (arXiv 2506.17859), also for lexical
models.

account       the theory: weights of strategies follow from their losses and complexities
maps          the data: where models lie between strategies at every checkpoint
transitions   what a map shows without a fit
fitting       the fit of the theory to a map, and the uncertainty of its parameters
judging       how good a fitted account is, on held-out cells and on simulated maps
lateness      by which factor fits are late for more urns than were fitted
lexical       which fit predicts lexical models
names         names and alphabets as fewer effective steps, or as more complexity
cached        the fits of a chapter, kept as cached tables
live          what the explorable of the map shows
"""

from lexurn.chapters.strategies.account import (
    COMPRESSORS,
    STRATEGIES,
    Account,
    complexity,
    compressed_bits,
    losses,
    source_bits,
)
from lexurn.chapters.strategies.cached import (
    ablation_table,
    cached_baseline,
    cached_fit,
    cached_three,
    simulation_table,
)
from lexurn.chapters.strategies.fitting import (
    FITTED_SHARE,
    MIN_CHECKPOINTS,
    MIN_DIVERSITIES,
    Baseline,
    Fit,
    FitError,
    fit,
    fit_baseline,
    fit_three,
    refit_resampled,
    split_cells,
)
from lexurn.chapters.strategies.judging import (
    ablations,
    adjusted_p_values,
    compositions,
    excess_by_step,
    fit_simulated_map,
    memorizer_weights,
    misplaced_weight,
    share_correlation,
)
from lexurn.chapters.strategies.lateness import lateness
from lexurn.chapters.strategies.lexical import lexical_scores
from lexurn.chapters.strategies.maps import (
    LOG_ODDS,
    Curves,
    build_map,
    measure_cell,
    mixture_curves,
    read_curves,
    run_cells,
    simulate_curves,
)
from lexurn.chapters.strategies.names import WAYS, fit_names, log_odds_with_names
from lexurn.chapters.strategies.transitions import (
    crossings,
    delays,
    dips,
    first_settled_step,
    late_changes,
    mean_crossings,
    settled_cells,
    slopes,
)

__all__ = [
    "COMPRESSORS",
    "FITTED_SHARE",
    "LOG_ODDS",
    "MIN_CHECKPOINTS",
    "MIN_DIVERSITIES",
    "STRATEGIES",
    "WAYS",
    "Account",
    "Baseline",
    "Curves",
    "Fit",
    "FitError",
    "ablation_table",
    "ablations",
    "adjusted_p_values",
    "build_map",
    "cached_baseline",
    "cached_fit",
    "cached_three",
    "complexity",
    "compositions",
    "compressed_bits",
    "crossings",
    "delays",
    "dips",
    "excess_by_step",
    "first_settled_step",
    "fit",
    "fit_baseline",
    "fit_names",
    "fit_simulated_map",
    "fit_three",
    "late_changes",
    "lateness",
    "lexical_scores",
    "log_odds_with_names",
    "losses",
    "mean_crossings",
    "measure_cell",
    "memorizer_weights",
    "misplaced_weight",
    "mixture_curves",
    "read_curves",
    "refit_resampled",
    "run_cells",
    "settled_cells",
    "share_correlation",
    "simulate_curves",
    "simulation_table",
    "slopes",
    "source_bits",
    "split_cells",
]
