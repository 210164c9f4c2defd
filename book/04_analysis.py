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
# # Analysis: does lexical invariance generalize, or memorize up to the names?
#
# The experiment that this book began with trained a normal and a lexical model on one urn, showed both fresh urns, and
# found the lexical model far nearer to what was observed: [0.14 against 0.54](https://github.com/alexkstern/Lexurn). So
# {term}`lexical invariance <lexical model>` {cite}`huang2023lexinvariant` makes models generalize, it concluded. But
# [the data](01_data) alone show that **S**, which has memorized the urn and only does not trust the names of its
# colours, scores about the same by that protocol. A lexical model cannot know the names anyway; the question is what it
# makes of that: does it end at S, or at **G**, which expects any urn and counts?
#
# One training urn cannot decide that, nor can the last row of a sequence, nor a model that is still on its way. So here
# are many urns, three kinds of models for each, all rows, and trainings ten times as long:
#
# - {term}`normal <normal model>`: learned embeddings; its optimum on its training data is **M**, the urn by heart,
#   names and all.
# - {term}`lexical <lexical model>`: a random embedding table for every sequence; its optimum is S.
# - {term}`permuted <permuted model>`: learned embeddings, and the colours of every training sequence renamed at random;
#   its optimum is S too. What lexical and permuted models have in common comes from the data; what differs, from the
#   architecture.
#
# What could come out? If training went to its optimum, lexical models would end at S: they would memorize up to the
# names. If they end at G, or stay there for long, something keeps them from memorizing, and that would be
# generalization worth its name. It could depend on the urn.

# %% tags=["remove-cell"]
import os, pathlib, sys  # noqa: E401, I001  every chapter finds the library by this cell; Colab fetches it first
"google.colab" in sys.modules and os.system("cd /content; [ -e lexurn ] || git -c advice.detachedHead=false clone -q --depth 1 -b v0.1.0 https://github.com/OWNER/lexurn")
sys.path[:0] = [str(f) for f in pathlib.Path("_").resolve().parents if (f / "lexurn/base/colab.py").exists()] or ["/content/lexurn"]
import lexurn.base.colab  # noqa: F401  not found? git clone https://github.com/OWNER/lexurn, and run this inside the clone

# %% [markdown]
# ## Parameters
#
# Change a value and run everything again, or from a terminal:
# `papermill book/04_analysis.ipynb out.ipynb -p n_urns 12`. The grids of models stand in `params/sweeps`; here their
# steps are scaled so that those of the headline are `n_steps`. `-f params/book.yaml` is the published scale, for which
# `lexurn sweep headline --jobs 2` (then `long`, `sizes`, `contexts`) trains the same models beforehand.

# %% tags=["parameters"]
# Parameters of this chapter. Those of papermill's -p and -f win over these.
n_urns: int = 5  # training urns of the headline, each with a model of every kind
n_longer: int = 1  # training urns on which models are also trained ten times as long
n_seeds: int = 1  # seeds, each with its own pool, to train with
n_steps: int = 1000  # optimizer updates; follows from the data where they are finite
n_layers: int = 1  # blocks, or recurrent layers
learning_rate: float = 0.01  # peak learning rate
n_test_samples: int = 500  # held-out sequences per split
seed: int = 0  # the seed that every random stream is derived from
jobs: int = 2  # processes that train side by side
threads: int = 1  # CPU threads
# Also: vocabulary, tied, logit_scale, n_heads, positions, dropout, batch_size,
#   optimizer, warmup, schedule, weight_decay, grad_clip, device (see the page
#   Parameters).

# %% tags=["hide-input"]
from lexurn import parameters

settings = parameters.resolve("analysis", fixed={"task": "urns", "lex": True, "label_permuted": False})

# %% tags=["hide-input"]
import pandas as pd
import torch
from IPython.display import Markdown, display

