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
# # Rules: which rule does a network keep when another one is broken?
#
# Urns and coins are counted, and the order of balls and flips does not matter. We leave them for strings, because
# strings have an order and their training can leave open *which* computation a network uses. We train small networks on
# strings that obey two rules, break one of the rules in a prompt, and see what becomes of the other.
#
# After this chapter you can say how often a rule is kept by ending at once, find a prompt that separates two programs,
# distinguish what explains an output from what causes it, and say why greedy and sampled completions differ.

# %% tags=["remove-cell"]
import os, pathlib, sys  # noqa: E401, I001  every chapter finds the library by this cell; Colab fetches it first
"google.colab" in sys.modules and os.system("cd /content; [ -e lexurn ] || git -c advice.detachedHead=false clone -q --depth 1 -b v0.2.0 https://github.com/OWNER/lexurn")
sys.path[:0] = [str(f) for f in pathlib.Path("_").resolve().parents if (f / "lexurn/base/colab.py").exists()] or ["/content/lexurn"]
import lexurn.base.colab  # noqa: F401  not found? git clone https://github.com/OWNER/lexurn, and run this inside the clone

# %% tags=["parameters"]
# Parameters of this chapter. Those of papermill's -p and -f win over these.
n_seeds: int = 1  # seeds, each with its own pool, to train with
d_model: int = 32  # width of embedded tokens and between layers
n_steps: int = 1000  # optimizer updates; follows from the data where they are finite
batch_size: int = 32  # sequences per step
learning_rate: float = 0.01  # peak learning rate
seed: int = 0  # the seed that every random stream is derived from
jobs: int = 2  # processes that train side by side
device: str = "auto"  # auto: cuda, else mps, else cpu
threads: int = 1  # CPU threads
# Also: grad_clip, optimizer (see the page Parameters).

# %% tags=["hide-input"]
from lexurn import parameters

settings = parameters.resolve("rules", fixed={"task": "language"})

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown, display

from lexurn import brief, explorable, figure, set_threads
from lexurn import table as show_table
from lexurn.base.wording import counted
from lexurn.chapters.rules import baselines, best_of_looks, decisions, extrapolation, grids, live
from lexurn.chapters.rules import plots as chapter_plots
from lexurn.figures import plots, widgets
from lexurn.figures.figure_card import card
from lexurn.generators.languages import LANGUAGES
from lexurn.measures import intervals, rules
from lexurn.publish import claims
from lexurn.runs import cache, contents, store, sweeps

# %% tags=["hide-input"]
set_threads(settings.machine.threads)
from functools import partial

from lexurn.chapters.rules import dyck_endings, forecasts, languages, lengths, programs, rational

study, first_seed, limit = settings.study, settings.training.seed, settings.task.context_length + 1
in_words = intervals.format_with_error
from lexurn.chapters.rules import sizes, steering, surplus_probe, two_alphabets, variation

box = display(Markdown("(The box *In brief* is filled in below.)"), display_id=True)


def span(values):
    return str(intervals.t_interval(list(values))).replace("-", "−")

# %% [markdown]
# ## Two rules that always come together
#
# Take the strings `ab`, `aabb`, `aaabbb` and so on. Two rules describe them: the numbers of a's and b's are equal
# (rule 1), and every a comes before every b (rule 2). A network that is trained on such strings sees both rules kept,
# always together.
#
# Now let it continue `ba`. This beginning breaks rule 2 for good: no string of the language begins so, and the
# training loss says nothing about how to go on. A network may still keep rule 1, for example by one more a and b, or
# by ending at once, because one a and one b are balanced. Or it may do something else altogether.
# {cite:t}`meszaros2024rules` call it {term}`rule extrapolation` if rule 1 is kept. They find that architectures
# differ in it.
#
# Why should one care? A language model meets prompts all the time that are unlike its training. What it does there is
# decided by how it computes, and not by how well it fits. Here we know everything about the training, so we can find
# out *which* computation a network has chosen among those that its training cannot distinguish.
#
# We use three languages from here on (*aNbN* in tables is $a^nb^n$), and know the exact law by which their strings are
# drawn. In $a^nb^n$, all lengths up to 32 letters are equally probable. So every network is compared with the
# {term}`oracle`, the best predictor there is.

# %% tags=["hide-input"]
names = ["aNbN", "baN", "dyck"]
shown = {name: LANGUAGES[name] for name in names}
samples = {
    name: each.sample(400, max_length=12, generator=torch.Generator().manual_seed(1)) for name, each in shown.items()
}
examples = {name: sorted(sorted(set(shown[name].decode(tokens))), key=len)[2:5] for name, tokens in samples.items()}
lines = [
    {"language": name, "rule 1": each.rules[0].text, "rule 2": each.rules[1].text, "strings": ", ".join(examples[name])}
    for name, each in shown.items()
]
entropies = cache.table(languages.entropies, ["baN", "bbaN", "aNbN", "dyck", "aNbNcN", "cs_dyck"], 32)
at_32 = entropies.set_index("language")
assert at_32.loc[["baN", "aNbN"], "strings"].tolist() == [2**31, 16]  # the text below says so
without = cache.table(baselines.baseline_levels, [*names, "bbaN", "aNbNcN", "cs_dyck"], limit)

# %% tags=["hide-input"]
levels = without.pivot(index="language", columns="what", values="value").loc[names]
rows = pd.DataFrame(lines).set_index("language").join(levels[["chance", "immediate EOS"]])
caption = "In aNbN, ending at once keeps rule 1 on more than a quarter of the prompts, without any computation."
columns = {"language": "language", "rule 1": "rule 1", "rule 2": "rule 2", "strings": "strings"}
columns |= {"chance": "rule 1 kept by chance", "immediate EOS": "by ending at once"}
assert rows.loc["aNbN", "immediate EOS"] > 0.25
show_table(rows.reset_index(), columns, caption=caption, name="languages")

# %% [markdown]
# The prompts are strings that begin no string of the language: for $a^nb^n$ and baN all such strings of eight
# letters, for dyck the two letters `)[` and then each of the forty strings of six letters. (Of the 251 prompts of
# $a^nb^n$, 247 break rule 2; the other four have too many b's.) *By chance* means that letters and the end-of-string
# token EOS are all equally probable. The *rate* of rule 1 is the share of *all* prompts on which it is kept: a string
# (prompt and completion) that has not ended after 32 letters has kept no rule.
#
# ## First, do they learn the language?
#
# A network that has not learned rule 1 says nothing about extrapolating it. We train transformers that differ in their
# *positional encoding*, by which they know the order of letters:
#
# - *learned* positions (*transformer* in figures) add a trained vector for each position;
# - *rotary* positions turn queries and keys, so that attention depends on distances;
# - *ALiBi* subtracts from the attention scores, before the softmax, a penalty in proportion to the distance;
# - *sinusoidal* positions add fixed sines; *faint sines* are the same at an eighth of their size;
# - *no positions* leave the causal mask alone, by which a letter sees only earlier ones.
#
# LSTM, Mamba and xLSTM are recurrent: they carry a state from letter to letter. Linear layers mix positions with fixed
# weights. [Chapter 9](09_architectures) explains these four in *Five ways to read a sequence*.
#
# A tenth of the longer strings of baN and dyck is kept from training. $a^nb^n$ has only sixteen strings of at most 32
# letters; baN has $2^{31}$. Expect the {term}`regret`, the loss in excess of the oracle's loss, to fall to zero where
# the language is learned.

# %% tags=["hide-input"]
scale = settings.training.n_steps / (16 * sweeps.read("rules").points[0].training.n_steps)
taken = ("task", "language", "lex", "label_permuted", "seed", "n_steps", "eval_every")
changes = {name: value for name, value in settings.changed().items() if name not in taken}
is_published = scale == 1 and not changes.keys() - {"device", "threads", "tracker"}
seeds = range(first_seed, first_seed + study.n_seeds)
new_seeds = range(first_seed + 5, first_seed + 5 + max(1, 2 * study.n_seeds if study.n_seeds > 1 else 1))
options = {"changes": changes, "scale": scale}
grid, relabelled = (sweeps.read(f"rules{part}", seeds=seeds, **options) for part in ("", "_relabelled"))
grid = grids.join_grids(grid, sweeps.read("rules_architectures", seeds=seeds[:3], **options))
places = sweeps.read("rules_positions", seeds=new_seeds, **options)
few = new_seeds[: study.n_seeds]
recurrent = sweeps.read("rules_positions_recurrent", seeds=few, **options)
parts = ("three_letters", "doses", "two_alphabets")
three, doses, twins = (sweeps.read(f"rules_{part}", seeds=few, **options) for part in parts)

# %% tags=["hide-input"]
longer = sweeps.read("rules_lengths", seeds=few[:3], **options)
longer = grids.join_grids(longer, sweeps.read("rules_longer", seeds=few[:3], **options))
shared = {name: value for name, value in changes.items() if name not in sizes.VARIED}
options |= {"changes": shared}
sized = sweeps.read("rules_sizes", seeds=range(first_seed + 21, first_seed + 21 + len(few[:3])), **options)
tuned = [sweeps.read("rules_rates", seeds=[first_seed + 20], **options)] if scale == 1 else []

# %% tags=["hide-input"]
all_grids = (grid, relabelled, longer, places, recurrent, three, doses, twins, sized, *tuned)
points = [point for each in all_grids for point in each.points]
found = dict(zip(points, widgets.get_all(points, jobs=study.jobs), strict=True))
trained = [found[point] for point in grid.points]
n_text = counted(study.n_seeds, "seed") + (" (3 of Mamba, xLSTM and linear layers)" if study.n_seeds > 3 else "")
n_main, n_new_steps, n_long_steps, n_sized = (each.points[0].training.n_steps for each in (grid, places, longer, sized))
display(
    Markdown(
        f"We train {len(points)} networks. Up to *Try prompts of your own*, numbers come from {n_text} after {n_main} "
        "steps (a sixteenth of n_steps). In the next two sections they come from "
        f"{counted(len(new_seeds), 'other seed')}, or {len(few)} of these, after {n_new_steps} steps; in *Longer "
        f"strings* from {len(few[:3])} of these after {n_long_steps} steps; and for other sizes from "
        f"{counted(len(few[:3]), 'further seed')} after {n_sized} steps."
    )
)

# %% tags=["hide-input"]
number = f"{n_text} per line"
named = {"words": "language"}
along = cache.concat_tables(grid, [languages.learning(run) for run in trained]).rename(columns=named)
lines = intervals.mean_over_seeds(along[along["step"] > 0], ["language", "model", "step", "n_tables"])
lines = lines.assign(regret_per_string=lines["mean"].clip(lower=1e-3))
options = {"x": "step", "y": "regret_per_string", "line": "model", "log": ["regret_per_string"]}
options |= {"share_y": True, "by": "language", "runs": trained, "legend": "model"}
alt = "Regret to the oracle in nats per string along training, on a log scale: one panel per language."
excess = cache.concat_tables(grid, [languages.excess(run) for run in trained]).rename(columns=named)
learned = languages.has_learned(excess)
by_kind = learned.groupby(["language", "model"], sort=False)["has_learned"].sum()
of_ban = [name for name in by_kind["baN"].index if by_kind["baN", name]]

