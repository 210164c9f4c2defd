"""Random parameters: sets that make a run, and sets with one planted fault."""

import random

from lexurn.settings import LETTERS, flat_names, names
from lexurn.settings.registry import CHOICES as SECTIONS
from lexurn.settings.registry import entries, owners, settings_classes
from lexurn.settings.vocabulary import PLANES

CHOICES = {
    "task": ["urns", "language", "text"],
    "tokenizer": ["bpe", "gpt2"],
    "train_split": ["train", "valid"],
    "backbone": ["transformer", "lstm", "mamba", "xlstm", "linear", "bag", "equivariant"],
    "language": list(LETTERS),
    "completions": ["none", "oracle", "adversarial"],
    "vocabulary": [
        "one_hot",
        "orthonormal",
        "gaussian_scaled",
        "gaussian",
        "names",
        "canonical",
    ],
    "alphabets": ["random", "groups"],
    "name_vectors": ["unit", "learned"],
    "positions": ["learned", "rotary", "alibi", "none", "integer", "linear", "log", "sinusoidal"],
    "norm_placement": ["pre", "post", "peri"],
    "mlp": ["gated", "swiglu", "gelu", "relu", "none"],
    "norm": ["layer", "rms", "none"],
    "optimizer": ["adamw", "muon", "sgd"],
    "schedule": ["constant", "cosine", "inverse_sqrt"],
    "device": ["auto", "cpu", "cuda", "mps"],
    "tracker": ["files", "wandb"],
}
SMALLEST = {
    "n_checkpoints": 0,
    "n_names": 0,
    "n_alphabets": 0,
    "n_tables": 0,
    "n_named": 0,
    "n_completed": 0,
    "d_head": 0,
    "d_mlp": 0,
    "d_hidden": 0,
    "dt_rank": 0,
    "max_length": 0,
    "patience": 0,
    "n_tasks": 0,
    "n_colors": 2,
    "n_tokens": 257,
    "n_test_samples": 2,
    "n_train_samples": 0,
    "warmup": 0,
    "seed": 0,
}
REALS = {
    "learning_rate": (0, None),
    "weight_decay": (-1e-9, None),
    "grad_clip": (-1e-9, None),
    "logit_scale": (0, None),
    "min_delta": (-1e-9, None),
    "dropout": (-1e-9, 1.0),
    "mlp_dropout": (-1e-9, 1.0),
    "embedding_dropout": (-1e-9, 1.0),
    "attention_dropout": (-1e-9, 1.0),
    "activation_dropout": (-1e-9, 1.0),
    "output_dropout": (-1e-9, 1.0),
    "norm_eps": (0, 1 + 1e-9),
    "positions_norm": (0, None),
    "input_scale": (0, None),
    "unseen": (-1e-9, 1.0),
    "completed_share": (0.001, 1.0),
    "initial_std": (-1e-9, None),
    "redraw": (-1e-9, 1.0),
}
BOOLEANS = {"lex", "tied", "label_permuted", "positions_trained", "bos", "readout_bias"}
BOOLEANS |= {"input_norm"}
LISTS = {"alpha", "thetas", "target_alpha", "test_alpha", "slstm_at", "prompts"}
WHOLES = (
    flat_names().keys()
    - CHOICES.keys()
    - REALS.keys()
    - BOOLEANS
    - LISTS
    - {"init_from", "trainable", "corpus"}
)


