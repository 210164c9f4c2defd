# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,-all
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
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
# which depends on two counts alone: not on the order of the flips, nor, but for an exchange, on which side is called
# heads. How does a transformer come to say that? Does it count, and where are the counts? The idea, and the questions,
# are those of [balls-and-urns](https://github.com/afiq-aswadi/balls-and-urns) (commit 1520350). There a batch of
# sequences shared one coin, the loss was compared with $\mathbb{E}[H(\theta)] = 1/2$, which nobody attains, models with
# a BOS were evaluated without it, and invariance was looked for in the first thousand sequences of an ordered list.
# Here every sequence has a coin of its own, and every comparison is with what can be attained, on the same flips.

# %%
import subprocess
import sys
from importlib import metadata, util
from pathlib import Path

REPOSITORY, TAG = "https://github.com/OWNER/lexurn", "v0.1.0"
here = [Path.cwd(), *Path.cwd().parents]
clone = next((f for f in here if (f / "_config.yml").exists() and (f / "lexurn").is_dir()), Path("/content/lexurn"))
installed = util.find_spec("lexurn") and any(metadata.distributions(name="lexurn"))
if clone not in here and not installed:
    assert "google.colab" in sys.modules, f"no lexurn here: git clone {REPOSITORY}, and run this inside the clone"
    if not clone.exists():
        options = ["-q", "-c", "advice.detachedHead=false", "--depth", "1", "--branch", TAG]
        subprocess.run(["git", "clone", *options, REPOSITORY, clone], check=True)
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "-e", clone], check=True)  # keeps torch
sys.path.insert(0, str(clone))

# %% [markdown]
# ## Parameters
#
# Change a value and run everything again, or from a terminal:
# `papermill book/06_coins.ipynb out.ipynb -p n_steps 4000`. The tiny model is trained for four times as many steps, and
# each of the shapes for eight tenths of them.

# %% tags=["parameters"]
# Parameters of this chapter. Those of papermill's -p and -f win over these.
# the model, but for the tiny one
d_model: int = 32  # width of the residual stream
n_layers: int = 1  # blocks
n_heads: int = 2  # attention heads, each of width d_model / n_heads
d_head: int = 0  # width of a head; 0: d_model / n_heads
mlp: str = "gated"  # gated GELU, relu, or none: attention only
d_mlp: int = 0  # width of the MLP; 0: four times d_model
norm: str = "layer"  # before attention, MLP and read-out: layer, none
positions: str = "learned"  # how a token's place is told: learned, rotary, none, integer, linear, log
# how the weights are found
n_steps: int = 1000  # optimizer updates; follows from the data where they are finite
batch_size: int = 32  # sequences per step
optimizer: str = "adamw"  # adamw, or muon: Muon for the backbone's matrices, AdamW for the rest
learning_rate: float = 0.01  # peak learning rate
warmup: int = 50  # steps of linear warm-up
schedule: str = "cosine"  # after the warm-up: constant, cosine, inverse_sqrt
weight_decay: float = 0.01  # decoupled weight decay, on matrices only
grad_clip: float = 1.0  # largest norm of the gradient; 0: no clipping
n_test_samples: int = 500  # held-out sequences per split
eval_every: int = 100  # steps between evaluations
seed: int = 0  # the one seed that every random stream is derived from
# how much is averaged over
n_seeds: int = 1  # seeds, each with a pool of its own, that models are trained with
n_shapes: int = 9  # shapes of a small model that are compared
jobs: int = 2  # processes side by side that train
# where it runs
device: str = "auto"  # auto: cuda, else mps, else cpu
threads: int = 1  # CPU threads

# %%
from lexurn import parameters

settings = parameters.resolve("coins", fixed={"n_colors": 2, "n_tasks": 0, "context_length": 20})

# %%
import itertools

import pandas as pd
import torch
from IPython.display import Markdown, display

from lexurn import claims, figure, models, plotting, uncertainty, widgets
from lexurn.analysis import activations, coins, probing, symmetry
from lexurn.predictors import Generalizing
from lexurn.seeding import generator
from lexurn.tasks import Urns

torch.set_num_threads(settings.machine.threads)
seed, train, exact, uniform = settings.training.seed, settings.training, Generalizing(2), [1.0, 1.0]
fresh = Urns(2).out_of_distribution(10_000, 21, generator=generator(seed, "coins"))
in_words = uncertainty.in_words

