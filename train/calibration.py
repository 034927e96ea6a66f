"""What is learned from honest answers: experts' answers about rows that they were not trained on.

Calibration (Platt 1999) and the router (stacking, Wolpert 1992) come last, with every expert frozen. The rows that teach them are
whole stretches of the capture that the answering experts have not seen, so that what holds only within a stretch earns no trust; and
they are weighted as training rows are, so that a decision at 0.5 does not rest on the class mix of one capture.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from train.config import Settings
from train.moe import Parts, Router, TabularExpert

EDGE = 1e-6
SLOPES = (0.1, 10.0)
STEPS, RATE = 300, 1e-2
ASIDE = 4
"""Every so many blocks of honest rows, one is kept for the temperature."""
TEMPERATURES = (1.0, 1.25, 1.6, 2.0, 2.5, 3.2, 4.0, 6.3, 10.0)


class Honest(NamedTuple):
    """Answers about N rows, their truth and weight (N,); ``natural``: their class mix is that of the network they come from."""

    parts: Parts
    truth: Tensor
    weight: Tensor
    natural: bool


def nll(logits: Tensor, truth: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean negative log-likelihood; the weights' mean need not be 1."""
    each = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return each.mean() if weight is None else (each * weight).sum() / weight.sum()


def platt(logits: Tensor, truth: Tensor, weight: Tensor, *, shifted: bool = True) -> tuple[float, float]:
    """(N,) logits → slope, within SLOPES, and shift of the likeliest calibration (``shifted`` false: no shift).

    1 and 0 when there is one class alone.
    """
    if len(torch.unique(truth)) == 1 or not len(truth):
        return 1.0, 0.0
    told = torch.zeros(2, dtype=torch.float64, requires_grad=True)  # logarithm of the slope, shift
    x, y, w = logits.double(), truth.double(), weight.double()
    optimizer = torch.optim.LBFGS([told], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        # A little of a prior: separable rows would have an infinite slope.
        value = nll(x * told[0].exp() + told[1] * shifted, y, w) + 1e-3 * (told**2).sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    slope, shift = float(told[0].detach().exp()), float(told[1].detach())
    return min(SLOPES[1], max(SLOPES[0], slope)), shift if shifted else 0.0


def calibrate(model: TabularExpert, logits: Tensor, truth: Tensor, weight: Tensor) -> None:
    """Set the slope of the expert alone; its decision stays where training put it."""
    slope, _ = platt(logits, truth, weight, shifted=False)
    model.slope.fill_(slope)


def teach(router: Router, honest: Honest, settings: Settings) -> None:
    """Calibrate each expert, teach the router to weigh them by likelihood and balance of its load, then choose its temperature.

    A natural class mix put the decision at 0.5 while training and will do so on the next capture: no shift is learned then.

    The temperature is the likeliest on blocks of rows that the router did not learn from, and never below 1: it may move the weights
    towards equal ones, not make the router surer than it was.
    """
    torch.manual_seed(settings.seed + 2)
    parts, truth, weight, natural = honest
    for place in range(parts.logits.shape[1]):
        slope, shift = platt(parts.logits[:, place], truth, weight, shifted=not natural)
        router.slope.data[place], router.shift.data[place] = slope, shift
    aside = torch.arange(len(truth)) // settings.block % ASIDE == ASIDE - 1
    learned, kept = torch.nonzero(~aside).squeeze(1), torch.nonzero(aside).squeeze(1)
    optimizer = torch.optim.AdamW([*router.first.parameters(), *router.last.parameters()], lr=RATE, weight_decay=1e-2)
    for step in range(STEPS):
        rows = learned[torch.randint(len(learned), (2048,))]
        shared = rows[parts.context[rows] == 0] if router.trust_context else rows
        loss = _loss(router, honest, rows) + settings.balance * _unbalance(router, parts, shared)
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 - step / STEPS)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    if len(kept):
        with torch.no_grad():
            found = []
            for temperature in TEMPERATURES:
                router.temperature.fill_(temperature)
                found.append(float(_loss(router, honest, kept)))
            router.temperature.fill_(TEMPERATURES[found.index(min(found))])


def _loss(router: Router, honest: Honest, rows: Tensor) -> Tensor:
    """Weighted negative log-likelihood of the mixed probability; teaches the weights alone."""
    parts = Parts(*(part[rows] for part in honest.parts))
    chances = torch.sigmoid(router.calibrated(parts.logits)).detach()
    mixed = (chances * router(parts)).sum(-1).clamp(EDGE, 1 - EDGE)
    each = functional.binary_cross_entropy(mixed, honest.truth[rows], reduction="none")
    return (each * honest.weight[rows]).sum() / honest.weight[rows].sum()


def _unbalance(router: Router, parts: Parts, rows: Tensor) -> Tensor:
    """The squared mean load, 1 where all experts bear alike; 0 for no rows."""
    if not len(rows):
        return torch.zeros(())
    load = router(Parts(*(part[rows] for part in parts))).mean(0)
    out: Tensor = len(load) * (load**2).sum()
    return out
