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
# # Evaluation: a normal, a lexical and a label-permuted model side by side
#
# [Training](02_train) makes one model and asks which exact predictor is nearest. This chapter makes three, equal in
# everything but one thing, and looks at them from every side:
#
# - {term}`normal <normal model>`: learned embeddings. The best that it can become is **M**.
# - {term}`lexical <lexical model>`: a random embedding table for every sequence {cite}`huang2023lexinvariant`. No
#   weight can know a colour's name; its optimum is **S**.
# - {term}`permuted <permuted model>`: learned embeddings, but the colours of every *training* sequence are renamed at
#   random. Its optimum is S as well, and it has to *learn* that names mean nothing where the lexical model cannot do
#   otherwise. With it we can separate what the data do from what the architecture does.
#
# The exact predictors, from [the data](01_data): **G** (generalizing) expects any urn and counts; **M** (memorizing)
# expects an urn of the training pool; **S** (symmetrized) expects an urn of the pool with its colours renamed. *Row*
# $t$ has seen $t$ balls, up to $C$. The *distance* $d$ is symmetrized KL, $\frac{1}{2} \mathrm{KL}(p \| q) +
# \frac{1}{2} \mathrm{KL}(q \| p)$ in nats, over rows $1 \dots C$ unless a row is named.
#
# An optimum is what training tends to, not where it is when it stops. G is a good start for every one of them: counting
# needs no memory of the urn. So the question is how far each has come from G to its optimum. All three are trained on
# the same pool and evaluated on the same sequences: differences between them are paired.

# %% tags=["remove-cell"]
import os, pathlib, sys  # noqa: E401, I001  every chapter finds the library by this cell; Colab fetches it first
"google.colab" in sys.modules and os.system("cd /content; [ -e lexurn ] || git -c advice.detachedHead=false clone -q --depth 1 -b v0.1.0 https://github.com/OWNER/lexurn")
sys.path[:0] = [str(f) for f in pathlib.Path("_").resolve().parents if (f / "lexurn/base/colab.py").exists()] or ["/content/lexurn"]
import lexurn.base.colab  # noqa: F401  not found? git clone https://github.com/OWNER/lexurn, and run this inside the clone

# %% [markdown]
# ## Parameters
#
# Change a value and run everything again, or from a terminal:
# `papermill book/03_evaluate.ipynb out.ipynb -p n_seeds 12`. (`lex` and `label_permuted` are the chapter's own to set;
# `vocabulary` is that of the lexical model.)

# %% tags=["parameters"]
# Parameters of this chapter. Those of papermill's -p and -f win over these.
n_tasks: int = 1  # urns in the training pool; 0: a fresh urn for every sequence
n_colors: int = 4  # colours of balls, the vocabulary
context_length: int = 32  # most tokens that the model sees before a prediction
d_model: int = 32  # width of embedded tokens and between layers
n_layers: int = 1  # blocks, or recurrent layers
n_steps: int = 1000  # optimizer updates; follows from the data where they are finite
learning_rate: float = 0.01  # peak learning rate
n_seeds: int = 1  # seeds, each with its own pool, to train with
seed: int = 0  # the seed that every random stream is derived from
threads: int = 1  # CPU threads
# Also: alpha, vocabulary, tied, logit_scale, n_heads, positions, dropout,
#   n_train_samples, n_epochs, batch_size, optimizer, warmup, schedule, weight_decay,
#   grad_clip, n_test_samples, eval_every, patience, min_delta, device, tracker (see
#   the page Parameters).
# %% tags=["hide-input"]
from lexurn import parameters

settings = parameters.resolve("evaluate", fixed={"task": "urns", "lex": True, "label_permuted": False})

from lexurn import table as show_table
from lexurn import tasks

tasks.build(settings).require_references()

# %% tags=["hide-input"]
import pandas as pd
import torch
from IPython.display import Markdown, display

from lexurn import comparison, evaluation, figure, set_threads
from lexurn.base.seeding import generator
from lexurn.chapters.evaluate import plots as chapter_plots
from lexurn.chapters.evaluate import resemblance
from lexurn.figures import plots, widgets
from lexurn.measures import intervals
from lexurn.predictors import Uniform

set_threads(settings.machine.threads)
kinds = ["normal", "lexical", "permuted"]
seeds = [settings.training.seed + number for number in range(settings.study.n_seeds)]

# %% [markdown]
# ## The models
#
# Each is trained, or loaded where it was trained before. Below, their distances to the exact predictors along training
# on fresh urns. Everything after this uses the weights of the least validation loss; the bar marks their step.

