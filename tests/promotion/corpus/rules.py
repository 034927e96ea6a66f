"""Bad ways of changing, evading and excusing from the rules."""

from __future__ import annotations

from tests.promotion.corpus.way import (
    ERRORED,
    FAILED,
    FREEZE,
    INCONCLUSIVE,
    PRODUCTION,
    STAGING,
    TOMORROW,
    YESTERDAY,
    Bad,
    Way,
    waive,
    waived_before,
)
from tests.promotion.corpus.world import telling


def policy_lowered_beside(way: Way) -> None:
    way.add(telling(50))
    way.lower("staging")
    way.declare(staging=3, production=1)


def policy_lowered_before_within_one_push(way: Way) -> None:
    way.add(telling(50))
    way.lower("staging")
    way.commit("lower the bar")
    way.declare(staging=3, production=1)


def rule_deleted_beside(way: Way) -> None:
    way.add(telling(50))
    way.rule("staging", '  - gate: naming\n    pattern: "[a-z0-9-]+"\n')
    way.declare(staging=3, production=1)


def rule_only_shown_beside(way: Way) -> None:
    way.add(telling(50))
    path = way.folder / "policies" / "staging.yaml"
    path.write_text(path.read_text().replace("metric: f1", "metric: f1\n    mode: observe"))
    way.declare(staging=3, production=1)


def staging_rule_deleted_beside(way: Way) -> None:
    way.rule("production", STAGING)
    way.declare(staging=1, production=2)


def evaluator_replaced_beside(way: Way) -> None:
    way.add(telling(50))
    path = way.folder / "judge" / "told.py"
    path.write_text(path.read_text().replace('int(said["hits"])', "99"))
    way.declare(staging=3, production=1)


def data_replaced_beside(way: Way) -> None:
    """The pin is moved to easier rows: the rows that the last applied rules pin are not at hand any more."""
    way.evaluations(("rows", "*", "told", b"easier rows\n", {}))
    way.declare(staging=2, production=1)


def data_replaced_without_its_pin(way: Way) -> None:
    (way.folder / "rows-rows.csv").write_text("easier rows\n")
    way.declare(staging=2, production=1)


def rules_that_only_show(way: Way) -> None:
    """A policy of which nothing is enforced is no policy."""
    text = STAGING.replace("    pattern", "    mode: observe\n    pattern").replace("    metric", "    mode: observe\n    metric")
    way.rule("staging", text)
    way.commit("only look")
    way.declare(staging=2, production=1)


def metric_of_nobody(way: Way) -> None:
    way.rule("staging", STAGING + "  - gate: bound\n    metric: f2\n    min: 0.1\n")
    way.declare(staging=2, production=1)


def waiver_expired(way: Way) -> None:
    waived_before(way, expires=YESTERDAY)


def waiver_for_another_version(way: Way) -> None:
    waived_before(way, expires=TOMORROW, version=2)


def waiver_for_other_bytes(way: Way) -> None:
    waived_before(way, expires=TOMORROW, version=f"3@sha256:{'0' * 64}")


def waiver_of_another_gate(way: Way) -> None:
    waived_before(way, expires=TOMORROW, gate="naming")


def waiver_beside_its_use(way: Way) -> None:
    way.add(telling(50))
    waive(way, expires=TOMORROW)
    way.declare(staging=3, production=1)


def waiver_of_what_was_not_measured(way: Way) -> None:
    """An exception excuses what is known to be bad, never what nobody knows."""
    way.rule("staging", STAGING + "  - gate: bound\n    metric: f2\n    min: 0.1\n")
    way.add(telling())
    waive(way, expires=TOMORROW)
    way.commit("rules and a waiver")
    way.reconcile()
    way.declare(staging=3, production=1)


def _bar(way: Way, line: str) -> None:
    (way.folder / "policies" / "quarantine.yaml").write_text(
        f"version: 1\nquarantine:\n  - model: {way.name}\n    {line}\n    reason: It saw the test rows.\n    by: ada@example.org\n"
    )


def in_quarantine(way: Way) -> None:
    _bar(way, "version: 2")
    way.declare(staging=2, production=1)


