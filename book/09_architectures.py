# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,-all
#     formats: ipynb,py:percent
#     notebook_metadata_filter: -jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Architectures: what do five of them learn?
#
# A backbone is what computes between reading and writing tokens. Five are built into this book: a transformer, an LSTM,
# Mamba, xLSTM, and one that is linear throughout. Architectures are compared by speed, by their loss on text, of which
# nobody knows how much there was to learn, and by tasks that can be solved, such as copying or recall. Here they meet
# data of which the best prediction is known, row by row: urns, coins, and words of $a^nb^n$. What a model loses beyond
# that is its own.
#
# And they meet *lexical invariance*. A {term}`normal model` has learned embeddings. To a {term}`lexical model` every
# token is a basis vector of its $d$ dimensions, drawn anew for every sequence: it cannot know a token by name, and to
# predict a token it has to give back the vector by which that token came. Attention can hand on what it looks at. Can a
# state of fixed size? (Its predictions are means over eight draws.) A {term}`permuted model` has learned embeddings,
# but is trained on sequences whose tokens change names.
#
# The backbones have about equally many weights. But steps differ in what they take, so there is a comparison at equal
# *time* as well. Everything is said of 750 steps of thirty-two sequences, at the scale of this book; what more
# training would bring, it does not say.

# %% tags=["remove-cell"]
import os, pathlib, sys  # noqa: E401, I001  every chapter finds the library by this cell; Colab fetches it first
"google.colab" in sys.modules and os.system("cd /content; [ -e lexurn ] || git -c advice.detachedHead=false clone -q --depth 1 -b v0.1.0 https://github.com/OWNER/lexurn")
sys.path[:0] = [str(f) for f in pathlib.Path("_").resolve().parents if (f / "lexurn/base/colab.py").exists()] or ["/content/lexurn"]
import lexurn.base.colab  # noqa: F401  not found? git clone https://github.com/OWNER/lexurn, and run this inside the clone

# %% [markdown]
# ## Parameters
#
# Change a value and run everything again, or from a terminal: `papermill book/09_architectures.ipynb out.ipynb -p
# n_seeds 3`. The widths and learning rates stand in the grids `params/sweeps/architectures*.yaml`: two layers, contexts
# of 32 balls, 20 flips, 32 letters. Trainings have a sixteenth of `n_steps`. `-f params/book.yaml` is the scale of this
# book.

# %% tags=["parameters"]
# Parameters of this chapter. Those of papermill's -p and -f win over these.
n_steps: int = 1000  # optimizer updates; follows from the data where they are finite
batch_size: int = 32  # sequences per step
grad_clip: float = 1.0  # largest norm of the gradient; 0: no clipping
seed: int = 0  # the seed that every random stream is derived from
n_seeds: int = 1  # seeds, each with its own pool, to train with
jobs: int = 2  # processes that train side by side
device: str = "auto"  # auto: cuda, else mps, else cpu
threads: int = 1  # CPU threads

# %% tags=["hide-input"]
from lexurn import parameters

settings = parameters.resolve("architectures")

# %% tags=["hide-input"]
import pandas as pd
from IPython.display import Markdown, display

from lexurn import figure, set_threads
from lexurn import table as show_table
from lexurn.chapters.architectures import costs, learning, published
from lexurn.chapters.architectures import plots as chapter_plots
from lexurn.figures import plots, style, widgets
from lexurn.measures import intervals
from lexurn.publish import claims
from lexurn.runs import cache, sweeps
from lexurn.runs.cache import concat_tables
from lexurn.settings.resolver import check

# %%
set_threads(settings.machine.threads)
study, in_words = settings.study, intervals.format_with_error
number = f"{study.n_seeds} seed(s) a line"