# %%
trained = widgets.get_all([settings.of_kind(kind, seed=seed) for seed in seeds for kind in kinds])
first = dict(zip(kinds, trained, strict=False))  # those of the first seed, which the pictures below show
splits, references = first["normal"].splits, first["normal"].references
fresh = splits["out_of_distribution"]

# %% tags=["hide-input"]
logged = pd.concat(run.metrics.assign(kind=kind, best_step=run.results["step"].iloc[0]) for kind, run in first.items())
panels = {"by": "kind", "share_y": True, "size": (3.6, 3.2), "legend": "distance to", "runs": list(first.values())}
alt = "Distances to the exact predictors along training, on fresh urns: a panel for each kind of model."
titles = f"{{}}, seed {seeds[0]}"
figure(plots.distances_along_training, logged, alt=alt, titles=titles, n="1 model of each kind", **panels)

# %% [markdown]
# ## How far from the exact predictors?
#
# Distances to G, M and S on new sequences from the pool (in distribution), on fresh urns, one a sequence (out of
# distribution), and on the constant sequences (low entropy: all there are, one a colour, so that their error is a
# spread). One point a model, with two standard errors over sequences. A normal model should sit at M. And the others?

# %% tags=["hide-input"]
results = pd.concat(run.results.assign(kind=run.settings.kind, seed=run.settings.training.seed) for run in trained)
lines = results[(results["measure"] == "symmetrized_kl") & (results["row"] == "mean")].copy()
alt = "Distances of each model to G, M and S, in distribution, out of distribution and on constant sequences."
options = {"each": {"split": list(splits)}, "share_y": True, "size": (3.6, 3.2), "legend": "model", "runs": trained}
figure(chapter_plots.distances_by_kind, lines, alt=alt, n=f"{len(seeds)} model(s) of each kind", **options)

# %% tags=["hide-input"]
lines["distance"] = [intervals.format_with_error(*pair) for pair in lines[["mean", "sem"]].values]
index = ["kind", "seed", "split"] if len(seeds) > 1 else ["kind", "split"]
show_table(lines.pivot_table(index=index, columns="reference", values="distance", aggfunc="first", sort=False))

# %% tags=["hide-input"]
for kind in kinds:
    text = comparison.describe(first[kind].predictor, references, splits)
    display(Markdown(f"**{kind}, seed {seeds[0]}.** {text}"))
display(Markdown(comparison.describe_scale(references, fresh)))

# %% [markdown]
# ## Row by row
#
# The same, by the number of balls seen. Where a model has become a predictor, the line of that one lies far below the
# others at every row; a model on its way may resemble one predictor early in a sequence and another late.

# %% tags=["hide-input"]
rows = pd.concat(run.results_by_row.assign(kind=kind) for kind, run in first.items())
rows = rows[(rows["measure"] == "symmetrized_kl") & (rows["split"] == "out_of_distribution")]
alt = "Distances to the exact predictors against the balls seen, on fresh urns: a panel for each kind of model."
number = f"1 model of each kind, {len(fresh)} sequences"
figure(plots.distances_by_row, rows, split="out_of_distribution", alt=alt, n=number, **panels)

# %% tags=["hide-input"]
for kind in kinds:
    spans = resemblance.nearest_by_row(first[kind].predictor, references, fresh)
    display(Markdown(f"**{kind}, seed {seeds[0]}**: nearest, by two standard errors, is {spans} (n = {len(fresh)})."))

# %% [markdown]
# ## Between generalizing and memorizing
#
# The relative distance puts a model $h$ on one scale: $r = (d(h, G) - d(h, M)) / d(G, M)$, with S in M's place for the
# models that know no names. It is −1 at G and +1 at the memorizer, and it can leave that range, since symmetrized KL is
# no metric. Where G and the memorizer are too close to be told apart on these sequences it is *undetermined*.

# %% tags=["hide-input"]
rows = []
for run in trained:
    options = {"memorizing": run.settings.memorizing, "generator": generator(0, "relative distance")}
    found = comparison.relative_distance(run.predictor, run.references, run.splits["out_of_distribution"], **options)
    of = {"model": run.settings.kind, "seed": run.settings.training.seed, "n": len(fresh)}
    apart = intervals.format_with_error(found.reference_distance, found.reference_distance_sem)
    rows.append({**of, "found": found, "r [95 % over sequences]": str(found), "d(G, memorizer)": apart})
