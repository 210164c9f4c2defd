"""What a run's vectors of tokens look like: over depth and training, by place, in another order, beside another model.

    over_depth(run)            every measure in every layer, untrained and at every kept step
    by_place(run)              the cosine of tokens with the others of their sequence, by their place
    in_other_orders(run)       the same in sequences cut into blocks, and these shuffled
    alike(run, others=…)       how alike each layer is to each layer of other runs (CKA)
    of_prompts(run, prompts)   the cosines of all pairs of tokens of a prompt
    predicted(run)             perplexity and bits per byte of the whole test text

Each gives a table of one run, which can be kept (`lexurn.runs.cache`). The sequences are held-out ones.
"""

from collections.abc import Iterator, Sequence

import pandas as pd
import torch

from lexurn import runs
from lexurn.base.divergences import negative_log_likelihood
from lexurn.base.seeding import generator
from lexurn.base.shapes import Tokens
from lexurn.chapters.geometry import layers, vector_geometry
from lexurn.chapters.geometry.prompts import tokens_of
from lexurn.generators.shuffling import shuffle_blocks
from lexurn.generators.strings import string_lengths
from lexurn.generators.urns import Urns
from lexurn.measures import perplexity
from lexurn.models import LanguageModel
from lexurn.models.language_model import evaluating
from lexurn.runs import fit
from lexurn.runs.run import Run
from lexurn.settings import Settings

N_SEQUENCES = 64
"""Held-out sequences that vectors are taken from, or as many as there are."""

N_POINTS, N_CLOUDS = 1000, 2
"""Tokens of them that make up a cloud, and clouds that a dimension is the mean of."""

MANY = 2 * vector_geometry.FEWEST_POINTS
"""Kinds of tokens from which on a cloud of one of each is looked at."""

ORDERS = 6
"""From whole sequences, over blocks of a half, a quarter, …, to single tokens."""


def over_depth(run: Run) -> pd.DataFrame:
    """step, best, layer, measure, mean, sem (over sequences; of clouds none), n: at step 0, at every kept step, and
    (`best`, with all measures) of the best weights."""
    tokens, seed = sequences(run.settings), run.settings.training.seed
    parts = []
    for step, model in _along(run):
        measures = layers.by_layer(model, tokens), dimensions(model, tokens, seed=seed, n_clouds=1)
        parts.append(pd.concat(measures).assign(step=step, best=False))
    parts.append(at_the_end(run).assign(step=int(run.results["step"].iloc[0]), best=True))
    return pd.concat(parts, ignore_index=True)


def at_the_end(run: Run) -> pd.DataFrame:
    """layer, measure, mean, sem, n, of the best weights: all that is measured in layers."""
    model, tokens, seed = run.model, sequences(run.settings), run.settings.training.seed
    of_clouds = dimensions(model, tokens, seed=seed, estimators=vector_geometry.ESTIMATORS)
    parts = layers.by_layer(model, tokens), of_clouds, nearness(model, tokens, seed=seed)
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def dimensions(
    model: LanguageModel,
    tokens: Tokens,
    *,
    seed: int,
    n_clouds: int = N_CLOUDS,
    estimators: Sequence[str] = ("twonn",),
) -> pd.DataFrame:
    """layer, measure, mean, n: `effective_rank` and dimensions, means over clouds of any tokens; and where there are
    many kinds of tokens `twonn_once`, of clouds that hold one of each kind."""
    vectors, kinds, parts = layers.vectors(model, tokens), layers.kinds(model, tokens), []
    for number in range(n_clouds):
        stream = generator(seed, "cloud", number)
        chosen = layers.drawn(kinds, N_POINTS, generator=stream)
        parts.append(layers.of_clouds([x[chosen] for x in vectors], estimators=estimators))
        once = layers.drawn(kinds, N_POINTS, generator=stream, once=True)
        if len(once) >= MANY:
            found = layers.of_clouds([x[once] for x in vectors], estimators=["twonn"])
            parts.append(found[found["measure"] == "twonn"].assign(measure="twonn_once"))
    mean = (
        pd.concat(parts).groupby(["layer", "measure"], as_index=False, sort=False)["value"].mean()
    )
    return mean.rename(columns={"value": "mean"}).assign(n=n_clouds)