# %% tags=["hide-input"]
caption = (
    f"After {n_main} steps, linear layers have not learned dyck, and only "
    f"{' and '.join({'lstm': 'LSTM', 'xlstm': 'xLSTM'}.get(name, name) for name in of_ban)} have learned the parity of "
    "baN."
)
caption = caption if of_ban else "In so few steps, no model has learned the parity of baN."
if is_published:
    assert by_kind["dyck", "linear"] == 0 and set(of_ban) == {"lstm", "xlstm"}
figure(plots.curves, lines, name="learning", alt=alt, n=number, caption=caption, **options)

# %% [markdown]
# baN asks for an even number of a's. A parity needs an update that a letter can reverse. An LSTM has one, because its
# gates depend on its last output. Mamba multiplies its state by positive numbers that depend on the input alone, and
# did not learn the parity here. (Why our xLSTM learned it, we have not shown.) Not knowing it costs up to $\ln 2$ nats
# per string. We call a language learned if the regret is below half of that.

# %% tags=["hide-input"]
judged = learned.loc[learned["has_learned"], ["language", "model", "seed"]]
not_learned = learned[~learned["has_learned"]].groupby("language", sort=False).size()
told = ", ".join(f"{n} of {sum(learned['language'] == name)} for {name}" for name, n in not_learned.items()) or "none"
display(Markdown(f"So some models have not learned their language, and drop out of the verdicts below: {told}."))

# %% [markdown]
# ## What they keep of rule 1
#
# A network can complete a prompt *greedily*, by the most probable token each time, or *sampled*, by its probabilities.
# The published protocol differs from ours in two ways. It counts only completions that have ended, and it takes the
# best value over training, found by looking at about 200 checkpoints; our repetition of it looks at ten. We show both.
# Our own rates are those at the step of least validation loss.
#
# The published transformer adds its sines along the batch instead of along the string. So it knows the order of letters
# only by its causal mask, and we compare it with our transformer without positions.

# %% tags=["hide-input"]
rates = cache.grid_table(
    grid, extrapolation.rates_along_training, name="rules-2", jobs=study.jobs, say=widgets.status_line()
).rename(columns=named)
every = extrapolation.rates_by_seed(rates)
placed = cache.grid_table(
    places, extrapolation.rates_by_prompt, name="prompts-1", jobs=study.jobs, say=widgets.status_line()
)

# %% tags=["hide-input"]
of_anbn = every[every["language"] == "aNbN"].pivot(index="seed", columns=["model", "what"], values="value")
of_new = placed[placed["decoding"] == "greedy"].groupby(["model", "seed"])["value"].mean()
rotary_rate, rotary_rate_new = span(of_anbn["rotary", "greedy"]), span(of_new["rotary"])
steps_text = f"after {n_main} steps"
new_text = f"{counted(len(new_seeds), 'seed')} other than these, after {n_new_steps} steps"

# %% tags=["hide-input"]
of = {"transformer": "no positions", "lstm": "lstm", "mamba": "mamba", "xlstm": "xlstm"}  # published, ours
keys = [(name, model) for name in names for model in of]
cited = [{"language": name, "model": of[model], "what": "published"} for name, model in keys]
cited = pd.DataFrame(cited).assign(value=[claims.get(f"rules/best_{name}_{model}").published for name, model in keys])
drawn = pd.concat([every, cited, without[without["language"].isin(names)]], ignore_index=True)
alt = "Share of prompts with rule 1 kept, by language and model: greedy, sampled, by the published protocol, published."
caption = (
    f"In aNbN, rotary positions keep rule 1 most often: {rotary_rate} {steps_text} ({new_text}: {rotary_rate_new}). "
    "Dashed: chance; dotted: EOS at once."
)
options = {"by": "language", "share_y": True, "size": (3.6, 4.6), "legend": "rule 1", "runs": trained}
figure(chapter_plots.extrapolation, drawn, name="extrapolation", alt=alt, n=n_text, caption=caption, **options)

# %% [markdown]
# Small points are seeds, large ones their means.

# %% tags=["hide-input"]
bare, gated = of_anbn["no positions"], of_anbn["lstm"]
by_sampling, at_once = span(bare["sampled"] - bare["greedy"]), levels.loc["aNbN", "immediate EOS"]
if is_published and study.n_seeds >= 5:
    assert intervals.t_interval((bare["sampled"] - bare["greedy"]).tolist()).low > 0.1
    assert intervals.t_interval((bare["sampled"] - gated["sampled"]).tolist()).low > 0
    assert bare["greedy"].mean() < at_once < bare["sampled"].mean()
display(
    Markdown(
        "So without positions, decoding matters most: greedy completions keep rule 1 on "
        f"{bare['greedy'].mean():.3g} of the prompts, no more than ending at once ({at_once:.3g}), and sampled "
        f"ones on {bare['sampled'].mean():.3g}. The paired difference is {by_sampling}. Against LSTMs, models "
        f"without positions gain {span(bare['greedy'] - gated['greedy'])} greedily and "
        f"{span(bare['sampled'] - gated['sampled'])} when sampled (n = {study.n_seeds}). (For {new_text}, models "
        f"without positions keep rule 1 greedily on {of_new['no positions'].mean():.3g}.)"
    )
)

# %% [markdown]
# What makes the difference: the architecture, the positions, or chance? We change one thing at a time and keep all
# others. The *typical change* is the standard deviation of the rate when one thing alone varies.

# %% tags=["hide-input"]
by_prompt = cache.grid_table(
    grid, extrapolation.rates_by_prompt, name="prompts-1", jobs=study.jobs, say=widgets.status_line()
)
changed = variation.typical_changes(rates, by_prompt.rename(columns=named))
alt = "The typical change of the rate of rule 1 by each factor, as a dot with its interval, one panel per language."
caption = (
    f"In aNbN, {steps_text}, positions (learned, rotary or none) change the rate more than seed, decoding or step. In "
    "baN and dyck, three to five seeds do not rank positions, architecture and seed (models that have not learned are "
    "included). "
    "Bars: 95 % intervals; diamonds: an analysis of variance."
)
options = {"by": "language", "share_y": True, "size": (2.6, 3.5), "runs": trained}
figure(chapter_plots.typical_changes, changed, name="variation", alt=alt, n=n_text, caption=caption, **options)

# %% tags=["hide-input"]
def with_range(value, low, high):
    return f"{value:.2f}" if np.isnan(low) else f"{value:.2f} [{low:.2f}, {high:.2f}]"


first_method = changed[changed["method"] == changed["method"].iloc[0]].set_index(["language", "factor"])
change_of = first_method.loc["aNbN"]
change_text = {name: with_range(*row) for name, row in change_of[["value", "low", "high"]].iterrows()}
if is_published and study.n_seeds >= 5:
    others = change_of.loc[["seed", "decoding", "step"]]
    assert change_of.loc["positions", "low"] > others["high"].max()


# %% tags=["hide-input"]
def compare_changes(table, models):
    """Return the typical changes by model and by seed, and the difference of their squares, with intervals."""
    table = table[table["model"].isin(models)]
    table = table.groupby(["model", "seed", "decoding"], sort=False)["value"].mean().reset_index()

    def variance(factor, some_seeds):
        return variation.one_at_a_time(table[table["seed"].isin(some_seeds)], factor)

    def more_by_model(some_seeds):
        return variance("model", some_seeds) - variance("seed", some_seeds)

    in_range = partial(variation.jackknife_interval, seeds=table["seed"].unique().tolist())
    changes = {name: in_range(partial(variance, name), log=name == "seed") for name in ("model", "seed")}
    changes = {name: np.clip(variances, 0, 0.5) ** 0.5 for name, variances in changes.items()}
    return changes | {"difference": in_range(more_by_model, log=False)}


# %% tags=["hide-input"]
all_encodings = [model for model in placed["model"].unique() if model != "lstm"]
compared = {
    "first": compare_changes(by_prompt[by_prompt["words"] == "aNbN"], variation.POSITIONS),
    "three": compare_changes(placed, variation.POSITIONS),
    "six": compare_changes(placed, all_encodings),
    "greedy": compare_changes(placed[placed["decoding"] == "greedy"], all_encodings),
}
over_encodings, over_seeds_only = ({name: each[by] for name, each in compared.items()} for by in ("model", "seed"))
if is_published and study.n_seeds >= 5:
    assert len(all_encodings) == 6 and all(over_encodings[name][0] > over_seeds_only[name][0] for name in compared)
    is_clear = {name: each["difference"][1] > 0 for name, each in compared.items()}
    assert is_clear == {"first": True, "three": False, "six": False, "greedy": False}

# %% tags=["hide-input"]
display(
    Markdown(
        f"So on these seeds of aNbN, the typical change is {change_text['positions']} over three positional "
        "encodings: learned, rotary and none. Over architectures it is "
        f"{change_text['architecture (rotary)']} if the transformer has rotary positions, and "
        f"{change_text['architecture (learned)']} if it has learned ones. Over seeds it is {change_text['seed']} "
        "(averaged over all kinds of models, at a fixed number of steps; "
        f"{over_seeds_only['first'][0]:.2f} for the three transformers alone), over the two decodings "
        f"{change_text['decoding']}, and over steps {change_text['step']}."
    )
)

# %% tags=["hide-input"]
display(
    Markdown(
        f"For {new_text}, encodings and seeds are closer: the typical change is "
        f"{with_range(*over_encodings['three'])} over the same three encodings and "
        f"{with_range(*over_seeds_only['three'])} over their seeds. It is {with_range(*over_encodings['six'])} over "
        f"all six encodings and {with_range(*over_seeds_only['six'])} over their seeds; for greedy completions alone, "
        f"{over_encodings['greedy'][0]:.2f} and {over_seeds_only['greedy'][0]:.2f}. So encodings change the rate "
        "clearly more than seeds do on the first seeds, and not clearly on the others (by 95 % intervals of the "
        "difference of the variances). Rates of rotary networks are "
        f"{of_anbn['rotary', 'greedy'].min():.2f} to {of_anbn['rotary', 'greedy'].max():.2f} on the first seeds, and "
        f"{of_new['rotary'].min():.2f} to {of_new['rotary'].max():.2f} on the others. On which prompts is rule 1 kept?"
    )
)

# %% [markdown]
# ## Try prompts of your own
#
# Type a prompt, and see how four networks complete it, greedily and four times sampled: transformers with rotary and
# with learned positions, an LSTM, and Mamba. Begin with `ba`, and compare where rotary and learned positions end; then
# try `abaab`, where one b is missing. Expect that all four complete prompts of the language rightly, and go different
# ways once a prompt has broken rule 2.

# %% tags=["hide-input"]
played = {kind: found[grid.where(words="aNbN", model=kind)[0]] for kind in live.TITLES}
by_network = live.greedy_completions(played)
caption = f"Greedy completions by one network of each kind, of seed {first_seed}; ■ is EOS. They keep rule 1 on "
caption += f"{live.count_kept(by_network)} of these prompts. On the 251 prompts of eight letters, rates range over "
caption += f"seeds from {live.rate_ranges(every)} {steps_text}. (Rotary, {new_text}: {of_new['rotary'].min():.2f} to "
caption += f"{of_new['rotary'].max():.2f}.) Weights are rounded to half precision."
words = {"alt": live.ALT, "caption": caption, "n": "4 models, 8 prompts", "runs": [*played.values()]}
picture = card(chapter_plots.completions, by_network, name="live", size=(8.0, 3.2), **words)
explorable("prompt", live.live_prompt(played), fallback=picture, alt="Type a prompt, and see who keeps which rule.")

