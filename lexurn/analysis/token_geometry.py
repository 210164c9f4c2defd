"""What a run's vectors of tokens look like: over depth and training, by place, in another order, beside another model.

    over_depth(run)            every measure in every layer, untrained and at every kept step
    by_place(run)              the cosine of tokens with the others of their sequence, by their place
    in_other_orders(run)       the same in sequences cut into blocks, and these shuffled
    alike(run, others=…)       how alike each layer is to each layer of other runs (CKA)
    of_prompts(run, prompts)   the cosines of all pairs of tokens of a prompt
    predicted(run)             perplexity and bits per byte of the whole test text

Each gives a table of one run, which can be kept (`lexurn.kept`). The sequences are held-out ones.
"""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
import torch

from lexurn import experiment, runs
from lexurn.analysis import geometry, layers, perplexity
from lexurn.analysis.prompts import tokens_of
from lexurn.divergences import negative_log_likelihood
from lexurn.models import LanguageModel
from lexurn.models.language_model import evaluating
from lexurn.runs import Run
from lexurn.seeding import generator
from lexurn.settings import Settings
from lexurn.shapes import Tokens
from lexurn.sweeps import Sweep
from lexurn.tasks import text
from lexurn.tasks.shuffling import shuffled
from lexurn.tasks.words import lengths

N_SEQUENCES = 64
"""Held-out sequences that vectors are taken from, or as many as there are."""

N_POINTS = 1000
"""Tokens of them that make up a cloud."""

ORDERS = 6
"""From whole sequences, over blocks of a half, a quarter, …, to single tokens."""


def over_depth(run: Run) -> pd.DataFrame:
    """step, layer, measure, mean, sem (over sequences; of clouds none), n: at step 0, and at every kept step."""
    tokens = sequences(run)
    parts = [measured(model, tokens).assign(step=step) for step, model in _along(run)]
    return pd.concat(parts, ignore_index=True)


def measured(model: LanguageModel, tokens: Tokens, *, backward: bool = True) -> pd.DataFrame:
    """layer, measure, mean, sem, n of all that is measured in layers; gradients only where it goes `backward`."""
    cloud = layers.clouds(model, tokens, n=N_POINTS, generator=generator(0, "cloud"))
    of_clouds = layers.of_clouds(cloud).rename(columns={"value": "mean"}).assign(n=len(cloud[0]))
    return pd.concat([layers.by_layer(model, tokens, backward=backward), of_clouds], ignore_index=True)


def at_the_end(run: Run) -> pd.DataFrame:
    """layer, measure, mean, sem, n, of the best weights."""
    return measured(run.model, sequences(run))


def untrained(grid: Sweep, n_layers: Sequence[int]) -> pd.DataFrame:
    """n_layers, as_trained, layer, measure, mean, sem, n, with place on the axes and seed: of the models of a grid
    before their training, in several depths; and of the deepest with first weights of 1/√fan-in too.
    """
    parts = []
    kinds = [(n, {}) for n in n_layers] + [(max(n_layers), {"initial_std": 0.0})]
    for point in grid.points:
        for n, changes in kinds:
            settings = Settings.from_flat(point.flat() | {"n_layers": n} | changes)
            tokens = _some(experiment.held_out(settings, experiment.training_pool(settings)))
            found = layers.by_layer(experiment.begun(settings).eval(), tokens, backward=False)
            place = grid.places[point.name] | {"seed": point.training.seed, "n_layers": n, "as_trained": not changes}
            parts.append(found.assign(**place))
    return pd.concat(parts, ignore_index=True)


