"""Does a model of a^n b^n end strings by the surplus that a probe reads from its activations?

    steered_endings(run)   move the surplus while the model completes prompts: when does it end?
    steering_controls(run) how often strings would end there by chance
    flattened_endings(run) replace the surplus by its mean: does it still end at the right places?

The first attention writes the surplus into the residual stream, so both change the activation
behind it (in a recurrent model, the output of the last layer). A random direction of the same norm
is the control.
"""

import pandas as pd
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from lexurn.base.seeding import generator
from lexurn.chapters.rules.decisions import LANGUAGE, describe_prefixes
from lexurn.chapters.rules.surplus_probe import Prefixes, feature_directions, sites
from lexurn.generators.prompts import prompts
from lexurn.generators.strings import EOS, string_lengths
from lexurn.measures.rules import complete_with_predictor
from lexurn.models import LanguageModel, activations
from lexurn.runs.run import Run

SHIFTS = (-1, 1, 2)

N_RANDOM = 5
"""Random directions for each shift in `steering_controls`."""

BEGINNINGS = ["aaaaaaab", "aaaaaabb", "aaaaabbb"]
"""Prompts of the language, of eight letters, with two more a's than b's or more."""


def steering_site(model: LanguageModel) -> str:
    """Return the activation behind the first attention, or a recurrent model's last output."""
    return next((name for name in sites(model) if name.endswith("resid_mid")), sites(model)[-1])


def directions(model: LanguageModel, site: str) -> dict[str, Float64[Tensor, "d"]]:
    """Return the direction of the surplus, and a random direction of the same norm."""
    surplus = feature_directions(model, site)["surplus"]
    noise = torch.randn(surplus.shape, generator=generator(0, "direction"), dtype=surplus.dtype)
    return {"surplus": surplus, "random": noise * (surplus.norm() / noise.norm())}


def outside_prompts() -> list[str]:
    """Return the prompts of no string that end with b and have two more a's than b's or more."""
    outside = LANGUAGE.decode(prompts("aNbN")["out_of_distribution"])
    described = describe_prefixes(outside).assign(prompt=outside)
    is_used = (described["last"] == "b") & (described["surplus"] >= 2)
    return described.loc[is_used, "prompt"].tolist()


def steered_lengths(
    model: LanguageModel, site: str, vector: Float64[Tensor, "d"], strings: list[str]
) -> Int64[Tensor, "strings"]:
    """Return the numbers of letters of greedy completions, from −1000 on where they never end.

    The vector is added to an activation from the prompts' last letter on.
    """
    tokens = LANGUAGE.encode(strings, length=len(strings[0]) + 1)[:, :-1]
    steering = {site: activations.steer(vector, rows=slice(tokens.shape[1], None))}
    completed = complete_with_predictor(
        lambda seen: activations.intervene(model, seen, steering),
        tokens,
        limit=model.context_length + 1,
    )
    never = -1000 * ~(completed == EOS).any(-1)
    return string_lengths(completed) + never


def steering_controls(run: Run) -> pd.DataFrame:
    """Return how often strings end as many letters later as steered, and how often by chance.

    Ends are compared with those of the same prompts without steering. Controls: the direction of
    the number of letters and `N_RANDOM` random directions, all of the same norm; and the ends of
    *other* prompts without steering, all pairs of two prompts. The prompts are `outside_prompts`,
    and the shifts `SHIFTS`. Columns: what (`surplus`, `number of letters`, `random directions`,
    `other prompts`), value (share), n.
    """
    model = run.model
    site = steering_site(model)
    surplus, per_letter = feature_directions(model, site).values()
    per_letter = per_letter * surplus.norm() / per_letter.norm()
    strings = outside_prompts()
    unsteered = steered_lengths(model, site, 0 * surplus, strings)
    is_other = ~torch.eye(len(strings), dtype=torch.bool)
    draws = generator(0, "random directions")
    shares = {"surplus": [], "number of letters": [], "random directions": [], "other prompts": []}
    for shift in SHIFTS:
        by_letters = steered_lengths(model, site, shift * per_letter, strings)
        shares["number of letters"].append((by_letters - unsteered == shift) & (by_letters > 0))
        ends = steered_lengths(model, site, shift * surplus, strings)
        later = ends[:, None] - unsteered  # of prompt i, steered, after prompt j
        is_right = (later == shift) & (ends[:, None] > 0)
        shares["surplus"].append(is_right.diagonal())
        shares["other prompts"].append(is_right[is_other])
        for _ in range(N_RANDOM):
            noise = torch.randn(surplus.shape, generator=draws, dtype=surplus.dtype)
            noise *= shift * surplus.norm() / noise.norm()
            ends = steered_lengths(model, site, noise, strings)
            shares["random directions"].append((ends - unsteered == shift) & (ends > 0))
    rows = [(what, torch.cat(each).double().mean().item()) for what, each in shares.items()]
    return pd.DataFrame(rows, columns=["what", "value"]).assign(n=len(strings))


