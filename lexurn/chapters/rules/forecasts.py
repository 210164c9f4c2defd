"""What the forecasts on aNbN measure: one value per seed.

The claims `rules/<name>` in `params/claims.yaml` have the names of `forecast_values`.
"""

import pandas as pd

from lexurn.chapters.rules.decisions import describe_prefixes, explained
from lexurn.chapters.rules.programs import IMMEDIATE_EOS, agreement, program_outcomes


def forecast_values(
    by_prompt: pd.DataFrame,
    three_letters: pd.DataFrame,
    *,
    maps: pd.DataFrame,
    steered: pd.DataFrame,
    max_length: int,
) -> dict[str, pd.Series]:
    """Return the values of each forecast by seed.

    `by_prompt` and `three_letters` are the tables of `rates_by_prompt` of the grids
    `rules_positions` and `rules_three_letters`; `maps` and `steered` are the tables of `ending_map`
    and of `steered_endings` of the first. Strings have at most `max_length` letters.
    """
    texts = by_prompt["prompt"].tolist()
    table = by_prompt.reset_index(drop=True).join(describe_prefixes(texts)[["last", "surplus"]])
    greedy = table[table["decoding"] == "greedy"]
    from_zero, below_zero = (greedy[is_in] for is_in in (greedy.surplus >= 0, greedy.surplus < 0))
    kept = _by_seed(greedy)
    kept_after_a = _by_seed(from_zero[from_zero["last"] == "a"])
    kept_after_b = _by_seed(from_zero[from_zero["last"] == "b"])
    sampled = _by_seed(table[table["decoding"] == "sampled"])
    kept_of_three = _by_seed(three_letters[three_letters["decoding"] == "greedy"])
    agrees = _by_seed(agreement(by_prompt, program_outcomes("aNbN", max_length)), "program")
    agrees = agrees.unstack("program")
    by_letters, by_surplus = (
        agrees[f"by last letter, by {turn}"] for turn in ("letters", "surplus")
    )
    of_three = agreement(three_letters, program_outcomes("aNbNcN", max_length))
    of_three = _by_seed(of_three[of_three["program"] == "by last letter, by letters"])
    variance = _by_seed(explained(maps), "explanation")
    by_catching_up = variance.unstack("explanation")["whether b's have caught up"]
    steered = steered[steered["prompts"] == "out_of_distribution"]
    steered = _by_seed(steered, "direction").unstack("direction")
    return {
        "rotary_agreement": by_letters["rotary"],
        "rotary_from_zero": _by_seed(from_zero)["rotary"],
        "rotary_after_b": kept_after_b["rotary"],
        "rotary_below_zero_after_b": _by_seed(below_zero[below_zero["last"] == "b"])["rotary"],
        "rotary_minus_learned_agreement": by_letters["rotary"] - by_letters["transformer"],
        "rotary_minus_sinusoidal_agreement": by_letters["rotary"] - by_letters["sinusoidal"],
        "no_positions_agreement": by_surplus["no positions"],
        "no_positions_after_b": kept_after_b["no positions"],
        "no_positions_after_a": kept_after_a["no positions"],
        "no_positions_sampled_minus_greedy": sampled["no positions"] - kept["no positions"],
        "lstm_agreement": agrees[IMMEDIATE_EOS]["lstm"],
        "rotary_explained": by_catching_up["rotary"],
        "no_positions_explained": by_catching_up["no positions"],
        "learned_explained": by_catching_up["transformer"],
        "sinusoidal_explained": by_catching_up["sinusoidal"],
        "rotary_steered": steered["surplus"]["rotary"],
        "no_positions_steered": steered["surplus"]["no positions"],
        "learned_steered": steered["surplus"]["transformer"],
        "rotary_steered_randomly": steered["random"]["rotary"],
        "three_letters_rotary": kept_of_three["rotary"],
        "three_letters_rotary_agreement": of_three["rotary"],
        "three_letters_rotary_minus_learned": (
            kept_of_three["rotary"] - kept_of_three["transformer"]
        ),
    }


def recurrent_values(
    accounts: pd.DataFrame, steered: pd.DataFrame, probed: pd.DataFrame
) -> dict[str, pd.Series]:
    """Return the values of the forecasts on Mamba and xLSTM by seed.

    `accounts` is the table of `explained`, `steered` that of `steered_endings`, and `probed` has
    the R² of the best site by model, weights, target and seed.
    """
    is_caught_up = accounts["explanation"] == "whether b's have caught up"
    is_steered = (steered["prompts"] == "out_of_distribution") & (steered["direction"] == "surplus")
    is_probed = (probed["weights"] == "trained") & (probed["target"] == "surplus")
    tables = {
        "explained": accounts[is_caught_up],
        "steered": steered[is_steered],
        "probed": probed[is_probed],
    }
    return {
        f"{model}_{name}": _by_seed(table)[model]
        for name, table in tables.items()
        for model in ("mamba", "xlstm")
    }


DOSES = {
    "dose_oracle_lstm_1": ("oracle", "lstm", 1),
    "dose_oracle_lstm_30": ("oracle", "lstm", 30),
    "dose_oracle_rotary_30": ("oracle", "rotary", 30),
    "dose_oracle_learned_30": ("oracle", "transformer", 30),
    "dose_adversarial_rotary_1": ("adversarial", "rotary", 1),
    "dose_adversarial_rotary_30": ("adversarial", "rotary", 30),
}
"""The forecasts on the grid `rules_doses`: completions shown, model, and number of prompts."""


def dose_values(rates: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the values of each forecast in `DOSES` by seed.

    `rates` has the columns shown, model, n_completed, seed and value (the share of unseen prompts
    whose completion keeps rule 1).
    """
    by_cell = rates.set_index(["shown", "model", "n_completed"]).sort_index()["value"]
    return {name: by_cell.loc[[cell]] for name, cell in DOSES.items()}


def _by_seed(table: pd.DataFrame, *by: str) -> pd.Series:
    """Return the means of `value` by model, seed and further columns."""
    return table.groupby(["model", "seed", *by], sort=False)["value"].mean()