def in_quarantine_by_its_bytes(way: Way) -> None:
    """Barred bytes come back under another number."""
    way.add(telling(96))
    _bar(way, f"version: 2\n    digest: sha256:{way.registry.artifact(way.name, 3).digest}")
    way.declare(staging=3, production=1)


def quarantine_lifted_beside(way: Way) -> None:
    _bar(way, "version: 2")
    way.to(staging=1, production=1)
    (way.folder / "policies" / "quarantine.yaml").unlink()
    way.declare(staging=2, production=1)


def frozen(way: Way) -> None:
    way.rule("staging", STAGING + FREEZE)
    way.declare(staging=2, production=1)


def freeze_lifted_beside(way: Way) -> None:
    way.rule("staging", STAGING + FREEZE)
    way.to(staging=1, production=1)
    way.rule("staging", STAGING)
    way.declare(staging=2, production=1)


def not_long_enough_in_staging(way: Way) -> None:
    way.rule("production", PRODUCTION.replace("staging_first\n", "staging_first\n    soak: 24h\n"))
    way.to(staging=2, production=1)
    way.declare(staging=2, production=2)


def soak_lowered_beside(way: Way) -> None:
    way.rule("production", PRODUCTION.replace("staging_first\n", "staging_first\n    soak: 24h\n"))
    way.to(staging=2, production=1)
    way.rule("production", PRODUCTION)
    way.declare(staging=2, production=2)


RULES = [
    Bad("a metric that nobody measures", metric_of_nobody, "bound", ERRORED, "nobody measured 'f2'", "staging"),
    Bad("waiver expired", waiver_expired, "bound", FAILED, "expired on", "staging"),
    Bad("waiver for another version", waiver_for_another_version, "bound", FAILED, "f1 = 0.5", "staging"),
    Bad("waiver for other bytes", waiver_for_other_bytes, "bound", FAILED, "is for other bytes", "staging"),
    Bad("waiver of another gate", waiver_of_another_gate, "bound", FAILED, "f1 = 0.5", "staging"),
    Bad("waiver beside its use", waiver_beside_its_use, "bound", FAILED, "came with this change", "staging", "both"),
    Bad("waiver of what was not measured", waiver_of_what_was_not_measured, "bound", ERRORED, "cannot be waived", "staging"),
    Bad("in quarantine", in_quarantine, "quarantine", FAILED, "It saw the test rows.", "staging"),
    Bad("in quarantine by its bytes", in_quarantine_by_its_bytes, "quarantine", FAILED, "It saw the test rows.", "staging"),
    Bad("quarantine lifted beside", quarantine_lifted_beside, "quarantine", FAILED, "It saw the test rows.", "staging"),
    Bad("frozen", frozen, "freeze", FAILED, "holidays", "staging"),
    Bad("freeze lifted beside", freeze_lifted_beside, "freeze", FAILED, "holidays", "staging", "applied"),
    Bad("not long enough in staging", not_long_enough_in_staging, "staging_first", INCONCLUSIVE, "in staging for"),
    Bad("soak lowered beside", soak_lowered_beside, "staging_first", INCONCLUSIVE, "in staging for", policy="applied"),
    Bad("policy lowered beside", policy_lowered_beside, "bound", FAILED, "f1 = 0.5", "staging", "applied"),
    Bad("policy lowered before", policy_lowered_before_within_one_push, "bound", FAILED, "f1 = 0.5", "staging", "applied"),
    Bad("rule deleted beside", rule_deleted_beside, "bound", FAILED, "f1 = 0.5", "staging", "applied"),
    Bad("rule only shown beside", rule_only_shown_beside, "bound", FAILED, "f1 = 0.5", "staging", "applied"),
    Bad("staging's rule deleted beside", staging_rule_deleted_beside, "staging_first", FAILED, "no passing entry", policy="applied"),
    Bad("evaluator replaced beside", evaluator_replaced_beside, "bound", FAILED, "f1 = 0.5", "staging", "applied"),
    Bad("data replaced beside", data_replaced_beside, "bound", ERRORED, "where the policy pins", "staging", "applied"),
    Bad("data replaced, not its pin", data_replaced_without_its_pin, "bound", ERRORED, "where the policy pins", "staging"),
    Bad("nothing is enforced", rules_that_only_show, "policy", ERRORED, "no enforced rule", "staging"),
]
