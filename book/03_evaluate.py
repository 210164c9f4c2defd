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
# # Evaluation: which predictor did a network become, and how sure are we?
#
# In [chapter 2](02_train), all measures agreed about one network. Often they do not. So we test each measure on
# predictors that we construct, because we know what these have memorized. Then we ask how sure an answer is.
#
# After this chapter you can calculate a captured share, say what a relative distance cannot show, explain what an
# average over embedding tables does, and choose an interval that fits a question.

# %% tags=["remove-cell"]
import os, pathlib, sys  # noqa: E401, I001  every chapter finds the library by this cell; Colab fetches it first
"google.colab" in sys.modules and os.system("cd /content; [ -e lexurn ] || git -c advice.detachedHead=false clone -q --depth 1 -b v0.2.0 https://github.com/OWNER/lexurn")
sys.path[:0] = [str(f) for f in pathlib.Path("_").resolve().parents if (f / "lexurn/base/colab.py").exists()] or ["/content/lexurn"]
import lexurn.base.colab  # noqa: F401  not found? git clone https://github.com/OWNER/lexurn, and run this inside the clone

# %% tags=["parameters"]
# Parameters of this chapter. Those of papermill's -p and -f win over these.
n_urns: int = 5  # training urns of the headline, each with a model of every kind
n_tasks: int = 1  # urns in the training pool; 0: a fresh urn for every sequence
n_colors: int = 4  # colours of balls, the vocabulary
context_length: int = 32  # most tokens that the model sees before a prediction
n_layers: int = 1  # blocks, or recurrent layers
n_steps: int = 1000  # optimizer updates; follows from the data where they are finite
learning_rate: float = 0.01  # peak learning rate
seed: int = 0  # the seed that every random stream is derived from
jobs: int = 2  # processes that train side by side
threads: int = 1  # CPU threads
# Also: alpha, vocabulary, tied, logit_scale, d_model, n_heads, positions, dropout,
#   n_train_samples, n_epochs, batch_size, optimizer, warmup, schedule, weight_decay,
#   grad_clip, n_test_samples, eval_every, patience, min_delta, device, tracker (see
#   the page Parameters).

# %% tags=["hide-input"]
from lexurn import parameters

settings = parameters.resolve("evaluate", fixed={"task": "urns", "lex": True, "label_permuted": False})

from lexurn import tasks

tasks.build(settings).require_references()

# %% tags=["hide-input"]
from math import log

import pandas as pd
import torch
from IPython.display import Markdown, display

from lexurn import brief, figure, set_threads
from lexurn import table as show_table
from lexurn.base.divergences import kl
from lexurn.base.wording import format_with_error, percent
from lexurn.chapters.evaluate import coverage, known_predictors, standings
from lexurn.chapters.evaluate import plots as chapter_plots
from lexurn.figures import plots, widgets

# %% tags=["hide-input"]
from lexurn.measures import intervals, memorization
from lexurn.models import as_trained_predictor
from lexurn.runs import cache

set_threads(settings.machine.threads)
kinds = ("normal", "permuted", "lexical")
n_balls, study = settings.task.context_length, settings.study
n_few = min(4, n_balls)
seeds = range(settings.training.seed, settings.training.seed + study.n_urns)
points = [settings.of_kind(kind, seed=number) for number in seeds for kind in kinds]
models = widgets.get_all(points, jobs=study.jobs)
changed = points[0].changed().keys() - {"n_steps", "eval_every", "device", "threads", "tracker"}
is_published = study.n_urns >= 12 and settings.training.n_steps == 2000 and not changed

# %% tags=["hide-input"]
lexical, permuted = ([run for run in models if run.settings.kind == kind] for kind in ("lexical", "permuted"))
standing = cache.table(standings.standings, models)
distances = cache.table(standings.distances, models)
by_counts = cache.table(standings.by_counts, permuted + lexical)
pools = points[:: len(kinds)]
n_many = 64 * pools[0].task.n_tasks
known = cache.table(known_predictors.scores, pools)
of_many = cache.table(known_predictors.scores, [point.replace(n_tasks=n_many) for point in pools])
missing = standing.pivot(index="seed", columns="kind", values="missing")
shares = {kind: intervals.geometric_mean(missing[kind]) for kind in kinds}
captured = {kind: percent(1 - share.value) for kind, share in shares.items()}
quoted = {f"captured_{kind}": captured[kind] for kind in ("permuted", "lexical")}
quoted |= {"captured_normal": f"{100 * (1 - shares['normal'].value):.2f} %"}
of_urns = f"{study.n_urns} training urns"
by_name = dict(list(known.groupby("predictor")))


# %% tags=["hide-input"]
def two_decimals(value):
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−")


def extent(values, form=two_decimals, word="to"):
    ends = dict.fromkeys(form(end) for end in (values.min(), values.max()))
    return f" {word} ".join(ends)


def between(interval, form=percent):
    known_bounds = interval.low == interval.low
    return f"{form(interval.low)} to {form(interval.high)}" if known_bounds else "too few urns for an interval"


