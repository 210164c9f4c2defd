"""Shared runs are the same runs in another store, and a file that is anything else is refused."""

import json
import re
import shutil
import stat
import subprocess
import zipfile

import pytest
import torch
import tried
from click.testing import CliRunner
from cut_off import WATCH

from lexurn import runs
from lexurn.base import checksums, files, paths, session
from lexurn.cli import main
from lexurn.publish import edition
from lexurn.runs import contents, provenance, sharing, store

TINY = {"n_steps": 6, "eval_every": 3, "n_test_samples": 20, "context_length": 8, "lex": True}
SEEDS = (0, 1)

MODEL, RESULTS, TEXTS = "model.safetensors", store.RESULTS, "metrics.jsonl"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A store of two lexical runs, trained as if from a working tree without changes."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch, session.fresh():
        patch.setenv("LEXURN_RUNS", str(folder))
        patch.setattr(paths, "published_results", lambda: None)
        patch.setattr(provenance, "is_changed", lambda: False)
        for seed in SEEDS:
            runs.get(TINY | {"seed": seed, "n_checkpoints": 1})
    return folder


@pytest.fixture
def own(trained):
    shutil.copytree(trained, paths.runs())
    return [runs.get(TINY | {"seed": seed, "n_checkpoints": 1}) for seed in SEEDS]


@pytest.fixture
def published(own, tmp_path, monkeypatch):
    """The runs of an edition that has weights and rows of the first one, without an own store."""
    monkeypatch.setattr(paths, "root", lambda: tmp_path)
    monkeypatch.setattr(session.current(), "used_files", set())
    runs.load(own[1].path.name)
    assert own[0].predictor and len(own[0].results_by_row) > len(own[0].results)
    session.current().used_files.add(f"{own[0].path.name}/{RESULTS}")
    edition.freeze(session.current().used_files, scale="smoke")
    shutil.rmtree(paths.runs())
    folder = tmp_path / "book" / "results"
    monkeypatch.setattr(paths, "published_results", lambda: folder)
    return [runs.load(run.path.name) for run in own]


@pytest.fixture
def shared(own, tmp_path, monkeypatch):
    """A file with both runs; from now on the own store is another one, which is empty."""
    runs.export([run.path for run in own], tmp_path / "shared.zip")
    monkeypatch.setenv("LEXURN_RUNS", str(tmp_path / "another"))
    return tmp_path / "shared.zip"


def lexurn(*arguments, code=0):
    done = CliRunner().invoke(main, list(map(str, arguments)))
    assert done.exit_code == code, done.output
    return done.output


def read_all(folder):
    """The content of every file below a folder, by its path in it."""
    paths_below = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths_below}


def require_same_run(run, again):
    """Compare everything that is known about two runs, to the last bit."""
    assert again.path != run.path and again.settings == run.settings
    assert again.metrics.equals(run.metrics) and again.results.equals(run.results)
    assert again.provenance == run.provenance and again.results_hash == run.results_hash
    assert torch.equal(again.pool, run.pool)


def require_same_predictions(run, again):
    tokens = run.splits[run.task.splits[0]]
    assert torch.equal(again.predictor(tokens), run.predictor(tokens))


def test_an_own_run_is_the_same_in_another_store(own, tmp_path, monkeypatch):
    path = tmp_path / "shared.zip"
    said = lexurn("export", *(run.settings.key[:8] for run in own), "--to", path)
    names = [run.path.name for run in own]
    assert said.splitlines() == [*names, f"{path}: {path.stat().st_size:,} bytes"]
    before = read_all(paths.runs())
    monkeypatch.setenv("LEXURN_RUNS", str(tmp_path / "another"))
    said = lexurn("import", path)
    assert said.splitlines() == sorted(f"imported {name}" for name in names)
    assert [folder.name for folder in sorted(paths.runs().iterdir())] == sorted(names)
    added = read_all(paths.runs())
    for run in own:
        again = runs.load(run.path.name)
        require_same_run(run, again)
        require_same_predictions(run, again)
        assert again.results_by_row.equals(run.results_by_row)
        steps = [[step for step, _ in each.checkpoints()] for each in (run, again)]
        assert steps == [[6], [6]]
        assert runs.is_stored(run.settings)
        added.pop(f"{run.path.name}/{sharing.CARD}")
        for each in (added, before):
            each.pop(f"{run.path.name}/{checksums.NAME}")
    assert added == {name: content for name, content in before.items() if "/.lock" not in name}
    assert sorted(runs.table()["name"]) == sorted(names)
    command = ["sha256sum", "--check", "--quiet", checksums.NAME]
    assert subprocess.run(command, cwd=again.path).returncode == 0
    assert lexurn("import", path).count("skipped") == 2
    lexurn("export", *names, "--to", tmp_path / "second.zip")  # a shared run can be shared again
    assert members_of(tmp_path / "second.zip") == members_of(path)