# %% [markdown]
# ## What they are
#
# Let $x_t$ be the vectors that a layer is given, a row for each token.
#
# **Transformer.** Row $t$ takes from the rows before it, $\sum_{s \le t} p_{ts} v_s$ with
# $p_{ts} \propto \exp(q_t \cdot k_s)$, and then an MLP works on each row alone. Queries, keys and values are linear in
# $x$. What is taken from a row depends on what stands there and on what is asked. Nothing is forgotten: all rows are
# kept, and each new one looks at all of them. To copy a token, a head attends to it and hands on its value; to count,
# it averages over rows. Places must be told, here by learned vectors. (`lexurn/models/transformer.py`, after
# {cite:t}`vaswani2017attention`)
#
# **LSTM.** A state of fixed size goes from row to row: cells $c_t = f_t c_{t-1} + i_t z_t$, of which
# $h_t{=}o_t\tanh{c_t}$ is handed on. The gates $f, i, o$ between 0 and 1, and the candidate $z$, are made from $x_t$
# and $h_{t-1}$. As they depend on the state, rows must be computed one after the other. A cell can count up and down by
# ones, which is all that $a^nb^n$ asks for. What is stored can be weighed and forgotten, cell by cell, but not looked
# up by another vector. (`lexurn/models/lstm.py`, after {cite:t}`hochreiter1997lstm`; its gates begin half open, where
# those below begin with a long memory, as their papers have it.)
#
# **Mamba.** Every channel keeps sixteen numbers, $h_t = e^{\Delta_t A} h_{t-1} + \Delta_t B_t u_t$, of which
# $y_t{=}C_t{\cdot}h_t$ is handed on. Steps $\Delta$ and vectors $B$ and $C$ are made from $u_t$, so that a token
# decides how much is forgotten and how much of it is taken in; they do not depend on the state, which is why large
# machines can compute all rows together. A short convolution lets every channel see its last four rows, and a gate
# multiplies what comes out. Without forgetting, $h$ is a sum over the past: a count. (`lexurn/models/mamba.py`, after
# {cite:t}`gu2023mamba`)
#
# **xLSTM.** Two cells. The *mLSTM* remembers a matrix, $C_t = f_t C_{t-1} + i_t k_t v_t^\top$, and is asked by a query,
# $q_t^\top C_t$: attention without a softmax, whose past fades by a gate, in a state of fixed size. The *sLSTM* is an
# LSTM whose input gate is exponential, and whose cell is divided by how much was taken in at all: a weighted mean over
# the past. Here the first block is an mLSTM and the second an sLSTM. (`lexurn/models/xlstm.py`, after
# {cite:t}`beck2024xlstm`)
#
# **Linear.** $\sum_{s \le t} M_{ts} W x_s + b_t$: what is taken from a row depends on the two places alone, never on
# what stands there. There is no product of two things that were read, and nothing between layers, so two layers compute
# nothing that one could not. It is a baseline: what it can do needs no architecture. (`lexurn/models/linear.py`, after
# the linear model of {cite:t}`meszaros2024rules`, made causal)

# %% tags=["hide-input"]
scale = settings.training.n_steps / (16 * sweeps.read("architectures").points[0].training.n_steps)
taken = ("seed", "n_steps", "eval_every")
changes = {name: value for name, value in settings.changed().items() if name not in taken}
seeds = range(settings.training.seed, settings.training.seed + study.n_seeds)
parts = ("", "_relabelled", "_one_layer", "_equal_time")
grids = [sweeps.read(f"architectures{part}", changes=changes, seeds=seeds, scale=scale) for part in parts]
grid, relabelled, one_layer, equal_time = grids
points = list(dict.fromkeys(point for each in grids for point in each.points))
found = dict(zip(points, widgets.get_all(points, jobs=study.jobs), strict=True))
display(Markdown(f"{len(points)} trainings of {grid.points[0].training.n_steps} steps."))

# %% [markdown]
# How far does changing one token move each later prediction? On coins, whose flips are exchangeable, every flip should
# count as much as every other, and the less, the more have been seen: rows of one shade, each a little darker than that
# above it. Lower left is the distant past.

# %% tags=["hide-input"]
coins = {
    grid.coordinates[point.name]["model"]: found[point]
    for point in grid.where(data="coins", kind="normal")[:: study.n_seeds]
}
moved = cache.table(learning.influences, list(coins.values()), list(coins))
alt = "Maps of how far each flip moves each later prediction, for the exact predictor and for the five backbones."
options = {"by": "who", "size": (3.4, 2.9), "low": 1e-2, "high": 0.5, "runs": list(coins.values())}
figure(chapter_plots.influence, moved, name="influence", alt=alt, n="100 sequences, one seed", **options)