# %% tags=["hide-input"]
with_interval = {
    kind: f"{captured[kind]} ({between(intervals.Interval(1 - share.value, 1 - share.high, 1 - share.low, share.n))})"
    for kind, share in shares.items()
}


# %% tags=["hide-input"]
one_urn = standing[standing["kind"] == "lexical"].set_index("seed").sort_values("missing")
mean = shares["lexical"]
if is_published:
    assert mean.low < 1 < mean.high and by_name["S, hedged"]["captured"].min() < 0.7

# %% tags=["hide-input"]
brief(
    question="Which exact predictor did a network become, and would other urns give the same answer?",
    done=f"We compare {len(models)} models with G, M and S, and test measures on constructed predictors.",
    found=[
        "Models whose colours are renamed in training have captured " + with_interval["permuted"] + " of S's advantage "
        f"over the best counter, lexical models {with_interval['lexical']}.",
        "On fresh urns, the relative distance r (−1 at G, +1 at S) misleads: it is up to "
        f"{two_decimals(by_name['uniform']['fresh'].max())} for the uniform predictor, and down to "
        f"{two_decimals(by_name['S with doubt']['fresh'].min())} for S with a little doubt.",
        f"Urns differ: single lexical models capture {extent(1 - one_urn['missing'], percent)}.",
    ],
    sure=f"n = {study.n_urns} urns, one size; brackets are 95 % intervals.",
    change="A predictor without memory that captures much, or another result for more urns.",
    numbers=quoted if is_published else None,
)

# %% [markdown]
# ## Three kinds of models
#
# We train three kinds of models, which differ in what they can know about names:
#
# - A {term}`normal model` has learned embeddings. At its best it becomes M {eq}`memorizing`.
# - A {term}`permuted model` has learned embeddings, too, but the colours of every training sequence are renamed at
#   random. It has to learn that names mean nothing. At its best it becomes S {eq}`symmetrized`.
# - A {term}`lexical model` gets a random embedding table for every sequence, here four of 32 one-hot vectors, so it
#   cannot know names. At its best it becomes S as well.
#
# Each training urn has one model of each kind, with the same number of steps, and all three see the same held-out
# sequences. The comparison is {term}`paired`: what makes an urn hard for all kinds does not count as a difference
# between the kinds. Permuted and lexical models differ in two more things. Permuted models have four names, which are
# learned vectors, and lexical models have 32, which are one-hot. [Chapter 5](05_names) separates these causes.
#
# There are two sorts of held-out sequences, and they answer different questions:
#
# - {term}`In distribution <in distribution>`: new sequences from the training urn. Here training rewards good
#   predictions, and no predictor is better than M or S. These sequences say *how far the training has come*.
# - {term}`Out of distribution <out of distribution>`: a fresh urn for every sequence. The training loss contains no
#   such sequence, so training does not decide what a model does there. These sequences say *how a model extrapolates*.
#   A model that differs from S here may have memorized its urn all the same.
#
# ## How far from G, M and S?
#
# The first measure is the {term}`distance` {eq}`train-distance`, averaged over rows $1 \dots C$ and over sequences. Why
# over all rows? The training loss gives all rows equal weights, and we shall see that single rows give other answers.
#
# If a model has become M or S, its distance from that predictor should be far smaller than the other two distances.

# %% tags=["hide-input"]
splits = list(standings.SPLITS.values())
to_s = distances[(distances["split"] == splits[0]) & (distances["reference"] == "symmetrized")]
to_s = to_s.pivot(index="seed", columns="kind", values="mean")
apart = intervals.ratio_interval(to_s["lexical"], to_s["permuted"])
if is_published:
    assert apart.low > 5

# %% tags=["hide-input"]
alt = "Distances of each model to G, M and S, in distribution and on fresh urns: one point per training urn."
caption = (
    "Normal models have become M, on fresh urns too. In distribution, lexical models are "
    f"{apart.value:.2g} times as far from S as permuted models of the same urn ({between(apart, '{:.2g}'.format)}). "
    f"Points: {of_urns}; bars: their arithmetic means."
)
words = {"alt": alt, "caption": caption, "n": of_urns, "runs": models}
options = {"each": {"split": splits}, "share_y": True, "legend": "model", "size": (4.0, 3.4)}
figure(chapter_plots.distances_by_kind, distances, **options, **words)

# %% tags=["hide-input"]
inside = distances[distances["split"] == splits[0]].groupby(["kind", "reference"])["mean"].mean()
own = {"normal": "memorizing", "permuted": "symmetrized", "lexical": "symmetrized"}
times = {kind: inside[kind, "generalizing"] / inside[kind, own[kind]] for kind in kinds}
of_normal = float(f"{times['normal']:.2g}")
if is_published:
    assert times["normal"] > 100 and times["permuted"] > 10 and 1.2 < times["lexical"] < 2
