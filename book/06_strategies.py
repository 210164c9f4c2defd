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
# # Strategies: when does memorizing beat generalizing?
#
# A model that is trained on sequences from $D$ urns can do two things. It can *memorize*: know the $D$ urns by heart
# and find out which of them it sees ({term}`M <memorizing predictor>`). Or it can *generalize*: expect any urn and
# count ({term}`G <generalizing predictor>`). M loses less on the training urns, but there is more of it to be learned,
# the more urns there are. So with few urns models soon end at M, and with many they stay at G for long. Between the two
# lies a boundary, and a model that crosses it becomes *worse* on fresh urns while its training loss goes on falling:
# generalizing was transient.
#
# {cite:t}`wurgaft2025strategies` say where the boundary lies. A model after $N$ steps predicts, so their account goes,
# like a mixture of the strategies $i$, weighted by
#
# $$ w_i \propto \exp\left(-\ln 2 \cdot K_i^\beta - \gamma N^{1-\alpha} L_i\right), $$
#
# a posterior of sorts: $L_i$ is what strategy $i$ loses in distribution (nats a ball), $K_i$ its complexity, the bits
# of its numbers and its source after compression, and $\alpha$, $\beta$, $\gamma$ are three parameters for all $D$ and
# $N$. M turns up where its advantage in loss, multiplied by enough steps, has paid for its complexity.
#
# Published are maps of one seed, without intervals. Here are several seeds, parameters with intervals, a baseline that
# knows nothing of losses or complexities, and the same for {term}`lexical models <lexical model>`, which cannot know
# the names of colours: what they could memorize is {term}`S <symmetrized predictor>`, the urns up to renaming. Does the
# account tell where *their* boundary lies?

# %% tags=["remove-cell"]
import os, pathlib, sys  # noqa: E401, I001  every chapter finds the library by this cell; Colab fetches it first
"google.colab" in sys.modules and os.system("cd /content; [ -e lexurn ] || git -c advice.detachedHead=false clone -q --depth 1 -b v0.1.0 https://github.com/OWNER/lexurn")
sys.path[:0] = [str(f) for f in pathlib.Path("_").resolve().parents if (f / "lexurn/base/colab.py").exists()] or ["/content/lexurn"]
import lexurn.base.colab  # noqa: F401  not found? git clone https://github.com/OWNER/lexurn, and run this inside the clone

# %% [markdown]
# ## Parameters
#
# Change a value and run everything again, or from a terminal:
# `papermill book/06_strategies.ipynb out.ipynb -p n_diversities 5`. What all models share stands in
# `params/sweeps/strategies.yaml`: eight colours, contexts of 64 balls, one layer of width 32 with one head and rotary
# positions, batches of 64, and a constant learning rate, so that one step is worth another. Trainings have half of
# `n_steps`. `-f params/book.yaml` is the scale of this book.

# %% tags=["parameters"]
# Parameters of this chapter. Those of papermill's -p and -f win over these.
n_diversities: int = 3  # task diversities D of a map, from 1 to 128
n_seeds: int = 1  # seeds, each with its own pool, to train with
n_steps: int = 1000  # optimizer updates; follows from the data where they are finite
n_layers: int = 1  # blocks, or recurrent layers
dropout: float = 0.0  # dropout after attention
optimizer: str = "adamw"  # adamw, sgd (no momentum), or muon (for the backbone's matrices, AdamW for the rest)
warmup: int = 50  # steps of linear warm-up
seed: int = 0  # the seed that every random stream is derived from
jobs: int = 2  # processes that train side by side
threads: int = 1  # CPU threads
# Also: grad_clip, device (see the page Parameters).

# %% tags=["hide-input"]
from lexurn import parameters

settings = parameters.resolve("strategies", fixed={"task": "urns"})

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown, display

from lexurn import figure, set_threads
from lexurn import table as show_table
from lexurn.chapters import strategies
from lexurn.chapters.strategies import plots as chapter_plots
from lexurn.figures import plots, widgets
from lexurn.measures import intervals
from lexurn.publish import claims
from lexurn.runs import cache, sweeps

set_threads(settings.machine.threads)

# %% [markdown]
# ## The models
#
# A grid of task diversities for normal and for lexical models, and two small ones for normal models of 32 urns, with
# other MLPs and with shorter contexts. Every training keeps its weights at forty steps, evenly spaced in $\sqrt{N}$.