def test_published_runs_are_shared_with_and_without_weights(published, tmp_path, monkeypatch):
    path = tmp_path / "shared.zip"
    names = [run.path.name for run in published]
    assert lexurn("export", *names, "--to", path).splitlines()[:2] == [
        names[0],
        f"{names[1]} (without weights)",
    ]
    cards = [members_of(path)[f"{name}/{sharing.CARD}"].decode() for name in names]
    assert ["has no weights" in card for card in cards] == [False, True]
    assert lexurn("import", path).count("it is here already") == 2  # as published runs
    assert list(paths.runs().iterdir()) == []
    monkeypatch.setattr(paths, "published_results", lambda: None)
    assert list(runs.import_(path).values()) == [True, True]
    with_weights, without = map(runs.load, names)
    assert not (with_weights.path / contents.PACKED).exists()
    require_same_run(published[0], with_weights)
    require_same_predictions(published[0], with_weights)
    assert with_weights.results_by_row.equals(published[0].results_by_row)
    require_same_run(published[1], without)
    with pytest.raises(files.StoreError, match="model.safetensors is missing; delete the run"):
        _ = without.predictor
    with pytest.raises(files.StoreError, match="published without"):
        _ = without.results_by_row
    assert len(runs.table()) == 2


def test_a_card_says_what_a_run_is_and_how_to_load_it(own):
    card = sharing.card(own[0])
    row = own[0].results.query("row == 'mean' and measure == 'symmetrized_kl'").iloc[0]
    assert card.startswith("---\nlibrary_name: lexurn\n") and f"# {own[0].path.name}\n" in card
    assert "\nlex = True\n" in card and "\nn_steps = 6\n" in card and "\nn_layers" not in card
    assert f"{row['mean']:.2f}" in card and "±" in card and row["reference"] in card
    code = re.search(r"```python\n(.*?)```", card, re.DOTALL)[1]
    namespace = {}
    exec(code, namespace)
    assert namespace["run"].settings == own[0].settings
    assert "lexurn import FILE.zip" in card and own[0].provenance["command"] in card


def test_a_run_that_is_here_with_other_files_or_unfinished_is_kept(shared):
    runs.import_(shared)
    first, second = sorted(paths.runs().iterdir())
    (first / RESULTS).unlink()  # as while it is trained
    before = read_all(paths.runs())
    assert lexurn("import", shared, code=1).count(f"{first.name} unfinished or with other") == 1
    assert read_all(paths.runs()) == before
    store.delete(first.name)
    assert runs.import_(shared) == {first.name: True, second.name: False}
    facts = json.loads((first / "provenance.json").read_text())
    files.write(first / "provenance.json", json.dumps(facts | {"seconds": 99}))
    names = [name for name in read_all(first) if name not in (RESULTS, checksums.NAME)]
    checksums.write(first, names, to_come={RESULTS: (first / RESULTS).read_text()})
    before = read_all(paths.runs())
    said = lexurn("import", shared, code=1)
    assert "with other files; to replace that run" in said and said.count("\n") == 1
    assert f"lexurn runs delete {first.name}" in said and read_all(paths.runs()) == before


