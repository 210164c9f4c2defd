"""Models predict in the page what torch predicts from the same weights in half precision."""

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch
from browsers import needs_chromium, watch
from half_precision import TOLERANCE, torch_prediction

from lexurn import models, parameters
from lexurn.base import paths
from lexurn.base.seeding import generator
from lexurn.figures import explorables, packed_models
from lexurn.runs import contents, fit, store
from lexurn.runs.run import Run

NAMES = {"vocabulary": "names", "n_names": 7}
LANGUAGE = {"task": "language", "context_length": 12}
MODELS = {
    "transformer": {},
    "lexical": {"lex": True},
    "gaussian": {
        "lex": True,
        "vocabulary": "gaussian_scaled",
        "logit_scale": 2.0,
        "n_layers": 2,
    },
    "shared tables": {"lex": True, "n_tables": 2, "redraw": 0.5, "vocabulary": "orthonormal"},
    "rms, swiglu": {"norm": "rms", "mlp": "swiglu", "n_heads": 4, "n_colors": 3},
    "no norm, gelu": {"norm": "none", "mlp": "gelu", "positions": "none", "d_head": 8},
    "relu": {"mlp": "relu", "n_layers": 3, "d_model": 12},
    "attention only": {"mlp": "none"},
    "post": {"norm_placement": "post", "n_layers": 2},
    "peri, rms": {"norm_placement": "peri", "norm": "rms", "lex": True},
    "mix": {"norm_placement": "mix", "n_layers": 4},
    "rotary": {"positions": "rotary", "n_layers": 2},
    "rotary, no BOS": {"positions": "rotary", "bos": False, "d_head": 6, "n_heads": 3},
    "no BOS": {"bos": False, "lex": True},
    "integer": {"positions": "integer"},
    "linear": {"positions": "linear", "positions_trained": False},
    "log": {"positions": "log"},
    "sinusoidal": {"positions": "sinusoidal"},
    "untied": {"tied": False, "logit_scale": 0.5},
    "untied, no bias": {"tied": False, "readout_bias": False, "n_colors": 32},
    "untied, lexical": {"tied": False, "lex": True},
    "named": {"lex": True, "n_named": 2},
    "named, untied": {"lex": True, "n_named": 1, "tied": False, "n_colors": 5},
    "names": NAMES,
    "unit names": {**NAMES, "name_vectors": "unit", "n_alphabets": 5},
    "learned names": {**NAMES, "name_vectors": "learned", "n_named": 1, "n_tables": 3},
    "canonical": {"vocabulary": "canonical"},
    "canonical, untied": {"vocabulary": "canonical", "tied": False, "n_colors": 6},
    "strings": LANGUAGE,
    "lexical strings": {**LANGUAGE, "lex": True, "language": "dyck"},
    "canonical strings": {**LANGUAGE, "vocabulary": "canonical", "language": "dyck"},
    "strings, names": {**LANGUAGE, **NAMES, "language": "aNbNcN", "tied": False},
    "strings, no BOS": {**LANGUAGE, "bos": False},
    "lstm": {"backbone": "lstm"},
    "lstm, untied": {
        "backbone": "lstm",
        "n_layers": 2,
        "d_hidden": 20,
        "tied": False,
        "lex": True,
    },
    "lstm, strings": {**LANGUAGE, "backbone": "lstm", "n_layers": 3},
    "mamba": {"backbone": "mamba"},
    "mamba, two layers": {
        "backbone": "mamba",
        "n_layers": 2,
        "d_state": 5,
        "d_conv": 1,
        "expand": 3,
        "dt_rank": 3,
        "lex": True,
    },
    "mamba, strings": {**LANGUAGE, "backbone": "mamba", "d_conv": 6, "lex": True},
}
"""Flat settings that together have everything a packed model can have."""

RUN = "([model, ...given]) => lexurn.network(model)(...given)"


@pytest.fixture(scope="module")
def page(browser):
    """A page with the scripts of networks, which has no errors."""
    page = browser.new_page()
    _, errors = watch(page)
    for name in explorables.NETWORK:
        page.add_script_tag(path=paths.root() / "book" / "assets" / "explorables" / name)
    yield page
    assert errors == []
    page.close()