# %% tags=["hide-input"]
study, first_seed, in_words = settings.study, settings.training.seed, intervals.format_with_error
scale = settings.training.n_steps / (2 * sweeps.read("strategies").points[0].training.n_steps)
taken = ("lex", "label_permuted", "seed", "n_steps", "eval_every", "n_tasks", "d_mlp", "context_length")
changes = {name: value for name, value in settings.changed().items() if name not in taken}
options = {"changes": changes, "seeds": range(first_seed, first_seed + study.n_seeds), "scale": scale}
chosen = [1, 32, 128, 8, 64, 16, 4, 2][: study.n_diversities]  # the first three span the map
grid = [point for point in sweeps.read("strategies", **options).points if point.task.n_tasks in chosen]
wider, shorter = (list(sweeps.read(f"strategies_{name}", **options).points) for name in ("width", "context"))
points = grid + wider + shorter
found = dict(zip(points, widgets.get_all(points, jobs=study.jobs), strict=True))
runs = [found[point] for point in grid]
display(Markdown(f"{len(points)} trainings of {grid[0].training.n_steps} steps, D = {sorted(chosen)}."))

# %% [markdown]
# Each of the kept models is then placed between G and what it could have memorized, on 64 sequences in distribution
# and 64 with a fresh urn each, the same at all steps. That is the *map*: a line for every kind, $D$, seed and step.

# %% tags=["hide-input"]
cells = strategies.build_map(runs, jobs=study.jobs, say=widgets.status_line())
kinds = ("normal", "lexical")
groups = cells.groupby(["kind", "n_tasks"], sort=False)
known = groups[["l_u", "l_g", "l_m", "delta_l", "delta_l_sem", "apart", "k_u", "k_g", "k_m"]].mean()
of_s = known.loc["lexical"][["l_m", "delta_l", "delta_l_sem", "apart", "k_m"]].add_suffix(" (S)")
known.loc["normal"].join(of_s).rename(columns={"apart": "d(G, m)", "apart (S)": "d(G, S)"}).round(4)

# %% [markdown]
# (Letters: u the uniform predictor, g G, m what can be memorized, M or, in the last columns, S. $L$ in nats a ball
# beyond the truth, $K$ in bits, $\Delta L = L_g - L_m$ with its standard error over sequences; d is symmetrized KL in
# distribution. $K$ is of the source without comments and white space, as published, and of the pool's numbers. For S it
# is that of its shortest program, M for all relabelings of the pool.)
#
# Every urn adds as many bits to M, and its advantage over G shrinks. For S the advantage is a fraction of that from the
# start, and all but gone at 16 urns: with eight colours a few urns under all renamings cover the simplex nearly as
# well as the Dirichlet does. S and G then say the same, and there is next to nothing to be gained by memorizing up to
# the names.
#
# ## The map
#
# The *rescaled relative distance* is 0 where a model is G and 1 where it is what it could have memorized. Hatched is
# where the model of some seed is further from both than they are from each other, so that the number would say nothing.
# Circles: where normal models are half way.

# %%
early = strategies.first_settled_step(cells[cells["kind"] == "normal"])
late = {kind: cells[(cells["kind"] == kind) & (cells["step"] >= early)].reset_index(drop=True) for kind in kinds}
crossed = strategies.crossings(cells[cells["kind"] == "normal"])
half = strategies.mean_crossings(crossed).assign(what="half way", kind="normal")
groups = cells.groupby(["kind", "n_tasks", "step"], sort=False)
means = (
    groups[["kl_in", "kl_out"]].mean().assign(to_memorizer=groups["share"].agg(lambda each: each.mean(skipna=False)))
)
means = means.reset_index().assign(what="cell")
mapped = pd.concat([means, half], ignore_index=True)

# %% tags=["hide-input"]
number, height = f"{study.n_seeds} seed(s) a cell", 1.2 + 0.28 * len(chosen)
panels = {"by": "kind", "size": (4.6, height), "share_y": True, "n": number, "runs": runs}
alt = "Rescaled relative distance over steps and task diversities, normal and lexical, light grey where undetermined."
options = {"value": "to_memorizer", "low": 0.0, "high": 1.0, "ticks": [0.0, 0.5, 1.0], **panels}
figure(chapter_plots.diversity_map, mapped, name="map", alt=alt, **options)

# %% [markdown]
# Of lexical models the relative distance is undetermined over most of the map. What can be asked instead is what they
# lose: against the memorizer in distribution, and against G on fresh urns. Both are means of KL, of the reference from
# the model, which is what is lost on average.