from lexurn import evaluation, figure, runs, set_threads
from lexurn import table as show_table
from lexurn.base import paths
from lexurn.base.seeding import generator
from lexurn.chapters.analysis import headline, sequence_entropy, verdicts
from lexurn.chapters.analysis import plots as chapter_plots
from lexurn.figures import plots, style, widgets
from lexurn.measures import intervals
from lexurn.publish import claims
from lexurn.runs import cache, sweeps

set_threads(settings.machine.threads)

# %% [markdown]
# ## The models
#
# Five grids. A model is trained once and then found again, by whatever chapter or command asks for it.

# %% tags=["hide-input"]
study, first_seed = settings.study, settings.training.seed
scale = settings.training.n_steps / sweeps.read("headline").points[0].training.n_steps
taken = ("lex", "label_permuted", "seed", "n_steps", "eval_every")
changes = {name: value for name, value in settings.changed().items() if name not in taken}
numbers = {"headline": study.n_urns, "long": study.n_longer, "early": study.n_longer}
numbers |= {"sizes": study.n_seeds, "contexts": study.n_seeds}
grids = {}
for name, n in numbers.items():
    seeds = range(first_seed, first_seed + n)
    grids[name] = sweeps.read(name, changes=changes, seeds=seeds, scale=scale)
rows = [
    {"grid": name, "axes": ", ".join(grid.axes), "urns or seeds": numbers[name], "models": len(grid.points)}
    | {"steps": grid.points[0].training.n_steps}
    for name, grid in grids.items()
]
show_table(pd.DataFrame(rows).set_index("grid"))

# %%
points = [point for name in ("long", "headline", "early", "sizes", "contexts") for point in grids[name].points]
found = dict(zip(points, widgets.get_all(points, jobs=study.jobs), strict=True))
models = {name: [found[point] for point in grid.points] for name, grid in grids.items()}

# %% [markdown]
# ## The headline by its own protocol
#
# A model sees 30 balls of a fresh urn. Its score is KL(observed frequencies ‖ model) at that last row. The published
# figures are those of one training urn, ± the spread over sequences; here every point is a training urn, scored on 40
# fresh urns with 25 sequences each, and the large marks are means over training urns with 95 % intervals (urns are
# resampled). M, S and G belong to the same training urns and saw the same balls: the lexical points should be compared
# with S, not with M.

# %% tags=["hide-input"]
scored = cache.table(headline.published_scores, models["headline"])
means = verdicts.mean_over_urns(scored, "mean", by=["n_colors", "who"], generator=generator(0, "published"))
original = {kind: claims.get(f"headline/{kind}") for kind in ("normal", "lexical")}
published = pd.DataFrame(
    {"who": kind, "n_colors": 4, "mean": claim.published, "spread": claim.spread} for kind, claim in original.items()
)

# %% tags=["hide-input"]
colors, of_urns = list(scored["n_colors"].unique()), f"{study.n_urns} training urns"
parts = {"urn": scored, "mean over urns": means.drop(columns="text"), "published": published}
parts = pd.concat(lines.assign(what=what) for what, lines in parts.items())
alt = "The published score of models and exact predictors, a point a training urn, and what was published, by V."
by_colors = {"by": "n_colors", "titles": "V = {}", "share_y": True, "size": (5.2, 3.8), "runs": models["headline"]}
figure(chapter_plots.scores, parts[parts["n_colors"].isin(colors)], alt=alt, n=of_urns, **by_colors)

# %% tags=["hide-input"]
wide = means.pivot(index="who", columns="n_colors", values="text")
wide = wide.loc[[who for who in style.COLORS if who in wide.index]]
show_table(wide.rename(columns=lambda n_colors: f"V = {n_colors}: score [95 %], n = {study.n_urns} urns"))