# %% tags=["remove-cell"]
in_language = by_network["prompt"].isin(["ab", "aab", "aaab"])
assert not is_published or (by_network.loc[in_language, "verdict"] == "kept").all()

# %% [markdown]
# ## Why rotary positions? What the models compute
#
# To end a string of $a^nb^n$ at the right place, a network has to know that the b's have caught up with the a's.
# Write the *surplus* of a prefix as
#
# $$ d = \#a - \#b. $$ (rules-surplus)
#
# A string of the language ends when $d = 0$. But it also ends when it has twice as many letters as it has a's at its
# beginning, and the training can never show which of the two a network goes by. Prompts that begin no string can.
# Take `abab`: the surplus is zero. A network that compares counts ends there. A network that goes by the length of
# the first run of a's should have ended after `ab`.
#
# The idea came from looking at the outcomes of five seeds. Then we wrote programs, committed forecasts, and trained ten
# new seeds of each kind. (Four forecasts, on steering, were written while these were training.) A program has a *phase*
# for each letter, first a's and then b's, and writes the letter of its phase. The last phase ends as soon as the b's
# have caught up, wherever they stand. The two lines that decide:
#
# ```python
# caught_up = counts[..., 1:] >= counts[..., :-1]  # b's with a's
# next_letter = phase + is_over.gather(-1, phase[..., None])[..., 0]
# ```
#
# Programs differ in two things. First, what decides the phase: the letter that was written last (*by last letter*), or
# whether a b was written before, so that no a can follow the first b (*once b, always b*). Second, when they stop
# writing a's: after sixteen letters in total (*by letters*; the longest string has 32), or when the surplus reaches
# sixteen (*by surplus*). On strings of the language all of them do the same. (*Details and controls* compares them with
# networks.)
#
# Expect that the share of prompts on which rule 1 is kept jumps at $d = 0$ for a network that compares counts.

# %% tags=["hide-input"]
runs_of_places = [found[point] for point in places.points]
by_surplus = decisions.kept_by_surplus(placed)
drawn_kinds = ["rotary", "no positions", "transformer", "lstm"]
greedy = by_surplus[(by_surplus["decoding"] == "greedy") & by_surplus["model"].isin(drawn_kinds)]
lines = intervals.mean_over_seeds(greedy, ["model", "last", "surplus"]).rename(columns={"mean": "kept"})
lines["last"] = "prompt ends with " + lines["last"]
n_new = f"{counted(len(new_seeds), 'seed')} per line or point"

# %% tags=["hide-input"]
alt = "Share of prompts with rule 1 kept against the surplus of a's, one panel per model, one line per last letter."
caption = (
    "Of prompts that end with b and have no more b's than a's, rotary transformers and those without positions "
    "complete most by rule 1. The LSTM keeps it if the prompt is balanced. Learned positions show no such law."
)
options = {"x": "surplus", "y": "kept", "line": "last", "within": [0.0, 1.0], "by": "model", "share_y": True}
options |= {"legend": "last letter", "size": (3.0, 2.6), "runs": runs_of_places}
lines = lines.sort_values(["model", "last", "surplus"])
figure(plots.curves, lines, name="surplus", alt=alt, n=n_new, caption=caption, **options)

# %% [markdown]
# After an a the picture is less clear. Training does not determine when the a's stop once a prompt has broken the
# order, and seeds differ in it. We had forecast, from the first five seeds, that rotary transformers keep rule 1 on
# *all* prompts with $d \ge 0$; this is refuted. (The new seeds had half of the steps. Whether the seeds or the steps
# made the difference we cannot say; the grid `rules_positions_2000` would tell.)
#
# The outcome depends on many decisions, so let us look at a single one: does the string end here? After all prefixes
# of up to twelve letters that begin no string and end with a b, what is P(EOS), the probability of EOS? Each column of
# the figure is one surplus, and each row is one number of letters. If a network compares counts, P(EOS) changes from
# column to column. If it goes by the number of letters, P(EOS) changes from row to row.

# %% tags=["hide-input"]
deciders = grids.join_grids(places, recurrent)
maps = cache.grid_table(deciders, decisions.ending_map, name="endings-1", jobs=study.jobs, say=widgets.status_line())
is_drawn = maps["model"].isin(["rotary", "no positions", "transformer"])
shown = maps[(maps["last"] == "b") & ~maps["begins_string"] & is_drawn]
shown = shown[shown["surplus"].between(-6, 6) & (shown["letters"] % 2 == 0)]
cells = shown.groupby(["model", "letters", "surplus"], sort=False)["eos"].mean().reset_index()
alt = "Heat maps of the probability of EOS after a b, letters of the prefix against the surplus, one panel per model."
caption = (
    "After a b, rotary transformers and those without positions end where the b's catch up, at any length up to 12; "
    "learned positions blur this."
)
options = {"by": "model", "size": (3.2, 3.0), "runs": runs_of_places}
n_maps = f"{counted(len(new_seeds), 'seed')} per panel"
figure(chapter_plots.endings, cells, name="endings", alt=alt, n=n_maps, caption=caption, **options)

# %% [markdown]
# The table says how much of the variance of P(EOS) three explanations account for: whether the b's have caught up ($d
# \le 0$), the surplus itself, and the number of letters. It counts prefixes that begin no string, end with a b, and
# have an even number of letters and $d \ge 0$, because there rule 1 says whether to end.

# %% tags=["hide-input"]
accounts = decisions.explained(maps)
variance = accounts.groupby(["model", "explanation"], sort=False)["value"].mean()
wide = intervals.mean_over_seeds(accounts, ["model", "explanation"])
wide["text"] = [f"{100 * value:.0f} %" for value in wide["mean"]]
wide = wide.pivot(index="model", columns="explanation", values="text").loc[accounts["model"].unique()]
lowest = accounts[accounts["explanation"] == "whether b's have caught up"].groupby("model")["value"].min()
wide["lowest seed"] = [f"{100 * lowest[model]:.0f} %" for model in wide.index]
caption = (
    "Whether the b's have caught up explains most for rotary, faint and no positions and ALiBi, and little for learned "
    "ones. Means over seeds; the last column is the seed for which it explains least (Mamba and xLSTM: five seeds)."
)
shown = wide.reset_index().replace({"model": {"transformer": "learned positions"}})
show_table(shown, {name: name for name in ["model", *wide]}, caption=caption, name="explained")

# %% [markdown]
# The agreement could be an accident of the prefixes. If a network really goes by the surplus, the surplus should be
# written somewhere in its activations, and *steering* it there should change where strings end. We fit the direction of
# the surplus behind the first attention, on strings of the language only, and move the activation along it by one or
# two letters while the network completes prompts that begin no string. Does the string then end exactly so many
# letters earlier or later? The control is a random direction of the same length.

# %% tags=["hide-input"]
steered = cache.grid_table(
    deciders, steering.steered_endings, name="steered-1", jobs=study.jobs, say=widgets.status_line()
)
outside = steered[steered["prompts"] == "out_of_distribution"].groupby(["model", "direction", "seed"], sort=False)
table = intervals.mean_over_seeds(outside["value"].mean().reset_index(), ["model", "direction"])
table = table.rename(columns={"model": "of", "direction": "what", "mean": "ends_where_steered"})
alt = "Share of prompts whose end moves by the letters that the surplus was moved by, for two directions, by model."
caption = "Moving the surplus moves the end by as much in most networks with rotary positions, ALiBi or no positions."
ends = table[table["what"] == "surplus"].set_index("of")["ends_where_steered"]
if is_published:
    assert ends[["rotary", "alibi", "no positions"]].min() > 0.7 > 0.3 > ends["transformer"]
options = {"x": "ends_where_steered", "legend": "direction", "size": (5.6, 3.2), "runs": runs_of_places}
figure(plots.estimates, table, name="steering", alt=alt, n=n_new, caption=caption, **options)

# %% tags=["hide-input"]
of_three = cache.grid_table(
    three, extrapolation.rates_by_prompt, name="prompts-1", jobs=study.jobs, say=widgets.status_line()
)
foretold = programs.program_outcomes("aNbNcN", limit - 1)
foretold = foretold[foretold["program"] == "by last letter, by letters"]
parts = {
    "rule 1 kept": of_three[of_three["decoding"] == "greedy"].groupby(["model", "seed"], sort=False)["value"].mean(),
    "agreement with the program": programs.agreement(of_three, foretold).set_index(["model", "seed"])["value"],
}
letters_table = pd.concat([part.rename("value").reset_index().assign(what=what) for what, part in parts.items()])
letters_table = intervals.mean_over_seeds(letters_table, ["model", "what"])
letters_table = letters_table.rename(columns={"model": "of", "mean": "share of prompts"})
kept_by_program = foretold["kept"].mean()
n_few = f"{counted(len(few), 'seed')} per line or point"

# %% tags=["hide-input"]
given = {"maps": maps, "steered": steered, "max_length": limit - 1}
forecast = forecasts.forecast_values(placed, of_three, **given)
mechanism = {f"rules/{name}": claims.Measurement(each.mean(), each.sem(), len(each)) for name, each in forecast.items()}
verdicts = claims.record(mechanism, at_scale=is_published)
n_held = sum(verdict == "reproduced" for verdict in verdicts.values())
n_failed = sum(verdict == "refuted" for verdict in verdicts.values())

# %% tags=["hide-input"]
by_catching_up = variance.xs("whether b's have caught up", level="explanation")
of_rotary, of_learned = by_catching_up["rotary"], by_catching_up["transformer"]
of_others = ", ".join(f"{by_catching_up[model]:.0%} for {model}" for model in ("lstm", "mamba", "xlstm"))
by_steering = table[table["what"] == "surplus"].set_index("of").loc["rotary"]
by_random = table[table["what"] == "random"].set_index("of").loc["rotary"]
random_text = f"{100 * by_random['ends_where_steered']:.1f} % (± {100 * by_random['sem']:.1f} %)"
if is_published:
    assert verdicts["rules/rotary_steered"] == "undecided"
    assert of_rotary > 0.85 > 0.3 > of_learned and by_catching_up[["lstm", "mamba", "xlstm"]].max() < 0.5

# %% tags=["hide-input"]
display(
    Markdown(
        "So after a b, most transformers with rotary, ALiBi, faint or no positions end when the b's have caught up. "
        f"(We drew this group after seeing the results.) This explains {of_rotary:.0%} of the variance of P(EOS) for "
        f"rotary positions and {of_learned:.0%} for learned ones, for which the number of letters explains hardly "
        f"more. In recurrent networks it explains less ({of_others}; for xLSTM five seeds do not tell, and for LSTMs "
        "the surplus itself explains more). Steering moves the end as it should in "
        f"{100 * ends['rotary']:.0f} % (± {100 * by_steering['sem']:.0f} %, one standard error) of the completions of "
        "rotary networks (our forecast of at least 70 % is undecided), and along a random direction in "
        f"{random_text}. (A network that fails this test may keep the count elsewhere.) With eight heads, rotary "
        "networks keep rule 1 about as often as by ending at once; with twice the width, three seeds cannot tell "
        "(*Details and controls*)."
    )
)

