"""Parameters are taken strictly: hundreds of drawn sets, half of them with one planted fault."""

import random
import re
import sys

import pytest
import tried
import yaml
from random_settings import faulty, valid

from lexurn import parameters
from lexurn.settings import Settings, flat_names, names, parameter_cells
from lexurn.settings.resolver import ParameterError, check


@pytest.mark.parametrize("seed", range(tried.scale(10, 170)))
def test_valid_sets_survive_yaml_with_an_equal_key(seed):
    dice, keys = random.Random(seed), set()
    for _ in range(30):
        settings = check(valid(dice))
        again = check(yaml.safe_load(yaml.safe_dump(settings.flat())))
        brief = check(yaml.safe_load(yaml.safe_dump(settings.changed())))
        assert settings == again == brief and settings.key == again.key == brief.key
        keys.add(settings.key)
    assert len(keys) > 20
    tried.count("valid sets of parameters, read back with an equal key", 30)


@pytest.mark.parametrize("seed", range(tried.scale(10, 170)))
def test_sets_with_a_planted_fault_are_refused_by_its_name(seed):
    dice = random.Random(1000 + seed)
    for _ in range(30):
        values, name = faulty(dice)
        with pytest.raises(ParameterError) as caught:
            check(values)
        message = str(caught.value)
        assert message.startswith(name) and "\n" not in message, (values, message)
    tried.count("sets of parameters with a planted error, refused by its name", 30)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"n_task": 4},
            "n_task is no parameter of any chapter; did you mean n_tasks? known: "
            "activation_dropout, alpha, alphabets, a",
        ),
        (
            {"n_colors": 1},
            "n_colors (colours of balls, the vocabulary) must be a whole number at least 2 and at "
            "most 65,536, got 1; use",
        ),
        (
            {"d_model": 65},
            "d_model must be a multiple of n_heads, got d_model=65 and n_heads=2; use d_model 64 "
            "or 66",
        ),
        (
            {"learning_rate": "abc"},
            "learning_rate (peak learning rate) must be a finite number greater than 0",
        ),
        (
            {"lex": "maybe"},
            "must be True or False, got 'maybe'; use for example False (the default)",
        ),
        (
            {"alpha": -1},
            "must be a positive number or a list of them, one per colour, got -1; use for "
            "example 1.0",
        ),
        ({"alpha": [1, 2]}, "alpha must be one number or n_colors=4 numbers, got 2 of them"),
        ({"context_length": 0}, "must be a whole number at least 1 and at most 1,000,000, got 0"),
        (
            {"batch_size": 2.5},
            "batch_size (sequences per step) must be a whole number at least 1 and at most "
            "1,000,000, got 2.5",
        ),
        (
            {"n_steps": "10000000000000"},
            "n_steps (optimizer updates; follows from the data where they are finite) must be a "
            "whole number at least 1 and at most 100,000,000, got '10000000000000'; use",
        ),
        (
            {"n_train_samples": 10**9, "n_epochs": 10**6},
            "are 31,250,000,000,000 steps, and at most 100,000,000 are allowed; lower n_epochs",
        ),
        (
            {"min_delta": 0.1},
            "min_delta counts only with patience, got min_delta=0.1 and patience=0; set patience",
        ),
        (
            {"vocabulary": "gaussian"},
            "vocabulary counts only with lex True, got vocabulary=gaussian and lex=False",
        ),
        ({"alpha": 0}, "got 0; use for example 1.0 (the default) or [1, 2, 1, 1]"),
        ({"vocabulary": "orthnormal"}, "got 'orthnormal'; did you mean orthonormal?"),
        (
            {"lex": True, "n_colors": 40},
            "d_model must be at least n_colors=40 for one_hot tables, got 32",
        ),
        ({"positions": "rotary", "d_model": 34}, "d_model must be a multiple of twice n_heads"),
        (
            {"n_train_samples": 10},
            "batch_size must be at most n_train_samples x n_epochs = 10, got 32",
        ),
        (
            {"n_epochs": 3},
            "n_epochs counts only for a finite training set, got n_epochs=3 with n_train_samples=0",
        ),
        (
            {"seed": 10**20},
            "seed (the seed that every random stream is derived from) must be a whole number",
        ),
        (
            {"alpha": "[1, 2"},
            "must be a positive number or a list of them, one per colour, got '[1, 2'",
        ),
        (
            {"n_train_samples": 1000, "n_steps": 7},
            "n_steps counts only for endless data, got n_steps=7",
        ),
        (
            {"lex": True, "vocabulary": "original", "tied": False},
            "use vocabulary gaussian to change them",
        ),
        (
            {"task": "coins"},
            "task (what is sampled: urns (coins are urns of two colours), language, text) must "
            "be one of urns, ",
        ),
        (
            {"language": "dik"},
            "baN, bbaN, aNbN, dyck, aNbNcN, cs_dyck, abN, aNbM, parentheses, brackets, "
            "aNbN_cNdN, got "
            "'dik'; did you",
        ),
        (
            {"language": "dyck", "n_tasks": 4},
            "language (of language) and n_tasks (of urns) do not go together; leave one out",
        ),
        (
            {"task": "urns", "language": "dyck"},
            "language (of language) and task=urns do not go together; leave one out",
        ),
        (
            {"backbone": "lstm", "n_heads": 4},
            "n_heads (of transformer or xlstm) and backbone=lstm do not go together",
        ),
        (
            {"slstm_at": [2], "n_layers": 2},
            "slstm_at must name blocks from 0 to n_layers - 1 = 1, got 2; use another, or",
        ),
        ({"slstm_at": [-1]}, "got -1; use another"),
        (
            {"slstm_at": [1, 1], "n_layers": 2},
            "slstm_at must name each block once, in their order, got [1, 1]; use [1]",
        ),
        (
            {"slstm_at": [0], "d_model": 8, "n_heads": 8},
            "d_model must be a multiple of n_heads, with two channels per head",
        ),
        (
            {"backbone": "xlstm", "n_heads": 3},
            "inner width of mLSTM must be a multiple of n_heads, with two channels per head or "
            "more, got 64 and n_heads=3",
        ),
        (
            {"slstm_at": [0], "d_model": 30, "n_heads": 4},
            "two channels per head or more, got 30 and n_heads=4; use n_heads 3",
        ),
        ({"backbone": "mamba", "d_conv": 0}, "d_conv"),
        (
            {"backbone": "linear", "d_state": 4},
            "d_state (of mamba) and backbone=linear do not go together; leave",
        ),
        (
            {"readout_bias": False},
            "readout_bias counts only with tied False and lex False, got readout_bias=False with "
            "tied=",
        ),
        (
            {"d_hidden": 64},
            "d_hidden must be d_model=32 where the table that embeds tokens reads out too, got "
            "64; use tied",
        ),
        (
            {"language": "aNbN", "max_length": 40},
            "max_length must be at most context_length=32, got 40; raise context",
        ),
        (
            {"language": "baN", "unseen": 0.1, "completions": "oracle"},
            "unseen and completions do not go together, got un",
        ),
        (
            {"norm": "none", "norm_placement": "post"},
            "norm_placement counts only with norms, got norm_placement=post",
        ),
        (
            {"norm_placement": "mix", "n_layers": 3},
            "n_layers must be 4 or more for norm_placement=mix",
        ),
        (
            {"tokenizer": "char", "n_tokens": 300},
            "n_tokens counts only with tokenizer bpe, got n_tokens=300",
        ),
        (
            {"task": "text", "lex": True},
            "d_model must be at least the 1024 tokens of bpe for one_hot tables, got 32",
        ),
        (
            {"prompts": [1, 2]},
            "prompts (texts whose tokens are compared; []: two of ours) must be a list of texts, "
            "or []",
        ),
        ({"n_tokens": 256}, "n_tokens (tokens that bpe learns, 256 bytes among them) must be"),
        (
            {"init_from": "0123456789ab", "initial_std": 0.02},
            "initial_std counts only for weights that are drawn",
        ),
        (
            {"mlp": "none", "mlp_dropout": 0.1},
            "mlp_dropout counts only with an MLP, got mlp_dropout=0.1 and mlp=none",
        ),
        (
            {"mlp": "none", "activation_dropout": 0.1},
            "activation_dropout counts only with an MLP, got activation_dropout=0.1 and mlp=none",
        ),
        (
            {"norm": "none", "norm_eps": 2e-4},
            "norm_eps counts only with norms, got norm_eps=0.0002 and norm=none",
        ),
        (
            {"positions_norm": 0.1},
            "positions_norm counts only with positions sinusoidal, got positions_norm=0.1 and "
            "positions=learned",
        ),
        (
            {"positions": "alibi", "positions_trained": False},
            "positions_trained counts only for positions that are a table, got positions=alibi",
        ),
        ({"norm_eps": 0}, "must be a finite number greater than 0 and at most 1, got 0"),
        (
            {"language": "dyck", "lex": True, "d_model": 2},
            "d_model must be at least the 4 letters of dyck for one_hot",
        ),
    ],
)
def test_messages_say_what_came_what_is_allowed_and_what_to_do(values, message):
    with pytest.raises(ParameterError) as caught:
        check(values)
    assert message in str(caught.value)