# %% tags=["hide-input"]
pairs = scored.pivot(index=["n_colors", "seed"], columns="who", values="mean")
differences = {}
for n_colors in colors:
    mine, texts = pairs.loc[n_colors], []
    for kind in ("lexical", "permuted"):
        for reference in ("symmetrized", "generalizing"):
            values = (mine[kind] - mine[reference]).tolist()
            off = intervals.bootstrap(values, generator=generator(0, "difference"))
            differences[n_colors, kind, reference] = off
            words = off.describe(above="above", below="below", between="not told apart")
            texts.append(f"{kind} − {reference[0].upper()}: {off}, {words}")
    display(Markdown(f"**V = {n_colors}**, differences of scores, n = {len(mine)} training urns. {'; '.join(texts)}."))

# %% [markdown]
# ## The headline, corrected
#
# What the protocol leaves out: the rows before the last, the distance between G and S, without which no score means
# anything, and the urn. The *distance* $d$ is symmetrized KL on fresh urns, one a sequence, averaged over rows
# $1 \dots C$. Below it is divided by $d(G, S)$ for the same training urn, so that 1 is as far as G and S are from each
# other; a point is a training urn.

# %% tags=["hide-input"]
standing = cache.table(headline.standings, models["headline"])
ends = ("generalizing", "memorizing", "symmetrized")
alt = "Distances of each model to G, M and S as multiples of d(G, S), a point a training urn, by V."
by_colors["legend"] = "model"
figure(chapter_plots.shares, standing, references=ends, alt=alt, n=of_urns, **by_colors)

# %% tags=["hide-input"]
columns = {f"to_{name}": f"d to {name[0].upper()}" for name in ends} | {"apart": "d(G, S)", "regret": "regret"}
rows = []
for (n_colors, kind), lines in standing.groupby(["n_colors", "kind"], sort=False):
    row = {"V": n_colors, "model": kind, "n": len(lines)}
    for name, shown in columns.items():
        row[shown] = str(intervals.bootstrap(lines[name].tolist(), generator=generator(0, name)))
    rows.append(row)
pd.DataFrame(rows).set_index(["V", "model"])

# %% [markdown]
# (Means over training urns with 95 % intervals. The last column is what is lost, in nats a ball, on sequences from the
# training urn itself against what this kind of model could have memorized: M for normal models, S for the others. S is
# the best that a predictor without names can do there; a permuted model may still know a little of the names, and then
# lose less than nothing.)
#
# Row by row, averaged over the urns of the first panel above: is a model nearer to one predictor early in a sequence
# and to another late?

# %% tags=["hide-input"]
kinds = list(standing["kind"].unique())
seen = [each for each in models["headline"] if each.settings.task.n_colors == colors[0]]
by_row = pd.concat(
    headline.distances_by_row([each for each in seen if each.settings.kind == kind]).assign(kind=kind) for kind in kinds
)
alt = "Distances to G, M and S against the balls seen, averaged over training urns: a panel for each kind of model."
by_kind = {"by": "kind", "share_y": True, "size": (3.6, 3.2)}
options = {"titles": f"{{}}, V = {colors[0]}", "legend": "distance to", "split": "out_of_distribution", "runs": seen}
figure(plots.distances_by_row, by_row, alt=alt, n=of_urns, **by_kind, **options)

# %% [markdown]
# The relative distance $r = (d(h, G) - d(h, S)) / d(G, S)$ says for each urn in one number where a model $h$ stands:
# −1 at G, +1 at S (at M for normal models). Does it depend on the urn? Here is a trap. S of a flat urn is close to the
# uniform predictor. A model that has memorized nothing, but hedges, a G drawn a little towards uniform, is therefore
# nearer to S the flatter the urn. The crosses are such a G for each lexical and permuted model, as far from G as that
# model is. Only a model above its cross has certainly made something of its training urn. (S of a very flat urn is
# nearly such a G itself: there nothing can tell memorizing from hedging.)

# %% tags=["hide-input"]
alt = "Relative distance of each model against the entropy of its training urn, with crosses for a G that only hedges."
figure(chapter_plots.against_entropy, standing, alt=alt, n=of_urns, **by_colors)