# %% [markdown]
# ## The models
#
# The *default* model has the shape that is set above, and a BOS: all its rows see the start vector. *No BOS* is the
# same without. *Lexical* has no names for the two sides. The *tiny* one is that of the original: two dimensions, one
# head of one, sixteen hidden units, positions fixed to $\ln(1 + i)$, neither norm nor BOS, and 145 parameters in all,
# 105 of them trained. Three of them, from as many seeds.

# %%
flat = settings.changed()
tiny = {"d_model": 2, "n_layers": 1, "n_heads": 1, "d_head": 1, "d_mlp": 16, "mlp": "relu", "norm": "none"}
tiny |= {"positions": "log", "positions_trained": False, "bos": False, "tied": False}
longer = {"n_steps": 4 * train.n_steps, "eval_every": 4 * train.eval_every}
seeds = range(seed, seed + max(3, settings.study.n_seeds))
wanted = {"default": flat, "no BOS": flat | {"bos": False}, "lexical": flat | {"lex": True}}
wanted |= {f"tiny, seed {each}": flat | tiny | longer | {"seed": each} for each in seeds}
settings_of = {who: parameters.check(values) for who, values in wanted.items()}
runs = dict(zip(wanted, widgets.get_all(list(settings_of.values()), jobs=settings.study.jobs), strict=True))
tiny_runs = [runs[f"tiny, seed {each}"] for each in seeds]
parts = {who: models.summary(runs[who].model) for who in ("default", "tiny, seed " + str(seed))}
pd.DataFrame(parts).T.rename_axis("model")

# %% [markdown]
# ## What can be attained
#
# The loss at row $n$ that the exact predictor has on average is known exactly: a sum over the heads that it may have
# seen. Who knew the coin would lose $\mathbb{E}[H(\theta)]$, 1/2 under a uniform prior, but no predictor does.

# %%
attainable = coins.attainable_loss(uniform, 99)
spans = {"coins/attainable_20": (1, 20), "coins/attainable_49": (1, 49), "coins/attainable_98": (0, 98)}
attained = {key: attainable[first : last + 1].mean().item() for key, (first, last) in spans.items()}
best, known = attained["coins/attainable_20"], coins.unattainable_loss(uniform)
rows = [{"rows": f"{first} … {last}", "attainable loss": attained[key]} for key, (first, last) in spans.items()]
display(Markdown(f"To who knows the coin: {known:.4f}, in every row."))
pd.DataFrame(rows).set_index("rows").round(5)

# %%
along = pd.concat(coins.losses_along(runs[who], who) for who in ("default", "no BOS", "lexical"))
levels = pd.DataFrame({"attained by": ["the exact predictor", "who knows the coin"], "loss": [best, known]})
alt = "The loss of three models along training, falling to what the exact predictor attains, and not to one half."
options = {"legend": "model", "size": (6.5, 3.4), "runs": [runs[who] for who in ("default", "no BOS", "lexical")]}
number = f"1 model each, {train.n_test_samples} sequences"
figure(plotting.bounds, pd.concat([along, levels]), name="learning", alt=alt, n=number, **options)

# %%
alt = "What three models lose beyond the exact predictor along training, from the first evaluation after the start."
options |= {"x": "step", "y": "excess"}
figure(plotting.curves, along[along["step"] > 0], name="excess", alt=alt, n=number, **options)

# %% [markdown]
# What is left of it at the end, on ten thousand sequences and paired with the exact predictor, flip by flip:

# %%
predictors = {who: run.predictor for who, run in runs.items()}
left = {who: coins.excess(predictor, exact, fresh) for who, predictor in predictors.items()}
for who, values in left.items():
    display(Markdown(f"**{who}**: {in_words(values)} nats a flip more than the exact predictor (n = {len(values)})."))

# %% [markdown]
# ## Coin by coin, flip by flip
#
# Averages over coins hide where a model is wrong. Here is the default model on coins of every kind: expect it to be
# worst where it has seen least, coins that nearly always fall on one side, and in the first rows.

