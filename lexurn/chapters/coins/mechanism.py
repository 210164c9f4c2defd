"""How a tiny model counts: what its head fetches, and which contexts it distinguishes.

The stream before the MLP is the embedding of the last flip, plus the position ln N in one
coordinate, plus the head's output z along one direction. Laplace's rule does not depend on the last
flip, so something has to take its embedding out again.
"""

import numpy as np
import pandas as pd

from lexurn.chapters.coins import contexts
from lexurn.chapters.coins.contexts import Weights


def opposite_weights(weights: Weights) -> pd.DataFrame:
    """Return how much more attention a flip gets that differs from the last flip: n, last, ratio.

    The embedding of a flip and its position are added, so the keys of heads and tails at one
    position differ by the same vector at all positions.
    """
    embedding, positions = weights["embedding"], weights["positions"]
    qkv, bias = weights["qkv"], weights["qkv_bias"]
    n_rows, d_head = len(positions), len(bias) // 3
    key_difference = qkv[d_head : 2 * d_head] @ (embedding[1] - embedding[0])
    tables = []
    for last in (0, 1):
        queries = (embedding[last] + positions) @ qkv[:d_head].T + bias[:d_head]
        toward_heads = queries @ key_difference / d_head**0.5
        ratio = np.exp(toward_heads if last == 0 else -toward_heads)
        tables.append(pd.DataFrame({"n": range(1, n_rows + 1), "last": last, "ratio": ratio}))
    return pd.concat(tables, ignore_index=True)


def attention_pattern(weights: Weights, flips: list[int]) -> np.ndarray:
    """Return the attention of the last row of a sequence of flips to each flip."""
    n, d_head = len(flips), len(weights["qkv_bias"]) // 3
    stream = weights["embedding"][flips] + weights["positions"][:n]
    query, key, _ = np.split(stream @ weights["qkv"].T + weights["qkv_bias"], 3, axis=-1)
    scores = key @ query[-1] / d_head**0.5
    pattern = np.exp(scores - scores.max())
    return pattern / pattern.sum()


def first_flip_attention(weights: Weights, sequences: list[list[int]]) -> float:
    """Return the mean attention to the first flip of a side, of the side where it is larger.

    The mean is over sequences that have both sides, at their last row.
    """
    found: dict[int, list[float]] = {0: [], 1: []}
    for flips in sequences:
        if len(set(flips)) == 2:
            pattern = attention_pattern(weights, flips)
            for side, shares in found.items():
                shares.append(float(pattern[flips.index(side)]))
    return max(float(np.mean(shares)) for shares in found.values())


def log_odds_along(weights: Weights, flips: list[int]) -> np.ndarray:
    """Return the log odds of heads after each flip of one sequence."""
    d_head = len(weights["qkv_bias"]) // 3
    stream = weights["embedding"][flips] + weights["positions"][: len(flips)]
    values = (stream @ weights["qkv"].T + weights["qkv_bias"])[:, 2 * d_head :]
    log_odds = []
    for n in range(1, len(flips) + 1):
        z = attention_pattern(weights, flips[:n]) @ values[:n]
        mid = contexts.residual(weights, np.array(flips[n - 1 : n]), n, z[None])
        log_odds.append(contexts.read_out(weights, mid)[0])
    return np.array(log_odds)


def explained(table: pd.DataFrame, *columns: str, value: str = "log_odds") -> float:
    """Return the share of the variance of a column that the context's `columns` determine.

    The contexts of each number of flips together have the same weight. The variance of log odds
    includes what differs between orders of the same context (`order`).
    """
    share = table["probability"] / table["n"].nunique()
    centred = table[value] - (table[value] * share).sum()
    total = (share * centred**2).sum()
    if value == "log_odds":
        total += (share * table["order"] ** 2).sum()
    keys = [table[column] for column in columns]
    means = (share * centred).groupby(keys).sum()
    shares = share.groupby(keys).sum()
    return float((means**2 / shares).sum() / total)


def last_flip_effects(weights: Weights, table: pd.DataFrame) -> dict[str, float]:
    """Return how the last flip moves the log odds of equal counts: `direct`, and by the `head`.

    The last flip enters the stream before the MLP twice: by its own embedding, and through z. Each
    effect is the change of the log odds from tails to heads in one of the two, a mean over both
    values of the other. Their sum is the whole effect, which is 0 for Laplace's rule. The mean is
    over counts with both last flips.
    """
    wide = table.pivot(index=["n", "heads"], columns="last", values=["z", "probability"]).dropna()
    n = wide.index.get_level_values("n").to_numpy()
    share = wide["probability"].sum(axis=1).to_numpy()

    def log_odds(last: int, z_of: int) -> np.ndarray:
        z = wide["z", z_of].to_numpy()[:, None]
        mid = contexts.residual(weights, np.full(len(n), last), n, z)
        return contexts.read_out(weights, mid)

    both = {pair: log_odds(*pair) for pair in ((0, 0), (0, 1), (1, 0), (1, 1))}
    direct = (both[1, 0] - both[0, 0] + both[1, 1] - both[0, 1]) / 2
    head = (both[0, 1] - both[0, 0] + both[1, 1] - both[1, 0]) / 2
    share = share / share.sum()
    return {"direct": float(share @ direct), "head": float(share @ head)}