# %% tags=["hide-input"]
verdict = {}
for (n_colors, kind), lines in standing.groupby(["n_colors", "kind"], sort=False):
    verdict[n_colors, kind] = verdicts.verdict(lines, generator=generator(0, "verdict"))
pd.DataFrame({of: each.table_row() for of, each in verdict.items()}).T.rename_axis(["V", "model"])

# %% [markdown]
# ("Nearer" counts urns whose own interval, over sequences, leaves no doubt; "far from both" those whose model is
# further from G and from the memorizer than G and S are from each other. Correlations are Spearman's over urns, with
# the p of a permutation test.)
#
# Another way to see the same: the mixture of G, M, S and the uniform predictor U that is nearest to a model (least KL).
# Hedging goes to U here, so the weight of S is not taken in by it. What is left over, the KL of the model from that
# mixture, says how much of the model no mixture explains; beside it the KL of the model from G alone, for scale.

# %% tags=["hide-input"]
mixed = cache.table(headline.nearest_mixtures, models["headline"])
rows = []
for (n_colors, kind), lines in mixed.groupby(["n_colors", "kind"], sort=False):
    row = {"V": n_colors, "model": kind, "n": len(lines)}
    for name in (*ends, "uniform", "left_over", "from_g"):
        row[name.replace("_", " ")] = str(intervals.bootstrap(lines[name].tolist(), generator=generator(0, name)))
    rows.append(row)
pd.DataFrame(rows).set_index(["V", "model"])

# %% [markdown]
# ## Where do they go?
#
# What a model is after some thousand steps is not what it will be. Some of the urns again, with ten times the steps. In
# the pictures the first steps come from trainings of the same urns, weights and data that are looked at more often
# (with a constant rate, which the long ones hardly leave so early). All are the weights of that step; tables say what
# the weights of the best validation loss do.

# %% tags=["hide-input"]
long = cache.table(headline.trajectories, models["long"])
trajectory = headline.join_trajectories(headline.trajectories(models["early"]), long)
longer, n_longer = models["early"] + models["long"], trajectory["seed"].nunique()
by_urn = {
    "by": "seed",
    "share_y": True,
    "size": (2.0 if n_longer > 1 else 6.5, 2.6),
    "n": f"{n_longer} urns, each alone",
}
for kind in ("lexical", "permuted"):
    mine = trajectory[trajectory["kind"] == kind]
    alt = f"Distances of {kind} models to G, M and S along long trainings: a panel for each training urn."
    options = {"titles": "urn {}", "title": kind, "legend": "distance to", "runs": longer}
    figure(chapter_plots.distances_along, mine, name=f"long-{kind}", alt=alt, **by_urn, **options)

# %% [markdown]
# The relative distance along these trainings (thin: an urn, thick: their mean), and the nats a ball that the models
# lose against S in distribution, and against G on fresh urns.

# %% tags=["hide-input"]
along = headline.relative_distances(trajectory)
alt = "Along long trainings: relative distance, regret to S in distribution, and regret to G on fresh urns."
options = {"each": {"y": list(along.columns[5:])}, "titles": "", "legend": "model", "runs": longer}
figure(plots.relative_distances, along, log=True, alt=alt, n=f"{n_longer} training urns", **options)

# %% [markdown]
# And the nearest mixture on the way. A model that turns from one predictor into another would show a boundary that
# moves.

# %% tags=["hide-input"]
for kind in ("lexical", "permuted"):
    mine = trajectory[trajectory["kind"] == kind]
    alt = f"The mixture nearest to {kind} models along long trainings, as stacked areas: a panel for each training urn."
    options = {"titles": "urn {}", "title": kind, "legend": "weight of", "runs": longer}
    figure(chapter_plots.weights_along_training, mine, name=f"weights-{kind}", alt=alt, **by_urn, **options)