# %% tags=["hide-input"]
for value, where in (("kl_in", "against the memorizer in distribution"), ("kl_out", "against G on fresh urns")):
    alt = f"What models lose {where} over steps and task diversities, normal and lexical, in nats on a log scale."
    options = {"value": value, "low": 3e-3, "high": 1.0, "log": True, "ticks": [0.003, 0.01, 0.03, 0.1, 0.3, 1.0]}
    figure(chapter_plots.diversity_map, means, name=value.replace("_", "-"), alt=alt, **options, **panels)

# %% tags=["hide-input"]
last = cells[cells["step"] == cells["step"].max()]
for kind, mine in last.groupby("kind", sort=False):
    texts = [
        f"D = {pool_size}: {in_words(of['kl_in'].mean(), of['kl_in'].sem())} and "
        f"{in_words(of['kl_out'].mean(), of['kl_out'].sem())}"
        for pool_size, of in mine.groupby("n_tasks")
    ]
    display(Markdown(f"**{kind}**, lost in distribution and on fresh urns at the last step: {'; '.join(texts)}."))

# %% [markdown]
# ## Generalizing, for a while
#
# Along a line of the map: what is lost on fresh urns. It falls while a model learns to count, and rises again where it
# goes on to memorize.

# %% tags=["hide-input"]
curves = cells.groupby(["kind", "n_tasks", "step"], sort=False)["kl_out"].agg(["mean", "sem"]).reset_index()
curves = curves.rename(columns={"mean": "kl_out"}).assign(D=lambda table: table["n_tasks"].astype(str))
alt = "What is lost against G on fresh urns along training, a line for each task diversity, normal and lexical."
options = {"by": "kind", "x": "step", "y": "kl_out", "line": "D", "log": ["step", "kl_out"], "share_y": True}
options |= {"legend": "urns D", "size": (4.4, 3.6), "n": number, "runs": runs}
figure(plots.curves, curves, name="transience", alt=alt, **options)

# %% tags=["hide-input"]
risen = strategies.dips(cells)
rows, transient = {}, {kind: [] for kind in kinds}
for (kind, pool_size), mine in risen.groupby(["kind", "n_tasks"], sort=False):
    fall, rise = (intervals.t_interval(mine[name].tolist()) for name in ("fall", "rise"))
    rows[kind, pool_size] = {"step": mine["step"].median(), "least": mine["least"].mean(), "fall": fall, "rise": rise}
    if fall.sign == rise.sign == 1:
        transient[kind].append(pool_size)
shown = pd.DataFrame(rows).T.rename_axis(["kind", "n_tasks"])
shown["KL(urn ‖ model), least"] = (shown["least"] + cells["kl_g"].mean()).astype(float).round(4)
shown.astype({"least": float}).sort_index(level=0, ascending=False, sort_remaining=False).round(4)

# %% tags=["hide-input"]
transience = "; ".join(f"of {kind} models for D = {', '.join(map(str, transient[kind])) or 'none'}" for kind in kinds)
if study.n_seeds == 1:
    transience = "not to be told from one seed"
display(Markdown(f"Generalizing was transient, fall and rise both above zero: {transience}."))

# %% [markdown]
# (Step and least: where the other seeds lose least on average, so that a curve that only wavers does not seem to rise;
# with a single seed, its own least, and then every rise is positive. In brackets t intervals, 95 %, over seeds.)
# Published are
# dips of KL(urn ‖ model), with contexts of 128 balls:
# [0.127 at 115 steps for 16 urns and 0.105 at 193 steps for 32](https://arxiv.org/abs/2506.17859).
#
# ## The account
#
# Now the parameters are fitted: such that mixtures of M and G with the account's weights are near to the models (least
# mean KL), on the first four fifths of the checkpoints and of the task diversities. The rest is held out. Cut off are
# the first steps, at which normal models still contain more than a tenth of U, the uniform predictor (in the nearest
# mixture of U, G and M, on average). The baseline has three numbers as well, but knows nothing of losses and bits: log
# odds $a + b \ln N + c \ln D$, fitted in the same way to the same cells. Intervals are from resampled seeds; whole
# seeds, as their pools share urns. (With three seeds there are six ways to resample: look at single seeds below, too.)

# %% tags=["hide-input"]
near = {kind: strategies.read_curves(late[kind]) for kind in kinds}
fits, draws = {}, {}
for kind in kinds:
    fits[kind], draws[kind] = strategies.cached_fit(late[kind])
