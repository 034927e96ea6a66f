"""What the gates about figures have in common: which evidence a rule speaks of, which figures, and what stands beyond a limit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from promotion.gates.interface import Facts, Measured, Reference, Ruling, Unknown
from promotion.intervals import LEAST_UNITS, Estimate, Interval
from promotion.verdicts import Status

NO_INTERVAL = "an evaluator that yields outcomes row by row gives intervals; times, sizes and ages have none"


def evidence(named: str | None, known: Mapping[str, Measured | Unknown]) -> Measured | Unknown:
    """The one piece of evidence that a rule speaks of, or why there is none."""
    names = sorted(known)
    if named is not None:
        found = known.get(named)
        return found if found is not None else Unknown(f"no evaluation {named!r} measures this model", suggest(named, names))
    if not names:
        return Unknown("no evaluation measures this model", "add an evaluation whose models pattern matches it")
    if len(names) > 1:
        return Unknown(f"several evaluations measure this model: {', '.join(names)}", "name one of them by 'evaluation'")
    return known[names[0]]


def chosen(metric: str, measured: Measured) -> list[str] | Unknown:
    """The figures that a rule names, one or by a pattern with ``*``; Unknown with did-you-mean when nobody measured such a one."""
    names = [name for name in measured.figures if fnmatchcase(name, metric)] if "*" in metric else [metric]
    if not names or names[0] not in measured.figures:
        return Unknown(f"nobody measured {metric!r}", suggest(metric, list(measured.figures)))
    return sorted(names)


def support(metric: str, measured: Measured) -> float:
    """How many rows stand behind a figure: those of its class, else all."""
    if metric.startswith("class."):
        return measured.figures.get(f"{metric.rpartition('.')[0]}.support", float(measured.rows))
    return float(measured.rows)


def supported(metric: str, names: Sequence[str], measured: Measured, least: int | None) -> list[str] | Ruling:
    """The figures with as many rows as a rule wants; INCONCLUSIVE where a figure that it names, or every one of a pattern, has fewer."""
    enough = [name for name in names if least is None or support(name, measured) >= least]
    if enough:
        return enough
    most = max(support(name, measured) for name in names)
    got = f"{metric} rests on {most:g} rows, too few to tell"
    return Ruling(Status.INCONCLUSIVE, f"at least {least} rows of {metric}", got, "add such rows to the dataset")


def reference(against: str, first: str | None, expected: str, facts: Facts) -> Reference | Ruling:
    """What a rule compares with; a ruling where nothing is there, by what the policy says of a first promotion."""
    if against not in facts.references:
        return Ruling(Status.ERRORED, expected, f"nobody looked for what is in {against!r}", "report this as a fault")
    found = facts.references[against]
    if isinstance(found, Unknown):
        return Ruling(Status.ERRORED, expected, found.reason, found.hint)
    if found is not None:
        return found
    got = f"nothing is applied in {against!r} to compare with"
    if first is None:
        return Ruling(Status.ERRORED, expected, got, "say what a first promotion means: first: pass, or first: fail")
    got = f"{got}; the policy says first: {first}"
    if first == "pass":
        return Ruling(Status.PASSED, expected, got)
    return Ruling(Status.FAILED, expected, got, f"a first version of {against!r} needs another rule, in a change of the policy by itself")


def shown(value: float, interval: Interval | None, confidence: float) -> str:
    """A figure as verdicts show it."""
    if interval is None:
        return f"{value:.6g}"
    return f"{value:.6g} ({confidence:.2g} interval {interval.low:.6g} to {interval.high:.6g})"


def without_interval(estimate: Estimate, name: str, expected: str) -> Ruling:
    """The ruling where a rule asks for an interval that is not there."""
    if estimate.values is not None and estimate.units < LEAST_UNITS:
        got = f"{name} = {estimate.point:.6g} rests on about {estimate.units:.0f} independent rows or groups, too few for an interval"
        return Ruling(Status.INCONCLUSIVE, expected, got, f"add rows: {LEAST_UNITS} at least")
    return Ruling(Status.ERRORED, expected, f"{name} has no interval: its resamples are not known", NO_INTERVAL)


def worst(rulings: Iterable[Ruling]) -> Ruling:
    """The worst of several; when all passed, the first with how many there are."""
    found = list(rulings)
    most = max(found, key=lambda one: one.status.severity)
    bad = [one for one in found if one.status.blocks]
    if len(found) == 1:
        return most
    got = f"{most.got} (and {len(found) - 1} more pass)" if not bad else "; ".join(one.got for one in bad[:5])
    return Ruling(most.status, most.expected, got, most.hint)


def suggest(wanted: str, known: list[str]) -> str:
    """Did-you-mean, or what there is."""
    close = get_close_matches(wanted, known, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(sorted(known)[:20])}" if known else "there is none"
