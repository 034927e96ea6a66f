"""Whether each gate of the rules in force can refuse: shown inputs that are known to be bad, and one that is known to be good.

A gate that passes what it must refuse judges nothing, however green it looks. ``decide`` is asked, not the gate alone, so that what
lies between them is tried as well. Pure: the same rules give the same answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from promotion.changes import Plan
from promotion.decide import decide
from promotion.gates import BUILT_IN, GATES, naming
from promotion.gates.known import KNOWN, Bad, Known, sound
from promotion.policies import EVERY, Policies, Rule, matches
from promotion.verdicts import Status

if TYPE_CHECKING:
    from promotion.domain import Place
    from promotion.gates.interface import Facts

_ANY = "a-model-of-any-name"
_BY_DECIDE: Mapping[str, Mapping[str, object]] = {"policy": {"rules": 1}}
"""What ``decide`` itself tells a built-in gate, where there is anything to tell."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One rule (``place`` None: built in) with what it was shown, and every answer that is not as it must be.

    ``status`` is PASSED when the gate passed the good input and refused every bad one, FAILED when it let a bad one pass, ERRORED
    when it cannot be tried, refuses the good one, or refuses for another reason than it must.
    """

    gate: str
    environment: str
    place: Place | None
    status: Status
    shown: tuple[str, ...]
    faults: tuple[str, ...]


def selftest(policies: Policies, environments: Sequence[str], models: Iterable[str]) -> tuple[Tried, ...]:
    """Try every rule of the policies, and every built-in gate once for each environment; ``environments`` in their order."""
    names = tuple(models)
    tried = []
    for position, environment in enumerate(environments):
        rules = [rule for rule in policies.rules if rule.environment in {environment, EVERY}]
        before = tuple(environments[:position])
        tried += [_try(rule.gate, rule, environment, before, _name(rule, names)) for rule in rules]
        builtin = sorted({*BUILT_IN, *(name for name, one in GATES.items() if one.mandatory)} - {rule.gate for rule in rules})
        tried += [_try(name, None, environment, before, names[0] if names else _ANY) for name in builtin]
    return tuple(tried)


def _name(rule: Rule, names: tuple[str, ...]) -> str:
    """A model that the rule is for: a declared one, else one made from its pattern."""
    declared = next((name for name in names if matches(name, rule.models)), None)
    return declared or rule.models[0].replace("*", _ANY).replace("?", "x")


def _try(gate: str, rule: Rule | None, environment: str, before: tuple[str, ...], model: str) -> Tried:
    place = rule.place if rule else None
    found, make = GATES.get(gate), KNOWN.get(gate)
    if found is None or make is None:
        fault = "no input is known that it must refuse: nothing says that it can"
        return Tried(gate, environment, place, Status.ERRORED, (), (fault,))
    parameters = rule.parameters if rule else found.parameters.model_validate(_BY_DECIDE.get(gate, {}))
    known: Known = make(parameters, sound(model, environment, before))
    asking = _asking(gate, rule)
    let_pass: list[str] = []
    other: list[str] = []
    for bad in known.bad:
        status, got = asking(bad)
        if status is not bad.status:
            passed = not status.blocks
            (let_pass if passed else other).append(f"{bad.what}: {status} ({got}), where it must be {bad.status}")
    if known.good is not None:
        status, got = asking(Bad("nothing is wrong", known.good, Status.PASSED))
        if status is not Status.PASSED:
            other.append(f"nothing is wrong: {status} ({got}), where it must be PASSED")
    if not known.bad:
        other.append("nothing was shown to it")
    status = Status.FAILED if let_pass else Status.ERRORED if other else Status.PASSED
    return Tried(gate, environment, place, status, tuple(bad.what for bad in known.bad), (*let_pass, *other))


def _asking(gate: str, rule: Rule | None) -> Callable[[Bad], tuple[Status, str]]:
    """Asks ``decide`` with this rule alone, enforced and for every model; what it says of this gate."""

    def ask(bad: Bad) -> tuple[Status, str]:
        change = bad.facts.change
        place = change.place if rule is None else rule.place
        alone = replace(rule, models=("*",), environment=change.environment, enforce=True) if rule else _other(bad.facts, place)
        policies = Policies((alone,) if bad.ruled else (), (), "0" * 64)
        plan = Plan("", (change,), (), (), "0" * 64)
        (judged,) = decide(plan, policies, None, {(change.model, change.environment): bad.facts}).judged
        mine = [one for one in judged.verdicts if one.gate == gate and one.place == (rule.place if rule else None)]
        if len(mine) != 1:
            return Status.PASSED, f"{len(mine)} verdicts of this gate"
        if mine[0].status.blocks and not judged.status.blocks:
            return Status.PASSED, f"{mine[0].got}, yet the change is not refused"
        return mine[0].status, mine[0].got

    return ask


def _other(facts: Facts, place: Place) -> Rule:
    """A rule beside the built-in gate that is tried."""
    return Rule("naming", facts.change.environment, ("*",), naming.Parameters(pattern=".*"), enforce=True, place=place)
