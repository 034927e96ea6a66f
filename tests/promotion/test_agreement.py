"""A plan that was agreed is applied; for any other the error tells what changed since."""

from __future__ import annotations

from dataclasses import replace

import pytest

from promotion.agreement import Agreed, check_agreed, differences
from promotion.changes import Plan
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
    Place,
    VersionIdentity,
)
from promotion.errors import Conflict, Exit
from promotion.plan import plan
from tests.promotion.test_record import AT as NOW

ENVIRONMENTS = (Environment("staging", "Staging", "staging"), Environment("production", "Production", "production"))


def declared(version: int | None, *, digest: str | None = None, line: int = 3) -> Desired:
    return Desired(ENVIRONMENTS, (Declared("m", "staging", version, digest, Place("environments.yaml", line, 10)),))


def shown(stage: str = "None", *, alias: int | None = None, created: int = 1) -> Observed:
    versions = {
        number: ObservedVersion(number, stage if number == 1 else "None", VersionIdentity(created, "s", "r"), 1) for number in (1, 2)
    }
    return Observed("http://one", {"m": ObservedModel("m", versions, {} if alias is None else {"staging": alias})})


def made(
    desired: Desired | None = None, observed: Observed | None = None, applied: dict[str, AppliedModel] | None = None, policies: str = "p"
) -> Plan:
    return plan(desired or declared(2), observed or shown(), applied or {}, policies=policies)


def applied(version: int) -> dict[str, AppliedModel]:
    binding = AppliedBinding(Bound(version, "a" * 64), None, None, (), "c" * 40, NOW, "ann")
    return {"m": AppliedModel("m", {"staging": binding}, {})}


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (made(declared(1)), "file: m staging was 2, is 1"),
        (made(declared(None)), "file: m staging was 2, is none"),
        (made(declared(2, digest="b" * 64)), f"file: m staging was 2, is 2@sha256:{'b' * 64}"),
        (made(policies="q"), "policies was p, is q"),
        (made(observed=shown("Staging", alias=1)), "registry: m staging was none, is 1"),
        (made(observed=shown(created=2)), "registry: m/2 was created 1, run r, s, is created 2, run r, s"),
        (made(observed=replace(shown(), registry="http://two")), "registry was http://one, is http://two"),
        (made(applied=applied(1)), f"journal: m staging was absent, is 1@sha256:{'a' * 64}"),
    ],
    ids=["file", "emptied", "pinned", "policies", "pointer", "re-created", "another registry", "journal"],
)
def test_what_changed_is_told(now: Plan, told: str) -> None:
    before = made()
    with pytest.raises(Conflict) as caught:
        check_agreed(now, Agreed(before.digest, before.basis))
    assert f"  - {told}\n" in f"{caught.value.message}\n"
    assert caught.value.exit_code is Exit.CONFLICT
    assert differences(before.basis, now.basis) == [told]


def test_where_a_binding_stands_in_the_file_is_no_change() -> None:
    before = made()
    check_agreed(made(declared(2, line=90)), Agreed(before.digest, before.basis))
    check_agreed(before, None)


def test_many_changes_are_counted() -> None:
    lines = {f"file: m{number} staging": "1" for number in range(30)}
    with pytest.raises(Conflict, match="and 20 more"):
        check_agreed(replace(made(), basis=lines), Agreed("0" * 64, {}))