# %% tags=["hide-input"]
index, shown = ["kind", "seed"], ["r", "to_generalizing", "to_symmetrized", "regret", "regret_sem"]
ended = cache.table(headline.standings, models["long"]).set_index(index)
begun = standing[standing["n_colors"] == ended["n_colors"].iloc[0]].set_index(index)
both = ended[shown].join(begun[shown].add_suffix(" before"))
both.round(4)

# %% tags=["hide-input"]
moves = {}
for kind, lines in both.groupby("kind", sort=False):
    for name in ("r", "to_symmetrized", "to_generalizing", "regret"):
        change = (lines[name] - lines[f"{name} before"]).dropna().tolist()
        moves[kind, name] = intervals.bootstrap(change, generator=generator(0, "moved"))
    text = (
        f"**{kind}**, n = {len(lines)} urns, after ten times the steps: the distance to S changed by "
        f"{moves[kind, 'to_symmetrized']}, that to G by {moves[kind, 'to_generalizing']}, r by {moves[kind, 'r']}, and "
        f"the regret in distribution by {moves[kind, 'regret']} nats a ball."
    )
    display(Markdown(text))

# %% [markdown]
# ## More urns in the pool, narrower and wider models
#
# With more urns in the pool S comes nearer to G, until a relative distance is the ratio of a model's own small errors
# to something smaller: where a model is further from both than they are from each other, it is left out here. The
# regret, what is lost in distribution against what this kind of model can memorize, stays meaningful.

# %% tags=["hide-input"]
sized = cache.table(headline.standings, models["sizes"])
sized.loc[sized["nearest"] > 1, "r"] = float("nan")
options = by_kind | {"size": (3.8, 3.2), "legend": "d_model", "n": f"{study.n_seeds} pool(s)", "runs": models["sizes"]}
for y, what in (("r", "Relative distance"), ("regret", "Regret in distribution")):
    alt = f"{what} against the number of urns in the pool, a line for each width, a panel for each kind of model."
    figure(chapter_plots.by_setting, sized, x="n_tasks", y=y, line="d_model", name=f"sizes-{y}", alt=alt, **options)

# %% tags=["hide-input"]
rows = []
for (kind, n_tasks), lines in sized.groupby(["kind", "n_tasks"], sort=False):
    own = "memorizing" if kind == "normal" else "symmetrized"
    columns = {"d to G": "to_generalizing", "d to M or S": f"to_{own}", "d(G, S)": "apart", "regret": "regret"}
    row = {"model": kind, "D": n_tasks, "pools": lines["seed"].nunique(), "r left out": int(lines["r"].isna().sum())}
    for name, column in columns.items():
        over_pools = lines.groupby("seed")[column].mean()  # widths share their pool
        row[name] = intervals.format_with_error(over_pools.mean(), over_pools.sem())
    rows.append(row)
pd.DataFrame(rows).set_index(["model", "D"])

# %% tags=["hide-input"]
widths = sorted(sized["d_model"].unique())
for kind in kinds:
    wide = sized[sized["kind"] == kind].pivot(index=["n_tasks", "seed"], columns="d_model", values="regret")
    gain = (wide[widths[-1]] - wide[widths[0]]).groupby("seed").mean()
    text = f"From width {widths[0]} to {widths[-1]} the regret of {kind} models changes by "
    text += f"{intervals.format_with_error(gain.mean(), gain.sem())} nats a ball (mean over D, n = {len(gain)} seeds)."
    display(Markdown(text))

# %% [markdown]
# ## Which sequences are hard?
#
# How far a model is, after all balls, from G and from what it could have memorized (M for normal models, S for the
# others), against the entropy of the balls that it saw. A line is a kind of model, a point the mean of one training
# urn's model over a quartile of sequences.