def disturbed_model(settings):
    """A model whose biases and norms are not the identity."""
    model = models.build(settings, generator=generator(0, "weights"))
    stream = generator(1, "weights")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=stream)
    return model


def example(flat):
    """Settings, a model, its packed form, and a sequence; its last token is not seen."""
    settings = parameters.check(flat)
    model = disturbed_model(settings)
    first = 3 if model.has_special_tokens else 0
    shape = (1, settings.task.context_length + 1)
    tokens = torch.randint(first, model.vocab_size, shape, generator=generator(2, "tokens"))
    packed = packed_models.pack(model, settings, n_tables=3)
    return settings, model, packed, tokens


@pytest.mark.parametrize("flat", MODELS.values(), ids=MODELS)
@pytest.mark.book
@needs_chromium
def test_a_model_in_the_page_is_that_of_torch(page, flat):
    settings, model, packed, tokens = example(flat)
    wanted = torch_prediction(model, settings, tokens, n_tables=3)
    sequence = tokens[0, :-1].tolist()
    found = np.array(page.evaluate(RUN, [packed, sequence]))
    assert found.shape == wanted.shape and np.abs(found - wanted).max() < TOLERANCE
    assert np.abs(np.roll(found, 1, 0) - wanted).max() > 1e-3  # rows differ


@pytest.mark.parametrize("flat", [flat for flat in MODELS.values() if "task" in flat])
@pytest.mark.book
@needs_chromium
def test_behind_eos_padding_is_certain_and_special_tokens_are_masked(page, flat):
    settings, model, packed, tokens = example(flat)
    tokens[0, 5], tokens[0, 6:] = 1, 2  # EOS, PAD
    wanted = torch_prediction(model, settings, tokens, n_tables=3)
    found = np.array(page.evaluate(RUN, [packed, tokens[0, :-1].tolist()]))
    assert np.abs(found - wanted).max() < TOLERANCE
    assert (found[:6, [0, 2]] == 0).all() and (found[6:, 2] == 1).all() and found[5, 1] > 0
    found = np.array(page.evaluate(RUN, [packed | {"n_special": 0}, tokens[0, :-1].tolist()]))
    assert np.abs(found - wanted).max() > 1e-2


@pytest.mark.parametrize(
    "name, part, key, value",
    [
        ("transformer", "backbone", "n_heads", 4),
        ("transformer", "backbone", "n_layers", 0),
        ("transformer", "backbone", "mlp", "swiglu"),
        ("relu", "backbone", "mlp", "gelu"),
        ("post", "backbone", "norm_placement", "pre"),
        ("mix", "backbone", "norm_placement", "pre"),
        ("mix", "backbone", "norm_placement", "post"),
        ("rotary", "backbone", "positions", "none"),
        ("rotary", "backbone", "bos", False),
        ("lstm, strings", "backbone", "n_layers", 2),
        ("mamba", "backbone", "d_state", 8),
        ("mamba", "backbone", "d_conv", 3),
        ("attention only", "model", "bos", False),
        ("no BOS", "model", "bos", True),
        ("gaussian", "model", "logit_scale", 1.0),
        ("named, untied", "model", "n_learned", 5),
        ("canonical", "model", "is_canonical", False),
        ("canonical strings", "model", "n_special", 2),
        ("sinusoidal", "weights", "positions", None),
        ("peri, rms", "weights", "backbone.blocks.0.attention_out_norm.weight", None),
        ("peri, rms", "weights", "backbone.blocks.0.mlp_out_norm.weight", None),
        ("untied", "weights", "vocabulary.readout.bias", None),
        ("untied, lexical", "weights", "vocabulary.readout.weight", None),
    ],
)
@pytest.mark.book
@needs_chromium
def test_a_fault_in_one_part_of_a_model_is_seen(page, name, part, key, value):
    """Another setting, or a weight that is left out, changes the prediction."""
    _, _, packed, tokens = example(MODELS[name])
    wrong = copy.deepcopy(packed)
    changed = wrong.get(part, wrong)
    del changed[key]
    changed |= {} if value is None else {key: value}
    arguments = [packed, wrong, tokens[0, :-1].tolist()]
    run = "([right, wrong, tokens]) => [right, wrong].map((m) => lexurn.network(m)(tokens))"
    right, found = np.array(page.evaluate(run, arguments))
    assert not np.abs(found - right).max() < 10 * TOLERANCE  # it may be nan