# %% tags=["hide-input"]
last = moved[moved["predicted"] == moved["predicted"].max()].set_index(["who", "seen"])["value"].unstack()
ratios = last.iloc[:, -4:].mean(axis=1) / last.iloc[:, :4].mean(axis=1)
said = ", ".join(f"{who} {ratios[who]:.2g}" for who in ("exact", *coins))
display(Markdown(f"In the last row, how often the last four flips count as much as the first four: {said}."))

# %% [markdown]
# ## What they cost
#
# Weights, and a training step of eight sequences (forward and backward, without the optimizer) against the context
# length: its time on the processor that the figure names, and what it keeps in memory to go back with.

# %% tags=["hide-input"]
lengths = [16, 32, 64, 128, 256] if scale < 1 else [16, 32, 64, 128, 256, 512]
table = cache.table(costs.model_costs, [run.settings for run in coins.values()], lengths)
table["model"] = table["model"].map(dict(enumerate(coins)))
alt = "Time of a training step, and memory that it keeps, against the context length: a line a backbone."
long = table.rename(columns={"ms": "time (ms)", "megabytes": "memory (MB)"}).melt(
    ["model", "context_length"], ["time (ms)", "memory (MB)"], var_name="cost", value_name="a_step"
)
options = {"x": "context_length", "y": "a_step", "line": "model", "log": ["context_length", "a_step"], "by": "cost"}
options |= {"n": f"fastest of 3 steps, {table['processor'][0]}", "legend": "model"}
figure(plots.curves, long, name="costs", alt=alt, **options)

# %% tags=["hide-input"]
wide = table.pivot(index="model", columns="context_length", values="ms").loc[list(coins)]
shown = pd.DataFrame({"weights of the backbone": table[table["context_length"] == 32].set_index("model")["parameters"]})
shown["ms at 32"], shown[f"ms at {lengths[-1]}"] = wide[32].round(1), wide[lengths[-1]].round(1)
shown["time grows as C to the power"] = costs.growth_exponents(table, "ms").round(2)
shown["memory grows as C to the power"] = costs.growth_exponents(table, "megabytes").round(2)
show_table(shown)

# %% [markdown]
# (Slopes on a log scale over the three longest contexts. The weights of the linear backbone grow with the square of the
# context length, as it has one for each pair of places.)
#
# ## Along training
#
# What each loses more than the best that its kind can do: on urns the memorizing predictor, or, without names, the
# symmetrized one; on coins the rule of Laplace; on words the oracle, or the mixture of two oracles where names are not
# known. *Relabelled* words are $a^nb^n$ whose letters change names from word to word, as they always do to a lexical
# model. Nats a ball, a flip, a word; lines end at $10^{-4}$.


# %%
def of(table, **where):
    for name, value in where.items():
        table = table[table[name] == value]
    return table


# %%
def both(make):
    tables = [concat_tables(each, [make(found[point]) for point in each.points]) for each in (grid, relabelled)]
    return renamed(pd.concat([tables[0], tables[1].assign(data="aNbN", kind="permuted")], ignore_index=True))


def renamed(table):
    return table.assign(data=table["data"].mask((table["data"] == "aNbN") & (table["kind"] != "normal"), "relabelled"))


# %% tags=["hide-input"]
along = both(learning.regret_along_training)
along["of"] = along["data"] + ", " + along["kind"]
lines = intervals.mean_over_seeds(along[along["step"] > 0], ["of", "model", "step", "n_tables"])
lines = lines.assign(beyond_the_optimum=lines["mean"].clip(lower=1e-4))
options = {"x": "step", "y": "beyond_the_optimum", "line": "model", "log": ["beyond_the_optimum"], "by": "of"}
options["size"] = (3.4, 2.8)
alt = "Loss beyond the optimum along training, on a log scale: a panel for each kind of data, a line a backbone."
runs = [found[point] for each in (grid, relabelled) for point in each.points]
figure(plots.curves, lines, name="learning", alt=alt, n=number, runs=runs, legend="model", **options)

