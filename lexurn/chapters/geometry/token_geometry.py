"""Tables about the token vectors of one run, on held-out sequences.

    geometry_along_training(run)          every measure in every layer, untrained and per checkpoint
    position_table(run)                   cosines of tokens with their sequence, by position
    model_similarity(run, others=…)       CKA of each layer with each layer of other runs
    prompt_cosines(run, prompts)          cosines of all pairs of tokens of a prompt

Each function returns the table of one run, which `lexurn.runs.cache` can store.
"""

from collections.abc import Iterator, Sequence

import pandas as pd
import torch

from lexurn import runs, tasks
from lexurn.base.seeding import generator
from lexurn.base.shapes import Tokens
from lexurn.chapters.geometry import layers, vector_geometry
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

MIN_TYPES = 2 * vector_geometry.MIN_POINTS
"""The smallest number of token types for which clouds with one token per type are measured."""


def geometry_along_training(run: Run) -> pd.DataFrame:
    """Return the geometry at step 0, at every checkpoint, and of the best weights.

    Columns: step, best, layer, measure, mean, sem, n. `sem` is over sequences, and missing for
    clouds. Only the rows of the best weights (`best`) have all measures.
    """
    tokens = held_out_sequences(run.settings)
    seed = run.settings.training.seed
    parts = []
    for step, model in _snapshots(run):
        dimensions = cloud_dimensions(model, tokens, seed=seed, n_clouds=1)
        table = pd.concat([layers.layer_measures(model, tokens), dimensions])
        parts.append(table.assign(step=step, best=False))
    parts.append(final_geometry(run).assign(step=int(run.results["step"].iloc[0]), best=True))
    return pd.concat(parts, ignore_index=True)


def final_geometry(run: Run) -> pd.DataFrame:
    """Return all measures of every layer with the best weights: layer, measure, mean, sem, n."""
    model = run.model
    tokens = held_out_sequences(run.settings)
    seed = run.settings.training.seed
    parts = [
        layers.layer_measures(model, tokens),
        cloud_dimensions(model, tokens, seed=seed, estimators=vector_geometry.ESTIMATORS),
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
    """Return `effective_rank` and dimensions, averaged over point clouds: layer, measure, mean, n.

    If there are at least `MIN_TYPES` token types, `twonn_once` is TwoNN for clouds with one token
    per type.
    """
    vectors = layers.token_vectors(model, tokens)
    types = layers.token_types(model, tokens)
    parts = []
    for number in range(n_clouds):
        stream = generator(seed, "cloud", number)
        chosen = layers.sample_points(types, N_POINTS, generator=stream)
        clouds = [x[chosen] for x in vectors]
        parts.append(layers.cloud_measures(clouds, estimators=estimators))
        chosen = layers.sample_points(types, N_POINTS, generator=stream, one_per_type=True)
        if len(chosen) >= MIN_TYPES:
            table = layers.cloud_measures([x[chosen] for x in vectors], estimators=["twonn"])
            parts.append(table[table["measure"] == "twonn"].assign(measure="twonn_once"))
    groups = pd.concat(parts).groupby(["layer", "measure"], as_index=False, sort=False)
    return groups["value"].mean().rename(columns={"value": "mean"}).assign(n=n_clouds)


def neighbour_measures(model: LanguageModel, tokens: Tokens, *, seed: int) -> pd.DataFrame:
    """Return two measures of nearest neighbours in every layer: layer, measure, mean, n.

    `same_kind` is the share of tokens whose nearest neighbour has the same type. `overlap` is the
    share of neighbours kept from the layer before, for a cloud with one token per type. The table
    is empty if there are fewer than `MIN_TYPES` token types.
    """
    vectors = layers.token_vectors(model, tokens)
    types = layers.token_types(model, tokens)
    stream = generator(seed, "cloud", 0)
    chosen = layers.sample_points(types, N_POINTS, generator=stream)
    distinct = layers.sample_points(types, N_POINTS, generator=stream, one_per_type=True)
    if len(distinct) < MIN_TYPES:
        return pd.DataFrame(columns=["layer", "measure", "mean", "n"])
    same = layers.same_type_share([x[chosen] for x in vectors], types[chosen])
    overlap = layers.layer_overlap([x[distinct] for x in vectors])
    tables = [same.assign(measure="same_kind", n=len(chosen)), overlap.assign(n=len(distinct))]
    return pd.concat(tables, ignore_index=True).rename(columns={"value": "mean"})


def untrained_geometry(settings: Settings, n_layers: Sequence[int]) -> pd.DataFrame:
    """Return the geometry of untrained models of several depths.

    Columns: what, n_layers, layer, measure, mean, sem, n. The deepest model comes in three more
    variants: with larger weights (standard deviation 1/√fan-in), with long embeddings (norm √d, as
    after a norm layer), and with both.
    """
    deepest = max(n_layers)
    larger = {"initial_std": 0.0}
    variants = [(f"{n} layers", n, {}, False) for n in n_layers]
    variants += [
        (f"{deepest}, long embeddings", deepest, {}, True),
        (f"{deepest}, larger weights", deepest, larger, False),
        (f"{deepest}, larger, long", deepest, larger, True),
    ]
    parts = []
    for what, n, changes, has_long_embeddings in variants:
        model = fit.init_model(settings.replace(n_layers=n, **changes)).eval()
        if has_long_embeddings:
            _lengthen_embeddings(model)
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
    """Compare the layers of the best weights with the layers of other models on the same tokens.

    Columns: who, layer, other, value (CKA), procrustes. `who` is `untrained` (the run's initial
    weights), the name of another run, or the control `other tokens`: the run's own vectors in a
    random order, which share no information with the vectors in their original order.
    """
    tokens = held_out_sequences(run.settings)
    first = fit.init_model(run.settings).eval()
    models = {"untrained": first} | {name: runs.load(name).model for name in others}
    stream = generator(run.settings.training.seed, "cloud")
    types = layers.token_types(run.model, tokens)
    chosen = layers.sample_points(types, N_POINTS, generator=stream)
    clouds = [x[chosen] for x in layers.token_vectors(run.model, tokens)]
    permutation = torch.randperm(len(chosen), generator=stream)
    other_clouds = {
        name: [x[chosen] for x in layers.token_vectors(model, tokens)]
        for name, model in models.items()
    }
    other_clouds["other tokens"] = [x[permutation] for x in clouds]
    parts = []
    for name, others_of_name in other_clouds.items():
        table = layers.layer_similarity(clouds, others_of_name)
        distance = layers.layer_similarity(
            clouds, others_of_name, measure=vector_geometry.procrustes
        )
        parts.append(table.assign(procrustes=distance["value"], who=name))
    return pd.concat(parts, ignore_index=True)


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


def _snapshots(run: Run) -> Iterator[tuple[int, LanguageModel]]:
    yield 0, fit.init_model(run.settings).eval()
    yield from run.checkpoints()


@torch.no_grad()
def _lengthen_embeddings(model: LanguageModel) -> None:
    """Scale the embeddings and the start vector so that the mean norm of embeddings is √d."""
    table = model.vocabulary.embedding
    factor = table.shape[1] ** 0.5 / table.norm(dim=1).mean()
    table *= factor
    if model.start is not None:
        model.start *= factor