# %% [markdown]
# ## How many examples switch it on?
#
# Nothing in the language asks for rule 1 after a broken rule 2. What if training contains a few examples? We let a
# tenth of the training be completions of 1, 3, 10 or 30 prompts that begin no string. They are *rule-keeping* if rule 1
# holds for them, and *rule-breaking* if it does not (settings `completions: oracle` and `adversarial`). Half of all
# prompts are never trained on, and the rates are of those. These are five of the new seeds, and each is compared with
# the network of the same seed without examples. (The networks with examples were trained on another kind of processor,
# which rounds sums otherwise, and training enlarges such differences. So a pair shares its seed and its first weights,
# but the processor may add to its difference.)

# %% tags=["hide-input"]
dosed = cache.grid_table(
    doses, extrapolation.rates_by_prompt, name="prompts-1", jobs=study.jobs, say=widgets.status_line()
)
dosed[["model", "shown"]] = dosed["told"].str.split(", ", expand=True).to_numpy()
on_unseen = dosed[dosed["decoding"] == "greedy"].groupby(["shown", "model", "n_completed", "seed"], sort=False)
table_of_doses = on_unseen["value"].mean().reset_index()
never = placed[(placed["decoding"] == "greedy") & placed["seed"].isin(few) & placed["prompt"].isin(dosed["prompt"])]
never = never.groupby(["model", "seed"], sort=False)["value"].mean().reset_index().assign(n_completed=0)

# %% tags=["hide-input"]
numbers = [0, 1, 3, 10, 30] if scale > 0.01 else [0, 30]
next_dose = 3
n_completions = int(doses.points[0].task.completed_share * doses.points[0].training.batch_size)
n_completions *= doses.points[0].training.n_steps
in_words_shown = {"oracle": "rule-keeping", "adversarial": "rule-breaking"}

# %% tags=["hide-input"]
base = pd.concat([never.assign(shown=name) for name in in_words_shown])
table = pd.concat([table_of_doses, base[base["model"].isin(dosed["model"])]], ignore_index=True)
table = table[~((table["shown"] == "adversarial") & (table["model"] == "transformer"))].replace(in_words_shown)
table = table.sort_values(["shown", "n_completed"], ascending=[False, True], kind="stable")
lines = intervals.mean_over_seeds(table, ["shown", "model", "n_completed"])
lines = lines.rename(columns={"mean": "kept", "n_completed": "prompts_shown"})
dose = lines.set_index(["shown", "model", "prompts_shown"])["kept"]
alt = "Share of unseen prompts with rule 1 kept against the number of prompts shown in training, by model."
caption = (
    "Rule-keeping completions of a single prompt raise the rate of rotary transformers; rule-breaking ones of three "
    "prompts lower it. With rule-keeping completions of 30 prompts, one LSTM of five keeps rule 1, and the "
    "others lose it."
)

# %% tags=["hide-input"]
runs_of_doses = [found[point] for point in doses.points]
options = {"x": "prompts_shown", "y": "kept", "line": "model", "within": [0.0, 1.0], "by": "shown"}
options |= {"share_y": True, "legend": "model", "size": (3.6, 3.2), "runs": runs_of_doses}
figure(plots.curves, lines, name="doses", alt=alt, n=n_few, caption=caption, **options)

# %% tags=["hide-input"]
if is_published and study.n_seeds >= 5:
    assert dose["rule-breaking", "rotary", 1] < 0.5 * dose["rule-breaking", "rotary", 0]
    assert max(dose["rule-keeping", "lstm", 30], dose["rule-keeping", "transformer", 30]) < 0.5
by_dose = table.pivot(index="seed", columns=["shown", "model", "n_completed"], values="value")
effects = {
    (kind, model, n): by_dose[kind, model, n] - by_dose[kind, model, 0] for kind, model, n in by_dose if n
}
effect = {cell: span(values) for cell, values in effects.items()}
first_rotary = by_dose["rule-keeping", "rotary", 0]
of_lstm = forecasts.dose_values(table_of_doses)["dose_oracle_lstm_30"]
n_up = (of_lstm > 0.5).sum()

# %% tags=["hide-input"]
display(
    Markdown(
        f"So rotary networks respond to examples. Without any, these {len(few)} networks keep rule 1 on "
        f"{span(first_rotary)} of the prompts never seen. Rule-keeping completions of one prompt (about "
        f"{n_completions} in all) change this by {effect['rule-keeping', 'rotary', 1]}, rule-breaking ones by "
        f"{effect['rule-breaking', 'rotary', 1]}, and those of {next_dose} prompts by "
        f"{effect['rule-breaking', 'rotary', next_dose]} (paired by seed, 95 % intervals). The first number is no "
        f"constant of rotary positions: it is {first_rotary.min():.2f} to {first_rotary.max():.2f} over seeds, "
        f"{rotary_rate_new} for all {len(new_seeds)} new seeds and all prompts, and {rotary_rate} {steps_text} for the "
        "first seeds."
    )
)

# %% tags=["hide-input"]
display(
    Markdown(
        f"With rule-keeping completions of {numbers[-1]} prompts, learned positions gain "
        f"{effect['rule-keeping', 'transformer', numbers[-1]]} and LSTMs {effect['rule-keeping', 'lstm', numbers[-1]]} "
        f"({n_up} of {len(of_lstm)} LSTMs exceed one half). We had forecast that 30 prompts suffice for LSTMs, which "
        "is undecided, and that one rule-breaking prompt leaves the rate above a third, which is refuted. "
        "Rule-keeping completions are random, so greedy decoding may understate what was learned."
    )
)
if is_published and study.n_seeds >= 5:
    low, high = (intervals.t_interval(effects[kind, "rotary", n].tolist()) for kind, n in
                 (("rule-keeping", 1), ("rule-breaking", 3)))
    assert low.low > 0 > high.high
    given = claims.record({f"rules/{name}": claims.Measurement(each.mean(), each.sem(), len(each))
                           for name, each in forecasts.dose_values(table_of_doses).items()})
    assert (given["rules/dose_oracle_lstm_30"], given["rules/dose_adversarial_rotary_1"]) == ("undecided", "refuted")

# %% [markdown]
# What should one conclude from strings of the language alone? {cite:t}`meszaros2024rules` sketch a normative theory
# with a prior that prefers short programs. Ours is much smaller. A *rational learner* holds four hypotheses: strings
# obey both rules, rule 1, rule 2, or none. Each rule divides the prior probability of a hypothesis by $2^8$. Under each
# hypothesis, lengths have the law of the language (for $a^nb^n$: even, up to 32), and all strings of a length are
# equally probable. Strings of the language soon favour the hypothesis with the fewest strings. But a prompt that breaks
# rule 2 has probability zero under it, and what is left to go by is rule 1, or nothing.

# %% tags=["hide-input"]
taught = [cache.table(rational.sensitivity, name, numbers, limit).assign(language=name) for name in ("aNbN", "baN")]
taught = pd.concat(taught, ignore_index=True)
by_learner = taught.set_index(["language", "hypotheses", "bits", "n_strings"])["value"]
usual, by_even_length, by_first_run, _, without_rule_1 = rational.hypothesis_sets("aNbN")
outside = rules.prompt_sets("aNbN")["out_of_distribution"]
rule_2_alone = LANGUAGES["aNbN"].obeys_rules(outside)[:, 1].sum().item()

# %% tags=["hide-input"]
most, fewest = (by_learner["aNbN", each, 8, 30] for each in (usual, without_rule_1))
misled, of_parity = by_learner["aNbN", by_first_run, 8, 30], by_learner["baN", "", 8, 30]
display(
    Markdown(
        f"So after 30 strings this learner keeps rule 1 on {most:.2f} of the prompts of aNbN and on {of_parity:.2f} of "
        f"those of baN. ({rule_2_alone} of the {len(outside)} prompts have more b's than a's, all behind the a's, such "
        "as `aaabbbbb`, and obey rule 2 so far.) This is built in: once rule 2 is broken, only rule 1 or no rule are "
        f"left. Without the hypothesis *rule 1 alone*, the learner stays at {fewest:.2f}. With a further hypothesis, "
        f"that there are as many b's as a's *before the first b*, it ends at {misled:.2f}. If a rule costs "
        "fewer or more "
        "bits, the learner needs another number of strings (*Details and controls*)."
    )
)
if is_published:
    assert most > 0.98 and of_parity > 0.98 and fewest < 0.2 and 0.8 < misled < 0.9

# %% [markdown]
# What does such a learner make of examples? That depends on which other prompts it generalizes an example to. If *one
# law* holds for all strings, a single string that breaks both rules refutes rule 1 everywhere. If strings that break
# rule 2 have *a law of their own*, unknown but common to all of them (rule 1, its opposite, or none; a rule costs $2^8$
# as before), examples teach it step by step. And if *each prompt* has its own law, examples teach nothing about other
# prompts. We show these three learners one completion of each of the networks' prompts, and compute how often
# completions that are drawn from their predictions keep rule 1. All three allow every length up to 32 letters.

# %% tags=["hide-input"]
rational_doses = cache.table(rational.dose_response, numbers, list(few), limit)
of_learners = rational_doses.assign(learner="learner, " + rational_doses["learner"]).replace(in_words_shown)
both_kinds = pd.concat([of_learners, table.rename(columns={"model": "learner"})], ignore_index=True)
both_kinds = both_kinds[both_kinds["n_completed"].isin(numbers)]
response = both_kinds.groupby(["shown", "learner", "n_completed"], sort=False)["value"].mean()
wide = response.unstack()[numbers].map("{:.2f}".format).sort_index(level=0, ascending=False, sort_remaining=False)
response = response.sort_index()
wide.columns = [str(number) for number in numbers]
wide = wide.reset_index()
wide["who"] = wide["shown"] + ": " + wide["learner"].replace({"transformer": "learned positions"})

# %% tags=["hide-input"]
columns = {"who": "completions: who"} | {str(number): f"{counted(number, 'prompt')}" for number in numbers}
caption = (
    "With these priors, none of three learners has the networks' curve (share of unseen prompts with rule 1 "
    "kept; means "
    "over five seeds). Learners are sampled and see one completion per prompt; networks are greedy and see many."
)
show_table(wide[list(columns)], columns, caption=caption, name="learners")

# %% tags=["hide-input"]
common, alone = (response["rule-keeping", f"learner, a law for {each}"] for each in ("broken ones", "each prompt"))
display(
    Markdown(
        f"Without a rule, these learners keep rule 1 on {alone.iloc[0]:.2f} of the prompts; the learner above, which "
        f"knows the lengths of the language, on {fewest:.2f}. So where a law for broken strings gives "
        f"{common.iloc[1]:.2f} after one completion and {common.iloc[-2]:.2f} after {numbers[-2]}, rotary networks "
        f"have {response['rule-keeping', 'rotary'].iloc[1]:.2f} after one prompt. "
        "A learner with one law for all strings needs no example at all. LSTMs respond to rule-keeping prompts, "
        "but not "
        f"alike: after {numbers[-1]} prompts, {n_up} of {len(of_lstm)} keep rule 1 on more than half of the unseen "
        f"prompts, and the others on at most {of_lstm[of_lstm < 0.5].max():.2f}. Networks see about {n_completions} "
        "completions, and learners one per prompt."
    )
)

