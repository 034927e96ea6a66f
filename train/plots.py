"""Plots of a report for people, as PNG files: they show what ``report.json`` says, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from train.flows import ATTACK, BENIGN
from train.metrics import CALIBRATION_BINS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Document = dict[str, Any]
# Okabe and Ito's colours: they stay apart for every kind of sight, and in print.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#E69F00", "#009E73", "#999999"
PALETTE = (BLUE, ORANGE, GREEN, "#CC79A7", "#56B4E9", "#D55E00")
MOST = 25
"""Classes or versions in one plot: more cannot be read."""
FEW = 20
"""Rows of a bin below which its share of attacks is mostly chance."""
_DARK = 0.5


def draw(report: Document, folder: Path, *, title: str) -> list[Path]:
    """Confusion matrix, calibration, and for a mixture the router's share by class; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    made = [_confusion(report, folder / "confusion.png", title), _calibration(report, folder / "calibration.png", title)]
    if report["router"]:
        made.append(_router(report, folder / "router_share_by_class.png", title))
    return made


def versions(found: Sequence[Document], file: Path, *, title: str) -> Path:
    """Attack-F1 of each version with its interval; each has ``version``, ``attack_f1``, ``low``, ``high`` and ``data_digest``.

    Versions that were measured on other data than the newest are grey: they do not compare.
    """
    shown = [one for one in found if math.isfinite(one["attack_f1"])][-MOST:]
    figure, axes = _figure(width=max(5.0, 1.6 + 0.45 * len(shown)), height=3.6)
    newest = shown[-1]["data_digest"] if shown else ""
    for same, colour, label in ((True, BLUE, "same data as the newest"), (False, GREY, "other data")):
        some = [(place, one) for place, one in enumerate(shown) if (one["data_digest"] == newest) is same]
        if not some:
            continue
        places, values = [place for place, _ in some], [one["attack_f1"] for _, one in some]
        # A version without an interval is a dot alone.
        below = [max(0.0, one["attack_f1"] - one["low"]) if math.isfinite(one["low"]) else 0.0 for _, one in some]
        above = [max(0.0, one["high"] - one["attack_f1"]) if math.isfinite(one["high"]) else 0.0 for _, one in some]
        axes.errorbar(places, values, yerr=[below, above], fmt="o", color=colour, capsize=3, label=label)
    axes.set_xticks(range(len(shown)), [str(one["version"]) for one in shown])
    axes.set_xlim(-0.6, max(1, len(shown)) - 0.4)
    axes.set(xlabel="version", ylabel="attack-F1 on validation rows, 95 % interval", title=title)
    axes.grid(axis="y", alpha=0.3)
    if len({one["data_digest"] == newest for one in shown}) > 1:
        axes.legend(frameon=False)
    return _save(figure, file)


def _confusion(report: Document, file: Path, title: str) -> Path:
    """Counts, shaded by the share of the true label's rows."""
    figure, axes = _figure(width=4.4, height=3.8)
    counts = report["confusion"]
    shares = [[count / max(1, sum(row)) for count in row] for row in counts]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for true, row in enumerate(counts):
        for said, count in enumerate(row):
            share = shares[true][said]
            axes.text(said, true, f"{count:,}\n{share:.2%}", ha="center", va="center", color="white" if share > _DARK else "black")
    labels = (BENIGN, ATTACK)
    axes.set_xticks([0, 1], labels)
    axes.set_yticks([0, 1], labels, rotation=90, va="center")
    axes.set(xlabel="told", ylabel="true", title=_titled(title, f"F1 {report['attack_f1']:.4f}"))
    axes.tick_params(length=0)
    return _save(figure, file)


def _calibration(report: Document, file: Path, title: str) -> Path:
    """Share of attacks by score, over how many rows have that score."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.8, 5.0), layout="constrained", dpi=110)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    bins = report["calibration"]
    upper.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="perfect")
    for known, face, label in ((True, BLUE, "model"), (False, "white", f"model, fewer than {FEW} rows")):
        some = [one for one in bins if (one["rows"] >= FEW) is known]
        if not some:
            continue
        upper.plot([one["score"] for one in some], [one["attacks"] for one in some], "o", color=BLUE, markerfacecolor=face, label=label)
    upper.set(ylabel="share of attacks", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    upper.set_title(_titled(title, f"calibration error {report['calibration_error']:.4f}"), fontsize=10, pad=22)
    # Above: the points may be anywhere.
    upper.legend(frameon=False, ncols=3, fontsize=8, columnspacing=1, handletextpad=0.4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    upper.grid(alpha=0.3)
    lower.bar([one["bin"] for one in bins], [one["rows"] for one in bins], width=0.9 / CALIBRATION_BINS, color=BLUE)
    lower.set(xlabel="mean score P(attack) in the bin", ylabel="rows", yscale="log", ylim=(0.5, None))
    for axes in (upper, lower):
        _plain(axes)
    return _save(figure, file)


def _router(report: Document, file: Path, title: str) -> Path:
    """Stacked bars: the mean weight of each expert, for all rows and each class, the largest first."""
    classes = sorted(report["classes"].items(), key=lambda one: -int(one[1]["support"]))[:MOST]
    bars = [("all rows", report["rows"], report["router"]["load"]), *((name, one["support"], one["router"]) for name, one in classes)]
    figure, axes = _figure(width=6.4, height=1.4 + 0.32 * len(bars))
    left = [0.0] * len(bars)
    for place, expert in enumerate(report["router"]["load"]):
        shares = [shares[expert] for _, _, shares in bars]
        axes.barh(range(len(bars)), shares, left=left, color=PALETTE[place % len(PALETTE)], label=expert)
        left = [start + share for start, share in zip(left, shares, strict=True)]
    axes.set_yticks(range(len(bars)), [f"{name} ({support:,})" for name, support, _ in bars])
    axes.invert_yaxis()
    axes.set(xlabel="mean weight that the router gives", xlim=(0, 1))
    axes.set_title(title, fontsize=10, pad=26)
    axes.legend(frameon=False, ncols=len(PALETTE), loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return _save(figure, file)


def _figure(*, width: float, height: float) -> tuple[Figure, Axes]:
    # Figure itself, not pyplot: nothing global, no window, no display.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", dpi=110)
    axes = figure.subplots()
    axes.title.set_fontsize(10)
    _plain(axes)
    return figure, axes


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)


def _titled(title: str, figure: str) -> str:
    return f"{title}\n{figure}"


def _save(figure: Figure, file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)
    return file