relative = pd.DataFrame(rows).set_index(["model", "seed"])
show_table(relative.drop(columns="found"))

# %%
histories = []
for run, found in zip(trained, relative["found"], strict=True):
    options = {"memorizing": run.settings.memorizing, "split": "out_of_distribution"}
    if not found.is_undetermined:
        scale = found.reference_distance
        history = resemblance.along_training(run.metrics, reference_distance=scale, **options)
        histories.append(history.assign(kind=run.settings.kind, seed=run.settings.training.seed))
along = pd.concat(histories, ignore_index=True) if histories else pd.DataFrame(columns=["kind", "seed", "step"])
reached = along.groupby(["kind", "seed"])["step"].max().groupby("kind").min()  # by all, where some stop early
along = along[(along["step"] > 0) & (along["step"] <= along["kind"].map(reached))]

# %% tags=["hide-input"]
alt = "Relative distance along training, between −1 at G and +1 at the memorizer: a line for each kind of model."
options = {"legend": "model", "size": (6.5, 3.2), "runs": trained}
if len(along):
    figure(plots.relative_distances, along, alt=alt, n=f"{len(seeds)} model(s) of each kind", **options)

# %% tags=["hide-input"]
means = {}
for kind in kinds:
    found = relative.loc[kind, "found"].tolist()
    try:
        means[kind] = resemblance.mean_over_runs(found, generator=generator(0, "over runs"))
        text = f"{means[kind]}, n = {means[kind].n} pool(s), {len(found) - means[kind].n} undetermined"
    except ValueError as undetermined:
        text = str(undetermined)
    display(Markdown(f"**{kind}**, mean relative distance over seeds [95 %]: {text}."))

# %% [markdown]
# Intervals over sequences hold for one model of one pool. Whether a lexical model goes to G or to S depends on the urn
# it is trained on, so that only an interval over many training urns (`n_seeds`) holds for others.

# %% [markdown]
# ## A mixture of predictors?
#
# A model between G and S may predict like a blend of them. Here is the mixture of G, M, S and the uniform predictor U
# that is nearest to each model on fresh urns (least KL), with standard errors (jackknife over sequences; none at 0).

# %% tags=["hide-input"]
four = references | {"uniform": Uniform(settings.task.n_colors)}
weights = pd.concat(resemblance.nearest_mixture(first[kind].predictor, four, fresh).assign(who=kind) for kind in kinds)
alt = "The weights of G, M, S and the uniform predictor in the mixture nearest to each kind of model, as stacked bars."
options = {"legend": "weight of", "size": (6.5, 2.4), "runs": list(first.values())}
figure(chapter_plots.mixtures, weights, alt=alt, n=f"1 model of each kind, {len(fresh)} sequences", **options)

# %% tags=["hide-input"]
for kind, lines in weights.groupby("who", sort=False):
    lines = lines[lines["weight"] >= resemblance.BOUNDARY].sort_values("weight", ascending=False)
    parts = [f"{intervals.format_with_error(line.weight, line.sem)} {line.reference}" for line in lines.itertuples()]
    display(Markdown(f"**{kind}, seed {seeds[0]}** (n = {len(fresh)}): {', '.join(parts)}; the others are at 0."))

# %% [markdown]
# ## Single sequences
#
# Averages hide how a model is wrong. First a fresh urn seen by the models, then the same by the exact predictors.

# %% tags=["hide-input"]
models = {kind: run.predictor for kind, run in first.items()}
options = {"by": "predictor", "share_y": True, "size": (3.4, 2.6), "n": "1 sequence", "runs": list(first.values())}
for name, group in {"models": models, "references": references}.items():
    table = evaluation.predict_sequence(group, fresh[:1])
    alt = f"The probability of each colour, ball by ball, on one fresh urn: a panel for each of {', '.join(group)}."
    figure(plots.predictions, table, name=f"predictions-{name}", alt=alt, **options)

# %% [markdown]
# And the (up to five) sequences on which the lexical model, after all balls, is furthest from S: how often each colour
# came, and the probabilities of the colours. Does it follow the counts there, as G does?

# %% tags=["hide-input"]
table = evaluation.last_predictions(first["lexical"].predictor, references, fresh)
table = table.nlargest(5, "symmetrized_kl/symmetrized")
colors = [str(color) for color in range(settings.task.n_colors)]
shown = {"balls": [" ".join(str(seen.split().count(color)) for color in colors) for seen in table["balls"]]}
for who in ("model", "generalizing", "symmetrized"):
    rows = table[[f"{who}/{color}" for color in colors]].values
    shown[who] = [" ".join(f"{probability:.2f}" for probability in row) for row in rows]