def symmetry_errors(weights: Weights, table: pd.DataFrame) -> dict[str, float]:
    """Return total variations that exchanging the sides should not cause, means over contexts.

    flip      p(heads) and p(tails) after the exchanged flips
    negation  p(heads), and p(tails) with the stream negated after the MLP: the read-out is linear,
              so this is 0 for every model without an offset between its two logits
    """
    offset = weights["readout_bias"][1] - weights["readout_bias"][0]
    other = table.assign(heads=table["n"] - table["heads"], last=1 - table["last"])
    pairs = table.merge(other, on=["n", "heads", "last"], suffixes=("", "_flipped"))
    share = pairs["probability"] / table["n"].nunique()
    p = 1 / (1 + np.exp(-pairs["log_odds"]))
    flipped = 1 / (1 + np.exp(-pairs["log_odds_flipped"]))
    negated = 1 / (1 + np.exp(pairs["log_odds"] - 2 * offset))
    apart = {"flip": p - (1 - flipped), "negation": p - (1 - negated)}
    return {name: float((share * values.abs()).sum()) for name, values in apart.items()}


def plane_table(weights: Weights, table: pd.DataFrame, *, n_points: int = 41) -> pd.DataFrame:
    """Return the plane before the MLP of a model of width 2: a grid with log odds, and contexts.

    Columns: what (grid or context), x, y, log_odds (missing for contexts), token (the last flip,
    missing for the grid). A context lies where its mean z puts it.
    """
    last, n = table["last"].to_numpy(), table["n"].to_numpy()
    mid = contexts.residual(weights, last, n, table["z"].to_numpy()[:, None])
    points = pd.DataFrame({"what": "context", "x": mid[:, 0], "y": mid[:, 1], "token": last})
    margin = 0.05 * np.ptp(mid, axis=0)
    ends = np.stack([mid.min(0) - margin, mid.max(0) + margin])
    x, y = (np.linspace(*ends[:, axis], n_points).round(6) for axis in (0, 1))
    pairs = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
    log_odds = contexts.read_out(weights, pairs)
    grid = pd.DataFrame({"what": "grid", "x": pairs[:, 0], "y": pairs[:, 1], "log_odds": log_odds})
    return pd.concat([grid, points], ignore_index=True)


def without_last(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table of a model that says, whatever the last flip, the mean of its log odds.

    The mean is over the contexts with the same counts.
    """
    share = table["probability"]
    keys = [table["n"], table["heads"]]
    mean = (share * table["log_odds"]).groupby(keys).transform("sum") / share.groupby(
        keys
    ).transform("sum")
    p = (table["heads"] + 1) / (table["n"] + 2)
    kl = p * (np.log(p) + np.logaddexp(0, -mean)) + (1 - p) * (np.log1p(-p) + np.logaddexp(0, mean))
    return table.assign(log_odds=mean, kl=kl, order=0.0)


def updates(table: pd.DataFrame) -> pd.DataFrame:
    """Return by how much one more head moves the log odds: n, heads (before it), model, exact.

    The log odds before it are a mean over last flips; after it, the last flip is heads.
    """
    share = table["probability"]
    weighted = table.assign(model=share * table["log_odds"], share=share)
    before = weighted.groupby(["n", "heads"])[["model", "share"]].sum()
    before = (before["model"] / before["share"]).rename("before").reset_index()
    after = table[table["last"] == 1].assign(n=table["n"] - 1, heads=table["heads"] - 1)
    both = before.merge(after[["n", "heads", "log_odds"]], on=["n", "heads"])
    exact = np.log((both["heads"] + 2) / (both["heads"] + 1))
    return both[["n", "heads"]].assign(model=both["log_odds"] - both["before"], exact=exact)


def distance(one: pd.DataFrame, other: pd.DataFrame) -> dict[str, float]:
    """Return how far the probabilities of two models are apart, over all contexts.

    mean (total variation, contexts weighted by their probability) and largest.
    """
    probabilities = [1 / (1 + np.exp(-table["log_odds"])) for table in (one, other)]
    apart = (probabilities[0] - probabilities[1]).abs()
    share = one["probability"] / one["n"].nunique()
    return {"mean": float((share * apart).sum()), "largest": float(apart.max())}