def valid(dice: random.Random) -> dict:
    """Return random flat values that make a run, some of them strings, as papermill passes them."""
    heads = dice.choice([1, 2, 4])
    values = {
        "n_colors": dice.randint(2, 9),
        "n_heads": heads,
        "d_model": heads * 2 * dice.randint(5, 40),
        "alpha": dice.choice([0.3, 1, 2.5]),
        "context_length": dice.randint(1, 300),
        "lex": dice.choice([True, False, "true", "False", "yes"]),
        "learning_rate": dice.choice([1e-4, "1e-4", "3e-3", 0.01]),
        "seed": dice.randint(0, 10**6),
        "dropout": dice.choice([0, 0.1, "0.5"]),
        "embedding_dropout": dice.choice([0, 0.1]),
        "attention_dropout": dice.choice([0, 0.1]),
        "output_dropout": dice.choice([0, "0.4"]),
        "norm_eps": dice.choice([1e-5, "2e-4"]),
        "input_scale": dice.choice([1, 64]),
        "unseen": dice.choice([0, 0.1]),
        "n_completed": dice.choice([0, 3]),
        "completed_share": dice.choice([0.1, "0.3"]),
        "n_tasks": dice.choice([0, 1, 16, 4096]),
        "weight_decay": dice.choice([0, 0.01]),
        "logit_scale": dice.choice([1, 0.125]),
        "warmup": dice.randint(0, 100),
        "tied": dice.choice([True, False]),
        "label_permuted": dice.choice([True, False]),
        "patience": dice.choice([0, 10]),
        "min_delta": dice.choice([0, 0.001]),
        "n_names": dice.randint(12, 40),
        "n_alphabets": dice.choice([0, 1]),
        "n_tables": dice.choice([0, 3]),
        "redraw": dice.choice([0, 0.2]),
        "n_named": dice.choice([0, 1]),
        **{name: dice.choice(of) for name, of in CHOICES.items()},
    }
    if dice.random() < 0.3:
        values |= {
            "n_train_samples": dice.randint(100, 10**6),
            "n_epochs": dice.randint(1, 5),
            "batch_size": 64,
        }
    else:
        values["n_steps"] = dice.randint(1, 10**5)
    if dice.random() < 0.2:
        values["alpha"] = [dice.uniform(0.1, 3) for _ in range(values["n_colors"])]
    kept = dice.sample(sorted(values), dice.randint(0, len(values)))
    values = {name: values[name] for name in kept}
    needs = {"alpha": "n_colors", "d_model": "n_heads", "n_train_samples": "batch_size"}
    if isinstance(values.get("alpha"), list) and "n_colors" not in values:
        del values["alpha"]
    if (
        "d_model" in values
        and needs["d_model"] not in values
        or "n_heads" in values
        and "d_model" not in values
    ):
        values.pop("d_model", None), values.pop("n_heads", None)
    if "n_steps" in values and "n_train_samples" in values:
        del values["n_steps"]
    if values.get("task") == "text":  # tables for so many tokens want a width of as many
        values.pop("lex", None)
    if str(values.get("lex")) not in ("True", "true", "yes"):
        values.pop("vocabulary", None)
    elif dice.random() < 0.3:
        values["vocabulary"] = "names"
    if values.get("vocabulary") == "names":  # the default, one-hot vectors, have room in the width
        values |= of_names(dice, values)
    if values.get("vocabulary") == "canonical" or "lex" not in values or "vocabulary" not in values:
        values.pop("n_tables", None), values.pop("n_named", None)
    if not values.get("n_tables"):
        values.pop("redraw", None)
    if "n_colors" in values and dice.random() < 0.2:
        values["test_alpha"] = [dice.uniform(0.1, 3) for _ in range(values["n_colors"])]
    if not values.get("patience"):
        values.pop("min_delta", None)
    if "n_train_samples" not in values:
        values.pop("n_epochs", None)
    if values.get("unseen"):
        values.pop("completions", None)
    if values.get("completions", "none") == "none":
        values.pop("n_completed", None), values.pop("completed_share", None)
    if values.get("norm") == "none":
        values.pop("norm_placement", None), values.pop("norm_eps", None)
    return of_one_class(
        values, {name: values.get(name, classes[0]().name) for name, classes in NAMED.items()}
    )


def of_names(dice: random.Random, values: dict) -> dict:
    """Return values for a vocabulary of names that go together, and with the other values."""
    n_names, n_colors = dice.randint(12, 40), values.get("n_colors", 4)
    kinds = {"random": {}, "groups": {}}
    if values.get("task", "urns") == "urns" and n_colors in PLANES:
        n_lines = n_colors**2 + n_colors
        kinds["design"] = {"n_names": n_colors**2, "n_alphabets": dice.randint(0, n_lines)}
        kinds["blocks"] = {"n_names": 2 * n_colors, "n_alphabets": 2}
    kind = dice.choice(sorted(kinds))
    chosen = {"n_alphabets": dice.choice([0, 1]), "n_names": n_names} | kinds[kind]
    if kind in ("design", "blocks"):  # of all colours
        chosen["n_named"] = 0
    vectors = ["unit", "learned"] + ["one_hot"] * (chosen["n_names"] <= values.get("d_model", 32))
    return chosen | {"alphabets": kind, "name_vectors": dice.choice(vectors)}


NAMED = {name: settings_classes(name) for name in SECTIONS if len(settings_classes(name)) > 1}


def of_one_class(values: dict, chosen: dict) -> dict:
    """Without what belongs to other classes of settings than those that are chosen."""
    kept = {}
    for name, value in values.items():
        if (
            name in NAMED
            or flat_names()[name] not in NAMED
            or name in entries(flat_names()[name])[chosen[flat_names()[name]]].settings.model_fields
        ):
            kept[name] = value
    return kept


def faulty(dice: random.Random) -> tuple[dict, str]:
    """A valid set with one planted fault, and the name that the message must give."""
    values = valid(dice)
    match dice.randrange(6):
        case 0:  # a name misspelled
            name = dice.choice(sorted(flat_names())) + dice.choice(["s_", "x", "_"])
            values[name] = 1
        case 1:  # no number, or no whole one
            name = dice.choice(sorted(WHOLES))
            values[name] = dice.choice(
                ["abc", 2.5, "2.5", True, None, [1], "", float("nan"), float("inf")]
            )
        case 2:  # a whole number too small or too large
            name = dice.choice(sorted(WHOLES))
            most = names.schema_of(name)["maximum"]
            values[name] = dice.choice([SMALLEST.get(name, 1) - dice.randint(1, 5), most + 1])
        case 3:  # a real number out of range
            name = dice.choice(sorted(REALS))
            low, high = REALS[name]
            bad = [low - 1, "abc", float("nan"), float("inf"), True, None, {}] + (
                [high, high + 1] if high else []
            )
            values[name] = dice.choice(bad)
        case 4:  # no choice that there is
            name = dice.choice(sorted(CHOICES.keys() | BOOLEANS))
            values[name] = dice.choice(["maybe", 3, None, "", [True]])
        case 5:  # no concentration
            name = "alpha"
            values[name] = dice.choice(
                [0, -1, "abc", [1.0, -2.0], [], True, None, float("nan"), [1.0] * 50]
            )
    section = flat_names().get(name)
    if section in NAMED and name != section:
        chosen = {other: values.get(other, classes[0]().name) for other, classes in NAMED.items()}
        chosen[section] = owners(name)[0]().name
        values = of_one_class(values, chosen) | {section: chosen[section]}
    return values, name
