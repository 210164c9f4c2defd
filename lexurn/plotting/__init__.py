"""Pictures of tables. Each function takes a DataFrame and Axes, draws, and returns the Axes; nothing is computed here.

    style            colours, styles, panels and keys, which all pictures share
    distances        losses, distances and weights of models and of exact predictors
    over_urns        many training urns: a point for each, and their mean
    balls_and_urns   urns, the balls that are drawn from them, and predictions along them
    coins            what a model says of coins, and what is found inside of it
    rules            how often models keep one rule where a prompt has broken the other
    architectures    backbones side by side: what each owes to the past, and seeds with their means
    geometry         the vectors of tokens beside each other, and layers of two models
    strategies       the map of task diversities and steps, and what models are made of along it
    claims           our figures beside those that were published

Colours are those of Okabe & Ito, told apart by colour-blind readers; every line also has a style of its own, for print.
"""

from lexurn.plotting.architectures import influence, seeds_and_means
from lexurn.plotting.balls_and_urns import ball_colors, balls, entropies, predictions, predictions_after, simplex, urns
from lexurn.plotting.claims import bands
from lexurn.plotting.coins import against_share, agreement, bounds, cumulative, curves, estimates, over_theta, plane
from lexurn.plotting.distances import (
    discrimination,
    distances_along,
    distances_along_training,
    distances_by_context,
    distances_by_kind,
    distances_by_row,
    losses,
    mixtures,
    relative_distances,
    training,
)
from lexurn.plotting.geometry import layers_alike, over_depth, similarities
from lexurn.plotting.over_urns import against_entropy, by_setting, scores, shares, weights_along_training
from lexurn.plotting.rules import extrapolation
from lexurn.plotting.strategies import compositions, diversity_map
from lexurn.plotting.style import (
    COLORS,
    GREYS,
    HATCHES,
    MARKERS,
    NAMES,
    STYLES,
    ends,
    legend,
    log_steps,
    name_lowest,
    panels,
)

__all__ = [
    "COLORS",
    "GREYS",
    "HATCHES",
    "MARKERS",
    "NAMES",
    "STYLES",
    "against_entropy",
    "against_share",
    "agreement",
    "ball_colors",
    "balls",
    "bands",
    "bounds",
    "by_setting",
    "compositions",
    "cumulative",
    "curves",
    "discrimination",
    "diversity_map",
    "distances_along",
    "distances_along_training",
    "distances_by_context",
    "distances_by_kind",
    "distances_by_row",
    "ends",
    "entropies",
    "influence",
    "estimates",
    "extrapolation",
    "layers_alike",
    "legend",
    "log_steps",
    "losses",
    "mixtures",
    "name_lowest",
    "over_theta",
    "over_depth",
    "panels",
    "plane",
    "predictions",
    "predictions_after",
    "relative_distances",
    "scores",
    "seeds_and_means",
    "shares",
    "similarities",
    "simplex",
    "training",
    "urns",
    "weights_along_training",
]