display(
    Markdown(
        "So distances suggest an answer for two of the three kinds. In distribution, normal models are "
        f"{of_normal:,.0f} times as far from G as from M. Permuted models are {times['permuted']:.2g} times as far "
        f"from G as from S, and lexical models only {times['lexical']:.2g} times (ratios of arithmetic means). Is this "
        "near S? We need to know what counts as near."
    )
)

# %% [markdown]
# ### Row by row
#
# A mean can hide that a model changes its rule along a sequence. So we look at every row as well.

# %% tags=["hide-input"]
rows = cache.table(standings.distances_by_row, lexical)
over_urns = rows.groupby(["split", "row", "reference"], sort=False)["mean"].agg(["mean", "sem"]).reset_index()
alt = "Distances of lexical models to G, M and S against the balls seen, in distribution and on fresh urns."
caption = (
    "After few balls, lexical models are nearer to S than to G; after many balls we cannot tell which is nearer. "
    f"Mean over {of_urns}, with two standard errors."
)
words = {"alt": alt, "caption": caption, "n": of_urns, "runs": lexical}
options = {"each": {"split": splits}, "share_y": True, "legend": "distance to"}
figure(plots.distances_by_row, over_urns.assign(measure="symmetrized_kl"), name="by_row", **options, **words)

# %% tags=["hide-input"]
on_fresh = rows[rows["split"] == splits[1]].pivot(index=["seed", "row"], columns="reference", values="mean")
tables = {number: on_fresh.xs(number, level="row") for number in (n_few, n_balls)}
tables["mean"] = on_fresh.groupby("seed").mean()
ratios, text = {}, {}
for name, table in tables.items():
    ratios[name] = intervals.ratio_interval(table["generalizing"], table["symmetrized"])
    text[name] = f"{ratios[name].value:.2g} ({between(ratios[name], '{:.2g}'.format)})"
if is_published:
    assert ratios[4].low > 1.5 and ratios[n_balls].low < 1 < ratios[n_balls].high < 2

# %% tags=["hide-input"]
display(
    Markdown(
        f"So a mean over rows needs the rows beside it. After {n_few} balls from a fresh urn, the distance of lexical "
        f"models from G is {text[n_few]} times their distance from S. After {n_balls} balls, this ratio is "
        f"{text[n_balls]}. For distances averaged over rows, it is {text['mean']}, and does not show this change. "
        "(Ratios are geometric means over urns, with 95 % intervals.)"
    )
)

# %% [markdown]
# ## How much has it captured?
#
# A distance from S needs a scale. How far from S is a predictor *without* memory of its urn? It can count, and it can
# decide how much to trust the counts, by the number $\alpha$ that it adds to each of them {eq}`generalizing`. The best
# $\alpha$ depends on the urn. The predictor with the best $\alpha$ for its urn is the {term}`best counter`,
# $G_{\alpha^*}$. The best predictor *with* memory is S, or M for normal models. The {term}`captured` share of a model
# $h$ is its share of the advantage of S over the best counter:
#
# $$ \text{captured} = 1 - \frac{\mathrm{KL}(S \,\|\, h)}{\mathrm{KL}(S \,\|\, G_{\alpha^*})}, $$ (evaluate-captured)
#
# in distribution, with both divergences averaged over rows $1 \dots C$ and over sequences. It is 1 for S, 0 for the
# best counter, and negative for a model that is further from S than the best counter. The rest,
# $1 - \text{captured}$, is the **missing share**.
#
# Why this divergence? Average over all renamings of the training urn. For somebody who does not know the names, S is
# then the true probability of the next ball. So $h$ loses $\mathrm{KL}(S \,\|\, h)$ more than S, on average. We measure
# on one renaming, which is as good as all for an invariant $h$; permuted models are only nearly invariant.
#
# Here is a single row with two colours by hand. Suppose that S expects red with probability $0.6$ and the best counter
# with $0.5$. A predictor that mixes the two half and half says $0.55$. What is its captured share?

# %%
s = torch.tensor([0.6, 0.4], dtype=torch.float64)  # red, not red
counter = torch.tensor([0.5, 0.5], dtype=torch.float64)
half = (s + counter) / 2
of_counter, of_half = kl(s.log(), counter.log()).item(), kl(s.log(), half.log()).item()
by_hand = 1 - of_half / of_counter

# %% tags=["hide-input"]
halves = by_name["half S, half best counter"]["captured"]
assert 0.74 < by_hand < 0.76
if is_published:
    assert halves.between(0.7, 0.8).all()
display(
    Markdown(
        f"KL(S ‖ best counter) is {of_counter:.3f} nats, and KL(S ‖ half) is {of_half:.3f} nats, a quarter of it. "
        f"So the captured share of the mixture is {percent(by_hand)}. Near its minimum, the KL divergence grows with "
        "the *square* of the difference, so half the difference leaves a quarter of the divergence. Over all rows and "
        f"sequences, such a mixture has captured {extent(halves, percent)}, depending on the urn."
    )
)

# %% [markdown]
# The code is as short as the formula. The model reads each sequence with one embedding table, as in training:

# %%
run = lexical[0]
model = as_trained_predictor(run.model, seed=run.settings.training.seed)
tokens = run.splits["in_distribution"]
memorizer = run.references["symmetrized"]
counter = memorization.best_generalizing(run.pool, tokens.shape[1])
scale = memorization.mean_kl(memorizer, counter, tokens)
share = 1 - memorization.mean_kl(memorizer, model, tokens) / scale

# %% tags=["hide-input"]
assert abs(1 - share - missing["lexical"].loc[seeds[0]]) < 1e-6
label_of_half = "half S,\nhalf best counter"
parts = [
    standing.drop(columns=["low", "high"]).assign(look=standing["kind"], captured=1 - standing["missing"]),
    pd.DataFrame(
        {"predictor": kind, "look": kind, "captured": 1 - each.value, "low": 1 - each.high, "high": 1 - each.low}
        for kind, each in shares.items()
    ),
    by_name["half S, half best counter"].assign(predictor=label_of_half, look="half"),
]

# %% tags=["hide-input"]
alt = "The captured share of each kind of model and of a known blend: one point per urn, and means with intervals."
caption = (
    "Normal models have captured nearly all of M's advantage, and permuted models most of S's. Lexical models lie on "
    "both sides of the best counter, depending on the urn. Large marks: 1 − geometric mean of the missing share over "
    f"{of_urns}, with 95 % intervals."
)
words = {"alt": alt, "caption": caption, "n": of_urns, "runs": models}
options = {"x": "captured", "look_of": "look", "label": "captured share", "size": (6.2, 3.0)}
ends = {"best counter": 0, "M or S": 1}
columns = ["predictor", "look", "seed", "captured", "low", "high"]
drawn = pd.concat(parts)
drawn["predictor"] = drawn["predictor"].fillna(drawn["look"])
figure(chapter_plots.strips, drawn[columns], name="captured", ends=ends, **options, **words)

# %% tags=["hide-input"]
kind_rows = [
    {"kind": kind, "missing": percent(share.value), "interval": between(share), "range": extent(missing[kind], percent)}
    for kind, share in shares.items()
]
columns = {"kind": "models", "missing": "missing share", "interval": "95 % interval", "range": "range over urns"}
caption = "Normal models lack almost nothing of M's advantage, and lexical models about all of S's, within a wide "
caption += f"interval. Missing shares are averaged geometrically, n = {study.n_urns} urns."
show_table(pd.DataFrame(kind_rows), columns, name="missing_shares", caption=caption)

# %% tags=["hide-input"]
ratio = intervals.ratio_interval(missing["lexical"], missing["permuted"])
if is_published:
    assert ratio.low > 5 and shares["normal"].high < 0.01 and shares["permuted"].high < 0.2
display(
    Markdown(
        "So on average over urns, we cannot tell whether lexical models or the best counter are nearer to S. Single "
        f"models lie on both sides of the best counter. On the same urn, {ratio.value:.2g} times as much is "
        f"missing in lexical as in permuted models ({between(ratio, '{:.2g}'.format)}, n = {ratio.n}). Missing shares "
        "differ by factors, so our means of missing shares and of ratios are geometric: 1 % and 4 % give 2 %."
    )
)

# %% tags=["hide-input"]
to_ends = distances[(distances["split"] == splits[0]) & (distances["kind"] == "lexical")]
to_ends = to_ends.pivot(index="seed", columns="reference", values="mean")
nearer = intervals.ratio_interval(to_ends["generalizing"], to_ends["symmetrized"])
if is_published:
    assert nearer.low > 1 and ratios["mean"].low < 1 < ratios["mean"].high
display(
    Markdown(
        f"By the distances in distribution, lexical models are {nearer.value:.3g} times as far from G as from S "
        f"({between(nearer, '{:.3g}'.format)}, geometric mean, n = {nearer.n}); on fresh urns we cannot tell which is "
        "nearer. That lexical models are nearer to S than to G, and that we cannot tell whether they or the best "
        "counter are nearer to S, is no contradiction. G adds 1 to every count, whatever the urn. The best counter "
        "knows one number about the urn, how flat it is, and a lexical model may know this too. The captured share "
        "gives no credit for this knowledge, because the best counter has it."
    )
)

# %% [markdown]
# ## The relative distance and its traps
#
# Another measure needs no best counter and works on all sequences, fresh urns included. It is the {term}`relative
# distance`
#
# $$ r = \frac{d(h, G) - d(h, S)}{d(G, S)}, $$ (evaluate-relative)
#
# of {cite:t}`wurgaft2025strategies`, who put M in the place of S. It is −1 for G and +1 for S. But what does a value
# between them mean, or beyond them? We try predictors that we construct:
#
# - *S with doubt* has memorized its urn. It allows one percent for a fresh urn: $B_\varepsilon$ {eq}`doubt` with
#   $\varepsilon = 1/100$.
# - *S, hedged* has memorized its urn, too. It takes a tenth of its probability and gives it to all colours equally.
# - *Half S, half best counter* is the mixture from above.
# - *Best counter* has no memory except for one number.
# - *G, hedged* has no memory at all. It also gives a tenth to all colours equally.
# - *Uniform* gives every colour $1/V$. It has not even learned to count.
#
# For every urn, a measure of memory should put the first two above the last three.