baseline = strategies.cached_baseline(late["normal"])
rows = []
for kind, fit in fits.items():
    row = {"models": kind, "cells": fit.n_fitted, "starts": f"{fit.n_reached} of {fit.n_starts} reach it"}
    for name in ("alpha", "beta", "gamma"):
        low, high = np.quantile([getattr(each, name) for each in draws[kind]] or [np.nan], [0.025, 0.975])
        row[name] = str(intervals.Interval(getattr(fit.account, name), low, high, study.n_seeds))
    floor = near[kind].values.min(-1).mean()
    rows.append(row | {"KL fitted": fit.fitted, "KL held out": fit.held_out, "KL of the best mixtures": floor})
pd.DataFrame(rows).set_index("models").round(4)

# %% tags=["hide-input"]
with_u = late["lexical"]["weight_u"].mean()
unsure = draws["lexical"] and np.ptp([each.alpha for each in draws["lexical"]]) > 0.5
text = f"Fitted from step {early} on. Even then lexical models are {with_u:.2f} U in the nearest mixture, on average"
text += ", which no mixture of S and G can follow" + "; their own parameters are not determined" * bool(unsure)
few = strategies.split_cells(late["normal"])["fitted"]
n_inside = late["normal"]["n_tasks"][few].nunique()
text += f". With only {n_inside} D to fit, all of this is an illustration" * (n_inside < 4)
display(Markdown(text + "."))

# %% tags=["hide-input"]
lines = late["normal"].groupby("n_tasks").mean(numeric_only=True).reset_index()
drawn = {"account": fits["normal"].account.transition(lines), "baseline": baseline.transition(lines)}
added = [lines[["n_tasks"]].assign(step=steps, what=what, kind="normal") for what, steps in drawn.items()]
added = pd.concat([each[np.isfinite(each["step"]) & (each["step"] > 0)] for each in added])
alt = "The map of normal models with the boundaries of the account and of the baseline, and the steps half way."
options = panels | {"value": "to_memorizer", "low": 0.0, "high": 1.0, "ticks": [0.0, 0.5, 1.0]}
normal = pd.concat([mapped[mapped["kind"] == "normal"], added], ignore_index=True)
figure(
    chapter_plots.diversity_map,
    normal,
    name="boundary",
    alt=alt,
    **options | {"size": (6.5, height + 0.4), "titles": ""},
)

# %% tags=["hide-input"]
slopes, spread = strategies.slopes(crossed), intervals.t_interval(strategies.slopes(crossed).tolist())
published = claims.get("strategies/crossing_slope").published
verdict = "inside" if spread.low <= published <= spread.high else "outside"
order = f"the step half way grows as D to the power of {spread} (t interval, n = {spread.n} seed(s)); published is"
order = f"{order} {published:g}, {verdict}" if spread.n > 1 else "not to be told from one seed"
display(Markdown(f"**The order of transitions**: {order}."))
steps = np.array([each.transition(lines) for each in draws["normal"]]).reshape(-1, len(lines))
ends = np.quantile(steps, [0.025, 0.975], axis=0) if len(steps) else np.full((2, len(lines)), np.nan)
texts = [str(intervals.Interval(*each, study.n_seeds)) for each in zip(drawn["account"], *ends, strict=True)]

# %% tags=["hide-input"]
wide = crossed.assign(text=[why or f"{step:.0f}" for why, step in zip(crossed["why"], crossed["step"], strict=True)])
wide = wide.pivot(index="n_tasks", columns="seed", values="text").add_prefix("seed ")
wide.assign(**{"N* of the account": texts, "of the baseline": [f"{n:.3g}" for n in drawn["baseline"]]})

# %% [markdown]
# (The step at which the rescaled relative distance passes one half. *Sooner*: it was past that when it was first
# determined; *later*: not within these trainings.) Published, for twice the context and width, a sixth of our learning
# rate and 5000 steps of warm-up:
# [300 steps at 16 urns, 1300 at 32, 4500 at 64 and 20 000 at 128](https://arxiv.org/abs/2506.17859).
#
# How well do its weights follow the models? At fixed $D$, with the larger two held out:

# %% tags=["hide-input"]
told = strategies.memorizer_weights(late["normal"], account=fits["normal"].account, baseline=baseline)
shares = told[told["who"] == "account"].assign(who="models", w_m=lambda table: table["share"])
followed = pd.concat([shares, told]).groupby(["n_tasks", "who", "step"], sort=False)["w_m"]
followed = followed.agg(["mean", "sem"]).reset_index().rename(columns={"mean": "w_m"})
some = sorted(chosen)[-5:]
alt = "Rescaled relative distance of normal models along training, and the weights of account and baseline, by D."
options = {"by": "n_tasks", "titles": "D = {}", "share_y": True, "size": (2.4, 2.9), "legend": "", "n": number}
options |= {"x": "step", "y": "w_m", "log": ["step"], "runs": runs}
figure(plots.curves, followed[followed["n_tasks"].isin(some)], name="account", alt=alt, **options)

# %% [markdown]
# (Shaded: two standard errors over seeds; for the account, whose losses and bits are those of each pool, too.) The
# published picture: weight against rescaled relative distance, a point a cell.

# %% tags=["hide-input"]
told["panel"] = told["who"] + ", " + told["part"].map({"fitted": "fitted"}).fillna("held out")
alt = "The share of normal models against the weight of M by account and baseline, cells fitted and cells held out."
options = {"by": "panel", "titles": "{}", "share_y": True, "size": (3.0, 3.0), "n": f"{study.n_seeds} seed(s)"}
points = told.dropna(subset="share")[["panel", "w_m", "share"]]
points = points.rename(columns={"share": "to_memorizer", "w_m": "weight_of_m"})
figure(plots.agreement, points, name="weights", alt=alt, x="weight_of_m", y="to_memorizer", runs=runs, **options)

# %% tags=["hide-input"]
beyond = told[told["part"] == "more urns"].assign(off=lambda table: table["w_m"] - table["share"])
by_seed = beyond.groupby(["who", "n_tasks", "seed"], sort=False)["off"].mean().groupby(["who", "n_tasks"], sort=False)
missed = {of: in_words(values.mean(), values.sem()) for of, values in by_seed}
for who in ("account", "baseline"):
    texts = [f"D = {pool_size}: {off}" for (whose, pool_size), off in missed.items() if whose == who]
    display(Markdown(f"**Held out, {who}**: mean weight less share {'; '.join(texts)} (n = {study.n_seeds} seed(s))."))

# %% [markdown]
# ## What is each part worth?
#
# The account without one of its parts, and the baseline, each fitted to the same cells, for every seed alone (as
# published, and so that there is a spread). *Linear K* counts a memorizer's numbers as they are, 64 bits each, and no
# source: no compression, and $\beta = 1$. KL is what is lost beyond the best mixture for each cell, on the cells fitted
# and on two kinds held out: later steps of the same $D$, and larger $D$. Corr. is the correlation of the weight of M
# with the rescaled relative distance, TV the total variation from the mixtures.

# %%
scores = cache.table(strategies.ablation_table, late["normal"])

# %% tags=["hide-input"]
scores["ln γ"] = np.log(scores["gamma"])
names = {"alpha": "α", "beta": "β", "ln γ": "ln γ", "fitted": "KL fitted", "later steps": "KL later steps"}
names |= {"more urns": "KL more urns", "r": "corr.", "r more urns": "corr., more urns", "r_out": "corr. OOD"}
names |= {"tv": "TV", "tv_out": "TV OOD"}
rows = {}
for who, mine in scores.groupby("who", sort=False):
    n_fits = mine["fitted"].notna().sum()  # a fit fails where no start leads to a minimum
    shown = [name for name in names if mine[name].notna().any()]  # the baseline has no α
    told = {names[name]: in_words(mine[name].mean(), mine[name].sem()) for name in shown}
    rows[who] = {"parameters": str(mine["parameters"].iloc[0]), "fits": f"{n_fits} of {len(mine)}", **told}
pd.DataFrame(rows).T.fillna("").rename_axis(f"n = {study.n_seeds} seed(s)")

# %% tags=["hide-input"]
named = scores.assign(who=[f"{who} ({rows[who]['fits']} fits)" for who in scores["who"]])
bars = named.melt(["who", "seed"], ["fitted", "later steps", "more urns"], "what", "kl").dropna()
bars = bars.groupby(["who", "what"], sort=False)["kl"].agg(["mean", "sem"]).reset_index()
bars = bars.assign(low=bars["mean"] - 2 * bars["sem"], high=bars["mean"] + 2 * bars["sem"])
bars = bars.rename(columns={"who": "of", "mean": "kl"}).drop(columns="sem")
alt = "What account, parts of it, and baseline lose beyond the best mixture: cells fitted, later steps, more urns."
options = {"x": "kl", "legend": "cells", "size": (6.0, 2.8), "n": f"{study.n_seeds} seed(s)", "runs": runs}
figure(plots.estimates, bars, name="ablations", alt=alt, **options)

