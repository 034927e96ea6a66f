"""The mixture: shapes, gradients, windows, rows answered alone and among others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from train.batches import Rows
from train.calibration import EDGE
from train.config import Settings
from train.conv1d import window
from train.fit import Trained, networks_loss
from train.flows import NO_CONTEXT, Flows
from train.moe import Mixture, TabularExpert
from train.moe_outputs import EXPERTS, OUTPUTS
from train.preprocessing import Preprocessing
from train.trees import grow


def untrained(flows: Flows, settings: Settings) -> tuple[Mixture, Tensor, Tensor]:
    torch.manual_seed(1)
    inputs = torch.from_numpy(flows.inputs())
    truth = torch.from_numpy(flows.attack.astype(np.float32))
    preprocessing = Preprocessing(inputs[:, :-1], truth)
    x = preprocessing(inputs[:, :-1]).flat().numpy()
    trees = grow(x, truth.numpy(), np.ones(len(x)), settings, seed=0)
    model = Mixture(TabularExpert(preprocessing, settings), trees, settings)
    return model, inputs, truth


def seen(stream: list[int], length: int = 3) -> list[list[int]]:
    """Each row's window as the rows in it."""
    index, mask = window(torch.tensor(stream), length=length)
    assert index.shape == mask.shape == (len(stream), length)
    return [row[there].tolist() for row, there in zip(index, mask, strict=True)]


def test_a_window_holds_the_rows_before_it_in_their_order() -> None:
    assert seen([0, 0, 0, 0]) == [[0], [0, 1], [0, 1, 2], [1, 2, 3]]


def test_a_window_sees_its_own_stream_alone() -> None:
    assert seen([7, 2, 7, 2, 7]) == [[0], [1], [0, 2], [1, 3], [0, 2, 4]]


def test_rows_without_a_stream_have_no_context() -> None:
    assert seen([-1, -1, 4, -1, 4]) == [[0], [1], [2], [3], [2, 4]]


@pytest.mark.parametrize(("stream", "expected"), [([3], [[0]]), ([3, 3], [[0], [0, 1]]), ([3, 5], [[0], [1]])])
def test_one_and_two_rows_are_enough(stream: list[int], expected: list[list[int]]) -> None:
    assert seen(stream, length=12) == expected


def test_outputs_are_named_probabilities_and_weights_that_add_up(flows: Flows, settings: Settings) -> None:
    model, inputs, _ = untrained(flows, settings)
    answer = model.eval()(inputs[:100]).detach()
    assert answer.shape == (100, len(OUTPUTS))
    assert ((answer >= 0) & (answer <= 1)).all()
    chances, weights = answer[:, 1 : 1 + len(EXPERTS)], answer[:, 1 + len(EXPERTS) :]
    torch.testing.assert_close(weights.sum(1), torch.ones(100))
    torch.testing.assert_close(answer[:, 0], (chances * weights).sum(1))


def test_a_row_without_context_is_answered_by_itself(flows: Flows, settings: Settings) -> None:
    model, inputs, _ = untrained(flows, settings)
    inputs[:, -1] = NO_CONTEXT
    answer = dict(zip(OUTPUTS, model.eval()(inputs[:50]).detach().T, strict=True))
    torch.testing.assert_close(answer["tabular"].unsqueeze(1), model.tabular(inputs[:50]).detach())
    for name in ("tabular", "trees", "temporal"):
        backwards = dict(zip(OUTPUTS, model(inputs[:50].flip(0)).detach().flip(0).T, strict=True))
        torch.testing.assert_close(answer[name], backwards[name])


@pytest.mark.parametrize("bins", [True, False])
def test_the_temporal_expert_sees_the_current_flow_in_bins_where_the_settings_say_so(
    flows: Flows, settings: Settings, *, bins: bool
) -> None:
    model, inputs, _ = untrained(flows, replace(settings, temporal_bins=bins))
    rows = model.tabular.preprocessing(inputs[:30, :-1])
    index, mask = window(torch.full((30,), NO_CONTEXT), length=settings.window)
    temporal = model.eval().temporal
    told, other = (temporal(one, temporal.flows(rows), index, mask) for one in (rows, rows._replace(steps=1 - rows.steps)))
    assert torch.equal(told, other) != bins