# %% tags=["hide-input"]
hedged = of_many[of_many["predictor"] == "G, hedged"].assign(predictor=f"G, hedged,\npool of {n_many} urns")
drawn = pd.concat([known.replace({"predictor": {"half S, half best counter": label_of_half}}), hedged])
drawn = drawn.rename(columns={"inside": splits[0], "fresh": splits[1]}).assign(low=float("nan"), high=float("nan"))
alt = "The relative distance of known predictors, in distribution and on fresh urns: one point per pool."
caption = (
    "On some urns, the relative distance puts the uniform predictor, which has no memory, above predictors that have "
    f"memorized. One point per pool, n = {study.n_urns}."
)
words = {"alt": alt, "caption": caption, "n": of_urns}
options = {"each": {"x": splits}, "share_y": True, "legend": "truth", "size": (4.2, 4.2), "ends": {"G": -1, "S": 1}}
columns = ["predictor", "truth", "seed", *splits, "low", "high"]
figure(chapter_plots.strips, drawn[columns], name="traps", look_of="truth", label="relative distance r", **options,
       **words)

# %% tags=["hide-input"]
table = {}
for name, scores in by_name.items():
    table[name] = {"truth": scores["truth"].iloc[0], "captured": extent(scores["captured"], percent)}
    table[name] |= {"inside": extent(scores["inside"]), "fresh": extent(scores["fresh"])}
order = list(known["predictor"].unique())
columns = {"predictor": "predictor", "truth": "truth", "captured": "captured"}
columns |= {"inside": "r in distribution", "fresh": "r on fresh urns"}
caption = "The captured share is above 50 % for the two predictors with memory and near or below 0 % for the three "
caption += f"without; their values of r overlap. Ranges over {of_urns}."
show_table(pd.DataFrame(table).T.loc[order].rename_axis("predictor"), columns, name="known_predictors", caption=caption)

# %% tags=["hide-input"]
doubt, uniform, hedge = (by_name[name] for name in ("S with doubt", "uniform", "G, hedged"))
best_counter, blend = by_name["best counter"], by_name["half S, half best counter"]
if is_published:
    by_truth = known.groupby("truth")[["captured", "inside", "fresh"]].agg(["min", "max"])
    assert by_truth.loc["memorized", ("captured", "min")] > 0.5 > 0.05 > by_truth.loc["no memory", ("captured", "max")]
    assert by_truth.loc["no memory", ("inside", "max")] > 2 > 1.2 > by_truth.loc["memorized", ("inside", "max")]
    assert doubt["inside"].min() > 0.9 and doubt["fresh"].min() < 0 and best_counter["inside"].max() > 0.7
    assert hedged["apart"].max() < 0.002 and hedged["inside"].max() > 0.5 and hedge["inside"].max() < -0.5

# %% tags=["hide-input"]
where = ["inside", "fresh"]
least = known[known["truth"] == "memorized"].groupby("seed")[where].min()
above = {name: scores.set_index("seed")[where] > least for name, scores in by_name.items()}
uniform_above, counters_above = above["uniform"].sum(), (above["best counter"] | above["G, hedged"]).sum()
if is_published:
    assert counters_above["inside"] == 0 < counters_above["fresh"] < uniform_above["inside"]

# %% [markdown]
# There are three traps.

# %% tags=["hide-input"]
display(
    Markdown(
        "**Sequences that training does not contain.** On sequences that are improbable under the training urn, a "
        "small doubt is enough to predict like G. So on fresh urns S with doubt has *r* between "
        f"{extent(doubt['fresh'], word='and')}, although it has captured at least "
        f"{percent(doubt['captured'].min())} of S's advantage. In distribution, its *r* is "
        f"{doubt['inside'].min():.2f} or more. On fresh urns, *r* depends on what a model has memorized and on how it "
        "extrapolates."
    )
)

# %% tags=["hide-input"]
display(
    Markdown(
        "**Far from both.** *r* compares two distances, and both may be large. S of a flat urn is almost uniform, so "
        "on a flat urn every nearly uniform predictor is nearer to S. The uniform predictor has a larger *r* than a "
        f"predictor with memory for {uniform_above['inside']} of {study.n_urns} training urns in distribution, and for "
        f"{uniform_above['fresh']} on fresh urns. For the best counter or the hedged G, this is so for "
        f"{counters_above['inside']} of these urns in distribution, and for {counters_above['fresh']} on fresh urns. "
        "But *r* has no fixed scale. The best counter has "
        f"*r* between {extent(best_counter['inside'], word='and')}, and the mixture between "
        f"{extent(blend['inside'], word='and')}, while its captured share is about the same on all urns."
    )
)

