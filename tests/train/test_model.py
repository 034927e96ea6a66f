"""The mixture: shapes, gradients, windows, rows answered alone and among others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from train.config import Settings
from train.conv1d import window
from train.fit import Trained, fit
from train.flows import NO_CONTEXT, Flows
from train.moe import Mixture, Preprocessing, TabularExpert
from train.moe_outputs import OUTPUTS


def untrained(flows: Flows, settings: Settings) -> tuple[Mixture, Tensor, Tensor]:
    torch.manual_seed(1)
    inputs = torch.from_numpy(flows.inputs())
    model = Mixture(TabularExpert(Preprocessing(inputs[:, :-1]), settings), settings)
    return model, inputs, torch.from_numpy(flows.attack.astype(np.float32))


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
    attack, tabular, temporal, first, second = answer.T
    torch.testing.assert_close(first + second, torch.ones(100))
    torch.testing.assert_close(attack, tabular * first + temporal * second)


def test_a_row_without_context_is_the_tabular_experts_alone(flows: Flows, settings: Settings) -> None:
    model, inputs, _ = untrained(flows, settings)
    inputs[:, -1] = NO_CONTEXT
    answer = model.eval()(inputs[:50]).detach()
    torch.testing.assert_close(answer[:, 0], answer[:, 1])
    torch.testing.assert_close(answer[:, :1], model.tabular(inputs[:50]).detach())


def test_gradients_reach_every_expert_and_the_router(flows: Flows, settings: Settings) -> None:
    model, inputs, truth = untrained(flows, settings)
    functional.binary_cross_entropy(model.eval()(inputs[:64])[:, 0], truth[:64]).backward()
    without = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.abs().sum() > 0]
    assert without == []


def test_one_batch_can_be_learned_by_heart(flows: Flows, settings: Settings) -> None:
    model, inputs, truth = untrained(flows, replace(settings, dropout=0.0, d_block=16, d_conv=16))
    inputs, truth = inputs[200:264], truth[200:264]
    assert 0 < truth.sum() < 64
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    loss = torch.tensor(1.0)
    for _ in range(80):
        loss = functional.binary_cross_entropy(model(inputs)[:, 0].clamp(1e-6, 1 - 1e-6), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.02
    assert ((model(inputs)[:, 0] > 0.5) == (truth > 0.5)).all()


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


def test_preprocessing_learns_from_its_rows_alone_and_leaves_constants_out() -> None:
    rows = torch.tensor([[1.0, 5.0, float("nan")], [10.0, 5.0, 2.0], [100.0, 5.0, 4.0]])
    made = Preprocessing(rows)
    assert made.kept.tolist() == [0, 2]
    told = made(rows)
    torch.testing.assert_close(told[:, 0].mean(), torch.tensor(0.0), atol=1e-6, rtol=0)
    assert told[0, 1] == 0  # NaN is the mean
    assert made(torch.full((1, 3), float("inf"))).tolist() == [[6.0, 6.0]]


def test_the_same_seed_gives_the_same_model_and_another_seed_another(trained: Trained, flows: Flows, settings: Settings) -> None:
    again, other = fit(flows, settings, "mixture").model, fit(flows, replace(settings, seed=1), "mixture").model
    for name, weight in trained.model.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name]), name
    assert not torch.equal(trained.model.state_dict()["router.0.weight"], other.state_dict()["router.0.weight"])


def test_training_learns_something_in_one_epoch_for_each_part(flows: Flows, settings: Settings) -> None:
    before = fit(flows, replace(settings, epochs=0), "mixture").model.state_dict()
    after = fit(flows, replace(settings, epochs=1), "mixture").model.state_dict()
    same = [name for name in before if name.endswith("weight") and torch.equal(before[name], after[name])]
    assert same == []
