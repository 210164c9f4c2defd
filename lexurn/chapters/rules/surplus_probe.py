"""Where a model of a^n b^n keeps the surplus #a − #b from which it could decide to end a string.

A linear probe is fitted to activations on prefixes of strings of the language, and then reads the
activations on prefixes of no string. It can succeed there only if the model computes the surplus in
the same way whatever the order of the letters. Prefixes end with b and have as many a's as b's or
more, in and out of the language: there rule 1 says whether to end.

    Prefixes.of(model)                   the prefixes, and the rows of sequences that have seen them
    probe_scores(run)                    R² of probes for three targets at every site
    feature_directions(model, site)      the change of an activation per letter of surplus, and of
                                         the number of letters
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64, Int64
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from lexurn import models
from lexurn.base.seeding import generator, numpy_generator
from lexurn.base.shapes import Tokens
from lexurn.chapters.rules.decisions import LANGUAGE, MAX_LETTERS, describe_prefixes
from lexurn.models import LanguageModel, activations
from lexurn.runs.run import Run

RIDGE_PENALTIES = np.logspace(-2, 4, 7)

TARGETS = ("surplus", "letters", "random")

MAX_SURPLUS = 4
"""The largest surplus for `feature_directions`: the decision to end is made near 0."""


@dataclass(frozen=True)
class Prefixes:
    """Prefixes that end with b and have a surplus of 0 or more; row `rows[i]` has seen prefix i.

    They are those of all strings of the language that a model can read, and all such strings of up
    to `MAX_LETTERS` letters. `table` has the columns of `describe_prefixes`.
    """

    table: pd.DataFrame
    tokens: Tokens
    sequences: Int64[Tensor, "prefixes"]
    rows: Int64[Tensor, "prefixes"]

    @classmethod
    def of(cls, model: LanguageModel) -> "Prefixes":
        half = model.context_length // 2
        strings = ["a" * n + "b" * n for n in range(1, half + 1)]
        strings += map("".join, product(LANGUAGE.letters, repeat=MAX_LETTERS))
        places: dict[str, tuple[int, int]] = {}
        for number, string in enumerate(strings):
            for letters in range(1, len(string) + 1):
                places.setdefault(string[:letters], (number, letters))
        table = describe_prefixes(list(places))
        table["sequence"], table["row"] = zip(*places.values(), strict=True)
        table = table[(table["last"] == "b") & (table["surplus"] >= 0)].reset_index(drop=True)
        sequences, rows = (torch.tensor(table.pop(name).tolist()) for name in ("sequence", "row"))
        return cls(table, LANGUAGE.encode(strings, length=2 * half + 1), sequences, rows)

    def pick(self, values: Tensor) -> Tensor:
        """Return the rows of `values` (batch time …) that have seen the prefixes."""
        return values[self.sequences, self.rows]


def sites(model: LanguageModel) -> list[str]:
    """Return the names of the residual stream's activations, or of a recurrent model's layers."""
    return [name for name in activations.names(model) if ".resid_" in name]


def probe_scores(run: Run) -> pd.DataFrame:
    """Return how well linear probes of each site read three targets on prefixes of no string.

    The targets are the surplus, the number of letters, and random values with the variance of the
    surplus, which no probe can read. Columns: weights (`trained`, or `untrained`: as initialized),
    site, target, inside (R² on held-out prefixes of the language, five folds), value (R² on the
    prefixes of no string), n (these prefixes).
    """
    untrained = models.build(run.settings, generator=generator(0, "untrained")).eval()
    prefixes = Prefixes.of(run.model)
    table = prefixes.table
    is_inside = table["begins_string"].to_numpy()
    noise = numpy_generator(generator(0, "random targets")).normal(size=len(table))
    targets = table.assign(random=noise * table["surplus"].std())[list(TARGETS)].astype(float)
    folds = KFold(5, shuffle=True, random_state=0)
    rows = []
    for weights, model in (("trained", run.model), ("untrained", untrained)):
        for site, values in activations.read(model, prefixes.tokens, *sites(model)).items():
            x = prefixes.pick(values).double().numpy()
            for target in TARGETS:
                y = targets[target].to_numpy()
                probe = make_pipeline(StandardScaler(), RidgeCV(RIDGE_PENALTIES))
                held_out = cross_val_predict(probe, x[is_inside], y[is_inside], cv=folds)
                inside = r2_score(y[is_inside], held_out)
                probe.fit(x[is_inside], y[is_inside])
                outside = r2_score(y[~is_inside], probe.predict(x[~is_inside]))
                rows.append((weights, site, target, inside, outside, int((~is_inside).sum())))
    return pd.DataFrame(rows, columns=["weights", "site", "target", "inside", "value", "n"])


def feature_directions(model: LanguageModel, site: str) -> dict[str, Float64[Tensor, "d"]]:
    """Return the least-squares change of an activation per letter of surplus, and per letter.

    The regression is over prefixes of the language with a surplus of at most `MAX_SURPLUS`; each
    feature is controlled for the other. Keys: surplus, letters.
    """
    prefixes = Prefixes.of(model)
    table = prefixes.table
    is_used = table["begins_string"] & (table["surplus"] <= MAX_SURPLUS)
    features = ["surplus", "letters"]
    regressors = table.loc[is_used, features].assign(constant=1.0)
    values = prefixes.pick(activations.read(model, prefixes.tokens, site)[site])
    values = values[torch.tensor(is_used.tolist())].double()
    coefficients = torch.linalg.lstsq(torch.tensor(regressors.to_numpy(float)), values).solution
    return dict(zip(features, coefficients, strict=False))