# %% tags=["hide-input"]
mine = [each for each in models["headline"] if each.settings.task.n_colors == colors[0]]
sequences = cache.table(sequence_entropy.distances_by_sequence, mine)
ends_of = {"from G": "to_generalizing", "from M or S": "to_optimum"}
quartiles = pd.concat(
    sequence_entropy.quartiles(sequences, column=to).rename(columns={to: "KL"}).assign(reference=shown)
    for shown, to in ends_of.items()
)
alt = "KL from the model to G, and to M or S, against the entropy of the balls seen: a line for each kind of model."
options = {"by": "reference", "x": "quartile", "y": "KL", "log": ["KL"], "size": (5.2, 3.2), "legend": "model"}
figure(chapter_plots.by_setting, quartiles, name="quartiles", alt=alt, n=of_urns, runs=mine, **options)

# %% tags=["hide-input"]
related = sequence_entropy.correlations(sequences)
tables = {}
for name in ("pearson", "spearman"):
    table = verdicts.mean_over_urns(related, name, by=["kind", "to"], generator=generator(0, name))
    table = table.set_index(["kind", "to"])
    tables[f"{name.capitalize()} [95 %]"] = table["text"]
show_table(pd.DataFrame({**tables, "n urns": table["n"]}))

# %% tags=["hide-input"]
for kind, to in related.groupby(["kind", "to"], sort=False).groups:
    values = related[(related["kind"] == kind) & (related["to"] == to)]["spearman"].dropna().tolist()
    off = intervals.bootstrap(values, generator=generator(0, "spearman")) if values else None
    end = to[0].upper()
    if off and off.sign:
        text = f"{'further from' if off.sign > 0 else 'nearer to'} {end} {kind} models are"
        display(Markdown(f"The more even the balls, the {text} (Spearman {off}, n = {off.n} urns)."))

# %% [markdown]
# The sequences on which lexical models are nearest to G and furthest from it: how often each colour came, the entropy
# of that, and the distances.

# %% tags=["hide-input"]
lexical = sequences[sequences["kind"] == "lexical"].sort_values("to_generalizing")
cases = pd.concat([lexical.head(4).assign(case="best"), lexical.tail(4).assign(case="worst")])
columns = {"case": "case", "seed": "seed", "balls": "balls of each colour", "entropy": "entropy (nats)"}
show_table(cases, {**columns, "to_generalizing": "KL from G (nats)", "to_optimum": "KL from S (nats)"})

# %% [markdown]
# ## How much is seen
#
# Models for contexts of other lengths, each trained and scored at its own. Distances divided by $d(G, S)$ for the same
# urn and length; relative distances where a model is not further from both than they are from each other.

# %% tags=["hide-input"]
lengths = cache.table(headline.standings, models["contexts"])
lengths["share_generalizing"] = lengths["to_generalizing"] / lengths["apart"]
lengths["share_symmetrized"] = lengths["to_symmetrized"] / lengths["apart"]
lengths["r"] = lengths["r"].where(lengths["nearest"] <= 1)
ratios = ["share_generalizing", "share_symmetrized"]
alt = "Distances to G and S, as multiples of d(G, S), and relative distance, against the context length."
options = {"each": {"y": [*ratios, "r"]}, "titles": "", "log": ratios, "legend": "model", "runs": models["contexts"]}
number = f"{study.n_seeds} training urn(s)"
figure(chapter_plots.by_setting, lengths, x="context_length", name="contexts", alt=alt, n=number, **options)

# %% tags=["hide-input"]
for kind in ("lexical", "permuted"):
    wide = lengths[lengths["kind"] == kind].pivot(index="seed", columns="context_length", values="r")
    short, long = wide.columns[0], wide.columns[-1]
    n_nearer_g, n = int((wide[long] < wide[short]).sum()), len(wide.dropna(subset=[short, long]))
    display(Markdown(f"At C = {long} {kind} models are nearer to G than at C = {short} for {n_nearer_g} of {n} urns."))

