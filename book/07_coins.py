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
# # Coins: what a tiny transformer stores when it flips
#
# A coin is an urn with two colours. Its probability of heads $\theta$ is drawn once for every sequence, uniformly; then
# it is flipped, and the model predicts every flip. Nobody who sees $H$ heads in $N$ flips can do better than
#
# $$ p(\text{heads}) = \frac{H + 1}{N + 2}, $$
#
# {term}`Laplace's rule`, which {cite:t}`bondaschi2025laplace` find in Mamba, and which depends on two counts alone: not
# on the order of the flips, nor, but for an exchange, on which side is called heads. How does a transformer come to say
# that? Does it count, and where are the counts? The idea, and the questions, are those of
# [balls-and-urns](https://github.com/afiq-aswadi/balls-and-urns) (commit 1520350). There a batch of sequences shared
# one coin, the loss was compared with $\mathbb{E}[H(\theta)] = 1/2$, which nobody attains, models with a BOS were
# evaluated without it, and invariance was looked for in the first thousand sequences of an ordered list. Here every
# sequence has a coin of its own, and every comparison is with what can be attained, on the same flips.

# %% tags=["remove-cell"]
import os, pathlib, sys  # noqa: E401, I001  every chapter finds the library by this cell; Colab fetches it first
"google.colab" in sys.modules and os.system("cd /content; [ -e lexurn ] || git -c advice.detachedHead=false clone -q --depth 1 -b v0.1.0 https://github.com/OWNER/lexurn")
sys.path[:0] = [str(f) for f in pathlib.Path("_").resolve().parents if (f / "lexurn/base/colab.py").exists()] or ["/content/lexurn"]
import lexurn.base.colab  # noqa: F401  not found? git clone https://github.com/OWNER/lexurn, and run this inside the clone

# %% [markdown]
# ## Parameters
#
# Change a value and run everything again, or from a terminal:
# `papermill book/07_coins.ipynb out.ipynb -p n_steps 4000`. The tiny model is trained four times longer, and
# each of the shapes for eight tenths of them.

# %% tags=["parameters"]
# Parameters of this chapter. Those of papermill's -p and -f win over these.
n_shapes: int = 9  # shapes of a small model to compare
n_seeds: int = 1  # seeds, each with its own pool, to train with
d_model: int = 32  # width of embedded tokens and between layers
n_layers: int = 1  # blocks, or recurrent layers
n_heads: int = 2  # attention heads, each of width d_model / n_heads
mlp: str = "gated"  # gated (by GELU), swiglu (by SiLU), gelu, relu, or none: attention only
n_steps: int = 1000  # optimizer updates; follows from the data where they are finite
seed: int = 0  # the seed that every random stream is derived from
jobs: int = 2  # processes that train side by side
threads: int = 1  # CPU threads
# Also: d_head, d_mlp, norm, positions, batch_size, optimizer, learning_rate, warmup,
#   schedule, weight_decay, grad_clip, n_test_samples, eval_every, device (see the
#   page Parameters).

# %% tags=["hide-input"]
from lexurn import parameters

settings = parameters.resolve("coins", fixed={"task": "urns", "n_colors": 2, "n_tasks": 0, "context_length": 20})

# %% tags=["hide-input"]
import itertools

import pandas as pd
import torch
from IPython.display import Markdown, display

from lexurn import figure, models, set_threads
from lexurn import table as show_table
from lexurn.base.seeding import generator
from lexurn.chapters.coins import coin_losses, counts, probing, symmetry
from lexurn.chapters.coins import plots as chapter_plots
from lexurn.figures import plots, widgets
from lexurn.generators.urns import Urns
from lexurn.measures import intervals
from lexurn.predictors import Generalizing
from lexurn.publish import claims

# %%
set_threads(settings.machine.threads)
from lexurn.models import activations

chapter_seed, train, exact, uniform = settings.training.seed, settings.training, Generalizing(2), [1.0, 1.0]
fresh = Urns(2).out_of_distribution(10_000, 21, generator=generator(chapter_seed, "coins"))
in_words = intervals.format_mean

# %% [markdown]
# ## The models
#
# The *default* model has the shape that is set above, and a BOS: all its rows see the start vector. *No BOS* is the
# same without. *Lexical* has no names for the two sides. The *tiny* one is that of the original: two dimensions, one
# head of one, sixteen hidden units, positions fixed to $\ln(1 + i)$, neither norm nor BOS. Besides the start vector it
# has 145 parameters, of which 40 are the fixed positions. Several of them, from as many seeds.