# %% tags=["hide-input"]
if is_published and study.n_seeds >= 5:
    one_law = response["rule-keeping", "learner, one law for all strings"]
    assert alone.iloc[0] < 0.12 < 0.18 < fewest
    assert one_law.iloc[0] > 0.95 and common.iloc[0] < 0.15 and common.iloc[1] < 0.2 < 0.95 < common.iloc[-2]
    assert response["rule-keeping", "rotary"].iloc[1] > 0.7
    assert max(response["rule-breaking", model, 30] for model in ("lstm", "rotary")) < 0.02
    assert n_up == 1 and of_lstm[of_lstm < 0.5].max() < 0.1

# %% [markdown]
# ## Longer strings
#
# Length is another way to leave the training behind. Models are trained on strings of at most 16 letters and asked
# about strings of up to 64. Given a little more than half of a string, does the greedy completion end, and is the
# whole a string of the language? In aNbN we ask every architecture and every positional encoding. Learned positions
# and linear layers have weights for each position, and none for a 17th letter, so nothing can be asked of them there
# (empty).

# %% tags=["hide-input"]
asked = cache.grid_table(
    longer, lengths.completion_accuracy, name="lengths-2", jobs=study.jobs, say=widgets.status_line()
)
cells = asked.groupby(["language", "model", "length", "trained"], sort=False)["value"].mean()
cells = cells.rename("right").reset_index()
alt = "Heat maps of the share of strings completed rightly, models against the length of the string, by language."
caption = (
    "In aNbN, only transformers without positions complete all strings of up to twice the trained length (three "
    "seeds); beyond, seeds differ. The line is behind the longest strings of training."
)
asked_of = [found[point] for point in longer.points]
n_lengths = f"{counted(len(few[:3]), 'seed')} per row"
options = {"by": "language", "size": (4.4, 3.4), "runs": asked_of}
figure(chapter_plots.lengths, cells, name="lengths", alt=alt, n=n_lengths, caption=caption, **options)

# %% tags=["hide-input"]
ranges = lengths.by_range(asked)
values = {f"rules/{name}": each for name, each in lengths.length_values(ranges).items()}
of_lengths = {name: claims.Measurement(each.mean(), each.sem(), len(each)) for name, each in values.items()}
judged_lengths = list(claims.record(of_lengths, at_scale=is_published).values())

# %% tags=["hide-input"]
near, far = ranges["range"].unique()
over_seeds = intervals.mean_over_seeds(ranges, ["language", "range", "model"])
over_seeds["text"] = [in_words(*each) for each in over_seeds[["mean", "sem"]].values]
over_seeds = over_seeds.set_index(["language", "range", "model"]).sort_index()
near_means, far_means = (over_seeds.loc["aNbN", each]["mean"] for each in (near, far))
others = far_means.drop(["no positions", "rotary"])
if is_published:
    assert near_means["no positions"] == 1 > 0.5 > near_means.drop("no positions").max()
    assert far_means["no positions"] > far_means["rotary"] > 0.1 > others.max()
texts = over_seeds["text"]
at_far, dyck_far = texts["aNbN", far], texts["dyck", far]

# %% tags=["hide-input"]
display(
    Markdown(
        f"So at {near} letters of aNbN, transformers without positions complete {near_means['no positions']:.0%} of "
        f"the strings, and no others more than {near_means.drop('no positions').max():.2f} (means over seeds). At "
        f"{far} letters, models without positions complete {at_far['no positions']} (± one standard error), rotary "
        f"ones {at_far['rotary']}, and no others more than {others.max():.2f}. A network that compares counts within "
        f"the trained length need not do so beyond it. Of dyck at {far} letters, LSTMs complete {dyck_far['lstm']}, "
        f"rotary positions {dyck_far['rotary']}, no positions {dyck_far['no positions']}. Of {len(of_lengths)} "
        f"forecasts, {judged_lengths.count('reproduced')} is reproduced, {judged_lengths.count('refuted')} refuted, "
        f"and {judged_lengths.count('undecided')} are undecided."
    )
)

# %% [markdown]
# ## Details and controls
#
# The cells below are folded; open the ones that you want to check.
#
# *How much the published protocol adds.* The best of more looks is larger, also if nothing changes but noise. The
# table gives the expected best of 1, 2, 5 and 10 looks, drawn at random from the ten kept steps. The published value
# is the best of about 200 looks, which lies outside of what we have.

# %% tags=["hide-cell"]
ever = extrapolation.best_rates(rates)
looks = intervals.mean_over_seeds(best_of_looks.expected_best(rates), ["language", "model", "looks"])
looks["text"] = [in_words(*each) for each in looks[["mean", "sem"]].values]
wide = looks[looks["looks"].isin([1, 2, 5, 10])].pivot(index=["language", "model"], columns="looks", values="text")
wide.columns = [f"best of {looks}" for looks in wide]
wide = wide.reset_index()
wide["model"] = wide["language"] + ", " + wide.pop("model")
columns = {"model": "language and model"} | {name: name for name in wide if name.startswith("best")}
caption = "The best of ten looks keeps rule 1 more often than one look, most of all where completions rarely end."
show_table(wide.drop(columns="language"), columns, caption=caption, name="looks")

# %% [markdown]
# *What the rational learner takes for granted.* The table shows how often it keeps rule 1 of $a^nb^n$ after some
# strings of the language, with other bits per rule and other hypotheses. One further hypothesis compares the number of
# b's with the number of a's *before the first b*. It allows few strings, so strings of the language support it more.

# %% tags=["hide-cell"]
is_told = taught["hypotheses"] != by_even_length  # all lengths are even: it cannot differ from no rule
assumed = taught[(taught["language"] == "aNbN") & is_told].assign(text=taught["value"].map("{:.2f}".format))
assumed["who"] = assumed["hypotheses"] + ", " + assumed["bits"].astype(str) + " bits"
wide = assumed.pivot(index="who", columns="n_strings", values="text").loc[assumed["who"].unique()]
wide.columns = [str(number) for number in wide]
columns = {"who": "hypotheses"} | {name: f"{name} strings" for name in wide}
caption = "The hypotheses decide whether a rational learner keeps rule 1, and the bits how soon."
show_table(wide.reset_index(), columns, caption=caption, name="hypotheses")

# %% [markdown]
# *Does rule 1 carry over to another language?* We train networks on two languages at once: half of the strings are
# those of $a^nb^n$, the others are the same strings written with c and d. Rule-keeping completions of 30 prompts are
# given in a and b alone. If networks learn from them that counts are compared, whatever the letters, they should also
# keep rule 1 on prompts of c's and d's. A completion must stay in its own letters.

# %% tags=["hide-cell"]
of_letters = cache.grid_table(
    twins, two_alphabets.rates_by_alphabet, name="alphabets-1", jobs=study.jobs, say=widgets.status_line()
)
carried = two_alphabets.carried_over(of_letters).assign(given="difference")
by_letters = of_letters.groupby(["given", "model", "alphabet", "seed"], sort=False)["value"].mean().reset_index()
by_letters = pd.concat([by_letters, carried], ignore_index=True)
by_letters = intervals.mean_over_seeds(by_letters, ["given", "model", "alphabet"])
by_letters["text"] = [in_words(*each) for each in by_letters[["mean", "sem"]].values]
wide = by_letters.pivot(index=["model", "alphabet"], columns="given", values="text").reset_index()
wide["who"] = wide["model"] + ", prompts of " + wide["alphabet"]
columns = {"who": "model and letters", "none": "no completions", "30 prompts": "of 30 prompts of a, b"}
columns |= {"difference": "difference"}
caption = "Completions in a and b make rotary transformers keep rule 1 there, and change nothing clearly in c and d."
caption = caption if is_published else "In so few steps, completions change little in either alphabet."
show_table(wide, columns, caption=caption, name="two_alphabets")

# %% tags=["hide-cell"]
change = by_letters[by_letters["given"] == "difference"].set_index(["model", "alphabet"]).sort_index()
pairs = [(model, letters) for model in ("rotary", "lstm", "transformer") for letters in two_alphabets.ALPHABETS]
told = {pair: in_words(*change.loc[pair, ["mean", "sem"]]) for pair in pairs}
display(
    Markdown(
        f"So completions in a and b change the rate of rotary networks by {told['rotary', 'a, b']} in a and b, and by "
        f"{told['rotary', 'c, d']} in c and d; that of LSTMs by {told['lstm', 'a, b']} and {told['lstm', 'c, d']}; and "
        f"that of learned positions by {told['transformer', 'a, b']} and {told['transformer', 'c, d']} (± one standard "
        f"error over {counted(len(few), 'seed')}). We found no carry-over of rule 1 to the other letters. We had "
        "forecast a part of it for rotary networks, and cannot exclude a tenth; in LSTMs there was no clear effect to "
        "carry over."
    )
)
if is_published and study.n_seeds >= 5:
    carried_by = change["mean"].xs("c, d", level="alphabet")
    assert change["mean"]["rotary", "a, b"] > 0.3 > 0.15 > carried_by.abs().max()

# %% [markdown]
# *Networks and programs.* On how many prompts do a network and a program agree about keeping rule 1? (All new seeds
# but one, no positions with seed 11, were trained once more, on one machine; on another machine the same seed may give
# another network, as it did for six of twenty. All but four of the forecasts are older than both trainings. The four,
# on steering, were written during the first training, before any of these networks was read or steered; the direction
# had been chosen in one other network of each kind. All are judged by the last training of each network.)

# %% tags=["hide-cell"]
outcomes = programs.program_outcomes("aNbN", limit - 1)
agreeing = programs.agreement(placed, outcomes)
table = intervals.mean_over_seeds(agreeing, ["model", "program"])
floor = (1 - outcomes.groupby("program", sort=False)["kept"].mean()).rename("mean").reset_index()

# %% tags=["hide-cell"]
agreed = table.pivot(index="model", columns="program", values="mean")
if is_published:
    assert agreed.loc[["no positions", "alibi"], "by last letter, by surplus"].min() > 0.9
    assert agreed.loc["lstm"].idxmax() == programs.IMMEDIATE_EOS
    assert agreed.drop(index=["no positions", "alibi", "lstm"]).max(axis=None) < 0.9
table = pd.concat([table, floor.assign(model="(never keeps rule 1)")], ignore_index=True)
table = table.rename(columns={"model": "of", "program": "what", "mean": "agreement"})
table = table.replace({"what": {"by latest letter": "once b, always b"}})
alt = "Share of prompts on which a model and a program agree, with intervals, one row per model."
caption = (
    "Transformers without positions and with ALiBi follow the program that ends the a's at a surplus; LSTMs keep rule "
    "1 where EOS at once does; the others follow no program closely. The last row stands for a model that never keeps "
    "rule 1."
)
options = {"x": "agreement", "legend": "program", "size": (5.6, 4.0), "runs": runs_of_places}
figure(plots.estimates, table, name="programs", alt=alt, n=n_new, caption=caption, **options)

# %% tags=["remove-cell"]
usual_machine = pd.Series([run.provenance["processor"] for run in runs_of_places]).mode().iloc[0]
elsewhere = [point for point in places.points if found[point].provenance["processor"] != usual_machine]
if is_published:  # there is none if all are trained anew on one machine
    assert all(point in places.where(model="no positions") and point.training.seed == 11 for point in elsewhere)

# %% tags=["hide-cell"]
undecided = [key for key, verdict in verdicts.items() if verdict == "undecided"]
inner_of = {
    key: intervals.t_interval_of_mean(each.value, each.error, each.n, level=0.9) for key, each in mechanism.items()
}
beyond_1 = [key for key in undecided if inner_of[key].low >= claims.get(key).low and inner_of[key].high > 1]
if is_published and study.n_seeds >= 5:
    assert beyond_1 == ["rules/no_positions_after_b", "rules/no_positions_steered"] and len(undecided) == 8

