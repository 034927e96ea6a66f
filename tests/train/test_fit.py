"""Training: the same again, after a kill as well; what stops it, what it leaves behind, what it learns."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from train import datasets
from train.batches import Hidden, Rows
from train.calibration import Honest, platt, teach
from train.checkpoint import Checkpoint
from train.config import Settings
from train.datasets.synthetic import write
from train.errors import TrainError
from train.fit import Trained, fit, hidden_and_weighted
from train.flows import Flows
from train.metrics import figures
from train.moe import Parts, Router
from train.preprocessing import Preprocessing
from train.progress import Progress
from train.shortcuts import balanced, separation

CHILD = """
import sys
from dataclasses import replace
from pathlib import Path
import torch
from train import config, datasets
from train.fit import fit
torch.set_num_threads(1)
values = eval(sys.argv[3])
flows = datasets.load("synthetic", [Path(sys.argv[1])])
fit(flows, replace(config.load(), **values), "mixture", Path(sys.argv[2]))
"""


def same(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    other = second.state_dict()
    return all(torch.equal(weight, other[name]) for name, weight in first.state_dict().items())


def test_the_same_seed_gives_the_same_model_and_another_seed_another(trained: Trained, flows: Flows, settings: Settings) -> None:
    assert same(trained.model, fit(flows, settings, "mixture").model)
    assert not same(trained.model, fit(flows, replace(settings, seed=1), "mixture").model)


@pytest.fixture(scope="module")
def longer(settings: Settings) -> Settings:
    return replace(settings, epochs=5, pretraining=2, honest=2, patience=9)


@pytest.fixture(scope="module")
def never_killed(flows: Flows, longer: Settings) -> torch.nn.Module:
    return fit(flows, longer, "mixture").model


@pytest.mark.parametrize("epoch", [1, 2, 4, 6])
def test_a_killed_training_goes_on_and_ends_with_the_same_weights(
    rows_file: Path, flows: Flows, longer: Settings, never_killed: torch.nn.Module, tmp_path: Path, epoch: int
) -> None:
    """Killed after the epoch given: within a phase, and between two of the three. The child dies of SIGKILL in real work."""
    file = tmp_path / "out" / "checkpoint.pt"
    values = {name: value for name in Settings.__slots__ if (value := getattr(longer, name)) is not None}
    command = [sys.executable, "-c", CHILD, str(rows_file), str(file), repr(values)]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    assert child.stderr is not None
    for number, line in enumerate(child.stderr, start=1):
        assert "validation" in line, line
        if number == epoch:
            os.kill(child.pid, signal.SIGKILL)
            break
    assert child.wait(60) == -signal.SIGKILL
    child.stderr.close()
    assert file.is_file()
    assert same(never_killed, fit(flows, longer, "mixture", file).model)


def test_a_resumed_training_does_not_repeat_what_was_done(
    flows: Flows, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "checkpoint.pt"
    first = fit(flows, settings, "mixture", file)
    assert capsys.readouterr().err.count("validation") == settings.epochs + settings.honest
    assert same(first.model, fit(flows, settings, "mixture", file).model)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("change", [{"seed": 3}, {"dropout": 0.2}, {"epochs": 5}])
def test_a_checkpoint_of_another_run_is_refused(flows: Flows, settings: Settings, tmp_path: Path, change: dict[str, float]) -> None:
    file = tmp_path / "checkpoint.pt"
    fit(flows, settings, "tabular", file)
    with pytest.raises(TrainError) as caught:
        fit(flows, replace(settings, **change), "tabular", file)  # type: ignore[arg-type]
    assert caught.value.message == f"{file} is of another run: {next(iter(change))} differ"
    assert caught.value.hint == f"remove {file} to train from the start"
    with pytest.raises(TrainError, match="data"):
        fit(flows.take(np.arange(800)), settings, "tabular", file)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 nothing", None])
def test_a_damaged_checkpoint_is_an_error_with_what_to_do(flows: Flows, settings: Settings, tmp_path: Path, damage: bytes | None) -> None:
    file = tmp_path / "checkpoint.pt"
    fit(flows, settings, "tabular", file)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    with pytest.raises(TrainError, match="no checkpoint") as caught:
        fit(flows, settings, "tabular", file)
    assert str(file) in str(caught.value.hint)


def test_writing_a_checkpoint_never_leaves_half_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Checkpoint(tmp_path / "checkpoint.pt", {"seed": "0"})
    kept.write({"epoch": 1})
    real = torch.save

    def dies(state: object, file: io.BytesIO) -> None:
        real(state, file)
        file.truncate(10)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", dies)
    with pytest.raises(OSError, match="space"):
        kept.write({"epoch": 2})
    found = kept.read()
    assert found is not None
    assert found["epoch"] == 1
    kept.remove()
    assert list(tmp_path.iterdir()) == []


def test_training_stops_when_validation_no_longer_gets_better(flows: Flows, settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    fit(flows, replace(settings, epochs=40, patience=2, learning_rate=0.05), "tabular")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) < 40
    assert [line.split(",")[1].endswith("*") for line in lines[-3:]] == [True, False, False]


def test_training_learns_something_in_one_epoch_for_each_part(flows: Flows, settings: Settings) -> None:
    before = fit(flows, replace(settings, epochs=0), "mixture").model.state_dict()
    after = fit(flows, replace(settings, epochs=1), "mixture").model.state_dict()
    names = [name for name in before if name.endswith("weight") and before[name].is_floating_point()]
    assert len(names) > 10
    assert [name for name in names if torch.equal(before[name], after[name])] == []


def test_the_mixture_finds_attacks_with_and_without_context(tmp_path: Path, settings: Settings) -> None:
    file = tmp_path / "flows.csv"
    write(file, rows=4000, seed=3)
    flows = datasets.load("synthetic", [file])
    model = fit(flows.take(np.arange(3000)), replace(settings, d_block=16, d_conv=16, epochs=8), "mixture").model
    late = flows.take(np.arange(3000, 4000))
    with torch.no_grad():
        seen = figures(model(torch.from_numpy(late.inputs())).numpy()[:, 0], late.attack)["attack_f1"]
        alone = figures(model(torch.from_numpy(late.without_context().inputs())).numpy()[:, 0], late.attack)["attack_f1"]
    # Two kinds of attack show only in the sequence; the others show in a single flow.
    assert seen > 0.9
    assert 0.6 < alone < seen


def test_a_rows_window_loses_what_is_left_out(flows: Flows, settings: Settings) -> None:
    inputs = torch.from_numpy(flows.inputs())
    rows = Rows(Preprocessing(inputs[:, :-1]), inputs, torch.from_numpy(flows.attack.astype(np.float32)), length=settings.window)
    some = rows.only(torch.tensor([*range(10, 20), *range(40, 60)]))
    assert some.mask[[0, 3, 9, 10, 12, 29]].sum(1).tolist() == [1, 4, 5, 1, 3, 5]
    batch, whole = some.batch(torch.arange(14, 30)), rows.batch(torch.arange(44, 60))
    for one, other in ((batch.current, whole.current), (batch.earlier, whole.earlier)):
        assert all(torch.equal(a, b) for a, b in zip(one[1:], other[1:], strict=True))
    assert torch.equal(batch.truth, whole.truth)


def test_a_hidden_column_is_as_if_it_were_missing_in_the_whole_window(flows: Flows, settings: Settings) -> None:
    inputs = torch.from_numpy(flows.inputs())
    preprocessing = Preprocessing(inputs[:, :-1])
    rows = Rows(preprocessing, inputs, torch.zeros(len(flows)), length=settings.window)
    lost = inputs.clone()
    lost[:, preprocessing.numeric[[2, 5]]] = torch.nan
    expected = Rows(preprocessing, lost, torch.zeros(len(flows)), length=settings.window).batch(torch.arange(100, 140))
    columns = torch.zeros(40, preprocessing.n_features, dtype=torch.bool)
    columns[:, [2, 5]] = True
    found = rows.batch(torch.arange(100, 140), Hidden(columns, torch.zeros(40, settings.window, dtype=torch.bool)))
    for one, other in ((found.current, expected.current), (found.earlier, expected.earlier)):
        for name in one._fields:
            torch.testing.assert_close(getattr(one, name), getattr(other, name), equal_nan=True)


def test_platt_finds_the_slope_and_the_shift_that_were_put_in() -> None:
    source = torch.Generator().manual_seed(0)
    logits = torch.randn(50_000, generator=source) * 3
    truth = (torch.rand(50_000, generator=source) < torch.sigmoid(logits * 0.5 - 1)).float()
    assert platt(logits, truth, torch.ones(50_000)) == pytest.approx((0.5, -1), abs=0.05)
    slope, shift = platt(logits, truth, torch.ones(50_000), shifted=False)
    assert 0.2 < slope < 0.5
    assert shift == 0
    # Weights count as copies do.
    benign = truth == 0
    twice = torch.cat([torch.arange(50_000), torch.nonzero(benign).squeeze(1)])
    assert platt(logits, truth, 1 + benign.float()) == pytest.approx(platt(logits[twice], truth[twice], torch.ones(len(twice))), abs=1e-3)


@pytest.mark.parametrize("truth", [torch.zeros(9), torch.ones(9), torch.zeros(0)])
def test_platt_leaves_alone_what_it_cannot_learn(truth: torch.Tensor) -> None:
    assert platt(torch.randn(len(truth)), truth, torch.ones(len(truth))) == (1.0, 0.0)


def test_the_router_learns_whom_to_trust_where_within_its_bound(settings: Settings) -> None:
    source = torch.Generator().manual_seed(0)
    truth = (torch.rand(6000, generator=source) < 0.5).float()
    kind = torch.randint(0, 2, (6000, 1), generator=source).float()
    right, wrong = (truth * 2 - 1) * 3, torch.randn(6000, generator=source)
    # The first expert is right about kind 0, the last about kind 1.
    logits = torch.stack([torch.where(kind[:, 0] == 0, right, wrong), wrong, torch.where(kind[:, 0] == 1, right, wrong)], dim=1)
    router = Router(n_numbers=1, bound=1.0)
    teach(router, Honest(Parts(logits, torch.zeros(6000), kind), truth, torch.ones(6000), natural=True), settings)
    weights = router(Parts(logits, torch.zeros(6000), kind)).detach()
    first, second = weights[kind[:, 0] == 0].mean(0), weights[kind[:, 0] == 1].mean(0)
    assert first[0] > 2 * first[2]
    assert second[2] > 2 * second[0]


def taught(settings: Settings, context: torch.Tensor, *, trust_context: bool) -> tuple[Router, Parts]:
    """A router of 6,000 rows of which the last expert knows more; the others are right where a number of the row says so."""
    source = torch.Generator().manual_seed(0)
    truth = (torch.rand(6000, generator=source) < 0.5).float()
    kind = torch.randint(0, 2, (6000, 1), generator=source).float()
    sure, unsure = (truth * 2 - 1) * 3, torch.randn(6000, generator=source)
    logits = torch.stack([torch.where(kind[:, 0] == 0, sure, unsure), unsure, sure], dim=1)
    torch.manual_seed(0)
    router = Router(n_numbers=1, bound=1.0, trust_context=trust_context)
    parts = Parts(logits, context, kind)
    teach(router, Honest(parts, truth, torch.ones(6000), natural=True), replace(settings, balance=1.0))
    return router, parts


def test_trusting_context_the_router_is_free_to_prefer_the_expert_that_sees_it(settings: Settings) -> None:
    context = (torch.arange(6000) % 2).float()
    seen = context > 0
    load = {}
    for trust in (True, False):
        router, parts = taught(settings, context, trust_context=trust)
        load[trust] = router(parts).detach()[seen].mean(0)[2]
        other = parts._replace(numbers=1 - parts.numbers)
        moved = (router(other) - router(parts)).detach().abs().sum(1)
        assert (moved[~seen] > 0).all()
        assert (moved[seen] == 0).all() if trust else (moved[seen] > 0).all()
    assert load[True] > load[False] + 0.1


def test_trusting_context_changes_nothing_where_there_is_none(settings: Settings) -> None:
    one, other = (taught(settings, torch.zeros(6000), trust_context=trust)[0].state_dict() for trust in (True, False))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_progress_tells_the_loss_and_the_time_left_once_an_epoch_or_in_place() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    plain, live = io.StringIO(), Terminal()
    for target in (plain, live):
        progress = Progress("mixture", steps=4, to=target)
        progress.drawn -= 1
        progress.began = time.monotonic() - 60
        progress.step(0.25)
        progress.epoch(1, 4, "loss 0.2500, validation 0.3000 *")
    assert plain.getvalue() == "  mixture 1/4: loss 0.2500, validation 0.3000 *, 3:00 left\n"
    assert "\r\033[K  mixture [######------------------] loss 0.2500, 3:00 left" in live.getvalue()


def test_a_column_that_gives_the_label_away_is_told_from_one_that_helps() -> None:
    source = np.random.RandomState(0)
    truth = source.random_sample(4000) < 0.4
    telling = np.where(truth, 254.0, np.where(source.random_sample(4000) < 0.95, 31.0, 254.0))
    helping = source.normal(size=4000) + truth
    found = separation(np.stack([telling, helping, source.normal(size=4000)], axis=1), truth)
    assert found[0] > 0.95
    assert 0.7 < found[1] < 0.9
    assert found[2] < 0.65


def test_balanced_rows_weigh_both_classes_alike_wherever_a_shortcut_puts_them() -> None:
    truth = np.array([True] * 300 + [False] * 60 + [False] * 400)
    column = np.array([254.0] * 360 + [31.0] * 400)[:, None]
    weight = balanced(column, truth, [0], 1.0)
    assert weight.mean() == pytest.approx(1)
    assert weight[:300].sum() == pytest.approx(weight[300:360].sum(), rel=1e-5)
    assert np.array_equal(balanced(column, truth, [0], 0.0), np.ones(760, dtype=np.float32))


def test_only_rows_without_order_are_weighed_against_their_class_mix(flows: Flows, settings: Settings) -> None:
    telling = np.where(flows.attack, 254.0, np.where(np.arange(len(flows)) % 20 == 0, 254.0, 31.0))
    values = np.stack([np.random.RandomState(0).normal(size=len(flows)), telling], axis=1)
    known = replace(flows, columns=("noise", "ttl"), values=values)
    chosen = replace(settings, shortcut_balance=1.0, shortcut_dropout=0.5)
    for rows, weighed in ((known, False), (known.without_context(), True)):
        inputs = torch.from_numpy(rows.inputs())
        rates, weight = hidden_and_weighted(Preprocessing(inputs[:, :-1]), inputs, rows.attack, chosen)
        assert rates.tolist() == [pytest.approx(settings.column_dropout), 0.5]
        seen = telling == 254
        assert (weight[seen & ~rows.attack].mean() > 3 * weight[seen & rows.attack].mean()) == weighed
        assert (weight == 1).all() != weighed


def test_the_routers_temperature_rises_where_what_it_learned_does_not_hold(settings: Settings) -> None:
    source = torch.Generator().manual_seed(0)
    truth = (torch.rand(8000, generator=source) < 0.5).float()
    kind = torch.randint(0, 2, (8000, 1), generator=source).float()
    kept = torch.arange(8000) // settings.block % 4 == 3
    right, wrong = (truth * 2 - 1) * 3, (1 - truth * 2) * 3
    first = torch.where((kind[:, 0] == 0) != kept, right, wrong)  # whom to trust is the other way round in the kept blocks
    parts = Parts(torch.stack([first, torch.zeros(8000), -first], dim=1), torch.zeros(8000), kind)
    router = Router(n_numbers=1, bound=1.0)
    teach(router, Honest(parts, truth, torch.ones(8000), natural=True), settings)
    assert float(router.temperature) == 10
    steady = Router(n_numbers=1, bound=1.0)
    same_everywhere = torch.where(kind[:, 0] == 0, right, wrong)
    parts = Parts(torch.stack([same_everywhere, torch.zeros(8000), -same_everywhere], dim=1), torch.zeros(8000), kind)
    teach(steady, Honest(parts, truth, torch.ones(8000), natural=True), settings)
    assert float(steady.temperature) == 1