# %% [markdown]
# ## At the original's size
#
# The original's models were larger: width 128, four blocks, contexts of 127 balls. A grid for a GPU repeats the
# headline with such models, by the recipe of this chapter; here is what is stored of it, whatever scale the rest of
# this page has. Left the relative distance of lexical and permuted models, right what they lose against S in
# distribution.

# %% tags=["hide-input"]
large = [runs.get(point) for point in sweeps.read("gpu_01_headline").done()]
nameless = [run for run in large if run.settings.kind != "normal"]
if nameless:
    grown = headline.relative_distances(headline.trajectories(nameless))
    options = {"each": {"y": ["relative_distance", "regret to S in distribution"]}, "titles": "", "legend": "model"}
    alt = "Relative distance and regret of models of the original's size along training, a line for each kind."
    number, shown = f"{grown['seed'].nunique()} training urns", grown[grown["step"] > 0]
    figure(plots.relative_distances, shown, name="at-size", alt=alt, n=number, log=True, runs=nameless, **options)

# %% tags=["hide-input"]
for kind, lines in grown[grown["step"] == grown["step"].max()].groupby("kind") if nameless else []:
    mean = intervals.bootstrap(lines["relative_distance"].tolist(), generator=generator(0, "at size"))
    each = ", ".join(f"{r:.2f}" for r in lines["relative_distance"])
    display(Markdown(f"**{kind}** models at step {lines['step'].max()}: r = {each}; mean {mean}, n = {mean.n} urns."))
if normal := [run for run in large if run.settings.kind == "normal"]:
    to_m = [evaluation.select(run.results, split="out_of_distribution").loc["memorizing", "mean"] for run in normal]
    display(Markdown(f"**normal** models are {max(to_m):.1g} nats from M, or less (n = {len(normal)} urns)."))

# %% [markdown]
# ## What the data decide
#
# In words that are computed from the tables above.

# %% tags=["hide-input"]
sooner = standing[standing["n_colors"] == colors[0]].pivot(index="seed", columns="kind", values="to_symmetrized")
sooner = intervals.bootstrap((sooner["permuted"] - sooner["lexical"]).tolist(), generator=generator(0, "sooner"))
found = {
    "with more training lexical models move towards S": moves["lexical", "to_symmetrized"].sign == -1,
    "and away from G": moves["lexical", "to_generalizing"].sign == 1,
    "permuted models, which see the same data, are nearer to S after as many steps": sooner.sign == -1,
}
left = intervals.is_above_zero(torch.tensor(ended.xs("lexical")["regret"].tolist()))
conclusion = "lexical invariance delays memorizing up to the names, and does not prevent it"
if left:
    conclusion = "lexical invariance delays memorizing up to the names, which has not ended where these trainings do"
if not all(found.values()):
    conclusion = "it is not decided here whether lexical invariance does more than delay memorizing"
seen = ", ".join(f"{text}: {'yes' if held else 'not shown'}" for text, held in found.items())
display(Markdown(f"**In short**: {conclusion} ({seen})."))

# %% [markdown]
# First after the headline's steps:

# %% tags=["hide-input"]
for (n_colors, kind), each in verdict.items():
    if kind != "normal":
        display(Markdown(f"**{kind}, V = {n_colors}.** {each}"))

# %% [markdown]
# Then where they go:

# %% tags=["hide-input"]
for kind in ("lexical", "permuted"):
    to_s, to_g = moves[kind, "to_symmetrized"], moves[kind, "to_generalizing"]
    sides = {"above": "further away", "below": "nearer", "between": "neither nearer nor further away for certain"}
    lost = moves[kind, "regret"].describe(above="more than before", below="less than before", between="as before")
    still = intervals.format_mean(torch.tensor(both.xs(kind)["regret"].tolist()))
    text = f"**{kind}, with ten times the steps** (n = {to_s.n} urns): "
    text += f"from S {to_s.describe(**sides)} ({to_s}), from G "
    text += (
        f"{to_g.describe(**sides)} ({to_g}). In distribution they lose {lost}, and still {still} nats a ball against S."
    )
    display(Markdown(text))

