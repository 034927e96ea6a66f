"""``promotion compare``: two versions side by side, whose differences are those of the same rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pytest

from promotion.comparison import Compared, _compared
from promotion.domain import ModelVersionRef
from promotion.evidence import Evidence
from promotion.figures import parse
from promotion.outcomes import fold
from promotion.render import json as as_json
from promotion.render import markdown, text
from tests.models import register_version
from tests.promotion.test_evidence import COUNTS, GOOD
from tests.workflows.act import git
from tests.workflows.scene import Scene

REFS = (ModelVersionRef("flow-trees-north", 3), ModelVersionRef("flow-trees-north", 4))
OUTCOMES = '''\
"""What a tree classifier says of each row."""

import csv


def evaluate(model, dataset, settings):
    import numpy as np
    import xgboost as xgb

    with open(dataset, newline="") as file:
        header, *rows = list(csv.reader(file))
    values = np.array(rows, dtype=float)
    booster = xgb.Booster(model_file=str(next(model.glob("model.*"))))
    told = booster.predict(xgb.DMatrix(values[:, :-1], feature_names=header[:-1])) > 0.5
    yield {
        "schema": "promotion/outcomes/v1", "positive": "attack", "labels": ["benign", "attack"], "seconds": 0.1,
        "index": np.arange(len(values)), "truth": values[:, -1].astype(int), "parts": {"model": {"predicted": told.astype(int)}},
    }
'''


def measured(wrong: int, rows: int = 400, first: int = 0) -> Evidence:
    """Evidence of a model that takes the first benign rows for attacks."""
    truth = np.arange(rows) % 2
    said = truth.copy()
    said[: 2 * wrong : 2] = 1
    block = {"schema": "promotion/outcomes/v1", "positive": "attack", "labels": ["benign", "attack"], "seconds": 0.5}
    block |= {"index": np.arange(first, first + rows), "truth": truth, "parts": {"model": {"predicted": said}}}
    counts, replicates = fold([block])
    return replace(GOOD, counts=counts, resampled=replicates.to_bytes())


def compared(one: Evidence, other: Evidence) -> tuple[Compared]:
    return (_compared("flows", REFS, (one, other), 0.95),)


def test_figures_and_their_difference_as_text() -> None:
    found = compared(measured(40), measured(10))
    first, second = (digest[:12] for digest in found[0].evidence)
    assert click.unstyle(text.compared(found)) == (
        f"flow-trees-north/3 and 4 by flows: 400 rows of data/flows.csv, evidence {first} and {second}\n"
        "figure            version 3                  version 4                  4 minus 3, 0.95 interval\n"
        "f1                0.9091 (0.8817 to 0.9364)  0.9756 (0.9591 to 0.9886)  +0.0665 (+0.0446 to +0.0916)  higher\n"
        "precision         0.8333 (0.7885 to 0.8803)  0.9524 (0.9215 to 0.9775)  +0.1190 (+0.0812 to +0.1610)  higher\n"
        "recall            1.0000 (0.9817 to 1.0000)  1.0000 (0.9817 to 1.0000)  +0.0000 (-0.0183 to +0.0183)  same\n"
        "accuracy          0.9000 (0.8717 to 0.9282)  0.9750 (0.9590 to 0.9880)  +0.0750 (+0.0503 to +0.1023)  higher\n"
        "macro_f1          0.8990 (0.8694 to 0.9268)  0.9750 (0.9590 to 0.9880)  +0.0760 (+0.0508 to +0.1045)  higher\n"
        "false_alarm_rate  0.2000 (0.1481 to 0.2564)  0.0500 (0.0234 to 0.0812)  -0.1500 (-0.2024 to -0.1024)  lower"
    )


def test_the_same_as_markdown_and_as_json() -> None:
    found = compared(measured(40), measured(10))
    page = markdown.compared(found).splitlines()
    assert page[2] == "| figure | version 3 | version 4 | 4 minus 3, 0.95 interval |  |"
    assert page[4].startswith("| f1 | 0.9091 \\(0.8817 to 0.9364\\) |")
    (one,) = json.loads(as_json.compared(found))["evaluations"]
    assert (one["model"], one["versions"], one["rows"], one["note"]) == ("flow-trees-north", [3, 4], 400, None)
    assert one["figures"]["f1"]["told"] == "higher"
    assert one["figures"]["f1"]["difference"]["interval"]["low"] > 0


def test_what_cannot_be_paired_has_no_interval_of_its_difference() -> None:
    (other_rows,) = compared(measured(40), measured(10, first=400))
    assert other_rows.note == "they were not measured on the same rows: no intervals of differences"
    f1 = other_rows.lines[0]
    assert f1.figure == "f1"
    assert f1.first is not None
    assert f1.first.interval is not None
    assert f1.apart is not None
    assert f1.apart.interval is None
    assert f1.told == ""
    (counts,) = compared(replace(GOOD, counts=parse(COUNTS)), measured(10))
    assert counts.note == "the evaluator yields counts, whose resamples are not known: no intervals"
    by_name = {line.figure: line for line in counts.lines}
    assert by_name["class.Bot.recall"].second is None
    assert "undefined" in text.compared((counts,))
    assert "none" in text.compared((counts,))


def test_few_rows_tell_nothing() -> None:
    (found,) = compared(measured(2, rows=20), measured(1, rows=20))
    assert all(line.apart is None or line.apart.interval is None for line in found.lines)
    assert {line.told for line in found.lines} <= {"", "same"}


@pytest.fixture(scope="module")
def scene(mlflow_server: str, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A repository whose evaluator yields what was said of each row, and two versions."""
    name = f"compare-trees-{os.getpid()}"
    for seed in (1, 2):
        register_version(mlflow_server, name, seed=seed)
    made = Scene(tmp_path_factory.mktemp("compare"), mlflow_server, name, "flow-trees-south")
    made.prepare()
    made.write("judging/trees.py", OUTCOMES)
    made.commit("Say what is said of each row")
    return made


def promotion(scene: Scene, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("promotion")), "--evidence", str(scene.folder / "evidence"), *arguments]
    environment = os.environ | {"MLFLOW_TRACKING_URI": scene.url, "NO_COLOR": "1"}
    return subprocess.run(command, cwd=scene.clone, env=environment, capture_output=True, text=True, check=False)


def test_two_versions_are_measured_once_and_compared(scene: Scene) -> None:
    lacking = promotion(scene, "compare", scene.good, "1", "2", "--no-measure")
    assert (lacking.returncode, "was not measured by north" in lacking.stderr) == (5, True), lacking.stderr
    found = promotion(scene, "compare", scene.good, "1", "2", "--format", "json")
    assert found.returncode == 0, found.stderr
    (one,) = json.loads(found.stdout)["evaluations"]
    assert one["note"] is None
    assert one["rows"] == 400
    again = promotion(scene, "compare", scene.good, "1", "2", "--no-measure", "--format", "json")
    assert again.stdout == found.stdout
    assert git(scene.clone, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("{name}", "1", "7"), "has no version 7"),
        (("{name}", "staing", "2"), "neither a version's number nor an environment"),
        (("{name}", "production", "2"), "nothing is applied in production"),
        (("nobody-made-it", "1", "2"), "the registry has no model 'nobody-made-it'"),
    ],
)
def test_what_cannot_be_compared_is_told(scene: Scene, arguments: tuple[str, ...], told: str) -> None:
    done = promotion(scene, "compare", *(one.format(name=scene.good) for one in arguments))
    assert (done.returncode, told in done.stderr) == (2, True), done.stderr
    assert "hint:" in done.stderr