def nearness(model: LanguageModel, tokens: Tokens, *, seed: int) -> pd.DataFrame:
    """layer, measure, mean, n, where there are many kinds of tokens: `same_kind`, for how many of a cloud the nearest
    neighbour is the same token; and `overlap`, of clouds with one of each kind, the neighbours kept from the layer
    before. Otherwise no lines."""
    vectors, kinds, stream = (
        layers.vectors(model, tokens),
        layers.kinds(model, tokens),
        generator(seed, "cloud", 0),
    )
    chosen = layers.drawn(kinds, N_POINTS, generator=stream)
    once = layers.drawn(kinds, N_POINTS, generator=stream, once=True)
    if len(once) < MANY:
        return pd.DataFrame(columns=["layer", "measure", "mean", "n"])
    same = layers.same_kind([x[chosen] for x in vectors], kinds[chosen]).assign(
        measure="same_kind", n=len(chosen)
    )
    kept = layers.kept_neighbours([x[once] for x in vectors]).assign(n=len(once))
    return pd.concat([same, kept], ignore_index=True).rename(columns={"value": "mean"})


def untrained(settings: Settings, n_layers: Sequence[int]) -> pd.DataFrame:
    """what, n_layers, layer, measure, mean, sem, n of models like this before their training, in several depths; of the
    deepest also with larger weights, of standard deviation 1/√fan-in, and with embeddings as long as norms make the
    stream, √d."""
    deepest, large = max(n_layers), {"initial_std": 0.0}
    kinds = [(f"{n} layers", n, {}, False) for n in n_layers] + [
        (f"{deepest}, long embeddings", deepest, {}, True),
        (f"{deepest}, larger weights", deepest, large, False),
        (f"{deepest}, larger, long", deepest, large, True),
    ]
    parts = []
    for what, n, changes, is_long in kinds:
        model = fit.init_model(settings.replace(n_layers=n, **changes)).eval()
        if is_long:
            _lengthen(model)
        found = layers.by_layer(model, sequences(settings), backward=False)
        parts.append(found.assign(what=what, n_layers=n))
    return pd.concat(parts, ignore_index=True)


def equal_pairs(tokens: Tokens) -> float:
    """The share of pairs of different places of a sequence where the same token stands, on average."""
    seen = tokens[:, :-1]
    n = seen.shape[1]
    return float(
        ((seen[:, :, None] == seen[:, None]).sum((1, 2)) - n).double().mean() / (n * (n - 1))
    )


def of_predictions(run: Run) -> pd.DataFrame:
    """who, twonn, mle, effective_rank: of predictions of urns as points, the logarithms of their probabilities less
    their mean: of the `model`, of the `exact` predictor, and of as many points `spread evenly` over the simplex."""
    points = {}
    for who, predictor in {"model": run.predictor, "exact": run.references["generalizing"]}.items():
        found = predictor(sequences(run.settings))[:, 1:].flatten(0, 1)
        chosen = torch.randperm(
            len(found), generator=generator(run.settings.training.seed, "cloud")
        )[:N_POINTS]
        points[who] = found[chosen]
    stream = generator(run.settings.training.seed, "simplex")
    points["spread evenly"] = (
        Urns(run.settings.task.n_colors).sample_tasks(N_POINTS, generator=stream).log()
    )
    lines = []
    for who, x in points.items():
        x = x - x.mean(-1, keepdim=True)
        lines.append(
            {
                "who": who,
                "effective_rank": vector_geometry.effective_rank(x),
                **vector_geometry.dimension(x),
            }
        )
    return pd.DataFrame(lines)


def by_place(run: Run) -> pd.DataFrame:
    """layer, position, cosine, norm, of the best weights."""
    return layers.by_position(run.model, sequences(run.settings))


