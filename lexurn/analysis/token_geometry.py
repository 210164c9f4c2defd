"""What a run's vectors of tokens look like: over depth and training, by place, in another order, beside another model.

    over_depth(run)            every measure in every layer, untrained and at every kept step
    by_place(run)              the cosine of tokens with the others of their sequence, by their place
    in_other_orders(run)       the same in sequences cut into blocks, and these shuffled
    alike(run, other=…)        how alike each layer is to each layer of another run (CKA)
    of_prompts(run, prompts)   the cosines of all pairs of tokens of a prompt
    predicted(run)             perplexity and bits per byte of the whole test text

Each gives a table of one run, which can be kept (`lexurn.kept`). The sequences are held-out ones.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
import torch

from lexurn import experiment, runs
from lexurn.analysis import layers, perplexity
from lexurn.divergences import negative_log_likelihood
from lexurn.models import LanguageModel
from lexurn.models.language_model import evaluating
from lexurn.parameters import ParameterError
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

NAMES = {
    "cosine": "mean cosine",
    "centred": "mean cosine, centred",
    "norm": "norm",
    "gradient": "norm of the gradient",
    "update": "norm of the update",
    "update_cosine": "cosine of the update",
    "effective_rank": "effective rank",
    "twonn": "dimension (TwoNN)",
    "mle": "dimension (MLE)",
    "overlap": "neighbours kept",
    "loss": "loss (nats)",
}
"""Measures as figures call them."""

PROMPTS = (
    "Friends, Romans, countrymen, lend me your ears",
    "to be, or not to be, to be, or not to be, to be, or not",
)
"""A line of the test text, and one that repeats itself."""

ORDERS = 6
"""From whole sequences, over blocks of a half, a quarter, …, to single tokens."""


def over_depth(run: Run) -> pd.DataFrame:
    """step, layer, measure, mean, sem (over sequences; of clouds none), n: at step 0, and at every kept step."""
    tokens = sequences(run)
    parts = [measured(model, tokens).assign(step=step) for step, model in _along(run)]
    return pd.concat(parts, ignore_index=True)


def measured(model: LanguageModel, tokens: Tokens) -> pd.DataFrame:
    """layer, measure, mean, sem, n of all that is measured in layers."""
    cloud = layers.clouds(model, tokens, n=N_POINTS, generator=generator(0, "cloud"))
    of_clouds = layers.of_clouds(cloud).rename(columns={"value": "mean"}).assign(n=len(cloud[0]))
    return pd.concat([layers.by_layer(model, tokens), of_clouds], ignore_index=True)


def at_the_end(run: Run) -> pd.DataFrame:
    """layer, measure, mean, sem, n, of the best weights."""
    return measured(run.model, sequences(run))


def untrained(grid: Sweep, n_layers: Sequence[int]) -> pd.DataFrame:
    """n_layers, layer, measure, mean, sem, n, with place on the axes and seed: of the models of a grid before their
    training, in several depths."""
    parts = []
    for point in grid.points:
        for n in n_layers:
            settings = Settings.from_flat(point.flat() | {"n_layers": n})
            tokens = _some(experiment.held_out(settings, experiment.training_pool(settings)))
            found = layers.by_layer(experiment.begun(settings).eval(), tokens)
            place = grid.places[point.name] | {"seed": point.training.seed, "n_layers": n}
            parts.append(found.assign(**place))
    return pd.concat(parts, ignore_index=True)


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
        found = measured(run.model, mixed).rename(columns={"mean": "value"})
        found = found[found["measure"].isin(["twonn", "mle", "cosine"])]
        loss = {"layer": 0, "measure": "loss", "value": _loss(run, mixed)}
        found = pd.concat([found, pd.DataFrame([loss])], ignore_index=True)
        parts.append(found[["layer", "measure", "value"]].assign(order=order, block=block))
    return pd.concat(parts, ignore_index=True)


def alike(run: Run, *, other: str, untrained: bool = False) -> pd.DataFrame:
    """layer, other, value: CKA of the best weights with those of another run (its name), or with those that it began
    with, on the same tokens."""
    of = runs.load(other)
    pair = [run.model, experiment.begun(of.settings).eval() if untrained else of.model]
    tokens = sequences(run)
    return layers.alike(*(layers.clouds(model, tokens, n=N_POINTS, generator=generator(0, "cloud")) for model in pair))


def of_prompts(run: Run, prompts: Sequence[str]) -> pd.DataFrame:
    """prompt, layer, first, second, value: the cosines of all pairs of tokens of each prompt, of the best weights."""
    parts = [
        layers.similarities(run.model, tokens).assign(prompt=number)
        for number, tokens in enumerate(prompt_tokens(run.settings, prompts))
    ]
    return pd.concat(parts, ignore_index=True)


def prompt_tokens(settings: Settings, prompts: Sequence[str]) -> list[Tokens]:
    """Each prompt as a sequence (1 time), with a token behind it that nothing is asked of.

    Raises ParameterError for a prompt without two tokens, with more than the context, or with foreign characters.
    """
    tokenizer, most = text.load(settings.task).tokenizer, settings.task.context_length
    found = []
    for number, prompt in enumerate(prompts, 1):
        try:
            tokens = list(tokenizer.encode(prompt))
        except ValueError as error:
            raise ParameterError(f"prompt {number} of prompts: {error}") from None
        if not 2 <= len(tokens) <= most:
            raise ParameterError(
                f"prompt {number} of prompts must have 2 to context_length={most} tokens, got {len(tokens)}; "
                f"{'make it longer' if len(tokens) < 2 else 'cut it, or raise context_length'}"
            )
        found.append(torch.tensor([[*tokens, tokens[-1]]]))
    return found


def pieces(settings: Settings, prompt: str) -> list[str]:
    """The tokens of a prompt as text, spaces and ends of lines seen."""
    tokenizer = text.load(settings.task).tokenizer
    seen = str.maketrans({" ": "·", "\n": "⏎"})
    return [tokenizer.decode([token]).translate(seen) for token in tokenizer.encode(prompt)]


def fingerprint(prompts: Sequence[str]) -> str:
    """Eight digits that tell prompts from others."""
    return hashlib.sha256("\0".join(prompts).encode()).hexdigest()[:8]


def changes(orders: pd.DataFrame) -> pd.DataFrame:
    """Of `in_other_orders` of several runs, the last order less the first, layer by layer: `value`."""
    ends = {order: orders[orders["order"] == order].reset_index(drop=True) for order in (0, ORDERS - 1)}
    return ends[0].assign(value=ends[ORDERS - 1]["value"] - ends[0]["value"])


def of_largest(orders: pd.DataFrame, measure: str) -> pd.DataFrame:
    """system, seed, value: how much the largest of a measure over layers rises from the first order to the last."""
    mine = orders[orders["measure"] == measure]
    largest = mine.groupby(["system", "seed", "order"], sort=False)["value"].max().unstack()
    return (largest[ORDERS - 1] - largest[0]).rename("value").reset_index()


def summary(starts: pd.DataFrame, ends: pd.DataFrame, orders: pd.DataFrame) -> dict[str, pd.Series]:
    """What is claimed of models of text, a value a seed, the mean over what is not named: of the tables before training
    (`untrained`), after it (`over_depth`, one step), and in other orders."""
    before = starts[(starts["n_layers"] == starts["n_layers"].max()) & (starts["layer"] == starts["n_layers"])]
    after = ends[ends["layer"] == ends["layer"].max()]
    values = {
        "start_post_minus_pre": _post_less_pre(before[before["measure"] == "cosine"]),
        "trained_post_minus_pre": _post_less_pre(after[after["measure"] == "cosine"]),
    }
    for name, measure in (("dimension", "twonn"), ("cosine", "cosine"), ("loss", "loss")):
        values[f"shuffled_{name}"] = of_largest(orders, measure).groupby("seed")["value"].mean()
    change = changes(orders)
    rise = change[(change["measure"] == "twonn") & (change["layer"] > 0)]
    is_low = rise["layer"] <= rise["layer"].max() // 2
    halves = [rise[where].groupby("seed")["value"].mean() for where in (is_low, ~is_low)]
    return values | {"shuffled_lower_less_upper": halves[0] - halves[1]}


def _post_less_pre(table: pd.DataFrame) -> pd.Series:
    """A value a seed, over both kinds of MLP."""
    norms = table["system"].str.split(" ").str[0]
    means = table.groupby([norms, "seed"])["value"].mean()
    return means["post"] - means["pre"]


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
