"""``python -m train`` in a scratch repository, against a real server: registration with lineage, and mistakes that users make."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.models import Model

from tests.server import free_port
from train.datasets import cicids2017
from train.errors import TrainError
from train.tracking import LINEAGE, register

ROOT = Path(__file__).parents[2]
GIT = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org"}
GIT |= {"GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org"}
SMALL = {"d_block": 8, "n_heads": 2, "n_blocks": 1, "d_conv": 8, "block": 50, "epochs": 2, "pretraining": 1}
Train = Callable[..., subprocess.CompletedProcess[str]]


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, env=os.environ | GIT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory, rows_file: Path) -> Path:
    """A commit of train/, small settings, and rows that git ignores."""
    folder = tmp_path_factory.mktemp("tenant")
    shutil.copytree(ROOT / "train", folder / "train", ignore=shutil.ignore_patterns("__pycache__", "data", "*.txt"))
    file = folder / "train" / "settings.toml"
    text = file.read_text(encoding="utf-8")
    for name, small in SMALL.items():
        text, found = re.subn(rf"^{name} = \S+", f"{name} = {small}", text, flags=re.MULTILINE)
        assert found, name
    file.write_text(text, encoding="utf-8")
    (folder / ".gitignore").write_text("__pycache__/\n*.csv\nmlflow.db\nmlruns/\n", encoding="utf-8")
    shutil.copy(rows_file, folder / "flows.csv")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "A tenant")
    return folder


@pytest.fixture
def train(repository: Path) -> Train:
    """Run the command line; ``url`` is the server's."""

    def run(*arguments: str, url: str = "", folder: Path = repository) -> subprocess.CompletedProcess[str]:
        environment = os.environ | GIT | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(repository)}
        # A registry that is nobody's: what must fail before it is asked, fails whatever it would say.
        environment["MLFLOW_TRACKING_URI"] = url or f"http://127.0.0.1:{free_port()}"
        environment["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
        command = [sys.executable, "-m", "train", *arguments]
        return subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True, timeout=120)

    return run


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The message of a mistake: exit code 2, one line and a hint, nothing else."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    told = [line for line in done.stderr.splitlines() if " flows, " not in line and "epoch" not in line]
    assert len(told) == 2, done.stderr
    assert told[0].startswith("error: ")
    assert told[1].startswith("  hint: ")
    return told[0]


def test_fit_registers_a_version_with_its_lineage_and_a_run_can_be_registered_again(
    train: Train, repository: Path, mlflow_server: str, tmp_path: Path
) -> None:
    name = "ft-transformer-synthetic"
    done = train(
        *("fit", "--stage", "tabular", "--epochs", "1", "--dataset", "synthetic", "--data", "flows.csv", "--register", name, "--json"),
        url=mlflow_server,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    client = MlflowClient(mlflow_server, mlflow_server)
    version = client.get_model_version(name, "1")
    assert (told["model"], told["version"], told["run"]) == (name, 1, version.run_id)
    assert version.status == "READY"
    assert str(version.description).startswith("FT-Transformer trained on synthetic (synthetic-")
    assert f"F1 {told['attack_f1']:.4f}" in str(version.description)

    run = client.get_run(str(version.run_id))
    assert run.info.status == "FINISHED"
    assert set(LINEAGE) < set(version.tags)
    assert version.tags["run_id"] == run.info.run_id
    assert version.tags["git_commit"] == git(repository, "rev-parse", "HEAD")
    assert version.tags["dataset"] == "synthetic"
    assert version.tags["architecture"] == "FT-Transformer"
    assert version.tags["data_version"] == f"synthetic-{version.tags['data_digest'][:12]}"
    assert {tag: run.data.tags[tag] for tag in LINEAGE} == {tag: version.tags[tag] for tag in LINEAGE}
    logged = run.data.metrics
    assert logged["f1_score"] == pytest.approx(told["attack_f1"])
    same = ("precision", "recall", "macro_f1", "roc_auc", "pr_auc", "calibration_error", "false_alarm_rate_at_recall_0.99")
    defined = {name: told[name] for name in same if told[name] is not None}
    assert {name: logged[name] for name in same if name in logged} == pytest.approx(defined)
    assert {"roc_auc", "recall", "calibration_error"} <= set(defined)
    assert version.tags["split"] == run.data.params["split"] == "blocks of 50 rows, 20% kept back, seed 0"
    assert run.data.params["epochs"] == "1"
    assert run.data.params["d_block"] == "8"
    assert run.data.params["data"] == "flows.csv"

    assert str(version.source).startswith("models:/m-"), "a logged model, as MLflow's own log_model makes it"
    place = f"{client.get_model_version_download_uri(name, '1')}/MLmodel"
    schema = Model.load(download_artifacts(place, dst_path=str(tmp_path), tracking_uri=mlflow_server)).get_input_schema()
    assert schema is not None
    assert schema.input_names() == [*cicids2017.FEATURES, "stream"]
    assert {column.type.name for column in schema.inputs} == {"double"}

    kept = {file.path for folder in ("", "plots") for file in client.list_artifacts(run.info.run_id, folder)}
    assert {"report.json", "plots/confusion.png", "plots/calibration.png", "plots/f1_by_version.png"} <= kept
    picture = Path(client.download_artifacts(run.info.run_id, "plots/f1_by_version.png", str(tmp_path)))
    assert picture.read_bytes().startswith(b"\x89PNG")
    report = json.loads(Path(client.download_artifacts(run.info.run_id, "report.json", str(tmp_path))).read_text())
    assert report["attack_f1"] == told["attack_f1"]

    again = train("register", "--run", run.info.run_id, "--name", name, "--json", url=mlflow_server)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout) == {"model": name, "version": 2, "run": run.info.run_id}
    second = client.get_model_version(name, "2")
    assert second.tags == version.tags
    assert second.description
    assert second.source == version.source