# %% tags=["hide-cell"]
display(
    Markdown(
        f"Of {len(verdicts)} forecasts on these seeds, {n_held} are reproduced, {n_failed} refuted, and "
        f"{len(undecided)} undecided. Of the last, {len(beyond_1)} (no positions: rule 1 kept after a b, and "
        "steering) are undecided only because the 90 % t interval of a share reaches beyond 1; their lower ends lie "
        "within the bands. Some of the bands are wide ([claims](claims.md))."
    )
)

# %% [markdown]
# *A language of three letters.* The programs also say what should happen in a language that they were not made for. In
# $a^nb^nc^n$ only c's can follow a c, so the program *by last letter, by letters* keeps rule 1 on fewer prompts.

# %% tags=["hide-cell"]
alt = "For aNbNcN: share of prompts with rule 1 kept, and share on which a model agrees with the program."
caption = f"In aNbNcN, rotary positions keep rule 1 more often than learned ones do (program: {kept_by_program:.2f})."
runs_of_three = [found[point] for point in three.points]
options = {"x": "share of prompts", "legend": "what", "size": (5.6, 2.6), "runs": runs_of_three}
figure(plots.estimates, letters_table, name="three_letters", alt=alt, n=n_few, caption=caption, **options)

# %% [markdown]
# *Strings without names.* Let the two letters of $a^nb^n$ change places at random from string to string. A
# {term}`lexical model` knows no names anyway; a model with learned embeddings can be trained on such strings
# (*permuted*). The best predictor is the mixture of two oracles, weighted by what has been seen. It loses $\ln 2$ at
# the first letter, which nobody can know, and nothing from the second letter on.

# %% tags=["hide-cell"]
renamed = [found[point] for point in relabelled.points]
lines = cache.concat_tables(relabelled, [languages.by_row(run) for run in renamed])
lines = intervals.mean_over_seeds(lines, ["model", "row"]).rename(columns={"mean": "regret_per_row", "row": "letters"})
ideal = pd.DataFrame({"model": "mixture over names", "letters": range(limit), "regret_per_row": 0.0})
lines = pd.concat([lines, ideal], ignore_index=True)
lines.loc[lines["letters"] == 0, "regret_per_row"] += np.log(2)  # from the mixture to the oracle that knows the names
options = {"x": "letters", "y": "regret_per_row", "line": "model", "legend": "model", "size": (6.4, 3.2)}
alt = "Regret to the oracle that knows the names, row by row, for models without names and for the mixture."
caption = "A lexical transformer loses little to the best mixture. At row 0, not knowing the names costs ln 2."
figure(plots.curves, lines, name="relabelled", alt=alt, n=number, runs=renamed, caption=caption, **options)

# %% tags=["hide-cell"]
lost = cache.concat_tables(relabelled, [languages.excess(run) for run in renamed])
lost = lost[(lost["split"] == "relabelled") | (lost["model"] != "permuted")]  # strings as the model is trained on
nameless = {model: each["value"] for model, each in lost[lost["reference"] == "relabelled"].groupby("model")}
told = ", ".join(f"{model} {in_words(each.mean(), each.sem())}" for model, each in nameless.items())
lexical_loss = intervals.t_interval(nameless["lexical"].tolist())
display(
    Markdown(
        f"So in nats per string above the mixture (± one standard error over {counted(study.n_seeds, 'seed')}): "
        f"{told}. For lexical transformers the 95 % interval is {span(nameless['lexical'])}, and the "
        "forecast that they lose between 0 and 0.3 is undecided, only because the interval reaches below 0. (On "
        "average, nothing can lose less than the mixture.)"
    )
)
assert not is_published or lexical_loss.low < 0 < lexical_loss.high < 0.3

# %% [markdown]
# *Which rule is learned first?* We add up the probability that a model gives to all 510 strings of two letters with
# up to eight letters, by the rules that they obey. *Progress* in a rule is the share of that probability whose
# strings obey it, from 0, where letters and EOS are all alike, to 1.

# %% tags=["hide-cell"]
progress = extrapolation.rule_progress(rates)
progress = progress[progress["language"] == "aNbN"]
wide = progress.pivot_table(index=["model", "seed"], columns="rule", values="value", sort=False)
first = (wide["rule 2"] - wide["rule 1"]).rename("value").reset_index()
lines = intervals.mean_over_seeds(progress, ["model", "rule", "step"]).rename(columns={"mean": "progress"})
options = {"x": "step", "y": "progress", "line": "rule", "log": ["step"], "within": [-1.0, 1.0], "share_y": True}
options |= {"by": "model", "size": (3.2, 3.2), "runs": trained, "legend": "rule"}
alt = "Progress in rule 1 and in rule 2 along training, from what chance does to strings that all obey it, by model."
caption = "In aNbN, most kinds of models keep rule 2 at the first look already, and rule 1 takes them longer."
figure(plots.curves, lines, name="along", alt=alt, n=number, caption=caption, **options)

# %% [markdown]
# *Where the surplus is written.* A linear probe is fitted to the residual stream on prefixes of the language, and
# reads prefixes of no string. It can succeed there only if the network computes the surplus in the same way whatever
# the order of the letters. Controls: an untrained network, and random values in place of the surplus.

# %% tags=["hide-cell"]
probes = cache.grid_table(
    deciders, surplus_probe.probe_scores, name="probes-1", jobs=study.jobs, say=widgets.status_line()
)
best_site = probes.groupby(["model", "weights", "target", "seed"], sort=False)["value"].max().reset_index()
scores = intervals.mean_over_seeds(best_site, ["model", "weights", "target"])
least_shown = -9.99
scores["text"] = [f"{max(mean, least_shown):.2f}" for mean in scores["mean"]]
wide = scores.pivot(index="model", columns=["weights", "target"], values="text")
wide.columns = [f"{weights}: {target}" for weights, target in wide]
wide = wide.reset_index()[["model", *[name for name in wide if name.startswith("trained") or "surplus" in name]]]
clipped = best_site.assign(value=best_site["value"].clip(lower=-1))  # the forecasts count an R² below -1 as -1
of_recurrent = forecasts.recurrent_values(accounts, steered, clipped)
recurrent_numbers = {
    f"rules/{name}": claims.Measurement(each.mean(), each.sem(), len(each)) for name, each in of_recurrent.items()
}

# %% tags=["hide-cell"]
caption = (
    "Probes read the surplus also from untrained networks, so alone they prove little (R² at the best site, means over "
    f"seeds; values below {least_shown} are shown as {least_shown})."
)
show_table(wide, {name: name for name in wide}, caption=caption, name="probes")

# %% [markdown]
# *Rivals of the surplus.* In the language, other conditions hold whenever the b's have caught up: the number of b's
# equals the number of a's *before the first b*, or the *last* run of b's is as long as the run of a's before this run.
# Which of these conditions explains P(EOS) best? And does the answer change after 14 to 20 letters, of which we draw up
# to a thousand prefixes for each length?

# %% tags=["hide-cell"]
read_again = grids.select_points(places, model=["transformer", "rotary"])
options = {"jobs": study.jobs, "say": widgets.status_line()}
rival_maps = cache.grid_table(read_again, decisions.rival_map, name="rivals-1", **options)
rivals = decisions.rivals(rival_maps)
by_rival = rivals.groupby(["model", "is_long", "explanation"], sort=False)["value"].agg(["mean", "min"])
short, long = (by_rival.xs(is_long, level="is_long") for is_long in (False, True))
caught_up, like_first_run, like_last_run = decisions.RIVALS
wide = short["mean"].unstack()[list(decisions.RIVALS)]
wide["caught up, 14 to 20 letters"] = long["mean"].xs(caught_up, level="explanation")
wide["lowest seed, 14 to 20"] = long["min"].xs(caught_up, level="explanation")
wide = wide.map(lambda share: f"{100 * share:.0f} %").loc[["transformer", "rotary"]].reset_index()
caption = "The surplus explains P(EOS) of rotary transformers, also after longer strings; runs of letters do not."
show_table(wide, {name: name for name in wide}, caption=caption, name="rivals")

# %% tags=["hide-cell"]
ahead = rival_maps[(rival_maps["surplus"] > 0) & rival_maps["like_first_run"] & (rival_maps["model"] == "rotary")]
too_early = np.average(ahead["eos"], weights=ahead["n"])
explained_by = {name: short["mean"]["rotary", name] for name in decisions.RIVALS}
display(
    Markdown(
        f"So in rotary networks, whether the b's have caught up explains {explained_by[caught_up]:.0%} of the variance "
        f"up to twelve letters and {long['mean']['rotary', caught_up]:.0%} after 14 to 20 letters, the first run of "
        f"a's {explained_by[like_first_run]:.0%} and the last runs {explained_by[like_last_run]:.0%}. Where the b's "
        f"have reached the number of the first a's but not yet that of all a's, P(EOS) is {too_early:.2f} on average. "
        f"One seed is an exception ({long['min']['rotary', caught_up]:.0%})."
    )
)
if is_published:
    assert explained_by[caught_up] > 0.8 > 0.2 > max(explained_by[like_first_run], explained_by[like_last_run])
    assert long["mean"]["rotary", caught_up] > 0.8 > 0.2 > long["mean"]["transformer", caught_up]

# %% [markdown]
# *Steering by chance.* How often would a string end where steering should bring it without any knowledge of the
# surplus? We compare the end of each steered prompt with its own end without steering, take five random directions
# for each shift, and exchange prompts: a steered prompt is then compared with the ends of all *others*. A direction
# that means something may move ends more than a random one, so we also take the direction of the *number of letters*,
# fitted in the same regression and scaled to the norm of the direction of the surplus.

# %% tags=["hide-cell"]
chance_ends = cache.grid_table(read_again, steering.steering_controls, name="steering-controls-2", **options)
ends_as_steered = chance_ends.groupby(["model", "what"], sort=False)["value"].agg(["mean", "sem"])
right = {what: in_words(*ends_as_steered.loc[("rotary", what)]) for what in chance_ends["what"].unique()}
display(
    Markdown(
        f"So in rotary networks, the share of right ends is {right['surplus']} along the surplus (± one standard error "
        f"over {counted(len(new_seeds), 'seed')}), {right['number of letters']} along the number of letters, "
        f"{right['random directions']} along random directions, and {right['other prompts']} compared with other "
        "prompts. The last is high because most prompts have the same "
        "surplus: exchanging two such prompts changes nothing, so this control is weak."
    )
)
if is_published:
    of_rotary_ends = ends_as_steered["mean"]["rotary"]
    assert of_rotary_ends["surplus"] > 0.7 > 0.05 > of_rotary_ends["random directions"]

# %% [markdown]
# *Where strings of dyck end.* In dyck a string ends when all brackets are closed. A network may count for each type
# whether all of its brackets are closed, or only compare how many brackets open and close, whatever their type, or look
# at the type of the last bracket alone. Crossed brackets show which: after `(]` closing and opening brackets are equal
# in number, but neither type is closed; after `[(])` both are. We ask for P(EOS) after all prefixes of two to eight
# letters that begin no string, end with a closing bracket, and never had more closing than opening brackets. (The
# twenty networks were trained once more for this, on another machine, where the same settings and seeds give other
# networks than those of the figures above.)

