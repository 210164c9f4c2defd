"""The numbers that the forecasts on names and alphabets are judged by, from tables of standings.

The score is the deficit ln(1 − captured) (`standings`); contrasts are paired by the urn, and their
standard error is over urns.
"""

from collections.abc import Mapping
from math import log

import numpy as np
import pandas as pd

from lexurn.chapters.names import law
from lexurn.publish.claims import Measurement


def measurements(
    standings: Mapping[str, pd.DataFrame], transfers: pd.DataFrame
) -> dict[str, Measurement]:
    """Return our number for every forecast.

    `standings` has a table for each grid by its name, with a column `cell`; `transfers` is
    `transfer.steps_to_m`.
    """
    deficits = {
        grid: table.pivot(index="seed", columns="cell", values="deficit")
        for grid, table in standings.items()
    }
    main, controls = deficits["names_alphabets"], deficits["names_controls"]
    vectors, widths = deficits["names_vectors"], deficits["names_widths"]
    three, rivals = deficits["names_three"], deficits["names_rivals"]
    new = standings["names_alphabets"].pivot(index="seed", columns="cell", values="deficit_new")
    toward_m = standings["names_tables"].pivot(index="seed", columns="cell", values="toward_m")
    gap = new - main
    gaps = {
        grid: standings[grid].pivot(index="seed", columns="cell", values="deficit_new")
        - deficits[grid]
        for grid in ("names_between", "names_repeats")
    }
    errors = law.held_out_errors(main, deficits["names_between"])
    blocks = deficits["names_blocks"]
    foretold = law.foretell(main, list(blocks))["distinct triples"]
    groups, design, every = (main[f"N16 {name}"] for name in ("groups", "design", "all"))
    recipes = sorted({cell.partition(" ")[2] for cell in rivals})
    by_recipe = pd.DataFrame({name: rivals[f"32 {name}"] - rivals[f"4 {name}"] for name in recipes})
    values_by_key = {
        "names_at_8_alphabets": main["N32 K8"] - main["N8 K8"],
        "alphabets_at_32_names": main["N32 K512"] - main["N32 K8"],
        "alphabets_explain_more": _explained(main),
        "groups_scale_with_steps": main["N32 groups"] - controls["N4, 250 steps"],
        "design_is_like_groups": (design - groups).mean() / (every - groups).mean()
        + _influence(design - groups, every - groups),
        "new_alphabets_8": gap["N32 K8"],
        "new_alphabets_512": gap["N32 K512"],
        **{
            f"{name}_{steps}": controls[f"{name}, {steps} steps"]
            for name in ("equivariant", "canonical")
            for steps in (250, 2000)
        },
        "tables_4": toward_m["one_hot T4"],
        "tables_256": toward_m["one_hot T256"],
        "learned_rows": (vectors["learned N32"] - main["N32 all"]).dropna(),
        "unit_rows": (vectors["unit N32"] - main["N32 all"]).dropna(),
        "long_any": deficits["names_long"]["N32 all"],
        "width": widths["0 64"] - widths["0 16"],
        "three_colours": three["N32 all"] - three["N3"],
        "rivals": by_recipe[by_recipe.mean().idxmin()],
        "between_error": errors["two_routes"],
        "between_ratio": errors["ratio"],
        **{
            f"between_new_{cell[1:].replace(' K', '_')}": gaps["names_between"][cell]
            for cell in ("N12 K16", "N12 K64", "N24 K64", "N24 K256")
        },
        **{
            f"repeats_{cell[1:].replace(' K', '_')}": gaps["names_repeats"][cell]
            for cell in gaps["names_repeats"]
        },
        **{f"blocks_of_{cell.partition(' ')[0]}": blocks[cell] - foretold[cell] for cell in blocks},
        "transfer_lexical": _log_ratio(transfers, "lexical", "new"),
        "transfer_permuted": _log_ratio(transfers, "permuted", "lexical"),
        "transfer_fresh": _log_ratio(transfers, "fresh urns", "new"),
    }
    measured = {}
    for key, values in values_by_key.items():
        interval = law.mean_over_urns(values)
        measured[f"names/{key}"] = Measurement(interval.value, interval.error, interval.n)
    return measured


def _explained(deficits: pd.DataFrame) -> pd.Series:
    """Return R² of ln K minus R² of ln N over cells with random sets, one value per urn."""
    cells = [cell for cell in deficits if law.is_random(cell)]
    numbers = np.log([law.alphabets_of(cell) for cell in cells])  # cells (N, K)
    values = deficits[cells].to_numpy()  # seeds cells
    squares = [np.corrcoef(np.vstack([number, values]))[0, 1:] ** 2 for number in numbers.T]
    return pd.Series(squares[1] - squares[0])


def _influence(above: pd.Series, below: pd.Series) -> pd.Series:
    """Return the influence of each urn on the ratio of the two means (the delta method).

    The influences have mean 0. Their standard error is the standard error of the ratio.
    """
    ratio = above.mean() / below.mean()
    return (above - ratio * below) / below.mean()


def _log_ratio(transfers: pd.DataFrame, first: str, second: str) -> pd.Series:
    """Return ln(steps to M from one origin / from another) with all weights trained, per urn."""
    steps = transfers[transfers["trainable"] == "all"].pivot(
        index="seed", columns="origin", values="steps"
    )
    return (steps[first] / steps[second]).map(log)