# %% tags=["hide-input"]
flat = settings.changed()
tiny = {"d_model": 2, "n_layers": 1, "n_heads": 1, "d_head": 1, "d_mlp": 16, "mlp": "relu", "norm": "none"}
tiny |= {"positions": "log", "positions_trained": False, "bos": False, "tied": False}
longer = {"n_steps": 4 * train.n_steps, "eval_every": 4 * train.eval_every}
seeds = range(chapter_seed, chapter_seed + max(3, settings.study.n_seeds))
wanted = {"default": flat, "no BOS": flat | {"bos": False}, "lexical": flat | {"lex": True}}
wanted |= {f"tiny, seed {each}": flat | tiny | longer | {"seed": each} for each in seeds}
settings_of = {who: parameters.check(values) for who, values in wanted.items()}
runs = dict(zip(wanted, widgets.get_all(list(settings_of.values()), jobs=settings.study.jobs), strict=True))
tiny_runs = [runs[f"tiny, seed {each}"] for each in seeds]
parts = {who: models.summary(runs[who].model) for who in ("default", "tiny, seed " + str(chapter_seed))}
show_table(pd.DataFrame(parts).T.rename_axis("model"))

# %% [markdown]
# ## What can be attained
#
# The loss at row $n$ that the exact predictor has on average is known exactly: a sum over the heads that it may have
# seen. Who knew the coin would lose $\mathbb{E}[H(\theta)]$, 1/2 under a uniform prior, but no predictor does.

# %% tags=["hide-input"]
attainable = coin_losses.attainable_loss(uniform, 99)
spans = {"coins/attainable_20": (1, 20), "coins/attainable_49": (1, 49), "coins/attainable_98": (0, 98)}
attained = {key: attainable[first : last + 1].mean().item() for key, (first, last) in spans.items()}
best, known = attained["coins/attainable_20"], coin_losses.unattainable_loss(uniform)
rows = [{"rows": f"{first} … {last}", "attainable loss": attained[key]} for key, (first, last) in spans.items()]
display(Markdown(f"To who knows the coin: {known:.4f}, in every row."))
show_table(pd.DataFrame(rows).set_index("rows"))

# %% tags=["hide-input"]
along = pd.concat(coin_losses.losses_along_training(runs[who], who) for who in ("default", "no BOS", "lexical"))
sequences = runs["default"].splits["out_of_distribution"]
lucky = coin_losses.mean_loss(exact, sequences)
levels = pd.DataFrame({"attained by": ["exact, on these flips", "who knows the coin"], "loss": [lucky, known]})
alt = "The loss of three models along training, falling to what the exact predictor attains, and not to one half."
options = {"legend": "model", "size": (6.5, 3.4), "runs": [runs[who] for who in ("default", "no BOS", "lexical")]}
number = f"1 model each, {train.n_test_samples} sequences"
figure(chapter_plots.bounds, pd.concat([along, levels]), name="learning", alt=alt, n=number, **options)

# %% tags=["hide-input"]
alt = "What three models lose beyond the exact predictor along training, from the first evaluation after the start."
options |= {"x": "step", "y": "excess"}
figure(plots.curves, along[along["step"] > 0], name="excess", alt=alt, n=number, **options)

# %% [markdown]
# (The sequences of this picture are few and happen to be a little easier or harder than coins are on average, for the
# exact predictor too: so only differences on the same flips count.) What is left at the end, on ten thousand sequences
# and paired with the exact predictor, flip by flip:

# %% tags=["hide-input"]
predictors = {who: run.predictor for who, run in runs.items()}
left = {who: coin_losses.excess_loss(predictor, exact, fresh) for who, predictor in predictors.items()}
stuck = [each for each in seeds if left[f"tiny, seed {each}"].mean() > 0.01]
for who, values in left.items():
    display(Markdown(f"**{who}**: {in_words(values)} nats a flip more than the exact predictor (n = {len(values)})."))

# %% [markdown]
# ## Coin by coin, flip by flip
#
# Averages over coins hide where a model is wrong. Here is the default model on coins of every kind. One could expect it
# to be worst where it has seen least. But after few flips there are few different counts to be learned, each of them
# often seen; after twenty there are many, and those of coins that nearly always fall on one side are rare.