# %% tags=["hide-input"]
display(
    Markdown(
        f"**A small denominator.** With {n_many} urns in the pool, G and S are only {hedged['apart'].mean():.1g} nats "
        "apart, and *r* divides every small error by this distance. There the hedged G has *r* between "
        f"{extent(hedged['inside'], word='and')}; with one urn, between {extent(hedge['inside'], word='and')}. The "
        "library calls *r* undetermined where *d*(G, S) is within two standard errors of zero. This does not catch all "
        "such cases."
    )
)

# %% [markdown]
# So $r$ tells which of two predictors is nearer, never whether either is near. It has to come with both distances and
# with $d(G, S)$. We use it to draw trajectories, and judge by the captured share.
#
# The captured share is not perfect either. It is 0 for the best counter and 1 for S *by definition*, and most of our
# six predictors are mixtures with these, so the table is no independent test. It also punishes hedging: on some urns,
# the hedged S has captured less than the mixture, although it has memorized everything. So a low share says that a
# model is far from S, and not that it has not memorized. And the best counter is the best of *one* family of predictors
# without memory. On one urn, the hedged G is slightly nearer to S. So a few percent are no proof of memory.
#
# ## On which sequences?
#
# A mean over sequences can hide as much as a mean over rows. G and S agree where the balls look like a renamed training
# urn. They disagree where the counts are much more *peaked* than the training urn, or much *flatter*. There G follows
# the counts, and S keeps to the proportions that it knows. So we group the sequences by the entropy of their counts
# after all balls, minus the entropy of the training urn.
#
# It matters that the groups depend on the counts alone. If we chose the sequences on which a model is furthest from S,
# every model would look far from S, whatever it has learned.

# %% tags=["hide-input"]
alt = "Distances to G and S after all balls against how flat the counts are, for permuted and for lexical models."
caption = (
    "Where counts are flatter than the training urn, right of zero, lexical models are nearer to G. Permuted models "
    f"follow S everywhere. Fresh urns, last row, arithmetic mean over at most {of_urns}, with two standard errors."
)
words = {"alt": alt, "caption": caption, "n": of_urns, "runs": permuted + lexical}
options = {"by": "kind", "share_y": True, "legend": "distance", "size": (4.2, 3.4)}
figure(chapter_plots.by_counts, by_counts, **options, **words)

# %% tags=["hide-input"]
last_group = by_counts.query("kind == 'lexical'")["group"].max()
n_flattest = int(by_counts.query("kind == 'lexical' and group == @last_group")["n"].iloc[0])
groups, errors = (
    {kind: table.pivot(index="group", columns="reference", values=column) for kind, table in by_counts.groupby("kind")}
    for column in ("mean", "sem")
)
flattest, most_peaked = (groups["lexical"].iloc[number] for number in (-1, 0))
error = errors["lexical"].iloc[-1]
if is_published:
    assert flattest["symmetrized"] > 3 * flattest["generalizing"]
    assert 0.7 < most_peaked["symmetrized"] / most_peaked["generalizing"] < 1.4
    assert (groups["permuted"]["symmetrized"] < groups["permuted"]["generalizing"] / 3).all()

# %% tags=["hide-input"]
display(
    Markdown(
        "So a mean over sequences hides a difference. On the flattest counts, lexical models are "
        f"{format_with_error(flattest['generalizing'], error['generalizing'])} nats from G and "
        f"{format_with_error(flattest['symmetrized'], error['symmetrized'])} nats from S (n = {n_flattest} urns, "
        f"± one standard error). On the most peaked counts, both distances are about "
        f"{most_peaked['generalizing']:.2g} nats. These are fresh urns, so this says how the models extrapolate."
    )
)

# %% [markdown]
# ## One table, or the average of eight?
#
# A lexical model gives another prediction for every embedding table that it draws. We can evaluate it with one table
# per sequence, as it was trained. Or we can average its predictions over several tables. From *every* predictor, the
# divergence of the average is at most the average of the divergences (Exercise 3). So averaging makes a model look
# better without any training.

# %% tags=["hide-input"]
of_average = intervals.geometric_mean(one_urn["averaged"])
gain = intervals.ratio_interval(one_urn["averaged"], one_urn["missing"])
if is_published:
    assert gain.high < 1
display(
    Markdown(
        f"With one table, {percent(mean.value)} of S's advantage is missing; for the average over eight tables, "
        f"{percent(of_average.value)}. On the same urn, the average lacks {gain.value:.2g} times as much "
        f"({between(gain, '{:.2g}'.format)}, n = {gain.n}). The average is another predictor, for which no model was "
        "trained. So we evaluate models with one table, as they were trained, unless we say otherwise."
    )
)

# %% [markdown]
# ## How sure are we?
#
# An interval says what would happen if we repeated the experiment. But which part of it do we repeat? We could draw new
# sequences for the same model: an interval over sequences answers this. Or we could draw another training urn and train
# another model. For this question a training urn is *one* observation, however many sequences we evaluate on it.