# %% tags=["hide-cell"]
of_dyck = grids.select_points(grid, words=["dyck"], model=["transformer", "rotary", "no positions", "lstm"])
crossed = cache.grid_table(of_dyck, dyck_endings.crossed_endings, name="dyck-endings-1", **options)
dyck_shares = dyck_endings.explained(crossed)
shares = intervals.mean_over_seeds(dyck_shares, ["model", "explanation"])
shares = shares.rename(columns={"model": "of", "explanation": "what", "mean": "share of variance"})
by_share = shares.set_index(["of", "what"])["share of variance"]
by_case = dyck_endings.mean_endings(crossed).groupby(["model", "case"], sort=False)["value"].mean()

# %% tags=["hide-cell"]
alt = "For dyck: share of the variance of P(EOS) after crossed brackets that four explanations account for, by model."
caption = (
    "After crossed brackets, rotary transformers and those without positions end once each type is closed. For learned "
    "positions and LSTMs, the sum over both types explains more."
)
explained_by_type, explained_by_sum = (by_share.xs(name, level="what") for name in list(dyck_endings.EXPLANATIONS)[:2])
if is_published:
    assert explained_by_type[["rotary", "no positions"]].min() > 0.95
    assert (explained_by_sum - explained_by_type)[["transformer", "lstm"]].min() > 0.2

# %% tags=["hide-cell"]
options = {"x": "share of variance", "legend": "explanation", "size": (5.6, 3.2)}
with_weights = [found[point] for point in of_dyck.points if contents.locate(found[point].path, store.WEIGHTS).exists()]
n_again = len(of_dyck.points) - len(with_weights)  # published without weights, so trained again
options |= {"runs": with_weights, "seeds": [*seeds], "caption": caption}
options |= {"n": f"{counted(study.n_seeds, 'seed')} per point"}
if n_again:
    options["n"] += f"; {counted(n_again, 'network')} trained again, not stored, settings as in `rules` (dyck)"
figure(plots.estimates, shares, name="dyck_endings", alt=alt, **options)

# %% tags=["hide-cell"]
values = dyck_endings.forecast_values(dyck_shares)
of_crossed = {
    f"rules/{name}": claims.Measurement(each.mean(), each.sem(), len(each)) for name, each in values.items()
}
judged_crossed = list(claims.record(of_crossed, at_scale=is_published).values())
closed, wrong_types, some_open = (by_case.xs(case, level="case") for case in dyck_endings.CASES)
if is_published:
    assert closed[["rotary", "no positions"]].min() > 0.95 and some_open.max() < 0.05
    assert wrong_types[["rotary", "no positions"]].max() < 0.05 < 0.4 < wrong_types["transformer"]

# %% tags=["hide-cell"]
display(
    Markdown(
        f"So whether each type is closed explains {explained_by_type['rotary']:.0%} of the variance of P(EOS) for "
        f"rotary positions, {explained_by_type['no positions']:.0%} without positions, "
        f"{explained_by_type['transformer']:.0%} for learned positions and {explained_by_type['lstm']:.0%} for LSTMs. "
        f"For the last two, the sum over both types explains more ({explained_by_sum['transformer']:.0%} and "
        f"{explained_by_sum['lstm']:.0%}): where all brackets are closed but by wrong types, P(EOS) is "
        f"{wrong_types['transformer']:.2f} and {wrong_types['lstm']:.2f}, and for rotary positions "
        f"{wrong_types['rotary']:.3f}. A parser that keeps a stack of open brackets would never end after a crossing. "
        f"Rotary networks do, with probability {closed['rotary']:.2f}, if each type is closed. So at this decision "
        "they act like programs that count brackets by type, as those of aNbN compare letters, and not like parsers. "
        "We have not steered these counts."
    )
)

# %% tags=["hide-cell"]
display(
    Markdown(
        "Networks of these settings and seeds were older than the forecasts. When those read here were trained again "
        "is not recorded, but nobody had looked at these prefixes when the forecasts were committed: of "
        f"{len(of_crossed)} forecasts, {judged_crossed.count('reproduced')} are reproduced and "
        f"{judged_crossed.count('refuted')} refuted."
    )
)

# %% [markdown]
# *Intervals over seeds and prompts.* Some prompts are easy for all models. If one asks about other seeds *and* other
# prompts like these, both must be taken as drawn, and intervals are wider.

# %% tags=["hide-cell"]
both = extrapolation.crossed_intervals(by_prompt.rename(columns=named), ["language", "model", "decoding"])
both["range"] = [str(intervals.Interval(*each)) for each in both[["mean", "low", "high", "n"]].values]
all_agree = both[["over_seeds", "over_prompts"]].eq(0).all(axis=1)
both.loc[all_agree, "range"] = [f"{mean:.3g} (all seeds)" for mean in both.loc[all_agree, "mean"]]
both = both.join(without.pivot(index="language", columns="what", values="value"), on="language")
both["model"] = both["language"] + ", " + both["model"] + ", " + both["decoding"]
columns = {"model": "language, model, decoding", "range": "rule 1 kept, 95 % over both", "over_seeds": "± seeds"}
columns |= {"over_prompts": "± prompts", "chance": "chance"}
above = both[(both["low"] > both[["chance", "immediate EOS"]].max(axis=1)) & ~all_agree]
caption = (
    f"Of {len(both)} rates, {len(above)} exceed chance and EOS at once, for other seeds and prompts like these. Where "
    "all seeds agree on all prompts, there is no interval."
)
show_table(both[list(columns)], columns, caption=caption, name="crossed")

# %% [markdown]
# *Transformers of other sizes.* All networks above have two layers of width 32 with two heads. Here we change one of
# these numbers at a time. Each size is trained for 400 steps with its own learning rate for each positional encoding:
# of three rates, the one with the least validation loss on a seed that is not evaluated.

# %% tags=["hide-cell"]
maps_of_sizes = cache.grid_table(
    sized, decisions.ending_map, name="endings-1", jobs=study.jobs, say=widgets.status_line()
)
kept_of_sizes = cache.grid_table(
    sized, extrapolation.rates_by_prompt, name="prompts-1", jobs=study.jobs, say=widgets.status_line()
)
by_size = sizes.shares_by_size(maps_of_sizes, kept_of_sizes)

# %% tags=["hide-cell"]
alt = "By size of the transformer: share of the variance of P(EOS) explained, and of prompts with rule 1 kept."
after_count = by_size[by_size["what"] == sizes.EXPLAINED].groupby("model", sort=False)["value"]
n_after_count = after_count.apply(lambda values: (values > 0.5).sum())
n_of_kind = len(by_size) // 4
caption = (
    f"Whether the b's have caught up explains most of P(EOS) in {n_after_count['rotary']} of {n_of_kind} rotary "
    f"transformers of five sizes, and in {n_after_count['transformer']} of {n_of_kind} with learned positions."
)
options = {"by": "what", "share_y": True, "size": (3.4, 3.2), "legend": "positions"}
options |= {"runs": [found[point] for point in sized.points]}
n_sizes = f"{counted(len(few[:3]), 'seed')} per size"
figure(chapter_plots.sizes, by_size, name="sizes", alt=alt, n=n_sizes, caption=caption, **options)

# %% tags=["hide-cell"]
values = sizes.size_values(by_size, "2 layers, width 32, 2 heads", "7 layers")
of_sizes = {
    f"rules/{name}": claims.Measurement(each.mean(), each.sem(), len(each)) for name, each in values.items()
}
lost_by_size = cache.concat_tables(sized, [languages.excess(found[point]) for point in sized.points])
lost_by_size = lost_by_size[lost_by_size["reference"] == "oracle"]["value"]
of_size = by_size.groupby(["what", "model", "size"], sort=False)["value"].mean().unstack("model")
accounted, kept_at = (of_size.loc[what] for what in (sizes.EXPLAINED, sizes.KEPT))
if is_published:
    assert sizes.rate_mistakes(sizes.validation_losses(tuned[0]), sized) == []
    assert lost_by_size.max() < 0.1 * languages.MAX_EXCESS
    assert (accounted["rotary"] > accounted["transformer"]).all() and (kept_at["rotary"] > kept_at["transformer"]).all()

# %% tags=["hide-cell"]
n_edges = sizes.chosen_rates(sizes.validation_losses(tuned[0]))["is_edge"].sum() if tuned else 0
of_size_claims = claims.record(of_sizes, at_scale=is_published)
judged_sizes = list(of_size_claims.values())
least, most = (kept_at["rotary"].sort_values().index[end] for end in (0, -1))
of_rotary_sizes = by_size[by_size["model"] == "rotary"].groupby(["what", "size"])["value"]
wider, kept_wider = (of_rotary_sizes.get_group((what, "width 64")) for what in (sizes.EXPLAINED, sizes.KEPT))
kept_by_8_heads = of_rotary_sizes.get_group((sizes.KEPT, "8 heads"))
if is_published:
    assert of_size_claims["rules/sizes_explained_least_difference"] == "undecided"
    assert wider.max() < 0.9 and kept_wider.min() < at_once < kept_wider.max()
    assert (kept_by_8_heads - at_once).abs().max() < 0.05

# %% tags=["hide-cell"]
display(
    Markdown(
        f"So in the mean over {counted(len(few[:3]), 'seed')}, whether the b's have caught up explains more of the "
        f"variance of P(EOS) for rotary positions ({accounted['rotary'].min():.0%} to {accounted['rotary'].max():.0%}) "
        f"than for learned ones ({accounted['transformer'].min():.0%} to {accounted['transformer'].max():.0%}) at all "
        "five sizes; seed by seed, the smallest of the five differences is undecided. In rotary networks of width 64, "
        f"this condition explains {wider.min():.0%} to {wider.max():.0%}. Rotary positions keep rule 1 on "
        f"{kept_at['rotary'].min():.2f} ({least}) to {kept_at['rotary'].max():.2f} ({most}) of the prompts, learned "
        f"ones on {kept_at['transformer'].min():.2f} to {kept_at['transformer'].max():.2f}. With eight heads, rotary "
        f"networks keep it about as often as by ending at once ({kept_by_8_heads.min():.2f} to "
        f"{kept_by_8_heads.max():.2f}, beside {at_once:.3g}); at width 64, {len(few[:3])} seeds cannot tell "
        f"({kept_wider.min():.2f} to {kept_wider.max():.2f})."
    )
)

# %% tags=["hide-cell"]
display(
    Markdown(
        "One rotary transformer of seven layers ends only once the b's are *ahead*. For "
        f"{n_edges} of the ten kinds (five sizes, two encodings), the chosen learning rate is the lowest or the "
        "highest of the three that we tried, so a rate outside might be better. But no model loses more than "
        f"{lost_by_size.max():.2g} nats per string to the oracle. "
        f"Of {len(of_sizes)} forecasts, {judged_sizes.count('reproduced')} is reproduced, "
        f"{judged_sizes.count('refuted')} refuted, and {judged_sizes.count('undecided')} are undecided."
    )
)