# %% tags=["hide-input"]
theta_grid = [0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0]
options = {"length": 21, "n_sequences": 400, "generator": generator(chapter_seed, "thetas")}
maps = coin_losses.errors_by_theta(predictors["default"], exact, theta_grid, **options)
for measure, name, low, high in (("|p − exact|", "off", 1e-3, 0.1), ("kl", "kl", 1e-6, 1e-2)):
    alt = f"A map of {measure} of the default model, coins down, flips seen across."
    options = {"title": measure, "size": (7.0, 3.6), "low": low, "high": high, "runs": [runs["default"]]}
    mine = maps[maps["measure"] == measure]
    figure(chapter_plots.over_theta, mine, name=f"theta-{name}", alt=alt, n="400 sequences a coin", **options)

# %% tags=["hide-input"]
off = maps[maps["measure"] == "|p − exact|"].assign(
    late=maps["row"] > 10, extreme=maps["theta"].isin([0.0, 0.05, 0.95, 1.0])
)
off = off[off["row"] > 0].groupby(["late", "extreme"])["mean"].agg(["mean", "sem"])
rows_of = {True: "11 … 20", False: "1 … 10"}
parts = [
    f"{intervals.format_with_error(*line)} at rows {rows_of[late]}, {'extreme' if extreme else 'other'} θ"
    for (late, extreme), line in zip(off.index, off.values, strict=True)
]
display(Markdown(f"Mean |p − exact| (± over coins and rows): {'; '.join(parts)}."))

# %% tags=["hide-input"]
shown = {who: runs[who] for who in ("default", "no BOS", f"tiny, seed {chapter_seed}")}
sides = {"exact": exact} | {who: run.predictor for who, run in shown.items()}
predict_constant = coin_losses.constant_sequence_predictions
ends = pd.concat(predict_constant(each, length=21).assign(who=who) for who, each in sides.items())
alt = "The probability of heads along all heads and along all tails: the exact curve, and those of three models."
options = {"by": "side", "share_y": True, "legend": "predictor", "x": "row", "y": "probability"}
figure(plots.curves, ends, name="constant", alt=alt, n="2 sequences", runs=list(shown.values()), **options)

# %% tags=["hide-input"]
after = ends[(ends["side"] == "all heads") & ends["row"].isin([2, 3, 4, 20])]
show_table(after.pivot(index="who", columns="row", values="probability").loc[list(sides)])

# %% [markdown]
# ## Do they know that order does not matter, and which side is which does not either?
#
# Shuffle the flips, and predict the next: how far do predictions move (total variation)? Exchange the sides, predict,
# and exchange back: how far then? Both are zero for the exact predictor. As a control stands one that forgets: each
# flip counts for it eight tenths of the next.

# %% tags=["hide-input"]
rows, moves = [], {}
for who, predictor in {"exact": exact, "forgetting": coin_losses.forgetting_predictor, **predictors}.items():
    order = symmetry.permutation_error(predictor, fresh[:1000], generator=generator(chapter_seed, "orders"))
    moves[who] = order, symmetry.flip_error(predictor, fresh[:1000])
    row = dict(zip(("moved by order", "moved by exchange"), map(in_words, moves[who]), strict=True))
    rows.append({"predictor": who, **row})
show_table(pd.DataFrame(rows).set_index("predictor"))

# %% [markdown]
# (± one standard error over 1000 sequences.) A lexical model has the second symmetry by construction, but up to its
# table: exchanging the sides and the two rows of the table together changes nothing. With the table as it was, it must
# have learned to read any table alike; and above, its probabilities are averages over eight tables.

# %% tags=["hide-input"]
for what, flip_table in (("and the rows of its table", True), ("alone", False)):
    options = {"generator": generator(chapter_seed, "renamed"), "flip_table": flip_table}
    values = coin_losses.relabelling_error(runs["lexical"].model, fresh[:1000], **options)
    display(Markdown(f"Lexical, the sides exchanged {what}: moved by {in_words(values)} (n = {len(values)})."))

# %% [markdown]
# And inside? Take the vectors at the last row of two sequences with as many heads: do they point the same way? The
# original found cosines of about 1 where the last flip is the same too. But seen from zero nearly all vectors point the
# same way, since they share a mean. So here they are seen from that mean, beside pairs with *other* numbers of heads.