@pytest.mark.parametrize(
    ("kind", "name", "architecture"),
    [("xgboost", "xgboost-baseline-synthetic", "XGBoost"), ("random-forest", "random-forest-baseline-synthetic", "RandomForest")],
)
def test_baselines_are_registered_with_the_same_lineage_and_their_folders_measured(
    train: Train, mlflow_server: str, tmp_path: Path, kind: str, name: str, architecture: str
) -> None:
    out = tmp_path / "out"
    rows = ("--dataset", "synthetic", "--data", "flows.csv")
    done = train("baseline", "--model", kind, *rows, "--register", name, "--out", str(out), "--json", url=mlflow_server)
    assert done.returncode == 0, done.stderr
    version = MlflowClient(mlflow_server, mlflow_server).get_model_version(name, "1")
    assert version.tags["architecture"] == architecture
    assert set(LINEAGE) < set(version.tags)
    report = json.loads((out / "report.json").read_text())
    assert json.loads(done.stdout)["attack_f1"] == report["attack_f1"]
    assert {file.name for file in (out / "plots").iterdir()} == {"confusion.png", "calibration.png"}
    assert not [file for file in out.rglob("*") if file.suffix in {".pkl", ".skops", ".joblib"}]
    measured = train("evaluate", *rows, "--model", str(out / "model"), "--json")
    assert measured.returncode == 0, measured.stderr
    found = json.loads(measured.stdout)
    assert found["rows"] == 900
    assert found["without_context"] is None
    assert str(out) in refused(train("baseline", *rows, "--out", str(out)))