# %% tags=["hide-input"]
final = both(learning.final_regret)
table = intervals.mean_over_seeds(final, ["data", "kind", "model"])
table["text"] = [in_words(*each) for each in table[["mean", "sem"]].values]
order, rows = list(dict.fromkeys(final["model"])), list(dict.fromkeys(zip(table["data"], table["kind"], strict=True)))
wide = table.pivot(index=["data", "kind"], columns="model", values="text").loc[rows, order]
wide.rename_axis(columns=f"more than the optimum, {study.n_seeds} seed(s)")

# %% [markdown]
# (Nats a ball, a flip, a word; the weights of the least validation loss; ± one standard error over seeds, which differ
# in their urns, their words and their first weights.)
#
# ## At equal time
#
# On coins and words, trained for as long as the LSTM's 750 steps take on one core: the others have fewer steps, and
# schedules of that length. How long a training takes was measured once more.

# %% tags=["hide-input"]
ends = renamed(concat_tables(equal_time, [learning.final_regret(found[point]) for point in equal_time.points]))
equal = intervals.mean_over_seeds(ends, ["data", "kind", "model"])
equal["text"] = [in_words(*each) for each in equal[["mean", "sem"]].values]
rows = [row for row in rows if row in set(equal.set_index(["data", "kind"]).index)]
wide = equal.pivot(index=["data", "kind"], columns="model", values="text").loc[rows, order]
display(wide.rename_axis(columns=f"at equal time, {study.n_seeds} seed(s)"))

# %% tags=["hide-input"]
timed = cache.table(costs.training_times, list(equal_time.points))
timed = renamed(concat_tables(equal_time, [timed.iloc[[number]] for number in timed.index]))
seconds = timed.groupby(["data", "kind", "model"], sort=False)["seconds"].mean().unstack().loc[rows, order]
display(seconds.round(2).rename_axis(columns=f"seconds, {timed['processor'][0]}"))

# %% [markdown]
# ## Urns: generalizing, memorizing, or memorizing up to the names?
#
# One training urn, and urns never seen: distances to the three exact predictors.

# %% tags=["hide-input"]
urns = grid.where(data="urns")
tables = [learning.predictor_distances(found[p]).assign(**grid.coordinates[p.name]) for p in urns]
table = pd.concat(tables, ignore_index=True)
table["distance"] = table["value"]
options = {"x": "distance", "line": "model", "mark": "reference", "by": "kind", "legend": "distance to"}
alt = "Symmetrized KL to G, M and S on urns never seen, by backbone; learned embeddings left, redrawn ones right."
runs = [found[point] for point in urns]
figure(chapter_plots.seeds_and_means, table, name="urns", alt=alt, n=number, runs=runs, size=(3.6, 3.2), **options)

# %% tags=["hide-input"]
table = intervals.mean_over_seeds(table, ["kind", "model", "reference"])
table["text"] = [in_words(*each) for each in table[["mean", "sem"]].values]
wide = table.pivot(index="model", columns=["kind", "reference"], values="text").loc[order]
display(wide.rename_axis(index=f"symmetrized KL (nats), {study.n_seeds} seed(s)"))
nearest = table.loc[table.groupby(["kind", "model"], sort=False)["mean"].idxmin()]
said = [
    f"{model} {style.NAMES[name]}"
    for kind, model, name in nearest[["kind", "model", "reference"]].values
    if kind == "lexical"
]
display(Markdown(f"Nearest to lexical models: {', '.join(said)}."))

# %% [markdown]
# ## Coins: is the rule of Laplace learned by one layer?
#
# On coins the best prediction is $(H + 1) / (n + 2)$, {term}`Laplace's rule`. {cite:t}`bondaschi2025laplace` find that
# one layer of Mamba learns it for Markov chains, of which coins are the simplest, and that its convolution is
# essential. (For pairs of tokens, which coins have no use for: whether chains need it cannot be tested here.) Which
# $(H + \alpha) / (n + 2 \alpha)$ is each model nearest to, how far is it from that rule, and how far from Laplace's?
# We search $\ln \alpha$ between −4 and 4; Laplace's rule has $\ln \alpha = 0$. The table gives
# $\mathrm{KL}(\text{model} \,\|\, \text{rule})$. These models have one layer, and so half as many weights as models of
# two layers. The layer of xLSTM is an mLSTM.

