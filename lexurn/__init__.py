"""Lexurn: what small autoregressive models learn from data whose generator is known.

Nothing heavy is imported here. Start from `lexurn.runs` (train or load one model), `lexurn.tasks` (generators),
`lexurn.predictors` (exact references), `lexurn.models` and `lexurn.divergences`.
"""

__version__ = "0.1.0"