def test_compare_measures_all_on_the_same_rows_and_takes_up_what_is_there(train: Train, tmp_path: Path) -> None:
    rows = ("--dataset", "synthetic", "--data", "flows.csv", "--epochs", "0", "--seeds", "0", "1", "--out", str(tmp_path / "kept"))
    done = train("compare", *rows, "--kind", "mixture", "xgboost", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [(entry["model"], entry["seed"]) for entry in found["entries"]] == [
        ("mixture", 0),
        ("mixture", 1),
        ("xgboost", 0),
        ("xgboost", 1),
    ]
    assert {entry["rows"] for entry in found["entries"]} == {found["rows"]}
    assert 0 < found["rows"] < 300
    spread = found["models"]["mixture"]["file_order"]["attack_f1"]
    ours = [entry["attack_f1"] for entry in found["entries"][:2]]
    assert (spread["least"], spread["most"]) == (min(ours), max(ours))
    against = {(one["model"], one["seed"], one["order"]) for one in found["differences"] if one["minus"] == "xgboost"}
    assert against == {("mixture", seed, order) for seed in (0, 1) for order in ("file_order", "no_context")}

    again = train("compare", *rows, "--kind", "mixture", "--kind", "xgboost")
    assert again.returncode == 0, again.stderr
    assert "without context (as if shuffled)" in again.stdout
    assert f"{found['models']['xgboost']['file_order']['roc_auc']['mean']:.4f}" in again.stdout
    assert "epoch" not in again.stderr

    other = train("compare", *rows, "--kind", "xgboost", "--split-seed", "1")
    assert other.returncode == 2
    assert "xgboost-seed-0/model is of another training: rows_digest differ" in other.stderr

    folders = [str(tmp_path / "kept" / f"{name}-seed-0" / "model") for name in ("mixture", "xgboost")]
    given = train("compare", "--dataset", "synthetic", "--test", "flows.csv", "--model", *folders, "--json")
    assert given.returncode == 0, given.stderr
    assert [entry["model"] for entry in json.loads(given.stdout)["entries"]] == folders
    assert json.loads(given.stdout)["rows"] == 900


def test_a_run_without_lineage_or_without_a_model_is_not_registered(mlflow_server: str) -> None:
    client = MlflowClient(mlflow_server, mlflow_server)
    bare = client.create_run("0").info.run_id
    tagged = client.create_run("0", tags=dict.fromkeys(LINEAGE, "x")).info.run_id
    missing = "0" * 32
    told = {bare: "does not say its dataset, architecture", tagged: "has no model", missing: "there is no run"}
    for run, message in told.items():
        with pytest.raises(TrainError, match=message) as caught:
            register(client, run, "moe-bare")
        assert run in caught.value.message
    assert client.search_registered_models("name = 'moe-bare'") == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("fit", "--dataset", "synthetic", "--data", "nowhere.csv"), "there is no file nowhere.csv"),
        (("fit", "--dataset", "unsw-nb15", "--data", "flows.csv"), "flows.csv:1: 79 columns that are not the 45"),
        (("fit", "--dataset", "synthetic", "--data", "nowhere.csv", "--register", "model1"), "'model1' is not a good name"),
        (("fit", "--dataset", "synthetic", "--data", "flows.csv", "--out", ".gitignore"), ".gitignore is there already"),
        (("evaluate", "--dataset", "synthetic", "--data", "flows.csv", "--model", "train"), "train is not a model folder"),
        (("compare", "--dataset", "synthetic", "--test", "flows.csv"), "there are no rows to train on"),
        (("compare", "--dataset", "synthetic", "--model", "train"), "there are no rows to measure on"),
        (("compare", "--dataset", "synthetic", "--data", "flows.csv", "nowhere.csv"), "there is no file nowhere.csv"),
        (("register", "--run", "x", "--name", "test_model"), "'test_model' is not a good name"),
        (("fit", "--dataset", "synthetic", "--data", "flows.csv", "--register", "moe-nowhere"), "MLflow: "),
    ],
    ids=[
        "no file",
        "other dataset",
        "name",
        "out",
        "no model",
        "nothing to train on",
        "nothing to measure",
        "second file",
        "register's name",
        "no server",
    ],
)
def test_mistakes_end_with_one_line_and_a_hint_before_any_training(train: Train, arguments: tuple[str, ...], told: str) -> None:
    done = train(*arguments)
    assert told in refused(done)
    assert "epoch" not in done.stderr


def test_the_folder_that_fit_left_before_is_not_written_over(train: Train, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    done = train("fit", "--dataset", "synthetic", "--data", "flows.csv", "--out", str(tmp_path))
    assert f"{tmp_path} is there already" in refused(done)
    assert "epoch" not in done.stderr


def test_threads_do_not_spin_while_they_wait(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.setenv("OMP_DISPLAY_ENV", "TRUE")  # OpenMP tells on stderr what it goes by
    done = train("fit", "--dataset", "synthetic", "--data", "flows.csv", "--epochs", "0", "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in done.stderr


def test_an_unknown_dataset_is_answered_with_the_known_ones(train: Train) -> None:
    done = train("fit", "--dataset", "kdd99", "--data", "flows.csv")
    assert done.returncode == 2
    assert "'synthetic', 'cicids2017', 'unsw-nb15'" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_is_registered_from_uncommitted_changes(train: Train, repository: Path) -> None:
    file = repository / "train" / "settings.toml"
    before = file.read_text()
    fit = ("fit", "--dataset", "synthetic", "--data", "flows.csv", "--register", "moe-dirty")
    try:
        file.write_text(before + "# changed\n")
        told = refused(train(*fit))
        assert "train/ has uncommitted changes (train/settings.toml)" in told
    finally:
        file.write_text(before)
    extra = repository / "train" / "extra.py"
    try:
        extra.touch()
        assert "(train/extra.py)" in refused(train(*fit))
    finally:
        extra.unlink()


def test_nothing_is_registered_from_outside_of_git(train: Train, repository: Path, tmp_path: Path) -> None:
    shutil.copytree(repository / "train", tmp_path / "train")
    done = train("fit", "--dataset", "synthetic", "--data", "flows.csv", "--register", "moe-loose", folder=tmp_path)
    assert "not a git repository with a commit" in refused(done)


def test_data_writes_the_rows_and_tells_their_digest(train: Train, tmp_path: Path) -> None:
    done = train("data", "--rows", "10", "--seed", "5", "--out", str(tmp_path / "new" / "rows.csv"))
    assert done.returncode == 0, done.stderr
    assert "10 synthetic flows, sha256 " in done.stdout
    assert len((tmp_path / "new" / "rows.csv").read_text().splitlines()) == 11