def members_of(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def seal(files_of_run):
    """Give the files of a run right checksums, so that only another check can refuse them."""
    named = {name: content for name, content in files_of_run.items() if name != checksums.NAME}
    hashes = {name: files.hash_bytes(content) for name, content in named.items()}
    files_of_run[checksums.NAME] = checksums.to_text(hashes).encode()


class Forgery:
    """A file with one run, which an attack changes before it is written."""

    def __init__(self, path, shared):
        members = members_of(shared)
        self.path = path
        self.name = min(members).partition("/")[0]
        self.files = {
            name.partition("/")[2]: content
            for name, content in members.items()
            if name.startswith(self.name)
        }
        self.others = []  # pairs of a name in the zip file and a content
        self.forged = {}  # attributes of members, by the names of their files
        self.compression = zipfile.ZIP_DEFLATED

    def write(self):
        with zipfile.ZipFile(self.path, "w", self.compression) as archive:
            names = [(f"{self.name}/{name}", content) for name, content in self.files.items()]
            for name, content in names + self.others:
                archive.writestr(name, content)
            for member in archive.infolist():  # the directory of the file is written at its end
                for attribute, value in self.forged.get(member.filename.split("/")[-1], {}).items():
                    setattr(member, attribute, value)
        return self.path


def add(name, content=b"x"):
    """An attack by one more file, with a checksum where it can have one."""

    def attack(forgery):
        if name.startswith("{run}/"):
            forgery.files[name.removeprefix("{run}/")] = content
            seal(forgery.files)
        else:
            forgery.others.append((name, content))

    return attack


def replace(name, content):
    """An attack by another content, with the right checksum."""

    def attack(forgery):
        forgery.files[name] = content(forgery.files[name]) if callable(content) else content
        seal(forgery.files)

    return attack


def forge(name, **attributes):
    return lambda forgery: forgery.forged.update({name: attributes})


def set_file(name, content):
    return lambda forgery: forgery.files.update({name: content})


def name_a_file_elsewhere(forgery):
    line = f"{files.hash_bytes(forgery.path.parent.joinpath('elsewhere').read_bytes())}  "
    forgery.files[checksums.NAME] += f"{line}{forgery.path.parent}/elsewhere\n".encode()


def with_changes(**changes):
    return lambda content: json.dumps(json.loads(content) | changes).encode()


def other_seed(content):
    return content.replace(b'"seed": 0', b'"seed": 7').replace(b'"seed": 1', b'"seed": 7')


def twice(forgery):
    forgery.others.append((f"{forgery.name}/{MODEL}", forgery.files[MODEL]))


ATTACKS = {
    "a path above the folder": add("../evil.json"),
    "a path above the run": add("{run}/../evil.json"),
    "a table above the folder": add("{run}/tables/../../../evil.csv"),
    "an absolute path": add("/tmp/lexurn-evil.json"),
    "a backslash": add("..\\evil.json"),
    "a hidden folder": add(".hidden-0123456789ab/settings.json"),
    "a link": forge(MODEL, external_attr=(stat.S_IFLNK | 0o777) << 16),
    "a device": forge(MODEL, external_attr=(stat.S_IFCHR | 0o666) << 16),
    "a file without a checksum": set_file("tables/more.csv", b"x"),
    "a file that is missing": lambda forgery: forgery.files.pop(MODEL),
    "a file that was altered": set_file(MODEL, b"x"),
    "no checksums": lambda forgery: forgery.files.pop(checksums.NAME),
    "damaged checksums": set_file(checksums.NAME, b"\xff"),
    "a checksum of a file elsewhere": name_a_file_elsewhere,
    "settings of another key": replace("settings.json", other_seed),
    "a name with another key": lambda forgery: setattr(
        forgery, "name", f"{forgery.name[:-12]}0123456789ab"
    ),
    "a packed run beside the settings": add("{run}/run.zst"),
    "a saved state": add("{run}/state-00000500-1f0d8b602e4c.safetensors"),
    "code": add("{run}/model.pkl"),
    "more bytes than the bound": forge(MODEL, file_size=sharing.MAX_BYTES + 1),
    "a text over its bound": forge(TEXTS, file_size=sharing.MAX_TEXT_BYTES + 1),
    "more bytes than it says": forge(MODEL, file_size=10),
    "a file twice": twice,
    "an encrypted file": forge(MODEL, flag_bits=1),
    "another compression": lambda forgery: setattr(forgery, "compression", zipfile.ZIP_BZIP2),
    "settings that are no settings": replace("settings.json", b"[]"),
    "settings without an end": replace("settings.json", b"[" * 100_000),
    "an unknown task": replace(
        "settings.json", lambda content: content.replace(b'"urns"', b'"other"')
    ),
    "results that are no table": replace(RESULTS, with_changes(table=3)),
    "a duration that is no number": replace("provenance.json", with_changes(seconds="x")),
    "a date that is no text": replace("provenance.json", with_changes(date=3)),
    "no results": lambda forgery: (forgery.files.pop(RESULTS), seal(forgery.files)),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_file_with_anything_unexpected_is_refused_and_nothing_is_written(
    attack, shared, tmp_path
):
    (tmp_path / "elsewhere").write_bytes(b"elsewhere")
    forgery = Forgery(tmp_path / "forged.zip", shared)
    ATTACKS[attack](forgery)
    path = forgery.write()
    before = read_all(tmp_path)
    with pytest.raises(files.StoreError) as error:
        runs.import_(path)
    assert str(error.value).startswith(f"nothing was imported from {path}: ")
    assert "\n" not in str(error.value)
    assert read_all(tmp_path) == before and list(paths.runs().iterdir()) == []
    assert not (tmp_path.parent / "evil.json").exists() and not WATCH.active
    whole = Forgery(path, shared)  # the control
    assert runs.import_(whole.write()) == {whole.name: True}
    tried.count("files of shared runs that were forged", 1)


def test_a_file_with_one_bit_changed_is_refused_or_the_same_runs(shared, tmp_path):
    """It is the same where the bit is one that says nothing about a run, such as a file's time."""
    whole = shared.read_bytes()
    n_places = tried.scale(12, 1000)
    path = tmp_path / "changed.zip"
    n_refused = 0
    for number, place in enumerate(range(0, len(whole), len(whole) // n_places)):
        changed = bytes([whole[place] ^ (1 << number % 8)])
        path.write_bytes(whole[:place] + changed + whole[place + 1 :])
        try:
            runs.import_(path)
        except files.StoreError as error:
            n_refused += 1
            assert "\n" not in str(error) and list(paths.runs().iterdir()) == []
        else:
            assert read_all(paths.runs()) == members_of(shared)
            shutil.rmtree(paths.runs())
        tried.count("files of shared runs with one bit changed", 1)
    assert n_refused > n_places // 2


def test_runs_that_are_folders_are_imported(own, shared, tmp_path, monkeypatch):
    """What was unpacked, one run of it under another name, links as in a cache, and a store."""
    names = sorted(run.path.name for run in own)
    zipfile.ZipFile(shared).extractall(tmp_path / "unpacked")
    one, several = tmp_path / "one", tmp_path / "several"
    shutil.copytree(tmp_path / "unpacked" / names[0], one)
    (one / sharing.CARD).write_text("edited")
    (one / "state-00000500-1f0d8b602e4c.safetensors").write_bytes(b"x")
    (one / ".cache").mkdir()
    for path in (tmp_path / "unpacked").rglob("*"):
        link = several / path.relative_to(tmp_path / "unpacked")
        link.mkdir(parents=True) if path.is_dir() else link.symlink_to(path)
    expected = {
        name: content
        for name, content in members_of(shared).items()
        if not name.endswith((sharing.CARD, checksums.NAME))
    }
    for folder, imported in {one: names[:1], several: names, own[0].path.parent: names}.items():
        assert lexurn("import", folder).splitlines() == [f"imported {name}" for name in imported]
        present = read_all(paths.runs())
        stored = {name: present[name] for name in present if checksums.NAME not in name}
        assert stored == {
            name: content for name, content in expected.items() if name.startswith(tuple(imported))
        }
        assert all(runs.load(name).predictor for name in imported)
        shutil.rmtree(paths.runs())


FOLDERS = {
    "no run": lambda folder: shutil.rmtree(folder),
    "an unfinished run": lambda folder: (folder / RESULTS).unlink(),
    "a file that was altered": lambda folder: (folder / MODEL).write_bytes(b"x"),
    "a file that is missing": lambda folder: (folder / MODEL).unlink(),
    "a file without a checksum": lambda folder: (folder / "more.safetensors").touch(),
    "no checksums": lambda folder: (folder / checksums.NAME).unlink(),
    "settings of another key": lambda folder: (folder / "settings.json").write_bytes(
        other_seed((folder / "settings.json").read_bytes())
    ),
    "settings that are no settings": lambda folder: (folder / "settings.json").write_text("[]"),
    "a link to a device": lambda folder: (
        (folder / MODEL).unlink(),
        (folder / MODEL).symlink_to("/dev/zero"),
    ),
}


@pytest.mark.parametrize("damage", FOLDERS)
def test_a_folder_with_a_damaged_run_is_refused(damage, shared, tmp_path):
    zipfile.ZipFile(shared).extractall(tmp_path / "unpacked")
    FOLDERS[damage](min((tmp_path / "unpacked").iterdir()))
    if damage == "no run":
        shutil.rmtree(next((tmp_path / "unpacked").iterdir()))
    said = lexurn("import", tmp_path / "unpacked", code=1)
    assert said.startswith("Error: nothing was imported from ") and said.count("\n") == 1
    assert list(paths.runs().iterdir()) == []


def test_a_store_or_a_file_that_cannot_be_written_is_told_in_one_line(
    shared, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("")
    runs.import_(shared)
    name = min(path.name for path in paths.runs().iterdir() if store.key(path))
    said = lexurn("export", name, "--to", tmp_path / "file" / "runs.zip", code=1)
    assert said.startswith("Error: cannot write ") and said.count("\n") == 1
    (paths.runs() / name / RESULTS).unlink()
    said = lexurn("export", name, "--to", tmp_path / "none.zip", code=1)
    assert f"{name} holds no finished run" in said and said.count("\n") == 1
    assert not (tmp_path / "none.zip").exists()
    monkeypatch.setenv("LEXURN_RUNS", str(tmp_path / "file" / "runs"))
    said = lexurn("import", shared, code=1)
    assert said.startswith("Error: cannot write ") and said.count("\n") == 1


@pytest.mark.parametrize("content", [b"", b"PK", b"x" * 1000, "empty", "cut"])
def test_a_file_that_is_no_zip_file_of_runs_is_refused(content, shared, tmp_path):
    path = tmp_path / "other.zip"
    whole = shared.read_bytes()
    path.write_bytes(content if isinstance(content, bytes) else whole[: len(whole) // 2])
    if content == "empty":
        zipfile.ZipFile(path, "w").close()
    said = lexurn("import", path, code=1)
    assert said.startswith(f"Error: nothing was imported from {path}: ") and said.count("\n") == 1
    assert list(paths.runs().iterdir()) == []
    assert "does not exist" in lexurn("import", tmp_path / "none.zip", code=2)
    assert "no run none" in lexurn("export", "none", code=1)


def test_without_the_list_of_file_names_a_forged_file_would_be_imported(
    shared, tmp_path, monkeypatch
):
    """The control of all attacks by names: it is this list that refuses them."""
    forgery = Forgery(tmp_path / "forged.zip", shared)
    ATTACKS["a saved state"](forgery)
    monkeypatch.setattr(sharing, "FILE", re.compile(r"[\w./-]+"))
    assert list(runs.import_(forgery.write()).values()) == [True]


def test_runs_over_the_bound_are_not_exported(own, tmp_path, monkeypatch):
    monkeypatch.setattr(sharing, "MAX_BYTES", 1000)
    with pytest.raises(files.StoreError, match=r"bytes, more than 1,000; export fewer at once"):
        runs.export([own[0].path], tmp_path / "shared.zip")
    assert not (tmp_path / "shared.zip").exists()


def states_of_an_import(import_runs, path, copies):
    """Import a file; yield the store as each kill would leave it, with the states of its runs."""
    paths.runs().mkdir()
    copies.mkdir()
    WATCH.active = paths.runs(), copies
    try:
        import_runs(path)
    finally:
        WATCH.active = None
    whole = members_of(path)
    for copy in sorted(copies.iterdir()):
        states = set()
        for name in {name.partition("/")[0] for name in whole}:
            expected = {file for file in whole if file.startswith(name)}
            present = {file for file in read_all(copy) if file.startswith(name)}
            states.add("none" if not present else "whole" if present == expected else "half")
        yield copy, states


def test_an_import_that_is_killed_at_any_operation_leaves_whole_runs(shared, tmp_path, monkeypatch):
    all_states = dict(states_of_an_import(runs.import_, shared, tmp_path / "copies"))
    whole = read_all(paths.runs())
    assert whole == members_of(shared)
    kinds = set(map(frozenset, all_states.values()))
    assert kinds >= {frozenset({"none"}), frozenset({"none", "whole"})}
    assert "half" not in set().union(*kinds)
    n_moments = tried.scale(8, 1000)
    for copy in list(all_states)[:: -(-len(all_states) // n_moments)]:
        monkeypatch.setenv("LEXURN_RUNS", str(copy))
        runs.table()  # what was being prepared is no run
        assert all(store.is_finished(folder) for folder in store.folders(copy))
        runs.import_(shared)
        (copy / ".index.json").unlink(missing_ok=True)
        assert read_all(copy) == whole
        tried.count("killed at an operation of an import", 1)


def test_what_a_killed_import_left_is_not_imported_with_the_next_file(own, shared, tmp_path):
    left = paths.runs() / ".import" / own[1].path.name
    shutil.copytree(own[1].path, left)
    path = Forgery(tmp_path / "first.zip", shared).write()
    assert runs.import_(path) == {own[0].path.name: True}
    assert [folder.name for folder in paths.runs().iterdir()] == [own[0].path.name]


def test_unpacking_into_the_store_would_leave_half_a_run(shared, tmp_path):
    def unpack(path):
        zipfile.ZipFile(path).extractall(paths.runs())

    all_states = dict(states_of_an_import(unpack, shared, tmp_path / "copies"))
    assert "half" in set().union(*all_states.values())