# %% tags=["hide-input"]
labels = [f"urn {number}" for number in one_urn.index]
drawn = one_urn[["missing", "low", "high"]].assign(of=labels, what="urn").reset_index(drop=True)
over_urns = {"of": "all", "what": "mean", "missing": mean.value, "low": mean.low, "high": mean.high}
drawn = pd.concat([drawn, pd.DataFrame([over_urns])])
alt = "The missing share of the lexical model of each urn, with intervals over sequences, and the mean over urns."
caption = (
    "Intervals over sequences are narrow, and say nothing about other urns. Missing share of the lexical models of "
    f"{of_urns}, with 95 % intervals."
)
words = {"alt": alt, "caption": caption, "n": of_urns, "runs": lexical}
figure(chapter_plots.intervals, drawn, name="intervals", legend="95 % interval of", size=(5.6, 3.8), **words)

# %% tags=["hide-input"]
logs = missing[["lexical", "permuted"]].map(log)
width = (one_urn["high"].map(log) - one_urn["low"].map(log)).mean()
wider = logs["lexical"].std() / (width / (2 * 1.96))
unpaired_error = (logs.var().sum() / study.n_urns) ** 0.5
pairing = intervals.t_interval((logs["lexical"] - logs["permuted"]).tolist()).error / unpaired_error
if is_published:
    assert wider > 10 and pairing < 0.9

# %% tags=["hide-input"]
display(
    Markdown(
        "So a single urn would have given a precise number that does not hold for other urns. The missing share of "
        f"the lexical model is {percent(one_urn['missing'].iloc[0])} on one urn and "
        f"{percent(one_urn['missing'].iloc[-1])} on another. On a logarithmic scale, its standard deviation over urns "
        f"is about {wider:.2g} times the standard error over sequences. The interval over urns is for their *mean*; "
        "the model of a new urn may well lie outside it. Pairing helps: if we had compared lexical models of some urns "
        f"with permuted models of others, the standard error of their ratio would be {1 / pairing:.2g} times as large."
    )
)

# %% [markdown]
# Which recipe for an interval can we trust with few urns? Distances are skewed over urns. So we simulated log-normal
# distances, and counted how often a 95 % interval contains what it estimates. *Percentiles* resamples the urns with
# replacement many times, and takes the middle 95 % of the means. *Bootstrap-t* computes $t = (\ln m^* - \ln m) / s^*$
# of every resample, where $m^*$ is its mean, $s^*$ the standard error of $\ln m^*$, and $m$ the mean of the data. The
# interval follows from the quantiles of $t$. *t of the logarithm* is Student's interval for the mean logarithm.

# %% tags=["hide-input"]
simulated = cache.table(coverage.coverages, [5, 12], 2000).pivot(index="recipe", columns="n", values="coverage")
estimands = {"percentiles": "arithmetic mean", "bootstrap-t": "arithmetic mean", "t of the logarithm": "geometric mean"}
covers = pd.DataFrame({"recipe": [*estimands], "of": [*estimands.values()]}).set_index("recipe").join(simulated)
covers[[5, 12]] = covers[[5, 12]].map(percent)
columns = {"recipe": "recipe", "of": "estimates the", 5: "5 urns", 12: "12 urns"}
caption = "For an arithmetic mean of few urns, percentile intervals are too narrow; bootstrap-t intervals are better. "
caption += "Share of 95 % intervals that contain the truth, in 2000 simulations."
assert simulated.loc["percentiles"].max() < 0.9 < simulated.loc["bootstrap-t"].min() < 0.95
show_table(covers.reset_index(), columns, name="coverage", caption=caption)