# %% [markdown]
# ## Would the fit notice?
#
# A fit that explains everything explains nothing. So here are two maps that no model made: models that *are* mixtures
# of M and G, with the losses, bits and steps from above, weighted once by an account with known parameters (those that
# were just fitted, rounded) and once by the baseline that was fitted; each training a little off.

# %% tags=["hide-input"]
rounded = {name: round(getattr(fits["normal"].account, name), 2) for name in ("alpha", "beta", "gamma")}
rows = {}
makers = {"an account": list(rounded.values()), "the baseline": [baseline.a, baseline.b, baseline.c]}
for who, maker in makers.items():
    made = cache.table(strategies.simulation_table, late["normal"], who, maker, first_seed)
    made = made.groupby("name", sort=False)["value"]
    rows[who] = {name: intervals.t_interval(values.tolist()) for name, values in made}
rounded["ln gamma"] = np.log(rounded.pop("gamma"))
rows["the truth"] = {name: f"{value:.3g}" for name, value in rounded.items()}
show_table(pd.DataFrame(rows).T.rename_axis("a map made by").fillna(""))

# %% [markdown]
# Each is nearest to the maps that it made, where there are more urns than it was fitted to. That is how the two are
# told apart, and what the columns of the table above say about the models.
#
# ## Three strategies, from the first step on
#
# Before models count they have to stop being uniform. With U as a third strategy, the simplest and worst, nothing needs
# to be cut. Areas are the mixture of U, G and M that is nearest to the models; lines are the weights of the account,
# fitted to these areas for normal models. The same parameters give the lines for lexical models.

# %% tags=["hide-input"]
of_kind = {kind: cells[cells["kind"] == kind].reset_index(drop=True) for kind in kinds}
three = strategies.cached_three(of_kind["normal"])
some = sorted(set(chosen) & {1, 8, 32, 128})
options = {"by": "n_tasks", "titles": "D = {}", "size": (2.6, 2.8), "legend": "weight of", "n": number, "runs": runs}
wrong = {}
for kind, mine in of_kind.items():
    composed = strategies.compositions(mine, three)
    alt = f"The nearest mixture of U, G and memorizer for {kind} models along training, with the account's lines."
    shown = composed[composed["n_tasks"].isin(some)]
    figure(chapter_plots.compositions, shown, name=f"three-{kind}", alt=alt, title=kind, **options)
    wrong[kind] = strategies.misplaced_weight(composed).mean()

# %% tags=["hide-input"]
account = three
text = (
    f"α = {account.alpha:.2f}, β = {account.beta:.2f}, ln γ = {np.log(account.gamma):.2f}. Weight in the wrong place:"
)
text += f" {wrong['normal']:.2f} for normal models, {wrong['lexical']:.2f} for lexical ones (mean over D)."
display(Markdown(text))

# %% [markdown]
# (Where S and G say nearly the same, as with many urns, how weight is divided between them means nothing.) One set of
# parameters has to make U go and M come: at first there is more U in models, and it goes more suddenly, than in the
# account.
#
# ## And models without names?
#
# If the account is right about *why* models turn, its parameters, fitted to normal models, should do for lexical ones
# as well, with S in the place of M: only losses and bits are others. But which bits? What is compressed is a program,
# and there are several for S: the shortest, M for all relabelings, and the long one that computes it in reasonable
# time. So for each lexical model, at the last step and where its share is determined, its share beside the weight of S
# by the parameters of normal models, for both programs. A point is a training.

# %% tags=["hide-input"]
empty = torch.zeros(0, dtype=torch.float64)
extra_bits = strategies.complexity("symmetrized, fast", empty) - strategies.complexity("symmetrized", empty)
distances, mine = near["lexical"], late["lexical"]
programs = {"the shortest program": mine, "the fast program": mine.assign(k_m=mine["k_m"] + extra_bits)}
told, is_last = [], (mine["step"] == mine["step"].max()) & mine["share"].notna()
for program, given in programs.items():
    weights = strategies.memorizer_weights(given, normal=fits["normal"].account)
    told.append(weights[is_last.to_numpy()].assign(program=program))
told = pd.concat(told).rename(columns={"w_m": "w_s", "share": "to_memorizer"})
alt = "The share of lexical models at the last step against the weight of S, by two counts of bits, with a line."
options = {"by": "program", "size": (3.8, 3.6), "share_y": True, "x": "w_s", "y": "to_memorizer", "runs": runs}
if is_last.any():
    figure(plots.agreement, told, name="lexical", alt=alt, n=f"{is_last.sum()} trainings", **options)

