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
# - **normal**: learned embeddings. Its optimum is **M**.
# - **lexical**: a random embedding table for every sequence. No weight can know a colour's name; its optimum is **S**.
# - **permuted**: learned embeddings, but the colours of every *training* sequence are renamed at random. Its optimum is
#   S as well, and it has to *learn* that names mean nothing where the lexical model cannot do otherwise. It tells the
#   effect of the data from that of the architecture.
#
# All three are trained on the same pool and evaluated on the same sequences, so that differences between them are
# paired.

# %%
import importlib.util
import subprocess
import sys
from pathlib import Path

REPOSITORY, TAG = "https://github.com/OWNER/lexurn", "v0.1.0"
here = [Path.cwd(), *Path.cwd().parents]
clone = next((f for f in here if (f / "_config.yml").exists() and (f / "lexurn").is_dir()), Path("/content/lexurn"))
if not clone.exists() and importlib.util.find_spec("lexurn") is None:  # neither around us nor installed
    assert "google.colab" in sys.modules, f"no lexurn here: git clone {REPOSITORY}, and run this inside the clone"
    subprocess.run(["git", "clone", "-q", "--depth", "1", "--branch", TAG, REPOSITORY, clone], check=True)
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "-e", clone], check=True)  # keeps torch
sys.path.insert(0, str(clone))

# %% [markdown]
# ## Parameters
#
# Change a value and run everything again, or from a terminal: `papermill book/03_evaluate.ipynb out.ipynb -p n_seeds
# 12`. (`vocabulary` is that of the lexical model alone; give it with `lex True`.)

# %% tags=["parameters"]
# Parameters of this chapter. Those of papermill's -p and -f win over these.
# what is sampled
n_tasks: int = 1  # urns in the training pool; 0: a fresh urn for every sequence
n_colors: int = 4  # colours of balls, the vocabulary
alpha: float = 1.0  # concentration of the Dirichlet prior: a number, or one per colour
context_length: int = 32  # most balls seen before a prediction
# how tokens are read and written
vocabulary: str = "one_hot"  # random tables, with lex: one_hot, orthonormal, gaussian_scaled, gaussian, original
tied: bool = True  # logits are read out with the table that embeds the tokens
logit_scale: float = 1.0  # factor on the logits
# what computes in between
d_model: int = 32  # width of the residual stream
n_layers: int = 1  # blocks
n_heads: int = 2  # attention heads, each of width d_model / n_heads
positions: str = "learned"  # how a token's place is told: learned, rotary, none
dropout: float = 0.0  # dropout after attention
# how the weights are found
n_steps: int = 1000  # optimizer updates; follows from the data where they are finite
n_train_samples: int = 0  # training sequences; 0: an endless stream of new ones
n_epochs: int = 1  # visits to a finite training set (counts only there)
batch_size: int = 32  # sequences per step
learning_rate: float = 0.003  # peak learning rate of AdamW
warmup: int = 50  # steps of linear warm-up
schedule: str = "constant"  # after the warm-up: constant, cosine, inverse_sqrt
weight_decay: float = 0.01  # decoupled weight decay, on matrices only
grad_clip: float = 1.0  # largest norm of the gradient; 0: no clipping
n_test_samples: int = 500  # held-out sequences per split
eval_every: int = 100  # steps between evaluations
patience: int = 0  # evaluations without a better validation loss that end it; 0: none
min_delta: float = 0.0  # how much lower a validation loss must be to count as better
seed: int = 0  # the one seed that every random stream is derived from
# how much is averaged over
n_seeds: int = 1  # seeds, each with a pool of its own, that models are trained with
# where it runs
device: str = "auto"  # auto: cuda, else mps, else cpu
threads: int = 1  # CPU threads
tracker: str = "files"  # where metrics go beside the run's folder: files, wandb
# %%
from lexurn import parameters

settings = parameters.resolve("evaluate")

from lexurn import experiment

experiment.require_references(settings)

# %%
# %matplotlib inline
import pandas as pd
import torch
from IPython.display import Markdown, display

from lexurn import comparison, evaluation, plotting, uncertainty, widgets
from lexurn.predictors import Uniform
from lexurn.seeding import generator

torch.set_num_threads(settings.machine.threads)
kinds = ["normal", "lexical", "permuted"]
seeds = [settings.training.seed + number for number in range(settings.study.n_seeds)]

# %% [markdown]
# ## The models
#
# Each is trained, or loaded where it was trained before. Below, their distances to the exact predictors along training:
# what a model becomes, and whether it is still on its way.

# %%
trained = widgets.get_all([settings.of_kind(kind, seed=seed) for seed in seeds for kind in kinds])
first = dict(zip(kinds, trained, strict=False))  # those of the first seed, which the pictures below show
splits, references = first["normal"].splits, first["normal"].references
fresh = splits["out_of_distribution"]

