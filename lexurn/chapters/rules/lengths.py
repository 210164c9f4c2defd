"""Length generalization: completing strings that are shorter or longer than those of training.

The prompt is the first ⌈(l + 1) / 2⌉ of a string's l letters; for aⁿbⁿ it includes one b, which
determines the rest. A completion is right if it ends and the whole string is in the language.

Most models can be asked about strings of any length, because none of their weights belongs to a
position. Models with a table of learned positions, and linear layers, have no weights for positions
beyond those they were built with.
"""

import pandas as pd
import torch
from jaxtyping import Int64
from torch import Tensor

from lexurn import models
from lexurn.base.seeding import generator
from lexurn.base.shapes import Table, Tokens
from lexurn.generators.languages import LANGUAGES, Language
from lexurn.generators.strings import EOS, PAD, string_lengths
from lexurn.measures.rules import Strings, choose_tokens
from lexurn.models.language_model import LanguageModel, evaluating
from lexurn.runs.run import Run

MAX_STRINGS = 50
"""The largest number of different strings of one length."""

N_SAMPLES = 20_000
"""The number of strings that are sampled from the language."""

FACTOR = 4
"""The longest strings that are asked about have so many times the letters of training strings."""


def completion_accuracy(run: Run) -> pd.DataFrame:
    """Return the share of right greedy completions by length, with the best weights.

    Columns: length, trained (whether training had this length), value, n (strings). Lengths that
    the model has no positions for are missing.
    """
    settings = run.settings
    language = LANGUAGES[settings.task.language]
    max_length = FACTOR * settings.task.longest
    model = lengthen_model(run, max_length)
    limit = model.context_length + 1
    strings = strings_by_length(language, max_length)
    strings = {length: each[:, :limit] for length, each in strings.items() if length < limit}
    lengths = torch.tensor([length for length, each in strings.items() for _ in each])
    stream = generator(settings.training.seed, "completions")
    table = model.vocabulary.draw(len(lengths), generator=stream)
    tokens = torch.cat(list(strings.values()))
    completed = complete_beginnings(model, tokens, lengths // 2 + 1, table=table)
    is_right = language.contains(completed) & (completed == EOS).any(-1)
    rows = []
    for length, each in strings.items():
        value = is_right[lengths == length].double().mean().item()
        rows.append((length, length <= settings.task.longest, value, len(each)))
    return pd.DataFrame(rows, columns=["length", "trained", "value", "n"])


def complete_beginnings(
    model: LanguageModel, strings: Tokens, n_given: Int64[Tensor, " batch"], *, table: Table
) -> Strings:
    """Return strings of which the model keeps the first `n_given` letters and completes the rest.

    This is greedy decoding as in `lexurn.chapters.rules.completion`, for prompts of different
    lengths at once. A model with a random vocabulary uses the `table`.
    """
    tokens = strings.clone()
    state = {}
    has_ended = torch.zeros(len(tokens), dtype=torch.bool)
    with evaluating(model):
        for row in range(tokens.shape[1]):
            previous = tokens[:, max(row - 1, 0)][:, None]
            chosen = choose_tokens(model.step(previous, row, state, table=table)[:, 0], None)[:, 0]
            chosen = torch.where(has_ended, PAD, chosen)
            tokens[:, row] = torch.where(row < n_given, tokens[:, row], chosen)
            has_ended |= tokens[:, row] == EOS
    return tokens


def lengthen_model(run: Run, max_length: int) -> LanguageModel:
    """Return the model of a run, with the same weights, for strings of up to `max_length` letters.

    If some weights belong to positions, the model cannot be lengthened, and is returned as it is.
    """
    task = run.settings.task.model_copy(update={"context_length": max_length})
    settings = run.settings.model_copy(update={"task": task})
    model = models.build(settings, generator=generator(0, "weights that are replaced"))
    weights = run.model.state_dict()
    own = model.state_dict()
    if any(weights[name].shape != own[name].shape for name in own):
        return run.model
    model.load_state_dict(weights)
    return model.eval()


def strings_by_length(language: Language, max_length: int) -> dict[int, Tokens]:
    """Sample different strings of each length up to `max_length` that the language has.

    The lengths are in increasing order.
    """
    stream = generator(0, "words of each length")
    tokens = language.sample(N_SAMPLES, max_length=max_length, generator=stream)
    sizes = string_lengths(tokens)
    strings = {}
    for length in sizes.unique().tolist():
        distinct = tokens[sizes == length].unique(dim=0)
        order = torch.randperm(len(distinct), generator=generator(0, "which words", length))
        strings[length] = distinct[order[:MAX_STRINGS]]
    return strings


def by_range(accuracy: pd.DataFrame) -> pd.DataFrame:
    """Return the mean accuracy over lengths of each range, for the strings longer than in training.

    `accuracy` is a grid's table of `completion_accuracy`. Columns: language, model, seed, range (up
    to twice the letters of training, or further), value.
    """
    longest = accuracy.loc[accuracy["trained"], "length"].max()
    beyond = accuracy[accuracy["length"] > longest]
    is_near = beyond["length"] <= 2 * longest
    names = {
        True: f"{longest + 2} … {2 * longest}",
        False: f"{2 * longest + 2} … {FACTOR * longest}",
    }
    groups = beyond.assign(range=is_near.map(names))
    groups = groups.groupby(["language", "model", "seed", "range"], sort=False)
    return groups["value"].mean().reset_index()


def length_values(ranges: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the values of the forecasts on longer strings by seed.

    `ranges` is the table of `by_range`.
    """
    near, far = ranges["range"].unique()
    table = ranges.set_index(["language", "range", "model", "seed"])["value"].sort_index()
    xlstm, lstm = (table["aNbN", near, model] for model in ("xlstm", "lstm"))
    return {
        "longer_no_positions_64": table["aNbN", far, "no positions"],
        "longer_rotary_64": table["aNbN", far, "rotary"],
        "longer_sinusoidal_32": table["aNbN", near, "sinusoidal"],
        "longer_alibi_32": table["aNbN", near, "alibi"],
        "longer_xlstm_minus_lstm_32": xlstm - lstm,
    }