distances = {f"d to {end[0].upper()}": table[f"symmetrized_kl/{end}"] for end in ("generalizing", "symmetrized")}
pd.DataFrame({**shown, **distances}).round(3)

# %% tags=["hide-input"]
closer = int((distances["d to G"] < distances["d to S"]).sum())
display(Markdown(f"On {closer} of these {len(table)} the lexical model is nearer to G, and follows the counts."))

# %% [markdown]
# ## Do names matter?
#
# Rename the colours of a sequence, predict, and rename back: how far is that from the prediction for the sequence as it
# was ($d$, ± one standard error over sequences)? For S it is the same, and for G if the prior is symmetric; for M it is
# not. A lexical model's probabilities are averaged over a few random tables; renaming changes them *up to those
# tables*, and how much single tables disagree (mean KL of one from the average) is what it has not yet learned of its
# own invariance. The permuted model has to learn it all.

# %% tags=["hide-input"]
rows = []
for who, predictor in {**models, **references}.items():
    shift = resemblance.relabelling(
        predictor, fresh, vocab_size=settings.task.n_colors, generator=generator(0, "relabelling")
    )
    rows.append({"predictor": who, "change by renaming": intervals.format_mean(comparison.mean_over_rows(shift))})
names = pd.DataFrame(rows).set_index("predictor")
lines = results[(results["measure"] == "disagreement") & (results["row"] == "mean")]
line = lines[(lines["split"] == "out_of_distribution") & (lines["seed"] == seeds[0])].iloc[0]
names.loc["lexical", "disagreement of tables"] = intervals.format_with_error(line["mean"], line["sem"])
show_table(names.fillna(""))

# %% [markdown]
# What is the averaging worth? No average can be further from a predictor than its members are on average, as
# divergences are convex; how much nearer it is shows how much the tables differ.

# %% tags=["hide-input"]
lexical = first["lexical"].predictor
members = lexical.predict_each(fresh)  # tables batch time vocab
single = [evaluation.score_sequences(lambda _, each=each: each, references, fresh, check=False) for each in members]
average = evaluation.score_sequences(lexical, references, fresh)
rows = []
for name in references:
    values = torch.stack([comparison.mean_over_rows(each[name, "symmetrized_kl"]).mean() for each in single])
    averaged = comparison.mean_over_rows(average[name, "symmetrized_kl"]).mean().item()
    of = {"average of the tables": averaged, "mean of single tables": values.mean().item()}
    rows.append({"d to": name, **of, "SD over tables": values.std().item()})
show_table(pd.DataFrame(rows).set_index("d to"))

# %% tags=["hide-input"]
losses = torch.stack([comparison.mean_over_rows(each["", "loss"]) for each in single]).mean(0)
gain = intervals.format_mean(losses - comparison.mean_over_rows(average["", "loss"]))
display(Markdown(f"Averaging {len(single)} tables gains {gain} nats a ball on fresh urns (n = {len(fresh)}, paired)."))

# %% [markdown]
# ## What was seen

# %% tags=["hide-input"]
for kind, run in first.items():
    regret = evaluation.select(run.results, split="in_distribution", measure="regret").loc[run.settings.memorizing]
    lost = intervals.format_with_error(*regret[["mean", "sem"]])
    history = along[(along["kind"] == kind) & (along["seed"] == seeds[0])]["relative_distance"].tolist()
    moved = f"{history[-1] - history[len(history) // 2]:+.2f}" if len(history) > 1 else "not known"
    text = (
        f"**{kind}, seed {seeds[0]}**: relative distance {relative.loc[(kind, seeds[0]), 'found']}, change over the "
        f"second half of training {moved}, best step {run.results['step'].iloc[0]} of {run.metrics['step'].iloc[-1]}. "
        f"In distribution it loses {lost} nats a ball more than its optimum, {run.settings.memorizing}."
    )
    display(Markdown(text))

# %% [markdown]
# A model that still moves is no verdict: what it will be is not what it is. Nor is one training urn, whatever it shows.

# %% [markdown]
# ## What to try next
#
# - `-p n_seeds 12`: a dozen training urns, and intervals that mean something beyond one of them (some minutes).
# - `-p n_steps 5000 -p schedule cosine`: does the lexical model come nearer to S, to G, or to both?
# - `-p n_tasks 4`: is there still a difference between G and S to be seen?
# - `-p vocabulary gaussian`: how much more do the tables disagree?