def steered_endings(run: Run) -> pd.DataFrame:
    """Return how often EOS comes as many letters later as an activation is steered by.

    The prompts have eight letters, end with b, and have two more a's than b's or more. Activations
    are steered by `SHIFTS` letters from the prompt's last letter on. Columns: prompts
    (`in_distribution` or `out_of_distribution`), direction (`surplus` or `random`), shift, value
    (share of prompts that end with a surplus of −shift), n.
    """
    model = run.model
    site = steering_site(model)
    given = {"in_distribution": BEGINNINGS, "out_of_distribution": outside_prompts()}
    rows = []
    for name, strings in given.items():
        tokens = LANGUAGE.encode(strings, length=9)[:, :-1]
        for direction, vector in directions(model, site).items():
            for shift in SHIFTS:
                steering = {site: activations.steer(shift * vector, rows=slice(8, None))}
                completed = complete_with_predictor(
                    lambda seen, steering=steering: activations.intervene(model, seen, steering),
                    tokens,
                    limit=model.context_length + 1,
                )
                surplus = describe_prefixes(LANGUAGE.decode(completed))["surplus"]
                is_right = (surplus == -shift) & (completed == EOS).any(-1).numpy()
                rows.append((name, direction, shift, is_right.mean(), len(strings)))
    return pd.DataFrame(rows, columns=["prompts", "direction", "shift", "value", "n"])


def flattened_endings(run: Run) -> pd.DataFrame:
    """Return P(EOS) when an activation after every b lacks one direction.

    Its coordinate along the direction is replaced by the mean over prefixes of the language.
    Columns: prompts (`in_distribution` or `out_of_distribution`), direction (`none`, `surplus` or
    `random`), caught_up (whether the surplus is 0, so that rule 1 holds), value (mean P(EOS) over
    the prefixes of `surplus_probe.Prefixes`), n.
    """
    model = run.model
    site = steering_site(model)
    prefixes = Prefixes.of(model)
    is_b = prefixes.tokens == LANGUAGE.encode(["b"], length=2)[0, 0]
    is_after_b = torch.nn.functional.pad(is_b[:, :-1], (1, 0))
    activation = activations.read(model, prefixes.tokens, site)[site]
    inside = torch.tensor(prefixes.table["begins_string"].tolist())
    mean = prefixes.pick(activation)[inside].mean(0)
    tables = []
    for direction, vector in {"none": None, **directions(model, site)}.items():
        interventions = {}
        if vector is not None:
            unit = (vector / vector.norm()).to(activation)
            excess = (activation - mean) @ unit  # batch time
            change = -(excess * is_after_b)[..., None] * unit
            interventions = {site: activations.steer(change)}
        log_probs = activations.intervene(model, prefixes.tokens, interventions)
        table = prefixes.table.assign(eos=prefixes.pick(log_probs)[:, EOS].exp().tolist())
        table["caught_up"] = table["surplus"] == 0
        names = {True: "in_distribution", False: "out_of_distribution"}
        table = table.assign(prompts=table["begins_string"].map(names), direction=direction)
        groups = table.groupby(["prompts", "direction", "caught_up"])["eos"]
        tables.append(groups.agg(value="mean", n="size").reset_index())
    return pd.concat(tables, ignore_index=True)
