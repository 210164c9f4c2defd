"""A shared run is a model repository of the Hugging Face Hub, and comes back from there.

No test contacts the real Hub; `fake_hub` stands in for it.
"""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from fake_hub import serve

from lexurn import runs
from lexurn.base import files, paths
from lexurn.runs import sharing, store

TINY = {"n_steps": 4, "eval_every": 2, "n_test_samples": 20, "context_length": 8, "lex": True}
REPOSITORY = "somebody/tiny-urns"


def hf(server, tmp_path, *arguments):
    """Call the command of huggingface_hub with this server and no account of the user."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("HF_")}
    environment |= {
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HOME": str(tmp_path / "home"),
        "HF_TOKEN": "hf_none",
        "HF_HUB_DISABLE_XET": "1",
    }
    command = [Path(sys.executable).parent / "hf", *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_run_that_is_uploaded_and_downloaded_can_be_imported(tmp_path, monkeypatch):
    hub = pytest.importorskip("huggingface_hub")
    run = runs.get(TINY)
    runs.export([run.path], tmp_path / "runs.zip")
    zipfile.ZipFile(tmp_path / "runs.zip").extractall(tmp_path)
    folder = tmp_path / run.path.name
    card = hub.ModelCard.load(folder / sharing.CARD)
    assert card.data.library_name == "lexurn"
    assert card.data.tags == ["lexurn", "urns", "lexical", "transformer"]
    with serve(REPOSITORY) as server:
        hf(server, tmp_path, "upload", REPOSITORY, folder)
        uploaded = dict(server.files)
        card_text = (folder / sharing.CARD).read_text()
        assert card_text in server.cards  # the Hub validates the metadata of the card
        server.files[sharing.CARD] += b"\nWords that were added on the Hub.\n"
        hf(server, tmp_path, "download", REPOSITORY, "--local-dir", tmp_path / "any name")
    present = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert present.items() <= uploaded.items() and store.WEIGHTS in present
    assert (tmp_path / "any name" / ".gitattributes").exists()
    monkeypatch.setenv("LEXURN_RUNS", str(tmp_path / "another"))
    weights = tmp_path / "any name" / store.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(files.StoreError, match=f"{store.WEIGHTS} is missing, altered"):
        runs.import_(tmp_path / "any name")
    weights.write_bytes(uploaded[store.WEIGHTS])
    assert runs.import_(tmp_path / "any name") == {run.path.name: True}
    again = runs.load(run.path.name)
    assert again.path.parent == paths.runs() and again.results.equals(run.results)
    assert not {".gitattributes", ".cache", sharing.CARD} & {p.name for p in again.path.iterdir()}