# %% tags=["hide-input"]
for n_colors in colors:
    mine = standing[standing["n_colors"] == n_colors].pivot(index="seed", columns="kind", values="to_symmetrized")
    off = intervals.bootstrap((mine["permuted"] - mine["lexical"]).tolist(), generator=generator(0, "architecture"))
    words = off.describe(above="further from S than", below="nearer to S than", between="not told from")
    text = f"On the same urns and with equal steps, permuted models are {words} lexical ones (d to S differs by {off}, "
    display(Markdown(f"**Architecture or data, V = {n_colors}?** {text}n = {off.n})."))

# %% tags=["hide-input"]
off = differences[colors[0], "lexical", "symmetrized"]
scored_longer = cache.table(headline.published_scores, models["long"])
scored_longer = scored_longer.pivot(index="seed", columns="who", values="mean")
later = (scored_longer["lexical"] - scored_longer["symmetrized"]).tolist()
later = intervals.bootstrap(later, generator=generator(0, "difference"))
words = {"above": "above S", "below": "below S, that is, better", "between": "not told from S"}
display(
    Markdown(
        f"**The published protocol**, V = {colors[0]}: lexical models score {off.describe(**words)} (difference {off}, "
        f"n = {off.n} urns); after ten times the steps, {later.describe(**words)} ({later}, n = {later.n} urns)."
    )
)

# %% [markdown]
# What they do not decide:

# %% tags=["hide-input"]
seen = [point for grid in grids.values() for point in grid.points]
axes_seen = {name: sorted({point.flat()[name] for point in seen}) for name in ("d_model", "n_layers", "context_length")}
said = "; ".join(f"{name} {', '.join(map(str, values))}" for name, values in axes_seen.items())
gpu = sorted((paths.root() / "params" / "sweeps").glob("gpu_*.yaml"))
done = sum(len(sweeps.read(path).done()) for path in gpu)
display(
    Markdown(
        f"- **Other sizes.** Seen here: {said}, V = {', '.join(map(str, colors))}. Of the originals' scales, "
        f"which are ready as {len(gpu)} grids for a GPU, {done} models are stored."
    )
)

# %% [markdown]
# - **The end.** A training stops because its rate has fallen to zero, not because nothing is left to learn: see the
#   regret that remains.
# - **Weights and urns apart.** Every urn has one model of a kind, with a seed for both: what differs between urns may
#   in part be the initial weights.
# - **Why** a model without names should be slow to memorize is not asked here.
#
# The published figures and the bands that were set for ours before these models were trained, at the scale at which
# they apply:

# %% tags=["hide-input"]
scores_of = pairs.loc[4] if 4 in colors else pairs.loc[colors[0]]
found = {f"relative_distance_{kind}": verdict[colors[0], kind].r for kind in kinds}
found["lexical_minus_symmetrized"] = off
measured = {f"headline/{name}": claims.Measurement(each.value, each.error, each.n) for name, each in found.items()}
for kind, memorizer in (("normal", "memorizing"), ("lexical", "symmetrized")):
    score, of_memorizer = scores_of[kind], scores_of[memorizer].mean()
    measured[f"headline/{kind}"] = claims.Measurement(score.mean(), score.sem(), len(score), of_memorizer)
machine = ("device", "threads", "tracker")
is_published = scale == 1 and colors[0] == 4 and not [name for name in changes if name not in machine]
claims.table(measured, at_scale=is_published)

# %% [markdown]
# ## What to try next
#
# - `-p n_urns 12 -p n_steps 2000`: the published scale of the headline.
# - `-p vocabulary gaussian_scaled`: do tables that are not orthogonal change where lexical models go?
# - `-p n_layers 2`: does depth?
# - `-p schedule constant`: how much of the trajectories is the learning rate's?