# %% tags=["hide-input"]
place = f"{settings.backbone.n_layers - 1}.resid_post"
vectors = activations.read(runs["default"].model, fresh, place)[place][:, -1]
pairs, plain = (
    symmetry.pair_cosines(vectors - away, fresh[:, :-1], generator=generator(chapter_seed, "pairs"))
    for away in (vectors.mean(0), 0.0)
)
cosines = pairs.groupby(["pair", "heads"])["cosine"].agg(cosine="mean", sem="sem").reset_index()
alt = "The cosine of pairs of vectors against the heads: same heads and same flip, same heads and another, other heads."
options = {"x": "heads", "y": "cosine", "line": "pair", "legend": "pairs", "size": (6.5, 3.2)}
number, of = f"{len(pairs)} pairs of {len(fresh)} sequences", [runs["default"]]
figure(plots.curves, cosines, name="cosines", alt=alt, n=number, runs=of, **options)

# %% tags=["hide-input"]
from_zero = plain.groupby("pair")["cosine"].mean()
for pair, mine in pairs.groupby("pair"):
    text = f"mean cosine {in_words(torch.tensor(mine['cosine'].tolist()))}, {from_zero[pair]:.3f} seen from zero"
    display(Markdown(f"{pair}: {text} (n = {len(mine)} pairs)."))

# %% [markdown]
# ## The 145 parameters, opened
#
# The residual stream of the tiny model is a plane, so that all of it can be seen. First before the MLP, that is, the
# embedding of the last flip, its position, and what attention has fetched; then after it. A point is a sequence at a
# row, shaded by the share of heads, or by the flips seen. All that is read out after the MLP is where a point lies
# along one direction, the difference of the two rows of W_U below; there the points must be in the order of their log
# odds.

# %% tags=["hide-input"]
opened, some = tiny_runs[0].model, fresh[:60]
planes = pd.concat(
    counts.activation_table(opened, some, f"0.{name}").assign(place=shown)
    for name, shown in (("resid_mid", "before the MLP"), ("resid_post", "after the MLP"))
)
for color, what in (("share", "share of heads"), ("n", "number of flips seen")):
    alt = f"The plane of the tiny model before and after its MLP, points shaded by the {what}."
    options = {"by": "place", "title": f"by the {what}", "size": (4.6, 3.8), "legend": "", "color": color}
    number = f"{len(some)} sequences, rows 1 … 20"
    figure(chapter_plots.plane, planes, name=f"plane-{color}", alt=alt, n=number, runs=tiny_runs[:1], **options)

# %% [markdown]
# The same after the MLP, on the way: models from the same weights and data whose training ends sooner.

