"""The forecasts on programs: their values for models that follow a program exactly."""

import pandas as pd
import pytest

from lexurn.chapters.rules import decisions
from lexurn.chapters.rules.forecasts import forecast_values, recurrent_values
from lexurn.chapters.rules.programs import IMMEDIATE_EOS, Program, program_outcomes
from lexurn.publish import claims

FOLLOWED = {
    "rotary": "by last letter, by letters",
    "no positions": "by last letter, by surplus",
    "lstm": IMMEDIATE_EOS,
    "transformer": IMMEDIATE_EOS,
    "sinusoidal": "by last letter, by letters",
}


def by_prompt(language, followed):
    outcomes = program_outcomes(language, 32).rename(columns={"kept": "value"})
    tables = [
        outcomes[outcomes["program"] == program].assign(model=model, seed=seed, decoding=decoding)
        for model, program in followed.items()
        for seed in (5, 6)
        for decoding in ("greedy", "sampled")
    ]
    return pd.concat(tables, ignore_index=True).drop(columns="program")


@pytest.fixture(scope="module")
def values():
    one_map = decisions.predictor_map(Program(2, 32))
    pairs = [(model, seed) for model in FOLLOWED for seed in (5, 6)]
    maps = pd.concat([one_map.assign(model=model, seed=seed) for model, seed in pairs])
    rows = [
        (model, seed, direction, "out_of_distribution", shift, float(direction == "surplus"))
        for model, seed in pairs
        for direction in ("surplus", "random")
        for shift in (-1, 1)
    ]
    columns = ["model", "seed", "direction", "prompts", "shift", "value"]
    return forecast_values(
        by_prompt("aNbN", FOLLOWED),
        by_prompt("aNbNcN", {"rotary": FOLLOWED["rotary"], "transformer": IMMEDIATE_EOS}),
        maps=maps,
        steered=pd.DataFrame(rows, columns=columns),
        max_length=32,
    )


def test_a_model_that_follows_its_program_has_the_values_of_the_program(values):
    means = {name: each.mean() for name, each in values.items()}
    assert means["rotary_agreement"] == means["no_positions_agreement"] == 1
    assert means["rotary_from_zero"] == means["rotary_after_b"] == means["lstm_agreement"] == 1
    assert means["rotary_below_zero_after_b"] == means["no_positions_after_a"] == 0
    assert means["rotary_minus_learned_agreement"] > 0.3  # EOS at once is another program
    assert means["rotary_minus_sinusoidal_agreement"] == 0  # the same program
    assert means["no_positions_sampled_minus_greedy"] == 0
    assert means["rotary_explained"] == pytest.approx(1)
    assert means["three_letters_rotary"] == pytest.approx(104 / 239)
    assert means["three_letters_rotary_minus_learned"] == pytest.approx(104 / 239)
    assert means["rotary_steered"] == 1 and means["rotary_steered_randomly"] == 0
    assert all(len(each) == 2 for each in values.values())


def test_every_value_has_a_forecast(values):
    forecasts = [claims.get(f"rules/{name}") for name in values]
    assert all(claim.family == "forecast" for claim in forecasts)
    assert {claim.n for claim in forecasts} == {5, 10}


def test_recurrent_models_have_their_own_values_by_seed():
    accounts = pd.DataFrame(
        [
            (model, seed, explanation, value)
            for model, base in (("mamba", 0.2), ("xlstm", 0.6), ("rotary", 0.9))
            for seed in (5, 6)
            for explanation, value in (
                ("whether b's have caught up", base + seed / 100),
                ("surplus", 0.0),
            )
        ],
        columns=["model", "seed", "explanation", "value"],
    )
    steered = accounts.assign(
        prompts=["out_of_distribution", "in_distribution"] * 6, direction="surplus"
    )
    probed = accounts.assign(weights=["trained", "untrained"] * 6, target="surplus")
    values = recurrent_values(accounts, steered, probed)
    assert sorted(values) == sorted(
        f"{model}_{name}"
        for model in ("mamba", "xlstm")
        for name in ("explained", "probed", "steered")
    )
    for name, each in values.items():
        base = {"mamba": 0.2, "xlstm": 0.6}[name.split("_")[0]]
        assert each.to_dict() == pytest.approx({5: base + 0.05, 6: base + 0.06})
    inside = steered.assign(prompts="in_distribution")
    with pytest.raises(KeyError):  # nothing is steered outside the language
        recurrent_values(accounts, inside, probed)