# %%
thetas = [0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0]
options = {"length": 21, "n_sequences": 400, "generator": generator(seed, "thetas")}
maps = coins.by_theta(predictors["default"], exact, thetas, **options)
for measure, name, low, high in (("|p − exact|", "off", 1e-3, 0.1), ("kl", "kl", 1e-6, 1e-2)):
    alt = f"A map of {measure} of the default model, coins down, flips seen across."
    options = {"title": measure, "size": (7.0, 3.6), "low": low, "high": high, "runs": [runs["default"]]}
    mine = maps[maps["measure"] == measure]
    figure(plotting.over_theta, mine, name=f"theta-{name}", alt=alt, n="400 sequences a coin", **options)

# %%
sides = {
    "exact": exact,
    "default": predictors["default"],
    "no BOS": predictors["no BOS"],
    "tiny": tiny_runs[0].predictor,
}
ends = pd.concat(coins.constant(each, length=21).assign(who=who) for who, each in sides.items())
alt = "The probability of heads along all heads and along all tails: the exact curve, and those of three models."
options = {"by": "side", "share_y": True, "legend": "predictor", "x": "row", "y": "probability"}
figure(plotting.curves, ends, name="constant", alt=alt, n="2 sequences", runs=[*runs.values()][:4], **options)

# %%
after = ends[(ends["side"] == "all heads") & ends["row"].isin([2, 3, 4, 20])]
after.pivot(index="who", columns="row", values="probability").loc[list(sides)].round(3)

# %% [markdown]
# ## Do they know that order does not matter, and which side is which does not either?
#
# Shuffle the flips, and predict the next: how far do predictions move (total variation)? Exchange the sides, predict,
# and exchange back: how far then? Both are zero for the exact predictor. As a control stands one that forgets: each
# flip counts for it eight tenths of the next.

# %%
rows, moves = [], {}
for who, predictor in {"exact": exact, "forgetting": coins.forgetting, **predictors}.items():
    order = symmetry.permutation(predictor, fresh[:1000], generator=generator(seed, "orders"))
    moves[who] = order, symmetry.flip(predictor, fresh[:1000])
    row = dict(zip(("moved by order", "moved by exchange"), map(in_words, moves[who]), strict=True))
    rows.append({"predictor": who, **row})
pd.DataFrame(rows).set_index("predictor")

# %% [markdown]
# (± one standard error over 1000 sequences.) A lexical model has the second symmetry by construction, but up to its
# table: exchanging the sides and the two rows of the table together changes nothing. With the table as it was, it must
# have learned to read any table alike; and above, its probabilities are averages over eight tables.

# %%
for what, with_table in (("and the rows of its table", True), ("alone", False)):
    stream = generator(seed, "renamed")
    values = coins.renamed(runs["lexical"].model, fresh[:1000], generator=stream, with_table=with_table)
    display(Markdown(f"Lexical, the sides exchanged {what}: moved by {in_words(values)} (n = {len(values)})."))

# %% [markdown]
# And inside? The vectors at the last row of sequences with as many heads, in random pairs: do they point the same way,
# seen from their mean over all sequences? The last flip is written there too, since the row begins as its embedding.

# %%
last = activations.read(runs["default"].model, fresh[:4000], f"{settings.backbone.n_layers - 1}.resid_post")
(vectors,) = (values[:, -1] for values in last.values())
plain = symmetry.cosines(vectors, fresh[:4000, :-1], n_pairs=200, generator=generator(seed, "pairs"))
pairs = symmetry.cosines(vectors - vectors.mean(0), fresh[:4000, :-1], n_pairs=200, generator=generator(seed, "pairs"))
pairs["who"] = pairs["alike"].map({True: "after the same flip", False: "after different flips"})
cosines = pairs.groupby(["who", "heads"])["cosine"].agg(cosine="mean", sem="sem").reset_index()
alt = "The cosine of pairs of vectors with equal heads, against the heads, after the same and after different flips."
options = {"x": "heads", "y": "cosine", "legend": "pairs", "size": (6.5, 3.2), "runs": [runs["default"]]}
figure(plotting.curves, cosines, name="cosines", alt=alt, n="at most 200 pairs for each number of heads", **options)
for who, mine in pairs.groupby("who"):
    seen_from_zero = plain.loc[plain["alike"] == mine["alike"].iloc[0], "cosine"]
    values = [in_words(torch.tensor(each.tolist())) for each in (mine["cosine"], seen_from_zero)]
    text = f"mean cosine {values[0]} seen from the mean, {values[1]} from zero"
    display(Markdown(f"Pairs {who}: {text} (n = {len(mine)} pairs)."))