def in_other_orders(run: Run) -> pd.DataFrame:
    """order (0: as it was; the last: single tokens), block, layer, measure, value, of the best weights: dimensions and
    cosines, and in layer 0 the `loss` (nats a token).

    Of words the letters change places, and what is behind them stays.
    """
    tokens, seed = (
        sequences(run.settings)[:, : run.settings.task.context_length],
        run.settings.training.seed,
    )
    ends = string_lengths(tokens) if run.settings.task.n_special else None
    n_rows, parts = tokens.shape[1], []
    sizes = [max(n_rows // 2**order, 1) for order in range(ORDERS - 1)] + [1]
    for order, block in enumerate(sizes):
        mixed = shuffle_blocks(
            tokens, block_length=block, generator=generator(seed, "order", order), lengths=ends
        )
        of_clouds = dimensions(run.model, mixed, seed=seed)
        found = pd.concat(
            [layers.by_layer(run.model, mixed, backward=False), of_clouds], ignore_index=True
        )
        found = found[found["measure"].isin(["twonn", "twonn_once", "cosine", "centred"])]
        found = found.rename(columns={"mean": "value"})
        loss = {"layer": 0, "measure": "loss", "value": _loss(run, mixed)}
        found = pd.concat([found, pd.DataFrame([loss])], ignore_index=True)
        parts.append(found[["layer", "measure", "value"]].assign(order=order, block=block))
    return pd.concat(parts, ignore_index=True)


def alike(run: Run, *, others: Sequence[str]) -> pd.DataFrame:
    """who, layer, other, value (CKA), procrustes: of the best weights with those that the run began with (`untrained`),
    with those of others (their names), all on the same tokens, and with its own vectors of `other tokens`, with which
    they have nothing in common."""
    tokens, first = sequences(run.settings), fit.init_model(run.settings).eval()
    beside = {"untrained": first} | {name: runs.load(name).model for name in others}
    stream = generator(run.settings.training.seed, "cloud")
    chosen = layers.drawn(layers.kinds(run.model, tokens), N_POINTS, generator=stream)
    mine = [x[chosen] for x in layers.vectors(run.model, tokens)]
    mixed = torch.randperm(len(chosen), generator=stream)
    found = {
        who: [x[chosen] for x in layers.vectors(model, tokens)] for who, model in beside.items()
    }
    found["other tokens"] = [x[mixed] for x in mine]
    parts = []
    for who, theirs in found.items():
        apart = layers.alike(mine, theirs, measure=vector_geometry.procrustes)["value"]
        parts.append(layers.alike(mine, theirs).assign(procrustes=apart, who=who))
    return pd.concat(parts, ignore_index=True)


def of_prompts(run: Run, prompts: Sequence[str]) -> pd.DataFrame:
    """prompt, layer, first, second, value: the cosines of all pairs of tokens of each prompt, of the best weights."""
    parts = [
        layers.similarities(run.model, tokens).assign(prompt=number)
        for number, tokens in enumerate(tokens_of(run.settings, prompts))
    ]
    return pd.concat(parts, ignore_index=True)


def predicted(run: Run) -> pd.DataFrame:
    """who, nats, sem, perplexity, bits_per_byte with errors, n_tokens: of the best weights and of what has only
    counted, over all tokens of the test text."""
    lines = []
    predictors = {"model": run.predictor, **run.references}
    scores = perplexity.of_task(run.task, predictors, at_once=fit.eval_batch_size(run.task))
    for who, of in scores.items():
        numbers = {
            "nats": of.nats,
            "sem": of.sem,
            "perplexity": of.perplexity,
            "bits_per_byte": of.bits_per_byte,
        }
        lines.append({"who": who, **numbers, "n_tokens": of.n_tokens})
    return pd.DataFrame(lines)


def sequences(settings: Settings) -> Tokens:
    """Held-out sequences of a run with these settings: fresh urns, words, or the test text."""
    task = tasks.build(settings)
    return task.held_out()[task.splits[0]][: min(N_SEQUENCES, fit.eval_batch_size(task))]


def _along(run: Run) -> Iterator[tuple[int, LanguageModel]]:
    yield 0, fit.init_model(run.settings).eval()
    yield from run.checkpoints()


@torch.no_grad()
def _lengthen(model: LanguageModel) -> None:
    """Embeddings, and the start vector, of norm √d on average."""
    table = model.vocabulary.embedding
    factor = table.shape[1] ** 0.5 / table.norm(dim=1).mean()
    table *= factor
    if model.start is not None:
        model.start *= factor


def _loss(run: Run, tokens: Tokens) -> float:
    """Nats a token; of words a letter or EOS."""
    table = run.model.vocabulary.draw(1, generator=generator(0, "geometry table"))
    with evaluating(run.model):
        lost = negative_log_likelihood(run.model(tokens, table=table), tokens)
    n_rows = (
        (string_lengths(tokens) + 1).clamp(max=tokens.shape[1])
        if run.settings.task.n_special
        else None
    )
    return float(lost.sum() / (lost.numel() if n_rows is None else n_rows.sum()))