def test_the_message_is_all_that_a_notebook_shows():
    assert ParameterError("what to do")._render_traceback_() == ["ParameterError: what to do"]


def test_finite_data_say_how_many_steps_there_are():
    settings = check({"n_train_samples": 1000, "n_epochs": 3, "batch_size": 64})
    assert settings.training.n_steps == 46 and "n_steps" not in settings.changed()


class Shell:
    """A stand-in for IPython with cells that have run."""

    def __init__(self, *cells):
        self.user_ns = {"In": ["", *cells]}


@pytest.fixture
def cells(monkeypatch):
    IPython = pytest.importorskip("IPython")
    return lambda *sources: monkeypatch.setattr(IPython, "get_ipython", lambda: Shell(*sources))


DEFAULTS = "# Parameters of this chapter.\nlex: bool = False  # help\nn_steps: int = 1000  # help\n"


def test_the_injected_cell_wins_and_later_cells_win(cells):
    cells("import sys", DEFAULTS, "# Parameters\nlex = True\nlearning_rate = '1e-4'\n", "x = 3")
    assert parameters.resolve("train").changed() == {"lex": True, "learning_rate": 1e-4}
    cells(DEFAULTS, DEFAULTS.replace("1000", "70"))
    assert parameters.resolve("train").training.n_steps == 70