# %% tags=["hide-cell"]
is_after_b = (maps_of_sizes["last"] == "b") & ~maps_of_sizes["begins_string"] & (maps_of_sizes["letters"] % 2 == 0)
ends_at = maps_of_sizes[is_after_b].groupby(["model", "surplus", "seed"])["eos"].mean()
ends_late = ends_at["rotary, 7 layers", 0] < 0.5  # one value per seed
if is_published:
    assert n_after_count["rotary"] >= 12 > 3 >= n_after_count["transformer"]
    assert ends_late.sum() == 1 and ends_at["rotary, 7 layers", -6][ends_late].item() > 0.5

# %% [markdown]
# *Published results, forecasts and checks.* No published share was measured as ours: the published ones are the best of
# about 200 looks along training, among finished completions of larger models on strings of up to 256 letters. The best
# of ten looks is smaller, also if nothing changes but noise. A band is a published share ± 40 % of its distance from
# the nearest level that needs no model (chance, EOS at once), but at most ± 15 percentage points. This rule replaced
# wider bands when our results were known. We judge only models that have learned their language, by the rule on the
# page of [claims](claims.md). The published sampled shares count finished completions, ours all prompts. Where a band
# is narrower than our 90 % interval, *reproduced* was impossible. Because the conditions differ as well, we draw no
# conclusion from such shares, and call them *not decidable*. (The band of sampled transformers has no width, because
# the published share is chance itself.)

# %% tags=["hide-input"]
values = {}
for grammar, name in keys:
    judged_rates = ever.merge(judged, on=["language", "model", "seed"])
    is_kind = (judged_rates["language"] == grammar) & (judged_rates["model"] == of[name])
    values[f"best_{grammar}_{name}"] = judged_rates[is_kind]["value"].dropna()
drawn = every[(every["what"] == "sampled") & (every["language"] == "aNbN")].merge(judged)
values |= {f"sampled_aNbN_{name}": drawn[drawn["model"] == of[name]]["value"] for name in ("transformer", "lstm")}
values["rule_2_first"] = first[first["model"] == "no positions"]["value"]

# %% tags=["hide-input"]
inside = excess[(excess["split"] == "in_distribution") & (excess["language"] == "dyck")]
inside = inside[inside["reference"] == "oracle"]
values |= {"excess_dyck_lstm": inside[inside["model"] == "lstm"]["value"], "relabelled_lexical": nameless["lexical"]}
values |= forecasts.dose_values(table_of_doses) | two_alphabets.forecast_values(of_letters)
measured = {f"rules/{name}": claims.Measurement(each.mean(), each.sem(), len(each)) for name, each in values.items()}
measured |= mechanism | of_lengths | of_sizes | of_crossed | recurrent_numbers
listed = claims.table(measured, at_scale=is_published).reset_index()
columns = {name: name for name in ("quantity", "published", "ours", "n", "band", "verdict")}

# %% tags=["hide-input"]
is_narrow = {}
for key, each in measured.items():
    claim = claims.get(key)
    if claim.published is not None and each.n >= 3:
        ours = intervals.t_interval_of_mean(each.value, each.error, each.n, level=0.9)
        is_narrow[key] = ours.high - ours.low > claim.high - claim.low

# %% tags=["hide-input"]
of_published = claims.record({key: measured[key] for key in is_narrow}, at_scale=is_published)
n_narrow = sum(verdict == "refuted" and is_narrow[key] for key, verdict in of_published.items())
n_of = pd.Series([verdict for key, verdict in of_published.items() if not is_narrow[key]]).value_counts()
numbers_of_bands = {"not_decidable": str(sum(is_narrow.values())), "not_decidable_refuted": str(n_narrow)}
caption = (
    f"Of {len(is_narrow)} published shares, none measured as ours, {n_of.get('reproduced', 0)} is reproduced, "
    f"{n_of.get('refuted', 0)} are refuted, and {n_of.get('undecided', 0)} is undecided. The other "
    f"{sum(is_narrow.values())} are not decidable: their bands are narrower than our 90 % intervals ({n_narrow} of "
    "them are listed as refuted)."
)
caption = caption if is_published else "The bands are written for the scale of the book and cannot be judged here."
show_table(listed, columns, caption=caption, name="claims")

# %% tags=["hide-input"]
of_seeds = accounts[accounts["explanation"] == "whether b's have caught up"].groupby("model")["value"]
n_exceptions = (of_seeds.get_group("rotary") < 0.5).sum()
by_surplus = mechanism["rules/rotary_steered"]

# %% tags=["hide-input"]
found_out = [
    f"In aⁿbⁿ, rates of rule 1 (#a=#b) differ more between three positional encodings than between {study.n_seeds} "
    f"seeds (standard deviations {over_encodings['first'][0]:.2f}, {over_seeds_only['first'][0]:.2f}); in "
    f"{len(new_seeds)} others, not clearly ({over_encodings['three'][0]:.2f}, {over_seeds_only['three'][0]:.2f}).",
    f"Of {len(new_seeds)} rotary transformers, {len(new_seeds) - n_exceptions} end once b's have caught up "
    f"({of_rotary:.0%} of ending's variance; learned: {of_learned:.0%}).",
    f"There, moving activations along a's minus b's moves {by_surplus.value:.0%} (± {by_surplus.error:.0%}) of ends as "
    f"it should; at random, {random_text}.",
    f"Networks without positions count, but greedily keep rule 1 on {of_new['no positions'].mean():.3g} of prompts; "
    f"rotary ones on {rotary_rate_new} (first seeds, {n_main} steps: {rotary_rate}).",
]
if is_published:
    assert n_main == 2 * n_new_steps and of_new["no positions"].mean() < at_once < 0.8 * of_new["rotary"].mean()

# %% tags=["hide-input"]
box.update(
    brief(
        question="If a prompt breaks one rule, do networks keep the other, and why?",
        done=f"We train {len(points)} networks.",
        found=found_out,
        sure="At most 32 letters in training.",
        change="Larger rotary transformers ending by length.",
        numbers=numbers_of_bands if is_published else None,
    )
)

# %% [markdown]
# ## What this does not show
#
# - These are small networks on short strings. Sizes differ from the first in one number at a time, with three seeds
#   each, so we do not know how depth and width act together, or what large models do.
# - Whether steps or seeds make the rates of rotary networks differ, we have not separated.
# - Why transformers with rotary positions, ALiBi, faint sines or no positions compare counts, and those with learned
#   positions or full sines mostly do not, we have not shown. We have no
#   program for learned positions, nor for baN.
# - Comparing counts is not yet rule extrapolation: without positions, greedy completions of prompts that end with an a
#   mostly leave the a's too late for the b's to catch up. Over all prompts, only sampled completions keep rule 1 more
# often than ending at once.
# - Steering was at one place, along one direction, after prefixes of at most twelve letters. Longer strings were asked
#   of models trained for 600 steps, in dyck of three kinds only.
# - Rational learners say what follows from hypotheses that we chose. A network that responds like one of them need not
#   hold its hypotheses.
# - The published sizes (strings of 256 letters, six layers and more), and the languages bbaN and cs_dyck, are not
#   reproduced here; grids for a GPU stand ready in `params/sweeps`.
#
# ## Exercises
#
# :::{admonition} Exercise 1
# :class: exercise
# On which of the prompts `abba`, `bbab`, `baab` and `abaa` does ending at once keep rule 1 of $a^nb^n$? Does a network
# that ends there compare counts?
# :::
#
# :::{admonition} Answer
# :class: answer dropdown
# On `abba` and `baab`, which have two a's and two b's. A network that ends at once after *every* prompt also keeps rule
# 1 on these, so it has not shown that it compares counts.
# :::
#
# :::{admonition} Exercise 2
# :class: exercise
# What does the program *by last letter, by letters* write after `abaab`?
# :::
#
# :::{admonition} Answer
# :class: answer dropdown
# One more b, and then EOS. The last letter is a b, so it is in the phase of b's, and there are three a's and two b's.
# :::
#
# :::{admonition} Exercise 3
# :class: exercise
# A network whose a's end by surplus completes `abaa` greedily by a's and never ends within 32 letters. Sampled, it
# keeps rule 1 on half of such prompts. How can that be? (All lengths of strings are equally probable.)
# :::
#
# :::{admonition} Answer
# :class: answer dropdown
# In training, every further a is more probable than the first b until many a's stand there, because strings with many
# a's are as frequent as strings with few. So greedy decoding writes a's until the surplus is sixteen. After `abaa` this
# takes 14 more a's, 18 letters in all, and sixteen b's no longer fit into 32 letters. Sampling leaves the a's sooner,
# and then the b's catch up.
# :::
#
# :::{admonition} Exercise 4
# :class: exercise
# A rival program ends a string when its last run of b's is as long as the run of a's before it. Find a prefix of five
# letters that separates it from the program that ends when the b's have caught up.
# :::
#
# :::{admonition} Answer
# :class: answer dropdown
# For example `aabab`: the last runs are one a and one b, so the rival ends, but there are three a's and two b's.
# :::
#
# :::{admonition} Exercise 5
# :class: exercise
# The surplus explains nearly all of the variance of P(EOS) in a network, but steering along the direction of the
# surplus does not move the end. Name two explanations. And why does steering need a random direction beside it?
# :::
#
# :::{admonition} Answer
# :class: answer dropdown
# The network may go by something else that agrees with the surplus on these prefixes, or keep the surplus at another
# place or along another direction. A random direction shows how often an end moves as wanted by any change of that
# size.
# :::

# %% tags=["remove-cell"]
from lexurn.measures.rules import complete_with_predictor

anbn = LANGUAGES["aNbN"]
prompts_of_exercise = anbn.encode(["abba", "bbab", "baab", "abaa"], length=5)
assert anbn.obeys_rules(prompts_of_exercise)[:, 0].tolist() == [True, False, True, False]
assert decisions.describe_runs(["aabab"])["like_last_run"].all()
assert decisions.describe_prefixes(["aabab"])["surplus"].item() == 1
turning = programs.Program(2, 32, **programs.PROGRAMS["by last letter, by surplus"])
unended = complete_with_predictor(turning, anbn.encode(["abaa"], length=5)[:, :4], limit=33)
assert anbn.decode(unended)[0][:20] == "ab" + 16 * "a" + "bb" and not anbn.obeys_rules(unended)[0, 0]
program = programs.Program(2, 32, **programs.PROGRAMS["by last letter, by letters"])
completed_string = complete_with_predictor(program, anbn.encode(["abaab"], length=6)[:, :5], limit=9)
assert anbn.decode(completed_string) == ["abaabb"]

# %% [markdown]
# ## What to try next
#
# - `papermill book/08_rules.ipynb out.ipynb -f params/book.yaml`: the scale of this book, about forty minutes by two
#   processes if nothing is trained yet. The grids `params/sweeps/rules*.yaml` say what the models share: two layers of
#   width 32, batches of 32. Every training has a sixteenth of `n_steps`, new seeds at most half of that.
# - `-p n_seeds 3`: how far do models of one kind differ?
# - `papermill book/02_train.ipynb out.ipynb -p language cs_dyck -p backbone lstm`: another language, one model.
# - `papermill book/02_train.ipynb out.ipynb -p language aNbN -p positions alibi`: do linear biases compare counts?
# - `runs.get({"language": "dyck", "unseen": 0.3})`, and `extrapolation.rates_along_training(run)` for a run with
#   `n_checkpoints`.
#
# Within one architecture, positional encodings gave different answers here, and architectures differed as well.
# [Chapter 9](09_architectures) asks what five architectures can represent, how fast they learn it, and which predictor
# they become.
