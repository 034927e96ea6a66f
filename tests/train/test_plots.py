"""Plots hold what the report says: read back from the drawn objects, not from their pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.figure
import numpy as np
import pytest
from matplotlib.axes import Axes

from tests.train.test_metrics import block, drawn
from train import plots
from train.report import Measured, told
from train.tally import count

Drawn = dict[str, list[Axes]]


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """The axes of every figure that is saved, by the file's name."""
    found: Drawn = {}
    save = matplotlib.figure.Figure.savefig

    def keep(figure: matplotlib.figure.Figure, file: Path) -> None:
        found[file.name] = figure.axes
        save(figure, file)

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", keep)
    return found


@pytest.fixture
def report() -> dict[str, Any]:
    scores, attack = drawn(2_000, 11, overlap=4.0)
    tally = count(block(scores, attack, router=np.where(attack, 0.9, 0.2)))
    return told(Measured(0.5, tally, tally))


def test_every_plot_of_a_mixture_is_a_picture_with_labelled_axes(report: dict[str, Any], figures: Drawn, tmp_path: Path) -> None:
    files = plots.draw(report, tmp_path / "new" / "plots", title="a title")
    assert [file.name for file in files] == ["confusion.png", "calibration.png", "router_share_by_class.png"]
    for file in files:
        assert file.read_bytes().startswith(b"\x89PNG")
        assert any("a title" in axes.get_title() for axes in figures[file.name])
        assert figures[file.name][-1].get_xlabel()
        assert all(axes.get_ylabel() or axes.get_yticklabels() for axes in figures[file.name])


def test_the_confusion_matrix_shows_the_counts(report: dict[str, Any], figures: Drawn, tmp_path: Path) -> None:
    plots.draw(report, tmp_path, title="")
    (axes,) = figures["confusion.png"]
    shown = {text.get_position(): text.get_text().splitlines()[0] for text in axes.texts}
    counts = report["confusion"]
    assert shown == {(said, true): f"{counts[true][said]:,}" for said in (0, 1) for true in (0, 1)}


def test_the_routers_bars_add_up_and_hold_each_class_share(report: dict[str, Any], figures: Drawn, tmp_path: Path) -> None:
    plots.draw(report, tmp_path, title="")
    (axes,) = figures["router_share_by_class.png"]
    names = [label.get_text().split(" (")[0] for label in axes.get_yticklabels()]
    assert names == ["all rows", "BENIGN", "DoS"]
    widths = [[bar.get_width() for bar in container] for container in axes.containers]
    assert np.sum(widths, axis=0) == pytest.approx([1, 1, 1])
    assert widths[0][1:] == pytest.approx([0.2, 0.9])


def test_versions_show_intervals_and_grey_those_of_other_data(figures: Drawn, tmp_path: Path) -> None:
    nan = float("nan")
    found = [
        {"version": 1, "attack_f1": 0.8, "low": nan, "high": nan, "data_digest": "a"},
        {"version": 2, "attack_f1": nan, "low": nan, "high": nan, "data_digest": "b"},
        {"version": 4, "attack_f1": 0.9, "low": 0.85, "high": 0.92, "data_digest": "b"},
    ]
    plots.versions(found, tmp_path / "f1.png", title="moe-x")
    (axes,) = figures["f1.png"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "4"]
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["same data as the newest", "other data"]
    newest = axes.containers[0]
    (bars,) = newest[2]
    assert [tuple(point) for point in bars.get_segments()[0]] == [pytest.approx((1, 0.85)), pytest.approx((1, 0.92))]


def test_no_version_with_a_figure_still_draws(tmp_path: Path) -> None:
    assert plots.versions([], tmp_path / "f1.png", title="none").is_file()