def test_names_outside_the_parameters_cell_are_taken_and_papermills_terminal_says_so(
    cells, monkeypatch, tmp_path
):
    """Papermill has just warned there about unknown names; in a Jupyter server nobody is warned."""
    injected = "# Parameters\nlex = True\nmlp = 'relu'\nthetas = [0.2, 0.7]\nn_colors = 2\n"
    given = {"lex": True, "mlp": "relu", "thetas": [0.2, 0.7], "n_colors": 2}
    for jupyter, said in ((False, b"accepted: mlp, thetas, n_colors\n"), (True, b"")):
        cells(DEFAULTS, injected)
        with (tmp_path / "terminal").open("wb") as terminal, monkeypatch.context() as patch:
            copy = type("Stream", (), {"_original_stdstream_copy": terminal.fileno()})
            patch.setattr(sys, "stderr", copy)
            if jupyter:
                patch.setenv("JPY_SESSION_NAME", "a.ipynb")
            assert parameters.resolve("train").changed() == given
        assert (tmp_path / "terminal").read_bytes() == said


def test_further_names_are_read_from_the_parameters_cell():
    cell = DEFAULTS + "# Also: mlp, tied,\n#   warmup (see the page Parameters)."
    assert parameter_cells.further_names(cell) == ["mlp", "tied", "warmup"]
    assert parameter_cells.further_names(DEFAULTS) == []
    every = parameter_cells.further_names(DEFAULTS + "# Also: every setting of a run (see …).")
    assert "d_model" in every and "n_pools" not in every