def of_predictions(run: Run) -> pd.DataFrame:
    """who (`model`, or `exact`), twonn, mle, effective_rank: of predictions of urns as points, the logarithms of their
    probabilities less their mean, at tokens like those of `at_the_end`."""
    lines = []
    for who, predictor in {"model": run.predictor, "exact": run.references["generalizing"]}.items():
        found = predictor(sequences(run))[:, 1:].flatten(0, 1)
        chosen = torch.randperm(len(found), generator=generator(0, "cloud"))[:N_POINTS]
        points = (found - found.mean(-1, keepdim=True))[chosen]
        lines.append({"who": who, "effective_rank": geometry.effective_rank(points), **geometry.dimension(points)})
    return pd.DataFrame(lines)


def by_place(run: Run) -> pd.DataFrame:
    """layer, position, cosine, norm, of the best weights."""
    return layers.by_position(run.model, sequences(run))


def in_other_orders(run: Run) -> pd.DataFrame:
    """order (0: as it was; the last: single tokens), block, layer, measure, value, of the best weights: `twonn`, `mle`
    and `cosine`, and in layer 0 the `loss` (nats a token).

    Of words the letters change places, and what is behind them stays.
    """
    tokens = sequences(run)[:, : run.settings.task.context_length]
    ends = lengths(tokens) if run.settings.task.n_special else None
    n_rows, parts = tokens.shape[1], []
    sizes = [max(n_rows // 2**order, 1) for order in range(ORDERS - 1)] + [1]
    for order, block in enumerate(sizes):
        stream = generator(run.settings.training.seed, "order", order)
        mixed = shuffled(tokens, block=block, generator=stream, lengths=ends)
        found = measured(run.model, mixed, backward=False).rename(columns={"mean": "value"})
        found = found[found["measure"].isin(["twonn", "mle", "cosine"])]
        loss = {"layer": 0, "measure": "loss", "value": _loss(run, mixed)}
        found = pd.concat([found, pd.DataFrame([loss])], ignore_index=True)
        parts.append(found[["layer", "measure", "value"]].assign(order=order, block=block))
    return pd.concat(parts, ignore_index=True)


def alike(run: Run, *, others: Sequence[str]) -> pd.DataFrame:
    """who, layer, other, value: CKA of the best weights with those that the run began with (`untrained`), and with
    those of others (their names), on the same tokens."""
    tokens, first = sequences(run), experiment.begun(run.settings).eval()
    beside = {"untrained": first} | {name: runs.load(name).model for name in others}
    clouds = {
        who: layers.clouds(model, tokens, n=N_POINTS, generator=generator(0, "cloud"))
        for who, model in {"": run.model, **beside}.items()
    }
    return pd.concat([layers.alike(clouds[""], clouds[who]).assign(who=who) for who in beside], ignore_index=True)


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
    found = text.load(run.settings.task)
    options = {"n_bytes": found.tokenizer.n_bytes, "length": run.settings.task.context_length + 1}
    options["at_once"] = experiment.at_once(run.settings)
    lines = []
    for who, predictor in {"model": run.predictor, **run.references}.items():
        of = perplexity.of_text(predictor, found.tokens("test"), **options)
        numbers = {"nats": of.nats, "sem": of.sem, "perplexity": of.perplexity, "bits_per_byte": of.bits_per_byte}
        lines.append({"who": who, **numbers, "n_tokens": of.n_tokens})
    return pd.DataFrame(lines)


def sequences(run: Run) -> Tokens:
    """Held-out sequences of a run: fresh urns, words, or the test text."""
    return _some(run.splits)


def _some(splits: Mapping[str, torch.Tensor]) -> Tokens:
    name = next(name for name in ("test", "out_of_distribution", "in_distribution") if name in splits)
    return splits[name][:N_SEQUENCES]


def _along(run: Run) -> Iterator[tuple[int, LanguageModel]]:
    yield 0, experiment.begun(run.settings).eval()
    yield from run.checkpoints()


def _loss(run: Run, tokens: Tokens) -> float:
    table = run.model.vocabulary.draw(1, generator=generator(0, "geometry table"))
    with evaluating(run.model):
        return float(negative_log_likelihood(run.model(tokens, table=table), tokens).mean())
