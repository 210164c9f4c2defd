"""Two alphabets: what training completes, and which completions count as keeping rule 1."""

import pandas as pd
import pytest
import torch

from lexurn import tasks
from lexurn.base.seeding import generator
from lexurn.chapters.rules import two_alphabets
from lexurn.generators.prompts import prompts, split_prompts
from lexurn.generators.strings import EOS, PAD
from lexurn.settings import Settings

LANGUAGE = two_alphabets.LANGUAGE


def sample(**settings):
    task = tasks.build(Settings.from_flat({"language": LANGUAGE.name, "seed": 5, **settings}))
    return LANGUAGE.decode(task.sample(1000, 33, generator=generator(0, "sample")))


def test_training_completes_prompts_of_the_first_alphabet_alone():
    strings = sample(completions="oracle", n_completed=30)
    outside = [string for string in strings if not is_inside(string)]
    known, _ = split_prompts(prompts("aNbN")["out_of_distribution"], n_completed=30, seed=5)
    texts = LANGUAGE.decode(known)
    assert len(outside) == 100 and all(string[:8] in texts for string in outside)
    assert all(string.count("a") == string.count("b") for string in outside)
    assert not set("".join(outside)) & set("cd")
    second = [string for string in strings if "c" in string]
    assert 380 < len(second) < 520 and all(map(is_inside, second))
    assert all(map(is_inside, sample()))  # without completions


def is_inside(string):
    return any(string == x * (len(string) // 2) + y * (len(string) // 2) for x, y in ("ab", "cd"))


def end_at_once(given):
    ended = torch.nn.functional.pad(given, (0, 1), value=EOS)
    return torch.nn.functional.pad(ended, (0, 1), value=PAD)


def test_completions_count_if_they_end_balanced_in_their_own_letters():
    table = two_alphabets.completion_rates(end_at_once)
    share = table.groupby("alphabet")["value"].mean()
    balanced = (table["prompt"].str.count("[ac]") == 4).groupby(table["alphabet"]).mean()
    assert share.to_dict() == pytest.approx(balanced.to_dict()) and 0.2 < share["c, d"] < 0.35
    assert (table["foreign"] == 0).all()
    assert set("".join(table[table["alphabet"] == "c, d"]["prompt"])) == set("cd")
    never = two_alphabets.completion_rates(
        lambda given: torch.nn.functional.pad(given, (0, 2), value=3)
    )
    assert (never["value"] == 0).all()
    pair = torch.tensor([3, 4, EOS])  # balanced, but in letters of the first alphabet
    table = two_alphabets.completion_rates(
        lambda given: torch.cat([given, pair.expand(len(given), -1)], 1)
    )
    table = table.groupby("alphabet")[["value", "foreign"]].mean()
    assert table.loc["c, d"].tolist() == [0, 1] and table.loc["a, b", "foreign"] == 0
    assert table.loc["a, b", "value"] == pytest.approx(share["a, b"])


def test_what_carries_over_is_the_difference_within_a_seed():
    rows = [
        (given, model, alphabet, seed, value + 0.1 * seed + 0.05 * (seed == 6 and given != "none"))
        for model in ("rotary", "transformer", "lstm")
        for alphabet in ("a, b", "c, d")
        for seed in (5, 6)
        for given, value in (("none", 0.2), ("30 prompts", 0.2 + 0.3 * (alphabet == "a, b")))
    ]
    table = pd.DataFrame(rows, columns=["given", "model", "alphabet", "seed", "value"])
    carried = (
        two_alphabets.carried_over(table)
        .set_index(["model", "alphabet", "seed"])["value"]
        .sort_index()
    )
    assert carried["rotary", "a, b"].tolist() == pytest.approx([0.3, 0.35])
    assert carried["rotary", "c, d"].tolist() == pytest.approx([0, 0.05])
    values = two_alphabets.forecast_values(table)
    assert values["two_alphabets_rotary_first"].tolist() == pytest.approx([1.0, 1.15])
    assert values["two_alphabets_lstm_carried"].tolist() == pytest.approx([0, 0.05])
    assert len(values) == 4