# %% tags=["hide-input"]
surplus = {}
for program, of_it in told.groupby("program", sort=False):
    larger = (of_it["w_s"] - of_it["to_memorizer"]).groupby(of_it["seed"]).mean()
    surplus[program] = intervals.t_interval(larger.tolist())
    due = fits["normal"].account.transition(programs[program].groupby("n_tasks").mean(numeric_only=True))
    text = (
        f"**S by {program}** ({programs[program]['k_m'].min():.0f} bits or more): weight less share {surplus[program]}"
    )
    text += f" (t interval, n = {surplus[program].n} seed(s), D = {', '.join(map(str, sorted(set(of_it['n_tasks']))))})"
    display(Markdown(f"{text}; with {min(chosen)} urn(s), half the weight is due at step {due[0]:.3g}."))

# %% [markdown]
# The trainings whose share is determined are those that came nearest to S or G. Over all of the map: how far lexical
# models are from mixtures of S and G that are weighted in these ways, and not at all (always G, always S). What even
# the best mixture for each cell leaves over is mostly U where that is gone in the column behind it.

# %% tags=["hide-input"]
odds = {f"S by {program}": fits["normal"].account.log_odds(given) for program, given in programs.items()}
odds |= {"always G": np.full(len(mine), -np.inf), "always S": np.full(len(mine), np.inf)}
odds["best for each cell"] = strategies.LOG_ODDS[distances.values.argmin(-1)]
off = pd.DataFrame({name: distances.at(values) for name, values in odds.items()})
off = off.assign(**{"best with U": mine["left_over"]}, D=mine["n_tasks"], seed=mine["seed"])
by_seed = off.groupby(["D", "seed"]).mean().groupby("D").agg(["mean", "sem"])
names = [name for name in off if name not in ("D", "seed")]
rows = {pool_size: {name: in_words(*line[name]) for name in names} for pool_size, line in by_seed.iterrows()}
pd.DataFrame(rows).T.rename_axis("D, KL (nats)")

# %% [markdown]
# ## Wider, and with less to see
#
# Wider MLPs can store more, though the account has no place for that: bits are those of a strategy, whatever the model.
# Context lengths it has a place for, the losses. Normal models of 32 urns, with MLPs of half to eight times the model's
# width (four by default), and with contexts of 16 to 64 balls, each scored at its own.

# %% tags=["hide-input"]
base = [run for run in runs if run.settings.kind == "normal" and run.settings.task.n_tasks == 32]
titrations = {}
for name, what, group in (("d_mlp", "MLPs", wider), ("context_length", "contexts", shorter)):
    models = [*base, *(found[point] for point in group)]
    titrated = strategies.build_map(models, jobs=study.jobs, say=widgets.status_line(), varied=name)
    titrated = titrated[titrated["step"] >= early].sort_values(name).rename(columns={"share": "to_memorizer"})
    titrations[what] = titrated
    shares = titrated.groupby([name, "step"])["to_memorizer"]
    mine = shares.agg(["mean", "sem"]).where(shares.agg(lambda each: each.notna().all())).reset_index()
    alt = f"Rescaled relative distance along training of normal models with different {what}."
    options = {"x": "step", "y": "to_memorizer", "line": name, "log": ["step"], "legend": name, "size": (5.5, 3.2)}
    mine = mine.rename(columns={"mean": "to_memorizer"})
    figure(plots.curves, mine, name=f"titration-{what}", alt=alt, n=number, runs=models, **options)

# %% tags=["hide-input"]
gains = {}
for (what, titrated), name in zip(titrations.items(), ("d_mlp", "context_length"), strict=True):
    wide = titrated.pivot(index=["step", "seed"], columns=name, values="to_memorizer")
    gain = (wide[wide.columns[-1]] - wide[wide.columns[0]]).unstack("seed").dropna()  # where all are determined
    known = titrated.rename(columns={"to_memorizer": "share"}).groupby(name).mean(numeric_only=True)
    due = fits["normal"].account.transition(known)
    each = zip(due, known.index, known["delta_l"], strict=True)
    ahead = ", ".join(f"{steps:.3g} for {value:g} (ΔL {delta:.4f})" for steps, value, delta in each)
    for step in sorted(gain.index)[:: max(len(gain) - 1, 1)]:
        gains[what, step] = f"{in_words(gain.loc[step].mean(), gain.loc[step].sem())} at step {step}"
    said = ", ".join(text for (of_what, _), text in gains.items() if of_what == what) or "undetermined"
    text = (
        f"**{what}**: the share with the largest less that with the smallest is {said} (n = {study.n_seeds} seed(s))."
    )
    display(Markdown(f"{text} N* by the account: {ahead}."))

