"""Pure: declarations that the registry cannot fulfil, each with its place in the file and what to do."""

from __future__ import annotations

from collections.abc import Iterable

from promotion.domain import AppliedModel, Declared, Environment, ObservedModel, Problem


def impossible(
    environments: tuple[Environment, ...], bindings: list[Declared], model: ObservedModel, applied: AppliedModel | None, *, exists: bool
) -> list[Problem]:
    """Why the registry cannot show what is declared of one model, or must not; ``exists``: it has the model at all."""
    missing = _missing(bindings, model, exists=exists)
    return missing or _emptied(environments, bindings, model) or _mispinned(bindings, model, applied)


def _missing(bindings: list[Declared], model: ObservedModel, *, exists: bool) -> list[Problem]:
    """Versions that the registry does not have."""
    found = []
    for binding in bindings:
        if binding.version is None or binding.version in model.versions:
            continue
        if not exists:
            message, hint = f"the registry has no model {model.name!r}", "register it first, or correct the name"
        else:
            newest = max(model.versions, default=None)
            message = f"{model.name!r} has no version {binding.version}"
            hint = f"its newest version is {newest}" if newest else "it has no versions yet"
        found.append(Problem(binding.place, message, "no-such-version" if exists else "no-such-model", hint))
    return found


def _mispinned(bindings: list[Declared], model: ObservedModel, applied: AppliedModel | None) -> list[Problem]:
    """Pins that contradict what was applied of the same version: they cannot both be its bytes, and no download is needed to tell."""
    found = []
    for binding in bindings:
        for environment, last in sorted(applied.bindings.items()) if applied and binding.digest else ():
            bound = last.bound
            if bound is None or bound.version != binding.version or bound.digest == binding.digest:
                continue
            if last.identity != model.versions[bound.version].identity:
                continue  # made again since: only its bytes tell
            pin = f"{model.name}/{bound.version} is pinned as sha256:{binding.digest}"
            message = f"{pin}, but {environment} has it as sha256:{bound.digest}"
            hint = f"correct the pin (promotion propose {model.name} {binding.environment}={bound.version}, then promotion pin)"
            found.append(Problem(binding.place, message, "other-bytes", f"{hint}; other bytes are registered as a new version"))
            break
    return found


def _emptied(environments: tuple[Environment, ...], bindings: list[Declared], model: ObservedModel) -> list[Problem]:
    """Declarations that would take the only version out of the stage of an environment that nobody manages."""
    managed = {binding.environment for binding in bindings}
    found = []
    for environment in environments:
        if environment.name in managed or environment.stage is None:
            continue
        bearers = set(model.in_stage(environment.stage))
        takers = [binding for binding in bindings if binding.version in bearers and _stage(environments, binding) is not None]
        if takers and bearers == {binding.version for binding in takers}:
            found.append(
                Problem(
                    takers[-1].place,
                    f"moving version {takers[-1].version} would leave {environment.name!r} of {model.name!r} empty, "
                    "which this file does not manage",
                    "empties-unmanaged",
                    f"declare {environment.name} of {model.name} too (a version, or none)",
                )
            )
    return found


def _stage(environments: Iterable[Environment], binding: Declared) -> str | None:
    return next(one.stage for one in environments if one.name == binding.environment)