def test_the_list_of_parameters_has_every_one_with_what_it_allows(capsys):
    rows = {row["name"]: row for row in names.parameters()}
    assert list(rows) == list(flat_names())
    assert rows["n_heads"] == {
        "name": "n_heads",
        "type": "int",
        "default": "2",
        "allowed": "a whole number at least 1 and at most 65,536",
        "applies to": "backbone transformer, xlstm",
        "meaning": "attention heads, each of width d_model / n_heads",
    }
    assert rows["seed"]["applies to"] == "every run" != rows["n_pools"]["applies to"]
    urns = {row["name"] for row in names.parameters(task="urns")}
    assert rows.keys() - urns == {
        name for name, row in rows.items() if row["applies to"] in ("task language", "task text")
    }
    with pytest.raises(ParameterError, match="task .*must be one of urns.*did you mean urns"):
        names.parameters(task="urn")


def test_setting_a_value_back_to_its_default_counts(cells):
    cells(DEFAULTS, "# Parameters\nlex = True", DEFAULTS.replace("1000", "70"), DEFAULTS)
    assert parameters.resolve("train") == Settings()


def test_a_cell_with_a_syntax_error_is_forgotten_once_it_is_mended(cells):
    cells(
        DEFAULTS,
        "# Parameters of this chapter.\nn_steps: int = = 3",
        DEFAULTS.replace("1000", "70"),
    )
    assert parameters.resolve("train").training.n_steps == 70


def test_without_a_parameters_cell_nothing_is_assumed(cells):
    cells("import sys", "%%time\n" + DEFAULTS)
    with pytest.raises(ParameterError, match="no parameters cell has run"):
        parameters.resolve("train")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("n_steps += 5", "holds `name = value` lines, got `n_steps += 5`"),
        ("n_steps = seed = 5", "holds `name = value` lines, got `n_steps = seed = 5`"),
        ("n_steps = 10 * 100", "n_steps must be a plain value, got 10 * 100"),
    ],
)
def test_what_cannot_be_read_as_a_value_is_refused(cells, line, message):
    cells(DEFAULTS + line)
    with pytest.raises(ParameterError, match=re.escape(message)):
        parameters.resolve("train")


def test_one_concentration_per_color_can_be_typed_on_the_command_line():
    assert check({"alpha": "[1, 2, 3, 4]"}) == check({"alpha": [1.0, 2.0, 3.0, 4.0]})


@pytest.mark.parametrize(
    ("injected", "message"),
    [
        ("n_task = 4", "n_task is no parameter"),
        ("learning_rate = float('inf')", "learning_rate must be a plain value, got float('inf')"),
        ("train = 3", "train is a chapter and must hold"),
        (
            "train = {'n_color': 3}",
            "train: n_color is no parameter of any chapter; did you mean n_colors?",
        ),
        ("tran = {'n_colors': 3}", "tran is no parameter of any chapter; did you mean train?"),
    ],
)
def test_faults_in_the_injected_cell_are_named(cells, injected, message):
    cells(DEFAULTS, "# Parameters\n" + injected)
    with pytest.raises(ParameterError) as caught:
        parameters.resolve("train")
    assert message in str(caught.value)


def test_a_chapters_mapping_counts_for_it_alone_and_the_command_line_wins(cells, capsys):
    injected = "# Parameters\ntrain = {'n_steps': 50, 'n_tasks': 2}\nn_tasks = 3\n"
    cells(DEFAULTS, injected)
    assert parameters.resolve("train").changed() == {"n_steps": 50, "n_tasks": 3}
    assert capsys.readouterr().out == "n_tasks: 3, given directly, wins over 2, given for train\n"
    assert parameters.resolve("other").changed() == {"n_tasks": 3}


def test_params_files_are_read_for_a_chapter(tmp_path):
    path = tmp_path / "some.yaml"
    path.write_text("lex: true\nlearning_rate: 1e-4\ntrain: {n_steps: 50}\n")
    assert check(parameters.read(path, "train")).changed() == {
        "lex": True,
        "learning_rate": 1e-4,
        "n_steps": 50,
    }
    assert "n_steps" not in parameters.read(path, "other")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n_task: 4", "n_task is no parameter of any chapter"),
        ("lex: [", "is not YAML"),
        ("- 1", "must hold `name: value` lines, got a list"),
        (
            "n_steps: 3\ntrain: {n_steps: 4}",
            "n_steps stands at the top level and under train; keep one",
        ),
        ("train: 3", "train is a chapter and must hold"),
    ],
)
def test_bad_params_files_are_refused(tmp_path, text, message):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ParameterError, match=message):
        parameters.read(path, "train")
