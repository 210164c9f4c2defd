"""Tables about the token vectors of one run, on held-out sequences.

    final_geometry(run)                   every measure in every layer, with the best weights
    position_table(run)                   cosines of tokens with their sequence, by position
    model_similarity(run, others=…)       CKA of each layer with that of other runs, and controls
    prompt_cosines(run, prompts)          cosines of all pairs of tokens of a prompt

Each function returns the table of one run, which `lexurn.runs.cache` can store.
"""

from collections.abc import Sequence

import pandas as pd

from lexurn import runs, tasks
from lexurn.base.seeding import generator
from lexurn.base.shapes import Tokens
from lexurn.chapters.geometry import copies, dimensions, layers, similarity
from lexurn.chapters.geometry.prompts import encode_prompts
from lexurn.models import LanguageModel
from lexurn.runs import fit
from lexurn.runs.run import Run
from lexurn.settings import Settings

N_SEQUENCES = 64
"""The largest number of held-out sequences that vectors are taken from."""

N_POINTS = 1000
"""The number of tokens in a point cloud."""

N_CLOUDS = 2
"""The number of point clouds that a dimension is averaged over."""

MIN_TYPES = 2 * dimensions.MIN_POINTS
"""The smallest number of k-grams for which clouds without copies are measured."""


def final_geometry(run: Run) -> pd.DataFrame:
    """Return all measures of every layer with the best weights: layer, measure, mean, sem, n.

    The norm behind the last block is one more layer. `sem` is over sequences, and missing for
    clouds.
    """
    model = run.model
    tokens = held_out_sequences(run.settings)
    seed = run.settings.training.seed
    parts = [
        layers.layer_measures(model, tokens, last_norm=True),
        cloud_dimensions(model, tokens, seed=seed, estimators=tuple(dimensions.ESTIMATORS)),
        neighbour_measures(model, tokens, seed=seed),
    ]
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def cloud_dimensions(
    model: LanguageModel,
    tokens: Tokens,
    *,
    seed: int,
    n_clouds: int = N_CLOUDS,
    estimators: Sequence[str] = ("twonn",),
) -> pd.DataFrame:
    """Return isotropy and dimensions, averaged over point clouds: layer, measure, mean, n.

    A measure whose name ends in `_once` is that of a cloud without copies: one token of each 4-gram
    (`copies.LENGTH`). It is missing if there are fewer than `MIN_TYPES` of them.
    """
    vectors = layers.token_vectors(model, tokens, last_norm=True)
    grams = copies.token_grams(model, tokens, copies.LENGTH)
    parts = []
    for number in range(n_clouds):
        stream = generator(seed, "cloud", number)
        chosen = layers.sample_points(grams, N_POINTS, generator=stream)
        parts.append(layers.cloud_measures([x[chosen] for x in vectors], estimators=estimators))
        chosen = layers.sample_points(grams, N_POINTS, generator=stream, one_per_type=True)
        if len(chosen) >= MIN_TYPES:
            table = layers.cloud_measures([x[chosen] for x in vectors], estimators=estimators)
            parts.append(table.assign(measure=table["measure"] + "_once"))
    groups = pd.concat(parts).groupby(["layer", "measure"], as_index=False, sort=False)
    return groups["value"].mean().rename(columns={"value": "mean"}).assign(n=n_clouds)


def neighbour_measures(model: LanguageModel, tokens: Tokens, *, seed: int) -> pd.DataFrame:
    """Return two shares of tokens in every layer: layer, measure, mean, n.

    `same_kind` is the share whose nearest neighbour is the same token, `same_gram` the share whose
    nearest neighbour is a copy (see `copies`). The table is empty if there are fewer than
    `MIN_TYPES` 4-grams.
    """
    vectors = layers.token_vectors(model, tokens, last_norm=True)
    types = layers.token_types(model, tokens)
    grams = copies.token_grams(model, tokens, copies.LENGTH)
    if len(grams.unique()) < MIN_TYPES:
        return pd.DataFrame(columns=["layer", "measure", "mean", "n"])
    chosen = layers.sample_points(types, N_POINTS, generator=generator(seed, "cloud", 0))
    clouds = [x[chosen] for x in vectors]
    tables = [
        layers.same_type_share(clouds, labels[chosen]).assign(measure=name, n=len(chosen))
        for name, labels in (("same_kind", types), ("same_gram", grams))
    ]
    return pd.concat(tables, ignore_index=True).rename(columns={"value": "mean"})