# %% tags=["hide-input"]
stages = [max(longer["n_steps"] // part, 1) for part in (80, 20, 5)]
base = flat | tiny | {"seed": chapter_seed}
sooner = [parameters.check(base | {"n_steps": stage, "eval_every": stage}) for stage in stages]
early = widgets.get_all(sooner, jobs=settings.study.jobs) + tiny_runs[:1]
shown = pd.concat(
    counts.activation_table(run.model, some, "0.resid_post").assign(steps=run.settings.training.n_steps)
    for run in early
)
alt = "The plane of the tiny model after its MLP, for four lengths of training, points shaded by the share of heads."
options = {"by": "steps", "titles": "{} steps", "size": (3.4, 3.2), "legend": "", "color": "share"}
figure(chapter_plots.plane, shown, name="plane-on-the-way", alt=alt, n=f"{len(some)} sequences", runs=early, **options)

# %% tags=["hide-input"]
weights = {
    "W_E tails": opened.vocabulary.embedding[0],
    "W_E heads": opened.vocabulary.embedding[1],
    "W_U tails": opened.vocabulary.readout.weight[0],
    "W_U heads": opened.vocabulary.readout.weight[1],
    "W_pos, first": opened.positions[0],
    "W_pos, last": opened.positions[-1],
}
show_table(pd.DataFrame({name: row.tolist() for name, row in weights.items()}, index=["first", "second"]).T)

# %% [markdown]
# ### What does attention fetch?
#
# One number at each row: the head's output $z$. The original plotted it against $H/N$ on sorted sequences (heads then
# tails, or tails then heads), and found lines: R² of [.957 and .974, and .976 and .978 without sequences of one side
# only](https://github.com/afiq-aswadi/balls-and-urns). An average of values, one for heads and one for tails, weighted
# alike, would be such a line exactly. Ours, on sorted sequences and on random ones, for each flip that was seen last:

# %%
kinds = {"sorted": coin_losses.sorted_sequences(21), "random": fresh[:2000]}
points, fits = [], []
for run in tiny_runs:
    for kind, tokens in kinds.items():
        table = counts.activation_table(run.model, tokens, "0.attn.z").rename(columns={"x": "z"})
        mine, of = counts.fit_lines(table, y="z"), {"seed": run.settings.training.seed, "sequences": kind}
        fits.append(mine.assign(**of))
        few = counts.points_and_lines(table[table["sequence"] < 60], mine, y="z")
        points.append(few.assign(**of))
fits, points = pd.concat(fits), pd.concat(points)

# %% tags=["hide-input"]
for kind in kinds:
    mine = points[(points["sequences"] == kind) & points["seed"].isin(list(seeds)[:3])].copy()
    alt = f"The output z of three tiny models' head against the share of heads, on {kind} sequences, with lines."
    mine["seed"] = [f"{each} (stuck)" if each in stuck else str(each) for each in mine["seed"]]
    options = {"by": "seed", "titles": "seed {}", "title": kind, "size": (3.2, 3.0), "legend": "", "y": "z"}
    number = "60 sequences shown, lines from all"
    figure(
        chapter_plots.against_share, mine, name=f"attention-{kind}", alt=alt, n=number, runs=tiny_runs[:3], **options
    )

# %% tags=["hide-input"]
names = {0: "tails", 1: "heads"}
fits = fits.assign(
    after=fits["token"].map(names), models=fits["seed"].isin(stuck).map({True: "stuck", False: "learned"})
)
text = f"{len(stuck)} of {len(tiny_runs)} tiny models are stuck: they lose more than a hundredth of a nat a flip"
display(Markdown(f"{text}{': seed ' * bool(stuck)}{', '.join(map(str, stuck))}."))
shown = fits.groupby(["models", "sequences", "after"])[["r2", "r2_mixed", "r2_with_n"]]
show_table(shown.agg(lambda values: intervals.format_with_error(values.mean(), values.sem())))

# %% tags=["hide-input"]
wide = fits[fits["models"] == "learned"].pivot_table(index="seed", columns="sequences", values=["r2", "r2_with_n"])
for what, values in (
    ("less on random sequences than on sorted ones by", wide["r2", "sorted"] - wide["r2", "random"]),
    (
        "more, on random sequences, with a line of its own for each N by",
        wide["r2_with_n", "random"] - wide["r2", "random"],
    ),
):
    values = torch.tensor(values.dropna().tolist())
    display(Markdown(f"R² of z against H/N is {what} {in_words(values)} (n = {len(values)} models that learned)."))

# %% [markdown]
# Values carry the position as well as the flip (both are in the stream that they are read from), so that $z$ depends on
# $N$ too: see how it spreads where the share of heads is 0 or 1.
#
# The claims are about all seeds: three when they were written, six since one of the three was seen to be stuck. It
# counts; of what is constant a line explains nothing.

# %% tags=["hide-input"]
sorted_fits = fits[fits["sequences"] == "sorted"].set_index("after")
measured = {key: claims.Measurement(value, float("nan"), 1) for key, value in attained.items()}
measured["coins/excess_default"] = claims.Measurement(*intervals.mean_and_sem(left["default"]), len(fresh))
for after in names.values():
    for column, key in (("r2", f"coins/r2_{after}"), ("r2_mixed", f"coins/r2_mixed_{after}")):
        values = sorted_fits.loc[after, column]
        measured[key] = claims.Measurement(values.mean(), values.sem(), len(values))
fixed = {"n_colors", "n_tasks", "context_length", "n_steps", "eval_every", "n_test_samples", "device", "threads"}
claims.table(measured, at_scale=train.n_steps == 5000 and not flat.keys() - fixed)

# %% [markdown]
# ### And what does the MLP make of it?
#
# What is read out must be the log odds, $\ln\frac{H + 1}{N - H + 1}$. The difference of the two logits against them,
# one line in each panel if a model were exact:

# %% tags=["hide-input"]
odds = []
for run in tiny_runs[:3]:
    table = counts.activation_table(run.model, some, "0.resid_post")
    said = run.predictor(some)[:, 1:]
    table["formula"], table["model"] = table["log_odds"], (said[..., 1] - said[..., 0]).flatten().tolist()
    odds.append(table[["formula", "model"]].assign(seed=run.settings.training.seed))
alt = "The log odds that the tiny models say against those of the formula: points about a line."
options = {"by": "seed", "titles": "seed {}", "size": (3.4, 3.4), "share_y": True, "runs": tiny_runs[:3]}
figure(plots.agreement, pd.concat(odds), name="log-odds", alt=alt, n=f"{len(some)} sequences", **options)
off = [table["model"].sub(table["formula"]).abs().groupby(table["seed"]).mean() for table in odds]
said = ", ".join(f"seed {each.index[0]}: {each.iloc[0]:.2f}" for each in off)
display(Markdown(f"Mean distance from the log odds of the formula (n = {len(odds[0])} rows each): {said}."))

# %% [markdown]
# ## How small can it be?
#
# The tiny shape is one of many. Widths of the stream, of the head and of the MLP, without norm and BOS, and each
# trained equally long: which of the three is the bottleneck? There is one model a shape, and its error bar is over
# sequences alone; another seed can be stuck, as above, which is worse than anything that width does.

# %%
widths, places = ((2, 4, 8), (1, 2, 4), (4, 8, 16)), list(itertools.product(range(3), repeat=3))
places.sort(key=lambda place: (sum(place) % 3, place))  # the first nine have every width of each kind three times
chosen = [tuple(of[at] for of, at in zip(widths, place, strict=True)) for place in places[: settings.study.n_shapes]]
shorter = {"n_steps": max(int(0.8 * train.n_steps), 1), "eval_every": max(int(0.8 * train.n_steps), 1)}
shapes = [flat | tiny | shorter | dict(zip(("d_model", "d_head", "d_mlp"), shape, strict=True)) for shape in chosen]
shaped = widgets.get_all([parameters.check(each) for each in shapes], jobs=settings.study.jobs)
lost = [coin_losses.excess_loss(run.predictor, exact, fresh) for run in shaped]
rows = [dict(zip(("d_model", "d_head", "d_mlp"), shape, strict=True)) for shape in chosen]
costs = pd.DataFrame(rows).assign(excess=[each.mean().item() for each in lost])
costs["sem"] = [intervals.mean_and_sem(each)[1] for each in lost]

# %% tags=["hide-input"]
costs["who"] = "d_model " + costs["d_model"].astype(str)
costs["what"] = costs["who"]
costs["of"] = "d_head " + costs["d_head"].astype(str) + ", d_mlp " + costs["d_mlp"].astype(str)
bars = costs.assign(low=costs["excess"] - 2 * costs["sem"], high=costs["excess"] + 2 * costs["sem"])
alt = "The excess loss of small models, by the width of head and MLP, in a colour for each width of the stream."
options = {"legend": "", "size": (6.5, 0.6 + 0.35 * bars["of"].nunique()), "runs": shaped}
figure(plots.estimates, bars, name="shapes", alt=alt, n="1 model a shape, 10 000 sequences", x="excess", **options)

# %% tags=["hide-input"]
texts, gains = [], {}
for name in ("d_model", "d_head", "d_mlp"):
    by_width = costs.groupby(name)["excess"].agg(["mean", "sem", "count"])
    said = [f"{width}: {intervals.format_with_error(line['mean'], line['sem'])}" for width, line in by_width.iterrows()]
    texts.append(f"{name} {', '.join(said)} (n = {int(by_width['count'].min())} shapes or more each)")
    gains[name] = by_width["mean"].iloc[0] - by_width["mean"].iloc[-1]
first = max(gains, key=gains.get)
text = f"Mean excess loss (nats) by width: {'; '.join(texts)}. From its least to its largest width {first} gains most"
display(Markdown(f"{text}, {gains[first]:.4f} nats a flip."))

# %% [markdown]
# ## Are the counts written there?
#
# A probe, a line or a small network, learns to read a quantity from the stream of the default model, before its MLP, at
# rows 1, 3, … 19 of some sequences, and is scored on other sequences: at the same rows, and at those *between*, where
# it has never been. (There a line must fail where positions are learned by heart: the vector of a row that it has not
# seen can lie in any direction, also in one that its weights make much of.) Two controls: the same line with shuffled
# targets, and a model of the same shape that was not trained. What an untrained model lets a probe read, the
# architecture gives away for nothing.

# %%
place, seen = "0.resid_mid", fresh[: 1500 if train.n_steps >= 1000 else 300]
untrained = models.build(settings_of["default"], generator=generator(chapter_seed, "untrained")).eval()
values = {
    who: activations.read(model, seen, place)[place][:, 1:]
    for who, model in (("trained", runs["default"].model), ("untrained", untrained))
}
written = counts.activation_table(runs["default"].model, seen, place)
targets = {"heads H": "heads", "flips N": "n", "share H/N": "share", "log odds": "log_odds"}
shape = (len(seen), 20)
targets = {shown: torch.tensor(written[name].values).view(shape).double() for shown, name in targets.items()}

# %% tags=["hide-input"]
rows, found = [], {}
for shown, target in targets.items():
    for kind, who in itertools.product(("linear", "mlp"), values):
        probe = probing.probe(values[who], target, generator=generator(chapter_seed, "probe"), kind=kind)
        found[shown, kind, who] = probe
        marks = {f"{who}, {kind}": probe.r2} | (
            {f"{who}, {kind}, between": probe.r2_elsewhere} if who == "trained" else {}
        )
        marks |= {"shuffled targets": probe.shuffled} if (kind, who) == ("linear", "trained") else {}
        rows += [{"of": shown, "what": name, "r2": r.value, "low": r.low, "high": r.high} for name, r in marks.items()]
read = pd.DataFrame(rows)
probed = read.pivot(index="what", columns="of", values="r2").rename_axis(columns="R²")
show_table(probed, floor=-1.0)

# %% tags=["hide-input"]
near = read[read["r2"] > -0.5]  # the others stand in the table alone
alt = "R² of probes for heads, flips, share and log odds: trained and untrained models, and shuffled targets."
options = {"legend": "", "size": (6.5, 3.6), "x": "r2", "runs": [runs["default"]]}
figure(plots.estimates, near, name="probes", alt=alt, n=f"{len(seen) // 2} sequences", **options)

# %% [markdown]
# Read is not used. So move the stream at the last row along the direction in which $H$ is written, the difference that
# one head more makes there, by some heads more or fewer: does the prediction move by as many parts in $N + 2$? As a
# control, move it as far in a random direction. And give each sequence, at its last row, what attention has fetched for
# another one: does its prediction move to the other's heads?

# %% tags=["hide-input"]
row, few, shifts, model = 20, fresh[:400], [-4.0, -2.0, 2.0, 4.0], runs["default"].model
place = "0.resid_mid"
direction = counts.count_direction(model, fresh[400:4400], place, row=row)
chance = torch.randn(direction.shape, generator=generator(chapter_seed, "chance"), dtype=torch.float64)
ways = {"steered, as written": direction, "steered, at random": chance * direction.norm() / chance.norm()}
both = [
    counts.steering_effects(model, few, place, way, row=row, shifts=shifts).assign(done=done)
    for done, way in ways.items()
]
patched = counts.patching_effects(model, few, "0.attn.z", row=row, generator=generator(chapter_seed, "patched"))
both = pd.concat([*both, patched.assign(done="attention of another")])
alt = "Changes of the predicted probability by steering and patching against what the formula says, each a panel."
options = {"by": "done", "size": (4.0, 4.0), "runs": [runs["default"]]}
figure(plots.agreement, both[["done", "formula", "model"]], name="causal", alt=alt, n="400 sequences", **options)

# %% tags=["hide-input"]
for done, mine in both.groupby("done", sort=False):
    off, slope = counts.agreement(mine)
    text = f"**{done}**: off by {in_words(off)} on average, where the formula moves by {mine['formula'].std():.3f} (SD)"
    display(Markdown(f"{text}; slope {in_words(slope)} (1: as the formula, 0: not at all; n = {len(off)} sequences)."))

# %% [markdown]
# ## What does it believe before it has seen anything?
#
# Let a model flip its own coin: draw from its prediction, append, and go on. Heads in such sequences come as if a coin
# had been drawn from the prior that it acts upon, and then flipped. The Beta prior under which they are likeliest
# should be Beta(1, 1).

# %% tags=["hide-input"]
drawn = {
    who: coin_losses.sample_head_counts(each, 1000, 20, generator=generator(chapter_seed, who))
    for who, each in {"exact": exact, "default": predictors["default"], "tiny": tiny_runs[0].predictor}.items()
}
shares = pd.concat(pd.DataFrame({"who": who, "share": (heads / 20).tolist()}) for who, heads in drawn.items())
alt = "How often the share of heads in sequences that predictors draw from themselves is at most as large."
options = {"legend": "predictor", "size": (6.5, 3.2), "x": "share", "runs": [runs["default"], tiny_runs[0]]}
figure(chapter_plots.cumulative, shares, name="resampled", alt=alt, n="1000 sequences each", **options)
for who, heads in drawn.items():
    fitted = coin_losses.fit_beta_prior(heads, length=20).values
    fitted_alpha, fitted_beta = (intervals.format_with_error(*line) for line in fitted)
    display(Markdown(f"**{who}**: α = {fitted_alpha}, β = {fitted_beta} (n = {len(heads)} sequences)."))

# %% [markdown]
# ## Moving a prior
#
# How can a model be brought to another prior, say Beta(1, 8), coins that mostly show tails? Train on uniform coins, but
# weigh each sequence by how much likelier it is under the new prior; or take the default model and train on the new
# coins, for as many steps again, either all of it or its embeddings alone (which are its read-out too, and the start
# vector). Here is how far each is from what is exact under the new prior.

# %%
moved = coin_losses.beta_prior(1.0, 8.0)
begun = {"init_from": runs["default"].settings.key, "alpha": moved}
ways = {
    "weighted": flat | {"alpha": uniform, "target_alpha": moved},
    "retrained, all": flat | begun,
    "retrained, embeddings": flat | begun | {"trainable": "vocabulary"},
    "new from the start": flat | {"alpha": moved},
}
asked = [parameters.check(each) for each in ways.values()]
others = dict(zip(ways, widgets.get_all(asked, jobs=1), strict=True)) | {"as it was": runs["default"]}

# %% tags=["hide-input"]
skewed, target = (
    Urns(2, moved).out_of_distribution(10_000, 21, generator=generator(chapter_seed, "skewed")),
    Generalizing(2, moved),
)
off, costs_of = [], {}
for who, run in others.items():
    wrong = symmetry.total_variation(run.predictor(skewed), target(skewed))
    of = {"who": who, "row": range(21), "off": wrong.mean(0).tolist(), "sem": (wrong.std(0) / 100).tolist()}
    off.append(pd.DataFrame(of))
    costs_of[who] = coin_losses.excess_loss(run.predictor, target, skewed)
alt = "The distance from what is exact under Beta(1, 8), by the flips seen: a line for each way to the new prior."
options = {"legend": "model", "size": (6.5, 3.6), "x": "row", "y": "off", "log": ["off"], "runs": list(others.values())}
figure(plots.curves, pd.concat(off), name="moved", alt=alt, n="1 model each, 10 000 sequences", **options)
show_table(
    pd.DataFrame({"excess (nats)": {who: in_words(values) for who, values in costs_of.items()}}).rename_axis("model")
)

# %% [markdown]
# Embeddings are two vectors: to move a prior, no more needs to be learned than what a flip is worth and what is said
# before any. What that leaves, beside retraining everything, on the same flips:

# %% tags=["hide-input"]
gap = costs_of["retrained, embeddings"] - costs_of["retrained, all"]
display(Markdown(f"Embeddings alone lose {in_words(gap)} nats a flip more than all weights (n = {len(gap)}, paired)."))

# %% [markdown]
# ## What was seen
#
# In words that are computed from the above.

# %% tags=["hide-input"]
order, exchange = moves["default"]
drop = torch.tensor((wide["r2", "sorted"] - wide["r2", "random"]).dropna().tolist())
of_heads, nothing = (found["heads H", "linear", who].r2 for who in ("trained", "untrained"))
slopes = {done: in_words(counts.agreement(mine)[1]) for done, mine in both.groupby("done")}
tiny_left = [left[f"tiny, seed {each}"].mean().item() for each in seeds if each not in stuck]
lines = [
    f"The default model loses {in_words(left['default'])} nats a flip to the exact predictor, "
    f"{len(tiny_left)} of {len(seeds)} tiny ones {min(tiny_left, default=0):.5f} to {max(tiny_left, default=0):.5f}.",
    f"Order moves it by {in_words(order)}, and exchanging the sides by {in_words(exchange)} (total variation).",
    f"R² of z against H/N is less by {in_words(drop)} on random than sorted sequences (n = {len(drop)} tiny models).",
    f"A line reads H with R² {of_heads}, and from an untrained model with {nothing}: attention alone gives most of it.",
    f"Steering along H moves predictions by {slopes['steered, as written']} of what the formula says, a random",
]
lines[-1] += f" direction by {slopes['steered, at random']}, another's attention by {slopes['attention of another']}."
display(Markdown("\n".join(f"- {line}" for line in lines)))

# %% [markdown]
# ## What to try next
#
# - `-f params/book.yaml`: the published scale.
# - `-p mlp none`: attention alone. What is lost?
# - `-p positions none`: without positions, what can attention know of $N$?
# - `-p n_layers 2`: do the counts move to the second layer?
