"""What the journal remembers after a change, kind by kind."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from promotion.changes import Change, ChangeKind, Shown
from promotion.domain import (
    AppliedBinding,
    AppliedModel,
    Bound,
    Declared,
    Desired,
    Environment,
    Observed,
    ObservedModel,
    ObservedVersion,
    Passed,
    Place,
    VersionIdentity,
)
from promotion.record import Stamp, bound, remember, restored
from promotion.verdicts import Judged, Status, Verdict

AT = datetime(2026, 10, 1, 12, tzinfo=UTC)
STAMP = Stamp("c" * 40, AT, "ada")
PLACE = Place("environments.yaml", 5, 12)
OBSERVED = Observed(
    "http://registry",
    {"m": ObservedModel("m", {n: ObservedVersion(n, "None", VersionIdentity(n, f"models:/m-{n}", None), 0) for n in (1, 2, 3)}, {})},
)


def digest(number: int) -> str:
    return f"{number:064x}"


def binding(now: int | None, before: int | None = None) -> AppliedBinding:
    def at(number: int | None) -> Bound | None:
        return None if number is None else Bound(number, digest(number))

    return AppliedBinding(at(now), at(before), None, ("e1",), "a" * 40, AT, "ben")


def judged(kind: ChangeKind, after: int | None, *, environment: str = "production") -> Judged:
    change = Change(kind, "m", environment, None, after, Shown((), None), None, PLACE)
    verdict = Verdict("bound", Status.PASSED, "m", environment, after, "f1 >= 0.9", "0.95")
    return Judged(change, (verdict,), None if after is None else digest(after), ("e2",))


def applied(**bindings: AppliedBinding) -> dict[str, AppliedModel]:
    return {"m": AppliedModel("m", bindings, {"staging": {digest(1): Passed(1, AT, "a" * 40, ("e1",))}})}


@pytest.mark.parametrize(
    ("kind", "memory", "after", "previous", "unverified"),
    [
        pytest.param(ChangeKind.PROMOTE, None, 2, None, False, id="the first promotion has no predecessor"),
        pytest.param(ChangeKind.PROMOTE, (1, None), 2, 1, False, id="a promotion remembers what it replaced"),
        pytest.param(ChangeKind.ROLLBACK, (2, 1), 1, None, False, id="after a rollback, going forward again is a promotion"),
        pytest.param(ChangeKind.RETIRE, (2, 1), None, 2, False, id="what was retired may come back"),
        pytest.param(ChangeKind.PROMOTE, (None, 2), 3, 2, False, id="from empty, the predecessor is what was there before"),
    ],
)
def test_a_binding_after_a_change(
    kind: ChangeKind, memory: tuple[int | None, int | None] | None, after: int | None, previous: int | None, *, unverified: bool
) -> None:
    before = applied(production=binding(*memory)) if memory else {}
    now = remember(before, [judged(kind, after)], OBSERVED, ("staging", "production"), STAMP)["m"].bindings["production"]
    assert now.bound == (None if after is None else Bound(after, digest(after)))
    assert now.previous == (None if previous is None else Bound(previous, digest(previous)))
    assert (now.unverified, now.commit, now.by, now.evidence) == (unverified, "c" * 40, "ada", ("e2",))
    assert now.identity == (None if after is None else VersionIdentity(after, f"models:/m-{after}", None))


def test_what_is_brought_back_without_evidence_is_unverified() -> None:
    brought = replace(judged(ChangeKind.ROLLBACK, 1), evidence=())
    now = remember(applied(production=binding(2, 1)), [brought], OBSERVED, ("staging", "production"), STAMP)
    assert now["m"].bindings["production"].unverified


def test_a_promotion_is_proof_and_a_rollback_is_not() -> None:
    promoted = remember(applied(), [judged(ChangeKind.PROMOTE, 2, environment="staging")], OBSERVED, ("staging", "production"), STAMP)
    assert set(promoted["m"].passed["staging"]) == {digest(1), digest(2)}
    returned = remember(applied(production=binding(2, 1)), [judged(ChangeKind.ROLLBACK, 1)], OBSERVED, ("staging", "production"), STAMP)
    assert "production" not in returned["m"].passed


def test_healing_leaves_the_memory_as_it_was() -> None:
    assert remember(applied(production=binding(2)), [judged(ChangeKind.HEAL, 2)], OBSERVED, ("production",), STAMP) == {}


def test_a_change_without_a_computed_digest_is_never_recorded() -> None:
    change = judged(ChangeKind.PROMOTE, 2).change
    with pytest.raises(ValueError, match="without a computed digest"):
        bound(Judged(change, ()))


def test_what_would_be_restored() -> None:
    desired = Desired(
        (Environment("staging", "Staging", "staging"), Environment("production", "Production", "production")),
        (
            Declared("m", "production", 3, "f" * 64, PLACE),
            Declared("m", "staging", 3, None, PLACE),
            Declared("n", "staging", 1, None, PLACE),
        ),
    )
    found = restored(desired, applied(production=binding(2), staging=binding(9)), OBSERVED)
    assert [(one.model, one.environment, one.version, one.digest) for one in found.bindings] == [("m", "production", 2, None)]