# %%
figure, axes = plotting.panels(len(kinds), sharey=True, width=3.6)
for kind, ax in zip(kinds, axes, strict=True):
    plotting.distances_along_training(first[kind].metrics, ax).set_title(f"{kind}, out of distribution")
_ = plotting.legend(axes[-1])

# %% [markdown]
# ## How far from the exact predictors?
#
# Distances (symmetrized KL, mean over rows 1 … C) to G, M and S on the three kinds of evaluation sequences, with two
# standard errors over sequences; one point a model. A normal model should sit at M. Where would you expect the other
# two: at G, which counts, or at S, which recognizes the training urn under any renaming?

# %%
results = pd.concat(run.results.assign(kind=run.settings.kind, seed=run.settings.training.seed) for run in trained)
figure, axes = plotting.panels(len(splits), sharey=True, width=3.6)
for split, ax in zip(splits, axes, strict=True):
    plotting.distances_by_kind(results, ax, split=split)
_ = plotting.legend(axes[-1], title="model")

# %%
lines = results[(results["measure"] == "symmetrized_kl") & (results["row"] == "mean")].copy()
lines["distance"] = [uncertainty.with_error(*pair) for pair in lines[["mean", "sem"]].values]
index = ["kind", "seed", "split"] if len(seeds) > 1 else ["kind", "split"]
lines.pivot_table(index=index, columns="reference", values="distance", aggfunc="first", sort=False)

# %%
for kind in kinds:
    display(Markdown(f"**{kind}.** " + comparison.describe(first[kind].predictor, references, splits)))

# %% [markdown]
# ## Row by row
#
# The same, by the number of balls seen. A model that *is* a predictor lies far below the others at every row; one on
# its way may resemble one predictor early in a sequence and another late.

# %%
figure, axes = plotting.panels(len(kinds), sharey=True, width=3.6)
for kind, ax in zip(kinds, axes, strict=True):
    plotting.distances_by_row(first[kind].results, ax, split="out_of_distribution").set_title(kind)
_ = plotting.legend(axes[-1])

# %%
for kind, run in first.items():
    lines = run.results[(run.results["split"] == "out_of_distribution") & (run.results["measure"] == "symmetrized_kl")]
    lines = lines[~lines["row"].isin(["0", "last", "mean"])]
    nearest = lines.loc[lines.groupby(lines["row"].astype(int))["mean"].idxmin(), "reference"].tolist()
    changes = [row for row in range(1, len(nearest)) if nearest[row] != nearest[row - 1]]
    spans = [f"{nearest[row]} from {row + 1} ball(s) on" for row in [0, *changes]]
    display(Markdown(f"**{kind}**: nearest is " + ", ".join(spans[:6]) + (", …" if len(spans) > 6 else ".")))

# %% [markdown]
# ## Between generalizing and memorizing
#
# The relative distance puts a model on one scale: $(d(\text{model}, G) - d(\text{model}, M)) / d(G, M)$, with S in M's
# place for the models that know no names. It is −1 at G and +1 at the memorizer, and it can leave that range, since
# symmetrized KL is no metric. Where G and the memorizer are too close to be told apart on these sequences it is called
# *undetermined*.

# %%
rows = []
for run in trained:
    options = {"memorizing": run.settings.memorizing, "generator": generator(0, "relative distance")}
    found = comparison.relative_distance(run.predictor, run.references, run.splits["out_of_distribution"], **options)
    of = {"model": run.settings.kind, "seed": run.settings.training.seed, "n": len(fresh)}
    apart = uncertainty.with_error(found.apart, found.apart_sem)
    rows.append({**of, "found": found, "[95 %, over sequences]": str(found), "d(G, its memorizer)": apart})
relative = pd.DataFrame(rows).set_index(["model", "seed"])
relative.drop(columns="found")

# %%
histories = []
for run, found in zip(trained, relative["found"], strict=True):
    options = {"memorizing": run.settings.memorizing, "apart": found.apart, "split": "out_of_distribution"}
    history = comparison.along_training(run.metrics, **options)
    histories.append(history.assign(kind=run.settings.kind, seed=run.settings.training.seed))
table = pd.concat(histories).query("step > 0")
figure, (ax,) = plotting.panels(1, width=6.5)
for kind in kinds:
    plotting.relative_distances(table[table["kind"] == kind], ax, kind=kind)
_ = plotting.legend(ax, title="model")

# %%
for kind in kinds:
    found = relative.loc[kind, "found"].tolist()
    try:
        mean = comparison.over_runs(found, generator=generator(0, "over runs"))
        text = f"{mean}, n = {mean.n} pool(s), {len(found) - mean.n} undetermined"
    except ValueError as undetermined:
        text = str(undetermined)
    display(Markdown(f"**{kind}**, mean relative distance over seeds: {text}."))