# %% tags=["hide-input"]
of_coins = [found[point] for point in one_layer.points]
smoothed = cache.table(learning.smoothings, of_coins)
smoothed = concat_tables(one_layer, [smoothed.iloc[[number]] for number in smoothed.index])
smoothing = {
    name: intervals.mean_over_seeds(smoothed.assign(value=smoothed[name]), ["model"])
    for name in ("ln_alpha", "kl", "to_laplace")
}
texts = {name: [in_words(*each) for each in part[["mean", "sem"]].values] for name, part in smoothing.items()}
wide = pd.DataFrame(texts, index=smoothing["ln_alpha"]["model"]).rename(
    columns={"ln_alpha": "ln α", "kl": "KL to that rule (nats)", "to_laplace": "KL to Laplace's (nats)"}
)
show_table(wide.rename_axis(columns=f"one layer, {study.n_seeds} seed(s)"))

# %% tags=["hide-input"]
drawn = smoothed.melt(["model", "seed"], ["ln_alpha", "to_laplace"], var_name="what", value_name="value")
drawn["what"] = drawn["what"].replace({"ln_alpha": "ln α (Laplace: 0)", "to_laplace": "KL to Laplace's rule (nats)"})
drawn["mark"] = "one layer"
alt = "The rule that one layer of each backbone is nearest to on coins, and how far it is from Laplace's."
options = {"x": "value", "line": "model", "mark": "mark", "by": "what", "size": (3.8, 2.9)}
figure(chapter_plots.seeds_and_means, drawn, name="laplace", alt=alt, n=number, runs=of_coins, **options)

# %% [markdown]
# ## Two published models, and what was wrong with them
#
# The published linear model maps all embeddings of a string to all of its logits, and its causal mask is transposed:
# row $t$ sees the token that it has to predict, and all that follows, but never what came before its last token. Asked
# to continue a prompt, it sees the last token and its position alone. Below, the model as published, without a mask,
# and with a causal mask.

# %% tags=["hide-input"]
flat = {"language": "aNbN", "context_length": 32, "n_test_samples": 200}
flat["n_steps"] = grid.points[0].training.n_steps
words = check(flat | changes)
each = [words.of_kind("normal", seed=seed) for seed in seeds]
linear = pd.concat([cache.table(published.compare_linear, one) for one in each], ignore_index=True)
table = pd.concat(
    [
        intervals.mean_over_seeds(linear.assign(what=what, value=linear[what]), ["model", "what"])
        for what in linear.columns[3:]
    ]
)
table["text"] = [in_words(*each) for each in table[["mean", "sem"]].values]
at_once = published.immediate_eos_rate("aNbN")
wide = table.pivot(index="model", columns="what", values="text")[["excess", "rule 1", "EOS at once"]]
show_table(wide.rename_axis(columns=f"{linear['parameters'][0]:,} weights, {study.n_seeds} seed(s)"))

# %% tags=["hide-input"]
drawn = linear.assign(kept=linear["rule 1"]).assign(mark="ours")
drawn = pd.concat([drawn, pd.DataFrame({"model": "EOS at once", "mark": "exact", "kept": [at_once]})])
options = {"x": "kept", "line": "model", "mark": "mark", "legend": "rule 1", "size": (5.4, 2.2)}
alt = "Share of prompts with rule 1 kept by the linear model with three masks, and by saying EOS at once."
figure(chapter_plots.seeds_and_means, drawn, name="published", alt=alt, n=f"{study.n_seeds} seed(s)", **options)