def untrained_geometry(settings: Settings, n_layers: Sequence[int]) -> pd.DataFrame:
    """Return the geometry of untrained models of several depths.

    Columns: what, n_layers, layer, measure, mean, sem, n. The deepest model comes in four more
    variants: with larger weights (standard deviation 1/√fan-in), with a norm behind the embeddings,
    which makes them √d long, with that norm and a factor 1/√d, and with both of the first two.
    """
    deepest = max(n_layers)
    larger = {"initial_std": 0.0}
    long = {"input_norm": True}
    shorter = {**long, "input_scale": settings.backbone.d_model**-0.5}
    variants = [(f"{n} layers", n, {}) for n in n_layers]
    variants += [
        (f"{deepest}, long embeddings", deepest, long),
        (f"{deepest}, long, times 1/√d", deepest, shorter),
        (f"{deepest}, larger weights", deepest, larger),
        (f"{deepest}, larger, long", deepest, larger | long),
    ]
    parts = []
    for what, n, changes in variants:
        model = fit.init_model(settings.replace(n_layers=n, **changes)).eval()
        table = layers.layer_measures(model, held_out_sequences(settings), backward=False)
        parts.append(table.assign(what=what, n_layers=n))
    return pd.concat(parts, ignore_index=True)


def equal_token_share(tokens: Tokens) -> float:
    """Return the mean share of pairs of different positions of a sequence with the same token."""
    seen = tokens[:, :-1]
    n = seen.shape[1]
    n_equal = (seen[:, :, None] == seen[:, None]).sum((1, 2)) - n
    return float(n_equal.double().mean() / (n * (n - 1)))


def position_table(run: Run) -> pd.DataFrame:
    """Return layer, position, cosine, norm of the best weights (see `layers.position_cosines`)."""
    return layers.position_cosines(run.model, held_out_sequences(run.settings))


def model_similarity(run: Run, *, others: Sequence[str]) -> pd.DataFrame:
    """Compare the layers of the best weights with those of other models on the same tokens.

    Columns: who, layer, other, and the measures of `similarity.similarity_nulls`; the controls are
    computed for equal layers alone. `who` is `untrained` (the run's initial weights) or the name of
    another run.
    """
    tokens = held_out_sequences(run.settings)
    first = fit.init_model(run.settings).eval()
    models = {"untrained": first} | {name: runs.load(name).model for name in others}
    stream = generator(run.settings.training.seed, "cloud")
    types = layers.token_types(run.model, tokens)
    chosen = layers.sample_points(types, N_POINTS, generator=stream)
    clouds = [x[chosen] for x in layers.token_vectors(run.model, tokens)]
    rows = []
    for name, model in models.items():
        others_clouds = [x[chosen] for x in layers.token_vectors(model, tokens)]
        for layer, x in enumerate(clouds):
            for other, y in enumerate(others_clouds):
                values = (
                    similarity.similarity_nulls(x, y, types[chosen], generator=stream)
                    if layer == other
                    else {"debiased": similarity.debiased_cka(x, y)}
                )
                rows.append({"who": name, "layer": layer, "other": other, **values})
    return pd.DataFrame(rows)


def prompt_cosines(run: Run, prompts: Sequence[str]) -> pd.DataFrame:
    """Return the cosines of all pairs of tokens of each prompt with the best weights.

    Columns: prompt (its index), layer, first, second, value.
    """
    parts = [
        layers.cosine_matrices(run.model, tokens).assign(prompt=number)
        for number, tokens in enumerate(encode_prompts(run.settings, prompts))
    ]
    return pd.concat(parts, ignore_index=True)


def held_out_sequences(settings: Settings) -> Tokens:
    """Return held-out sequences for these settings: fresh urns, strings, or the test text."""
    task = tasks.build(settings)
    return task.held_out()[task.splits[0]][: min(N_SEQUENCES, fit.eval_batch_size(task))]