def n_shared(first, second):
    """How many tokens two sequences share at their beginning."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(first), len(second)))


@pytest.mark.parametrize("name", ["lexical", "no BOS", "rotary", "canonical", "strings",
                                  "lstm, untied", "mamba, two layers"])  # fmt: skip
@pytest.mark.book
@needs_chromium
def test_rows_are_computed_once_and_resume_from_any_prefix(page, name):
    settings, model, packed, tokens = example(MODELS[name])
    whole = tokens[0, :10].tolist()
    low = packed["n_special"]
    changed = [low + (whole[0] == low), *whole[1:]]
    sequences = [whole[:7], [*whole[:5], *changed[:3]], whole, changed, whole[:3], [], whole[:2]]
    run = """([model, sequences]) => {
      const wanted = sequences.map((tokens) => lexurn.network(model)(tokens));
      const {backbones} = lexurn;
      const right = backbones[model.backbone.name];
      let n = 0;
      const counting = (begin) => () => {
        const step = begin();
        return (...given) => { n += 1; return step(...given); };
      };
      backbones[model.backbone.name] = (...given) => counting(right(...given));
      const predict = lexurn.network(model);
      const found = [];
      const counts = [];
      for (const tokens of sequences) {
        n = 0;
        found.push(predict(tokens));
        counts.push(n);
      }
      backbones[model.backbone.name] = right;
      return {wanted, found, counts};
    }"""
    answer = page.evaluate(run, [packed, sequences])
    assert answer["found"] == answer["wanted"]
    if model.is_canonical:
        sequences = [[tokens.index(token) for token in tokens] for tokens in sequences]
    n_tables = 3 if model.vocabulary.is_random else 1
    pairs = pairwise([[-1], *sequences])
    n_new = [len(tokens) - n_shared(before, tokens) for before, tokens in pairs]
    n_new[0] += 1  # row 0
    assert answer["counts"] == [n_tables * n for n in n_new] and 0 in n_new
    differences = np.abs(np.array(answer["wanted"][2]) - answer["wanted"][3]).max(-1)
    assert differences[1:].min() > TOLERANCE  # the first token changes every row but row 0


@pytest.mark.parametrize("name", ["lexical", "untied, lexical", "named", "unit names",
                                  "strings, names", "lstm, untied"])  # fmt: skip
@pytest.mark.book
@needs_chromium
def test_names_permute_random_tables_and_with_them_the_predictions(page, name):
    settings, model, packed, tokens = example(MODELS[name])
    n_learned, n_tokens = packed["n_learned"], model.vocab_size
    names = np.array([*range(n_learned), *range(n_learned + 1, n_tokens), n_learned])
    sequence = tokens[0, :-1].numpy()
    run = """([model, tokens, renamed, names]) => {
      const predict = lexurn.network(model);
      return [predict(tokens), predict(renamed, names), predict(renamed), predict(tokens, names)];
    }"""
    arguments = [packed, sequence.tolist(), names[sequence].tolist(), names.tolist()]
    before, both, only_tokens, only_names = np.array(page.evaluate(run, arguments))
    assert np.abs(both[:, names] - before).max() < 1e-12
    assert np.abs(only_tokens[:, names] - before).max() > 1e-3
    order = np.argsort(names)[n_learned:] - n_learned
    wanted = torch_prediction(model, settings, tokens, n_tables=3, order=order)
    assert np.abs(only_names - wanted).max() < TOLERANCE < np.abs(before - wanted).max()


@pytest.mark.parametrize("name", ["transformer", "canonical"])
@pytest.mark.book
@needs_chromium
def test_a_model_with_learned_embeddings_knows_no_other_names(page, name):
    _, _, packed, tokens = example(MODELS[name])
    sequence = tokens[0, :-1].tolist()
    found = page.evaluate(RUN, [packed, sequence, [1, 2, 3, 0]])
    assert found == page.evaluate(RUN, [packed, sequence])
    renamed = page.evaluate(RUN, [packed, [(token + 1) % 4 for token in sequence]])
    change = np.abs(np.roll(renamed, -1, 1) - found).max()
    assert change < 1e-12 if name == "canonical" else change > 1e-3


@pytest.mark.book
@needs_chromium
def test_tokens_with_learned_embeddings_keep_them_under_other_names(page):
    settings, model, packed, tokens = example(MODELS["named"])
    names = [2, 3, 1, 0]  # tokens 2 and 3 have random rows: 2 is called 1, 1 is 3, and 3 is 0, 2
    found = np.array(page.evaluate(RUN, [packed, tokens[0, :-1].tolist(), names]))
    wanted = torch_prediction(model, settings, tokens, n_tables=3, order=[1, 0])
    assert np.abs(found - wanted).max() < TOLERANCE
    unmoved = torch_prediction(model, settings, tokens, n_tables=3)
    assert np.abs(found - unmoved).max() > 1e-3


@pytest.mark.book
@needs_chromium
def test_what_a_model_cannot_read_is_an_error(page):
    _, _, packed, _ = example({"context_length": 4})
    message = """([model, ...given]) => {
      try { lexurn.network(model)(...given); } catch (error) { return `${error}`; }
    }"""
    for given, wanted in [
        ([[0, 4]], "RangeError: tokens are whole numbers from 0 to 3, got 0,4"),
        ([[0.5]], "RangeError: tokens are whole numbers from 0 to 3, got 0.5"),
        ([[0, 1, 2, 3, 0]], "RangeError: at most 4 tokens, got 5"),
        ([[0], [0, 1, 2]], "RangeError: names are the numbers from 0 to 3, got 0,1,2"),
        ([[0], [0, 1, 2, 2]], "RangeError: names are the numbers from 0 to 3, got 0,1,2,2"),
        ([[0, 1, 2, 3], [3, 1, 2, 0]], None),
    ]:
        assert page.evaluate(message, [packed, *given]) == wanted


@pytest.mark.parametrize(
    "flat",
    [
        *({"backbone": name} for name in ("linear", "xlstm", "bag", "equivariant")),
        *({"positions": "alibi"}, {"norm_eps": 0.006}, {"input_scale": 2.0}, {"input_norm": True}),
    ],
    ids=str,
)
def test_a_model_that_the_page_cannot_run_is_not_packed(flat):
    def is_packed(flat):
        settings = parameters.check({"d_model": 64} | flat)
        model = models.build(settings, generator=generator(0, "weights"))
        return packed_models.pack(model, settings, n_tables=1) is not None

    assert not is_packed(flat) and is_packed({"norm_eps": 1e-5, "attention_dropout": 0.1})


@pytest.mark.book
@needs_chromium
def test_every_published_model_predicts_in_the_page_as_in_torch(page):
    results = paths.root() / "book" / "results"
    folders = store.folders(results)
    with_weights = (each for each in folders if contents.locate(each, store.WEIGHTS).exists())
    runs = list(map(Run, with_weights))
    names, packed, sequences, wanted = [], [], [], []
    for run in runs:
        model, settings = run.model, run.settings
        data = packed_models.pack(model, settings, n_tables=fit.N_TABLES)
        if data is None:
            assert settings.backbone.name in ("linear", "xlstm", "bag", "equivariant")
            continue
        length = settings.task.context_length + 1
        tokens = run.task.sample(1, length, generator=generator(5, "recorded"))
        names.append(run.path.name)
        packed.append(data)
        sequences.append(tokens[0, :-1].tolist())
        wanted.append(torch_prediction(model, settings, tokens, n_tables=fit.N_TABLES))
    assert {data["backbone"]["name"] for data in packed} == {"transformer", "lstm", "mamba"}
    faulty = len(packed) // 2
    packed.append(packed[faulty] | {"logit_scale": 1.01 * packed[faulty]["logit_scale"]})
    names.append("faulty")
    sequences.append(sequences[faulty])
    wanted.append(wanted[faulty])
    run_all = "([all, sequences]) => all.map((m, i) => lexurn.network(m)(sequences[i]))"
    found = []
    for first in range(0, len(packed), 50):
        part = slice(first, first + 50)
        found += page.evaluate(run_all, [packed[part], sequences[part]])
    errors = {
        name: np.abs(np.array(rows) - expected).max()
        for name, rows, expected in zip(names, found, wanted, strict=True)
    }
    assert [name for name, error in errors.items() if not error < TOLERANCE] == ["faulty"]