# %% [markdown]
# ## What agrees with the paper, and what does not
#
# In words that are computed from the above.


# %%
def of(who, name):
    values = scores.loc[scores["who"] == who, name]
    return in_words(values.mean(), values.sem())


wide = scores.pivot(index="seed", columns="who", values=["held out", "more urns"])
worse = {part: wide[part]["account"] - wide[part]["baseline"] for part in ("held out", "more urns")}
apart = intervals.t_interval(worse["more urns"].tolist())
names_cited = ("alpha", "correlation_in", "tv_in", "tv_out")
cited = {name: claims.get(f"strategies/{name}").published_text for name in names_cited}

# %% tags=["hide-input"]
lines = [
    f"**Order.** {order[0].upper()}{order[1:]}.",
    f"**Transience.** What was lost on fresh urns first fell and then rose: {transience}.",
    f"**Parameters.** α is {of('account', 'alpha')} for single seeds; published is {cited['alpha']}.",
    f"**Correlation.** Weights with models {of('account', 'r')} (published {cited['correlation_in']}), the baseline's "
    f"{of('baseline', 'r')}; with more urns than were fitted {of('account', 'r more urns')} and "
    f"{of('baseline', 'r more urns')}.",
]

# %% tags=["hide-input"]
most, shortest, fast = max(chosen), *map(surplus.get, programs)
lines += [
    f"**Extrapolation.** With more urns than were fitted the account loses {apart} nats more than the baseline. With "
    f"{most} urns its weight is off by {missed['account', most]}, the baseline's by {missed['baseline', most]}.",
    f"**Mixtures.** Total variation of models from the account's mixtures {of('account', 'tv')} in distribution and "
    f"{of('account', 'tv_out')} out of it; published are {cited['tv_in']} and {cited['tv_out']}, after more steps.",
    "**Without names.** With the parameters of normal models S should weigh more than it does, by "
    f"{shortest or 'unknown'} if its shortest program is counted, and by {fast or 'unknown'} if the fast one is.",
]
display(Markdown("\n".join(f"- {line}" for line in lines)))

# %% [markdown]
# Where the baseline does as well, a correlation near one is no proof of the account's terms: whatever grows with $N$
# and falls with $D$ in the right proportion has it. What the account says beyond that is how losses and bits make the
# boundary, and there it is held to more urns than it was fitted to, and to lexical models. For these it depends on how
# bits are counted whether complexity explains why S comes late, or something else does: a program's length is not
# unique, and a difference of a few thousand bits decides.
#
# Not reproduced here: the published setting itself (100 000 steps, width 64, contexts of 128, up to 4096 urns, V up to
# 16). It stands ready as a grid for a GPU, `params/sweeps/gpu_06_strategies.yaml`, with lexical models too.
#
# The published figures and bands for ours. Where the result was known when a band was written, at one seed, it says so:

# %% tags=["hide-input"]
alone = scores[scores["who"] == "account"]
values = {"alpha": alone["alpha"], "correlation_in": alone["r"], "correlation_out": alone["r_out"]}
values |= {
    "tv_in": alone["tv"],
    "tv_out": alone["tv_out"],
    "against_baseline": worse["held out"],
    "crossing_slope": slopes,
}
few = 16 if 16 in chosen else 32
rises = risen[risen["n_tasks"] == few].groupby("kind")["rise"]
values |= {f"rise_{kind}": rises.get_group(kind) for kind in kinds}
measured = {
    f"strategies/{name}": claims.Measurement(each.mean(), each.sem(), len(each)) for name, each in values.items()
}
is_published = scale == 1 and len(chosen) == 8 and not changes.keys() - {"device", "threads", "tracker"}
claims.table(measured, at_scale=is_published)

# %% [markdown]
# ## What to try next
#
# - `-f params/book.yaml`: the scale of this book, about twenty minutes by two processes.
# - `-p n_diversities 8`: all of the map, for one seed and fewer steps.
# - `-p n_layers 2`: do deeper models memorize sooner?
# - `-p optimizer muon`: is the boundary one of the data, or of the optimizer?