# %% [markdown]
# ## The 145 parameters, opened
#
# The residual stream of the tiny model is a plane, so that all of it can be seen. First before the MLP, that is, the
# embedding of the last flip, its position, and what attention has fetched; then after it. A point is a sequence at a
# row, shaded by the share of heads. To be predicted well, points after the MLP must lie in the order of the log odds.

# %%
opened, some = tiny_runs[0].model, fresh[:60]
planes = pd.concat(
    coins.inside(opened, some, f"0.{name}").assign(place=shown)
    for name, shown in (("resid_mid", "before the MLP"), ("resid_post", "after the MLP"))
)
alt = "The plane of the tiny model before and after its MLP, points shaded by the share of heads."
options = {"by": "place", "titles": "{}", "size": (5.0, 4.2), "legend": "", "color": "share"}
figure(plotting.plane, planes, alt=alt, n=f"{len(some)} sequences, rows 1 … 20", runs=tiny_runs[:1], **options)

# %% [markdown]
# The same after the MLP, on the way: models from the same weights and data whose training ends sooner.

# %%
stages = [max(longer["n_steps"] // part, 1) for part in (80, 20, 5)]
base = flat | tiny | {"seed": seed}
sooner = [parameters.check(base | {"n_steps": stage, "eval_every": stage}) for stage in stages]
early = widgets.get_all(sooner, jobs=settings.study.jobs) + tiny_runs[:1]
shown = pd.concat(
    coins.inside(run.model, some, "0.resid_post").assign(steps=run.settings.training.n_steps) for run in early
)
alt = "The plane of the tiny model after its MLP, for four lengths of training, points shaded by the share of heads."
options = {"by": "steps", "titles": "{} steps", "size": (3.4, 3.2), "legend": "", "color": "share"}
figure(plotting.plane, shown, name="plane-on-the-way", alt=alt, n=f"{len(some)} sequences", runs=early, **options)

# %%
weights = {
    "W_E tails": opened.vocabulary.embedding[0],
    "W_E heads": opened.vocabulary.embedding[1],
    "W_U tails": opened.vocabulary.readout.weight[0],
    "W_U heads": opened.vocabulary.readout.weight[1],
    "W_pos, first": opened.positions[0],
    "W_pos, last": opened.positions[-1],
}
pd.DataFrame({name: row.tolist() for name, row in weights.items()}, index=["first", "second"]).T.round(3)

# %% [markdown]
# ### What does attention fetch?
#
# One number at each row: the head's output $z$. The original plotted it against $H/N$ on sorted sequences (heads then
# tails, or tails then heads), and found lines: R² of [.957 and .974, and .976 and .978 without sequences of one side
# only](https://github.com/afiq-aswadi/balls-and-urns). An average of values, one for heads and one for tails, weighted
# alike, would be such a line exactly. Ours, on sorted sequences and on random ones, for each flip that was seen last:

# %%
kinds = {"sorted": coins.sorted_sequences(21), "random": fresh[:2000]}
points, fits = [], []
for run in tiny_runs:
    for kind, tokens in kinds.items():
        table = coins.inside(run.model, tokens, "0.attn.z").rename(columns={"x": "z"})
        mine, of = coins.lines(table, y="z"), {"seed": run.settings.training.seed, "sequences": kind}
        fits.append(mine.assign(**of))
        few = coins.with_lines(table[table["sequence"] < 60], mine, y="z")
        points.append(few.assign(**of))
fits, points = pd.concat(fits), pd.concat(points)
for kind in kinds:
    mine = points[(points["sequences"] == kind) & points["seed"].isin(list(seeds)[:3])]
    alt = f"The output z of three tiny models' head against the share of heads, on {kind} sequences, with lines."
    options = {"by": "seed", "titles": "seed {}", "title": kind, "size": (3.2, 3.0), "legend": "", "y": "z"}
    number = "60 sequences shown, lines from all"
    figure(plotting.against_share, mine, name=f"attention-{kind}", alt=alt, n=number, runs=tiny_runs[:3], **options)

# %%
names = {0: "tails", 1: "heads"}
stuck = [seed for seed in seeds if left[f"tiny, seed {seed}"].mean() > 0.01]
fits = fits.assign(
    after=fits["token"].map(names), models=fits["seed"].isin(stuck).map({True: "stuck", False: "learned"})
)
means = fits.groupby(["models", "sequences", "after"])[["r2", "r2_mixed"]]
text = f"{len(stuck)} of {len(tiny_runs)} tiny models are stuck: they lose more than a hundredth of a nat a flip"
display(Markdown(f"{text}{': seed ' * bool(stuck)}{', '.join(map(str, stuck))}."))
means.agg(["mean", "sem", "count"]).round(3)

# %%
learned = fits[(fits["sequences"] == "sorted") & (fits["models"] == "learned")].set_index("after")
measured = {key: claims.Measured(value, float("nan"), 1) for key, value in attained.items()}
measured["coins/excess_default"] = claims.Measured(*uncertainty.mean_and_sem(left["default"]), len(fresh))
for after in names.values():
    for column, key in (("r2", f"coins/r2_{after}"), ("r2_mixed", f"coins/r2_mixed_{after}")):
        values = learned.loc[[after], column].dropna() if after in learned.index else learned["r2"]
        if len(values):
            measured[key] = claims.Measured(values.mean(), values.sem(), len(values))
fixed = {"n_colors", "n_tasks", "context_length", "n_steps", "eval_every", "n_test_samples", "device", "threads"}
claims.table(measured, at_scale=train.n_steps == 5000 and not flat.keys() - fixed)

# %% [markdown]
# ### And what does the MLP make of it?
#
# What is read out must be the log odds, $\ln\frac{H + 1}{N - H + 1}$. The difference of the two logits against them,
# one line in each panel if a model were exact:

# %%
odds = []
for run in tiny_runs[:3]:
    table = coins.inside(run.model, some, "0.resid_post")
    said = run.predictor(some)[:, 1:]
    table["formula"], table["model"] = table["log_odds"], (said[..., 1] - said[..., 0]).flatten().tolist()
    odds.append(table[["formula", "model"]].assign(seed=run.settings.training.seed))
alt = "The log odds that the tiny models say against those of the formula: points about a line."
options = {"by": "seed", "titles": "seed {}", "size": (3.4, 3.4), "share_y": True, "runs": tiny_runs[:3]}
figure(plotting.agreement, pd.concat(odds), name="log-odds", alt=alt, n=f"{len(some)} sequences", **options)

# %% [markdown]
# ## How small can it be?
#
# The tiny shape is one of many. Widths of the stream, of the head and of the MLP, without norm and BOS, and each
# trained equally long: which of the three is the bottleneck?

# %%
widths, places = ((2, 4, 8), (1, 2, 4), (4, 8, 16)), list(itertools.product(range(3), repeat=3))
places.sort(key=lambda place: (sum(place) % 3, place))  # the first nine have every width of each kind three times
chosen = [tuple(of[at] for of, at in zip(widths, place, strict=True)) for place in places[: settings.study.n_shapes]]
shorter = {"n_steps": max(int(0.8 * train.n_steps), 1), "eval_every": max(int(0.8 * train.n_steps), 1)}
shapes = [flat | tiny | shorter | dict(zip(("d_model", "d_head", "d_mlp"), shape, strict=True)) for shape in chosen]
shaped = widgets.get_all([parameters.check(each) for each in shapes], jobs=settings.study.jobs)
lost = [coins.excess(run.predictor, exact, fresh) for run in shaped]
rows = [dict(zip(("d_model", "d_head", "d_mlp"), shape, strict=True)) for shape in chosen]
costs = pd.DataFrame(rows).assign(excess=[each.mean().item() for each in lost])
costs["sem"] = [uncertainty.mean_and_sem(each)[1] for each in lost]

# %%
costs["who"] = "d_model " + costs["d_model"].astype(str)
costs["what"] = costs["who"]
costs["of"] = "d_head " + costs["d_head"].astype(str) + ", d_mlp " + costs["d_mlp"].astype(str)
bars = costs.assign(low=costs["excess"] - 2 * costs["sem"], high=costs["excess"] + 2 * costs["sem"])
alt = "The excess loss of small models, by the width of head and MLP, in a colour for each width of the stream."
options = {"legend": "", "size": (6.5, 0.6 + 0.35 * bars["of"].nunique()), "runs": shaped}
figure(plotting.estimates, bars, name="shapes", alt=alt, n="1 model a shape, 10 000 sequences", x="excess", **options)

# %%
texts = []
for name in ("d_model", "d_head", "d_mlp"):
    of = costs.groupby(name)["excess"].mean()
    texts.append(f"{name} " + ", ".join(f"{width}: {value:.4f}" for width, value in of.items()))
display(Markdown(f"Mean excess loss (nats) over the {len(costs)} shapes with each width. {'; '.join(texts)}."))

# %% [markdown]
# ## Are the counts written there?
#
# A probe, a line or a small network, learns to read a quantity from the stream of the default model, before its MLP, at
# the even rows of some sequences, and is scored on other sequences: at even rows, and at odd ones, where it has never
# been. Two controls: the same line with shuffled targets, and a model of the same shape that was not trained. What an
# untrained model lets a probe read, the architecture gives away for nothing.

# %%
place, seen = "0.resid_mid", fresh[:1500]
untrained = models.build(settings_of["default"], generator=generator(seed, "untrained")).eval()
values = {
    who: activations.read(model, seen, place)[place][:, 1:]
    for who, model in (("trained", runs["default"].model), ("untrained", untrained))
}
counts = coins.inside(runs["default"].model, seen, place)
targets = {"heads H": "heads", "flips N": "n", "share H/N": "share", "log odds": "log_odds"}
shape = (len(seen), 20)
targets = {shown: torch.tensor(counts[name].values).view(shape).double() for shown, name in targets.items()}

# %%
rows, found = [], {}
for shown, target in targets.items():
    for kind, who in itertools.product(("linear", "mlp"), values):
        probe = probing.probe(values[who], target, generator=generator(seed, "probe"), kind=kind)
        found[shown, kind, who] = probe
        marks = {f"{who}, {kind}": probe.r2} | (
            {f"{who}, {kind}, odd rows": probe.r2_elsewhere} if who == "trained" else {}
        )
        marks |= {"shuffled targets": probe.shuffled} if (kind, who) == ("linear", "trained") else {}
        rows += [{"of": shown, "what": name, "r2": r.value, "low": r.low, "high": r.high} for name, r in marks.items()]
read = pd.DataFrame(rows)
read.pivot(index="what", columns="of", values="r2").round(3)

# %%
near = read[read["r2"] > -0.5]  # the others stand in the table alone
alt = "R² of probes for heads, flips, share and log odds: trained and untrained models, and shuffled targets."
options = {"legend": "", "size": (6.5, 3.6), "x": "r2", "runs": [runs["default"]]}
figure(plotting.estimates, near, name="probes", alt=alt, n="750 sequences", **options)

# %% [markdown]
# Read is not used. So move the stream at the last row by some heads more or fewer: does the prediction move by as many
# parts in $N + 2$? Along which direction? A line reads $H$ from one, its weights, in which all else cancels; $H$ is
# *written* along another, the difference that one head more makes to the stream. Both are tried. And give each
# sequence, at its last row, what attention has fetched for another one: does it then predict from the other's heads?

# %%
row, few = 20, fresh[:400]
opened, shifts = runs["default"].model, [-4, -2, 2, 4]
weights = torch.from_numpy(found["heads H", "linear", "trained"].weights)
ways = {"steered, as written": coins.written(opened, fresh[400:4400], place, row=row)}
ways |= {"steered, as read": weights / weights.square().sum()}
both = [coins.steered(opened, few, place, way, row=row, shifts=shifts).assign(done=done) for done, way in ways.items()]
patched = coins.patched(opened, few, "0.attn.z", row=row, generator=generator(seed, "patched"))
both = pd.concat([*both, patched.assign(done="attention of another")])
alt = "What steering and patching do to predictions against what the formula says, each a panel."
options = {"by": "done", "size": (4.0, 4.0), "runs": [runs["default"]]}
figure(plotting.agreement, both[["done", "formula", "model"]], name="causal", alt=alt, n="400 sequences", **options)

# %%
for done, mine in both.groupby("done", sort=False):
    off = torch.tensor((mine["model"] - mine["formula"]).values)
    scale = mine["formula"].std()
    slope = (mine["model"] * mine["formula"]).sum() / (mine["formula"] ** 2).sum()
    text = f"**{done}**: off by {in_words(off.abs())} on average, where the formula moves by {scale:.3f} (SD); "
    display(Markdown(text + f"slope through zero {slope:.2f} (n = {len(mine)})."))

# %% [markdown]
# ## What does it believe before it has seen anything?
#
# Let a model flip its own coin: draw from its prediction, append, and go on. The share of heads in such sequences is
# distributed as the prior that it acts upon. The Beta prior nearest to them (greatest likelihood) should be Beta(1, 1).

# %%
drawn = {
    who: coins.resampled(each, 1000, 20, generator=generator(seed, who))
    for who, each in {"exact": exact, "default": predictors["default"], "tiny": tiny_runs[0].predictor}.items()
}
shares = pd.concat(pd.DataFrame({"who": who, "share": (heads / 20).tolist()}) for who, heads in drawn.items())
alt = "How often the share of heads in sequences that predictors draw from themselves is at most as large."
options = {"legend": "predictor", "size": (6.5, 3.2), "x": "share", "runs": [runs["default"], tiny_runs[0]]}
figure(plotting.cumulative, shares, name="resampled", alt=alt, n="1000 sequences each", **options)
for who, heads in drawn.items():
    alpha, beta = (uncertainty.with_error(*line) for line in coins.prior_of(heads, length=20).values)
    display(Markdown(f"**{who}**: α = {alpha}, β = {beta} (n = {len(heads)} sequences)."))

# %% [markdown]
# ## Moving a prior
#
# How can a model be brought to another prior, say Beta(1, 8), coins that mostly show tails? Train on uniform coins, but
# weigh each sequence by how much likelier it is under the new prior; or take the default model and train on the new
# coins, either all of it or its embeddings alone. Here is how far each is from what is exact under the new prior.

# %%
moved = coins.beta_prior(1.0, 8.0)
begun = {"initial": runs["default"].settings.key, "alpha": moved}
ways = {
    "weighted": flat | {"alpha": uniform, "target_alpha": moved},
    "retrained, all": flat | begun,
    "retrained, embeddings": flat | begun | {"trained": "vocabulary"},
    "new from the start": flat | {"alpha": moved},
}
asked = [parameters.check(each) for each in ways.values()]
others = dict(zip(ways, widgets.get_all(asked, jobs=1), strict=True)) | {"as it was": runs["default"]}

# %%
skewed, target = (
    Urns(2, moved).out_of_distribution(10_000, 21, generator=generator(seed, "skewed")),
    Generalizing(2, moved),
)
rows, off = [], []
for who, run in others.items():
    wrong = symmetry.divergences.total_variation(run.predictor(skewed), target(skewed))
    of = {"who": who, "row": range(21), "off": wrong.mean(0).tolist(), "sem": (wrong.std(0) / 100).tolist()}
    off.append(pd.DataFrame(of))
    rows.append({"model": who, "excess (nats)": in_words(coins.excess(run.predictor, target, skewed))})
alt = "The distance from what is exact under Beta(1, 8), by the flips seen: a line for each way to the new prior."
options = {"legend": "model", "size": (6.5, 3.6), "x": "row", "y": "off", "log": ["off"], "runs": list(others.values())}
figure(plotting.curves, pd.concat(off), name="moved", alt=alt, n="1 model each, 10 000 sequences", **options)
pd.DataFrame(rows).set_index("model")

# %% [markdown]
# ## What was seen
#
# In words that are computed from the above.

# %%
order, exchange = moves["default"]
spread = fits[fits["models"] == "learned"].groupby("sequences")["r2"].mean()
heads, nothing = (found["heads H", "linear", who].r2 for who in ("trained", "untrained"))
lines = [
    f"The default model loses {in_words(left['default'])} nats a flip to the exact predictor.",
    f"Order moves it by {in_words(order)}, and exchanging the sides by {in_words(exchange)} (total variation).",
    f"R² of z against H/N: {spread.get('sorted', float('nan')):.3f} on sorted sequences, "
    f"{spread.get('random', float('nan')):.3f} on random ones (mean of {len(seeds) - len(stuck)} seeds and two flips).",
    f"A line reads H with R² {heads}, and from an untrained model with {nothing}.",
]
display(Markdown("\n".join(f"- {line}" for line in lines)))

# %% [markdown]
# ## What to try next
#
# - `-p n_steps 5000`: the published scale.
# - `-p mlp none`: attention alone. What is lost?
# - `-p positions none`: without positions, what can attention know of $N$?
# - `-p n_layers 2`: do the counts move to the second layer?