# %% tags=["hide-input"]
said = f"Whoever says EOS at once keeps rule 1 on {at_once:.4f} of the prompts."
theirs = claims.get("architectures/linear_published").published
below = of(linear, model="as published")["excess"].mean()
said += f" Published for the linear model, the best over training: {theirs}. Ours, at the last step, loses"
said += f" {abs(below):.3g} nats a word {'more' if below > 0 else 'less'} than the oracle"
display(Markdown(said + ("." if below > 0 else ", which can only be by seeing what it predicts.")))

# %% [markdown]
# The published transformer adds sines to embeddings, but along the batch: every row of a word gets the same vector,
# that of the word's place among the words beside it. What it says of a word depends on the company. Ours with sines
# along the batch, and along time: how far do probabilities move if a word stands elsewhere in the batch, and how good
# is each on words one at a time?

# %% tags=["hide-input"]
sines = pd.concat([cache.table(published.compare_positions, one) for one in each], ignore_index=True)
table = pd.concat(
    [intervals.mean_over_seeds(sines.assign(what=w, value=sines[w]), ["model", "what"]) for w in ("moved", "excess")]
)
table["text"] = [in_words(*each) for each in table[["mean", "sem"]].values]
wide = table.pivot(index="model", columns="what", values="text")[["moved", "excess"]]
show_table(wide.rename_axis(columns=f"sines, {study.n_seeds} seed(s)"))

# %% [markdown]
# ## What agrees, and what does not

# %% tags=["hide-input"]
lines = []
for (data, kind), mine in final.groupby(["data", "kind"], sort=False):
    means = mine.groupby("model", sort=False)["value"].mean().sort_values()
    lost = [f"{name} {in_words(value, of(mine, model=name)['value'].sem())}" for name, value in means.items()]
    lines.append(f"**{data}, {kind}.** From the best: {'; '.join(lost)}.")
best = equal.loc[equal.groupby(["data", "kind"], sort=False)["mean"].idxmin(), ["data", "kind", "model"]].values
lines.append(f"**At equal time** the best are {', '.join(f'{model} ({data}, {kind})' for data, kind, model in best)}.")
display(Markdown("\n".join(f"- {line}" for line in lines)))

# %% [markdown]
# What the linear backbone does not reach, it cannot, and that can be said beforehand. Its logits are sums of something
# for each row, by its place and its token. On coins that is a weighted count as a logit, whereas probabilities should
# be in proportion to counts, and logits to their logarithms. On relabelled words let $f$ be the logit of EOS less that
# of a letter, in the row behind $2k$ letters: as a sum over rows, $f(a^kb^k) + f(b^ka^k) = f(a^{2k}) + f(b^{2k})$. But
# EOS has to come behind both words on the left, and behind none on the right. Where letters have names, $b^ka^k$ never
# comes, and nothing stands in the way.

# %% tags=["hide-input"]
values = {
    "linear_published": of(linear, model="as published")["rule 1"],
    "linear_masked": of(linear, model="causal")["excess"],
    "laplace_mamba": of(smoothed, model="mamba")["ln_alpha"],
    "laplace_no_convolution": of(smoothed, model="mamba without convolution")["to_laplace"],
}
for kind in ("permuted", "lexical"):
    for learner in ("transformer", "lstm", "mamba", "xlstm"):
        values[f"relabelled_{kind}_{learner}"] = of(final, data="relabelled", kind=kind, model=learner)["value"]
measured = {
    f"architectures/{name}": claims.Measurement(each.mean(), each.sem(), len(each)) for name, each in values.items()
}
is_published = scale == 1 and not changes.keys() - {"device", "threads", "tracker"}
claims.table(measured, at_scale=is_published)

# %% [markdown]
# Not reproduced here: the original sizes (`rules_*` of [07](08_rules.ipynb)), and what these architectures were made
# for, long contexts on large machines.
#
# ## What to try next
#
# - `-f params/book.yaml`: the scale of this book, about fourteen minutes by two processes.
# - `papermill book/02_train.ipynb out.ipynb -p backbone mamba -p lex True`: one model, with everything said of it.
# - `python tests/benchmarks/learning.py`: our Mamba and xLSTM against those of `transformers` and `xlstm`.
# - `runs.get({"backbone": "xlstm", "n_layers": 2, "slstm_at": [0, 1]})`: sLSTM alone.