# %% [markdown]
# So where we need an arithmetic mean of distances, we use the bootstrap-$t$ interval, which is a little too narrow. We
# compare distances by $t$ intervals of log ratios. The simulation does not test these: they are exact for normal
# logarithms, which we simulated, and they estimate a geometric mean.
#
# ## What to conclude: a checklist
#
# The main results of chapters 4 and 5 keep to these points. Later chapters ask other questions and choose other
# measures, such as $r$ for pools of many urns in [chapter 6](06_strategies).
#
# 1. **Judge in distribution**, where training can reward memory. Report fresh urns separately, as extrapolation.
# 2. **Judge by the captured share**, against the best counter of the urn. If you use $r$, report both distances and
#    $d(G, S)$ with it.
# 3. **Look inside every mean**: row by row, and on groups of sequences that do not depend on the model.
# 4. **Evaluate models as they were trained**, with one table per sequence. An average over tables is another predictor.
# 5. **Count urns, not sequences.** Compare models on the same urns, and take intervals over urns.
#
# Before you believe a new measure, test it on predictors whose truth you know.
#
# ## What this does not show
#
# - *How* a model computes its predictions. Two predictors that agree on all of these sequences may compute them
#   differently.
# - Whether lexical models will become S. All models here have the same number of steps; [chapter 4](04_analysis) trains
#   some of them ten times as long.
# - What is due to the urn and what to the initial weights. Each urn has one model of each kind, and one seed decides
#   both.
# - Other settings: one training urn, four colours, 32 balls, and one layer.
#
# :::{admonition} Details and controls
# :class: dropdown
#
# - A model has the weights with the least validation loss along its training.
# - At the scale of this book, the models are those of [chapter 4](04_analysis), and so are their captured shares.
# - Intervals over sequences are percentile intervals of a bootstrap, slightly widened, from hundreds of sequences.
# - Groups by counts: distances are averaged over the sequences of each urn, and then over urns. Flat urns have no
#   sequences with much flatter counts, so the groups on the right have fewer urns.
# - The {term}`low entropy` sequences, a single colour repeated, are left out: they are few and show one case only.
# :::
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# A predictor mixes one part of S with three parts of the best counter. What is its captured share, roughly?
# :::
#
# :::{admonition} Answer
# :class: answer dropdown
# Its difference from S is $3/4$ of the difference of the best counter, so about $9/16$ of the divergence is left. The
# captured share is about $7/16$, or 44 %.
# :::
#
# :::{admonition} Exercise 2
# :class: exercise
# A model has $r$ near 0 on fresh urns. Does this show that it is halfway between counting and memorizing?
# :::
#
# :::{admonition} Answer
# :class: answer dropdown
# No. The table has a counterexample: on fresh urns, the range of $r$ of S with one percent of doubt contains 0,
# although this predictor has captured almost everything on every urn.
# :::
#
# :::{admonition} Exercise 3
# :class: exercise
# There are two colours, and S expects red with probability $0.6$. A lexical model says $0.8$ with one table and $0.4$
# with another. How far from S is the model with each table, and how far is the average of the two?
# :::
#
# :::{admonition} Answer
# :class: answer dropdown
# $\mathrm{KL}(S \,\|\, h)$ is $0.10$ nats with the first table and $0.08$ nats with the second. The average of the two
# predictions is $0.6$, exactly as S, although neither prediction is.
# :::
#
# :::{admonition} Exercise 4
# :class: exercise
# An interval over 12 urns is twice as wide as we need. How many urns do we need? Would more sequences per urn do
# instead?
# :::
#
# :::{admonition} Answer
# :class: answer dropdown
# If the width falls as the square root of $n$, four times as many urns are needed: 48. About 41 suffice, because the
# $t$ quantile also falls, from $2.20$ to $2.02$. More sequences would hardly help, because the intervals over sequences
# are narrow already.
# :::
#
# :::{admonition} Exercise 5
# :class: exercise
# Two kinds of models are trained on the same two urns. The first kind lacks 1 % and 16 %, the second kind 2 % and 32 %.
# Calculate the geometric mean of each kind, and the paired ratio. Which of the two comparisons is more certain?
# :::
#
# :::{admonition} Answer
# :class: answer dropdown
# The geometric means are 4 % and 8 %. The paired ratio is 2 on both urns, so it does not vary at all, while the shares
# of each kind differ by a factor of 16 between urns. So the ratio is more certain: it leaves out what makes an urn hard
# for both kinds.
# :::

# %% tags=["remove-cell"]
quarter = memorization.captured(
    known_predictors.blend(counter, memorizer, 0.25), memorizer, run.pool, tokens
)
reds = torch.tensor([[0.8, 0.2], [0.4, 0.6]], dtype=torch.float64)
from_s = [kl(s.log(), prediction.log()).item() for prediction in (*reds, reds.mean(0))]
assert abs(quarter - 7 / 16) < 0.05 and [round(each, 2) for each in from_s] == [0.10, 0.08, 0.0]
assert (48 / 12) ** 0.5 == 2

# %% tags=["remove-cell"]
half_widths = {n: intervals.t_interval_of_mean(0.0, n**-0.5, n).high for n in (12, 40, 41)}
assert half_widths[40] > half_widths[12] / 2 > half_widths[41]
quantiles = [round(half_widths[n] * n**0.5, 2) for n in (12, 41)]
first, second = [0.01, 0.16], [0.02, 0.32]
of_kinds = [intervals.geometric_mean(values).value for values in (first, second)]
assert quantiles == [2.20, 2.02] and [round(value, 6) for value in of_kinds] == [0.04, 0.08]
assert {above / below for above, below in zip(second, first, strict=True)} == {2.0}
if is_published:
    nearest_zero = doubt.loc[doubt["fresh"].abs().idxmin()]
    assert abs(nearest_zero["fresh"]) < 0.2 and nearest_zero["captured"] > 0.97

# %% [markdown]
# ## What to try next
#
# - `papermill book/03_evaluate.ipynb out.ipynb -p n_urns 12 -p n_steps 2000 -p eval_every 500`: the scale of this book.
# - `papermill book/03_evaluate.ipynb out.ipynb -p n_tasks 4`: which measures still work with four urns in the pool?
# - `papermill book/03_evaluate.ipynb out.ipynb -p vocabulary gaussian`: how much more does averaging gain?
# - `papermill book/03_evaluate.ipynb out.ipynb -p n_steps 5000`: what have lexical models captured by then?
#
# [Chapter 4](04_analysis) applies this checklist to the experiment of "A score that misleads" ([chapter 1](01_data)):
# does lexical invariance generalize, or memorize up to the names?
