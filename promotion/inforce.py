"""What judges one model on its way into one environment, and where each line comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from promotion.changes import Plan
from promotion.config.wording import nearest
from promotion.decide import decide
from promotion.errors import UsageError
from promotion.gates import GATES
from promotion.gates.known import sound

if TYPE_CHECKING:
    from datetime import date

    from promotion.domain import Desired, Place
    from promotion.policies import Evaluation, Policies
    from promotion.verdicts import Barred, Waiver


@dataclass(frozen=True, slots=True)
class Asked:
    """One gate that judges: what it asks for, whether it may block, and the rule's place; None: built in, no policy names it."""

    gate: str
    asks: str
    enforced: bool
    place: Place | None


@dataclass(frozen=True, slots=True)
class InForce:
    """All that judges a model in an environment. ``declared``: whether any file declares the model."""

    model: str
    environment: str
    declared: bool
    asked: tuple[Asked, ...]
    evaluations: tuple[Evaluation, ...]
    waivers: tuple[Waiver, ...] = ()
    """Exceptions for any of its versions there, expired ones as well."""
    expired: tuple[Waiver, ...] = ()
    """Those of them that count no more."""
    barred: tuple[Barred, ...] = ()
    """Its versions that are in quarantine."""


def in_force(policies: Policies, desired: Desired, model: str, environment: str, today: date) -> InForce:
    """The rules as ``decide`` applies them, in its order; ``today`` in UTC. Raises UsageError for an environment that there is not."""
    known = [one.name for one in desired.environments]
    if environment not in known:
        raise UsageError(f"there is no environment {environment!r}", hint=nearest(environment, known))
    facts = sound(model, environment, tuple(known[: known.index(environment)]))
    (judged,) = decide(Plan("", (facts.change,), (), (), ""), policies, None, {(model, environment): facts}).judged
    observed = {rule.place for rule in policies.rules_for(environment, model) if not rule.enforce and not GATES[rule.gate].mandatory}
    asked = tuple(Asked(one.gate, one.expected, one.place not in observed, one.place) for one in judged.verdicts)
    waivers = tuple(one for one in policies.waivers if (one.model, one.environment) == (model, environment))
    barred = tuple(one for one in policies.barred if one.model == model)
    expired = tuple(one for one in waivers if one.expires < today)
    return InForce(model, environment, model in desired.models, asked, policies.evaluations_for(model), waivers, expired, barred)