@pytest.mark.parametrize("stream", [float("nan"), float("inf"), -1e30, -1.0, -7.0])
def test_what_is_no_stream_is_no_context(flows: Flows, settings: Settings, stream: float) -> None:
    model, inputs, _ = untrained(flows, settings)
    alone, odd = inputs[:20].clone(), inputs[:20].clone()
    alone[:, -1], odd[:, -1] = NO_CONTEXT, stream
    assert torch.equal(model.eval()(alone), model(odd))


def test_the_router_stays_within_its_bound(flows: Flows, settings: Settings) -> None:
    model, inputs, _ = untrained(flows, replace(settings, router_bound=0.5, temporal_alone=True))
    model.router.requires_grad_(requires_grad=False)
    model.router.last.weight.mul_(500.0)
    weights = model.eval()(inputs[:200]).detach()[:, 1 + len(EXPERTS) :]
    ratio = weights.max(1).values / weights.min(1).values
    assert (ratio <= np.e * (1 + 1e-5)).all()
    assert ratio.max() > 2.7


@pytest.mark.parametrize("alone", [True, False])
def test_the_temporal_expert_has_a_say_about_a_lone_row_where_the_settings_give_it_one(
    flows: Flows, settings: Settings, *, alone: bool
) -> None:
    model, inputs, _ = untrained(flows, replace(settings, temporal_alone=alone))
    inputs[:, -1] = torch.where(torch.arange(len(inputs)) % 2 == 0, NO_CONTEXT, 3)
    share = dict(zip(OUTPUTS, model.eval()(inputs).detach().T, strict=True))["router.temporal"]
    assert (share[3::2] > 0).all()
    without = torch.cat([share[::2], share[1:2]])  # the first row of a stream has no context either
    assert (without > 0).all() if alone else (without == 0).all()


def test_gradients_of_the_loss_reach_all_of_the_networks_and_leave_the_router_alone(flows: Flows, settings: Settings) -> None:
    model, inputs, truth = untrained(flows, settings)
    preprocessing = model.tabular.preprocessing
    rows = Rows(preprocessing, inputs, truth, length=settings.window)
    rates = torch.full((preprocessing.n_features,), 0.2)
    for batch in rows.at_random(300, rates, context_dropout=0.5):
        networks_loss(model.eval(), batch, settings).backward()
    without = {name.split(".")[0] for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()}
    assert without == {"router"}


def test_one_batch_can_be_learned_by_heart(flows: Flows, settings: Settings) -> None:
    model, inputs, truth = untrained(flows, replace(settings, dropout=0.0, d_block=16, d_conv=16))
    inputs, truth = inputs[200:264], truth[200:264]
    assert 0 < truth.sum() < 64
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    loss = torch.tensor(1.0)
    for _ in range(80):
        answer = model(inputs)[:, [0, 1, 3]].clamp(EDGE, 1 - EDGE)  # without the trees, which do not learn by steps
        loss = functional.binary_cross_entropy(answer, truth.unsqueeze(1).expand_as(answer))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.02
    assert ((model(inputs)[:, [0, 1, 3]] > 0.5) == (truth.unsqueeze(1) > 0.5)).all()


def test_a_stream_is_answered_alike_alone_and_among_other_streams(trained: Trained, flows: Flows) -> None:
    inputs = torch.from_numpy(flows.inputs())
    mine, others = inputs[:40].clone(), inputs[300:420].clone()
    mine[:, -1], others[:, -1] = 3, torch.arange(120) % 4 + 4
    others[::5, -1] = NO_CONTEXT
    places = torch.randperm(160, generator=torch.Generator().manual_seed(2))
    spots = places[:40].sort().values  # the stream's own order holds
    mixed = torch.empty(160, inputs.shape[1])
    mixed[spots], mixed[places[40:]] = mine, others
    with torch.no_grad():
        alone, among = trained.model(mine), trained.model(mixed)[spots]
    assert (alone - among).abs().max() <= 1e-6
    # And context counts at all: without it the answers are others.
    mine[:, -1] = NO_CONTEXT
    with torch.no_grad():
        assert (trained.model(mine) - alone).abs().max() > 1e-3


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_rows_of_what_is_no_number_get_finite_probabilities(trained: Trained, flows: Flows, bad: float) -> None:
    values = flows.values[:20].copy()
    values[::2] = bad
    inputs = replace(flows, values=values, stream=flows.stream[:20]).inputs()
    with torch.no_grad():
        answer = trained.model(torch.from_numpy(inputs))
    assert ((answer >= 0) & (answer <= 1)).all()