# %% [markdown]
# Intervals over sequences hold for one model of one pool. Whether a lexical model goes to G or to S depends on the urn
# it is trained on, so that only an interval over many training urns (`n_seeds`) holds for others.

# %% [markdown]
# ## A mixture of predictors?
#
# A model between G and S may predict like a blend of them. Here is the mixture of G, M, S and the uniform predictor U
# that is nearest to each model on fresh urns (least KL), with standard errors (jackknife over sequences).

# %%
four = references | {"uniform": Uniform(settings.task.n_colors)}
mixtures = pd.concat(comparison.mixture(first[kind].predictor, four, fresh).assign(who=kind) for kind in kinds)
figure, (ax,) = plotting.panels(1, width=6.5, height=2.4)
plotting.mixtures(mixtures, ax)
_ = plotting.legend(ax, title="weight of")

# %%
wide = mixtures.pivot(index="who", columns="reference", values=["weight", "sem"]).loc[kinds]
for kind, weights in wide["weight"].iterrows():
    parts = [
        f"{weights[name]:.3f} ± {wide.loc[kind, ('sem', name)]:.3f} {name}"
        for name in weights.sort_values(ascending=False).index
    ]
    display(Markdown(f"**{kind}** (n = {len(fresh)} sequences): " + ", ".join(parts) + "."))

# %% [markdown]
# ## Single sequences
#
# Averages hide how a model is wrong. First a fresh urn seen by the models, then the same by the exact predictors.

# %%
models = {kind: run.predictor for kind, run in first.items()}
for group in (models, references):
    table = evaluation.on_one_sequence(group, fresh[:1])
    figure, axes = plotting.panels(len(group), sharey=True, width=3.4, height=2.6)
    for who, ax in zip(group, axes, strict=True):
        plotting.predictions(table, ax, who=who)

# %% [markdown]
# And the five sequences on which the lexical model, after all balls, is furthest from S, with both predictions there.

# %%
table = evaluation.last_predictions(first["lexical"].predictor, references, fresh)
shown = [
    "balls",
    *(name for name in table if name.startswith(("model/", "symmetrized/"))),
    "symmetrized_kl/symmetrized",
]
table.nlargest(5, "symmetrized_kl/symmetrized")[shown].round(3)

# %% [markdown]
# ## Do names matter?
#
# Rename the colours of a sequence, predict, and rename back: how far is that from the prediction for the sequence as it
# was? For G and S it is the same. For M it is not. For a lexical model it is the same *up to the random tables* that it
# is averaged over, and how much its single tables disagree (mean KL of one from the average) is what it has not yet
# learned of its own invariance. The permuted model has to learn it all.

# %%
rows = []
for who, predictor in {**models, **references}.items():
    shift = comparison.relabelling(
        predictor, fresh, vocab_size=settings.task.n_colors, generator=generator(0, "relabelling")
    )
    rows.append({"predictor": who, "change by renaming": uncertainty.in_words(comparison.over_rows(shift))})
names = pd.DataFrame(rows).set_index("predictor")
lines = results[(results["measure"] == "disagreement") & (results["row"] == "mean")]
line = lines[(lines["split"] == "out_of_distribution") & (lines["seed"] == seeds[0])].iloc[0]
names.loc["lexical", "disagreement of tables"] = uncertainty.with_error(line["mean"], line["sem"])
names.fillna("")

# %%
tables = first["lexical"].predictor.predictors
single = pd.concat(
    evaluation.select(
        evaluation.evaluate(each, references, {"out_of_distribution": fresh}), split="out_of_distribution"
    ).assign(table=number)
    for number, each in enumerate(tables)
)
average = evaluation.select(first["lexical"].results, split="out_of_distribution")
spread = single.groupby("reference", sort=False)["mean"].agg(["mean", "std", "min", "max"])
spread.insert(0, "average of the tables", average["mean"])
spread.round(4)

# %%
nearer = (spread["average of the tables"] < spread["mean"]).all()
text = "it is nearer to each exact predictor than its single tables are on average: the ensemble predicts better."
if not nearer:
    text = "it is not nearer to every exact predictor than its single tables are on average."
display(
    Markdown(
        f"So spread the distances over {len(tables)} single tables (std: their standard deviation). Averaged, {text}"
    )
)

# %% [markdown]
# ## What to try next
#
# - `-p n_seeds 12`: a dozen training urns, and intervals that mean something beyond one of them (some minutes).
# - `-p n_steps 5000 -p schedule cosine`: does the lexical model come nearer to S, to G, or to both?
# - `-p n_tasks 4`: is there still a difference between G and S to be seen?
# - `-p lex True -p vocabulary gaussian`: how much more do the tables disagree?
