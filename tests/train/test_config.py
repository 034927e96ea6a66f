"""Settings and names: what is taken, and what is refused with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from train.config import FILE, load
from train.errors import TrainError
from train.tracking import check_name

GOOD = ["moe-cybersecurity-cicids", "ft-transformer-unsw", "xgboost-baseline-cicids", "moe-cybersecurity", "x3-net"]
BAD = {
    "model1": "at least two",
    "my_model_final_v2": "lower-case words joined by hyphens",
    "test_model": "lower-case words joined by hyphens",
    "my-detector": "'my' says nothing",
    "moe-cicids-v2": "'v2' says nothing",
    "moe-final-cicids": "'final' says nothing",
    "moe-cicids-2025": "'2025' says nothing",
    "MoE-CICIDS": "lower-case",
    "moe--cicids": "lower-case",
    "moe-": "lower-case",
    "-moe-cicids": "lower-case",
    "moe cicids": "lower-case",
    "2moe-cicids": "lower-case",
    "": "lower-case",
    "moe-cicids\n": "lower-case",
    "möe-cicids": "lower-case",
}


@pytest.mark.parametrize("name", GOOD)
def test_names_that_say_what_for_which_data_pass(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(("name", "reason"), BAD.items())
def test_other_names_are_refused_with_the_reason(name: str, reason: str) -> None:
    with pytest.raises(TrainError) as caught:
        check_name(name)
    assert repr(name) in caught.value.message
    assert reason in caught.value.message
    assert "moe-cybersecurity-cicids" in str(caught.value.hint)


def test_settings_come_from_the_file_and_the_command_line() -> None:
    assert load().epochs == 16
    assert (load(seed=4, epochs=0).seed, load(epochs=0).epochs) == (4, 0)
    assert load().parameters()["learning_rate"] == "0.002"


def test_a_datasets_own_table_overrides_the_values_for_it_alone(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(FILE.read_text(encoding="utf-8").replace("epochs = 6", "epochs = 3"), encoding="utf-8")
    assert (load(file, dataset="synthetic").epochs, load(file, dataset="cicids2017").epochs) == (3, load(file).epochs)
    assert load(file, dataset="unsw-nb15").presence == ("stcpb", "dtcpb")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("window = 12", "", "missing 1 required"),
        ("window = 12", "window = 12\nwidth = 3", "width"),
        ("[training]", "", "training"),
        ("window = 12", "window = ", "Invalid value"),
        ("window = 12", "window = 33", "window = 33"),
        ("window = 12", "window = 1", "window = 1"),
        ("n_heads = 4", "n_heads = 5", "d_block = 32"),
        ("trees = 1 ", "trees = 0 ", "trees = 0"),
        ("tree_rows = 0.8", "tree_rows = 0", "tree_rows = 0"),
        ("column_dropout = 0.05", "column_dropout = 1.0", "column_dropout = 1.0"),
    ],
)
def test_settings_that_cannot_be_are_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    file = tmp_path / "settings.toml"
    text = FILE.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(TrainError) as caught:
        load(file)
    assert str(file) in caught.value.message
    assert told in caught.value.message
    assert caught.value.hint
