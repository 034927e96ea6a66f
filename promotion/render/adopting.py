"""Text of what was adopted or pinned: by ``init``, by ``drift --adopt``, by ``pin``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from promotion.render.reports import UNSIGNED, bound, count
from promotion.render.style import bold, green, harmless, red, yellow
from promotion.render.table import table

if TYPE_CHECKING:
    from promotion.adopt import Adopted
    from promotion.inservice import InService
    from promotion.pin import Pinned
    from promotion.start import Started
    from promotion.taking import Taken

_MOST = 50
"""Lines of one kind that a terminal is given; the files hold them all."""


def started(result: Started) -> str:
    """What ``init`` found and wrote, and what to do next."""
    would = "would " if result.dry_run else ""
    blocks = [_in_service(result.declared)] if result.declared else []
    blocks.append(_left(result))
    lines = [f"{would}write     {name}" if would else f"wrote     {name}" for name in result.files]
    if result.first_commit:
        lines.append(f"made      an empty first commit {result.first_commit[:12]}, which the journal's entry names")
    if result.entry:
        kept = "signed" if result.signed else "UNSIGNED"
        lines.append(f"adopted   {count(len(result.adopted), 'binding')} as journal entry {result.entry[:12]} ({kept})")
    elif result.adopted:
        lines.append(f"{would}adopt     {count(len(result.adopted), 'binding')} in the journal")
    lines += [f"note      {note}" for note in result.notes]
    blocks.append(harmless("\n".join(lines)))
    blocks += [_preview(result)] if result.dry_run else [_next(result)]
    if result.entry and not result.signed:
        blocks.append(UNSIGNED)
    return "\n\n".join(block for block in blocks if block)


def taken(result: Taken) -> str:
    """What ``drift --adopt`` took as it is, with the file's diff, and what it did not take."""
    blocks = [_diff(diff) for diff in result.diffs]
    lines = [_change(one) for one in result.adopted]
    lines += [f"adopted   the tags of {name}" for name in result.tags]
    if result.entry:
        kept = "signed" if result.signed else "UNSIGNED"
        lines.append(f"recorded  journal entry {result.entry[:12]} ({kept})")
    lines += [f"note      {note}" for note in result.notes]
    blocks.append(harmless("\n".join(lines)))
    blocks.append(
        "\n".join(yellow(f"refused   {harmless(one.model)} {harmless(one.environment)}: {harmless(one.reason)}") for one in result.refused)
    )
    if not result.adopted and not result.refused and not result.tags:
        blocks.append("nothing to adopt: the registry shows what was applied last")
    if result.diffs:
        blocks.append(
            "Commit this and bring it to main soon: main still declares what was there before, and its next reconcile brings that back."
        )
    if result.entry and not result.signed:
        blocks.append(UNSIGNED)
    return "\n\n".join(block for block in blocks if block)


def pinned(result: Pinned, *, check: bool = False) -> str:
    """The pins that were written."""
    if not result.bindings:
        return f"nothing to pin: {count(result.already, 'declared version')} pinned already"
    verb = "would pin" if check else "pinned"
    rows = [(one.place.file, one.model, one.environment, f"{one.version}@sha256:{one.digest}") for one in result.bindings]
    rest = f", {result.already} pinned already" if result.already else ""
    return harmless(f"{table(('file', 'model', 'environment', 'use'), rows)}\n\n{verb} {count(len(rows), 'version')}{rest}")


def _in_service(declared: Sequence[InService]) -> str:
    rows = [(one.name, environment, str(version)) for one in declared for environment, version in one.bindings.items()]
    more = f"\n… and {len(rows) - _MOST:,} more" if len(rows) > _MOST else ""
    return harmless(table(("in service", "environment", "version"), rows[:_MOST])) + more


def _left(result: Started) -> str:
    """What is not declared as it is, and why."""
    lines = [yellow(harmless(f"commented out  {one.name}: {'; '.join(one.unclear)}")) for one in result.unclear[:_MOST]]
    lines += [yellow(harmless(f"left out       {one.model}: {one.reason}")) for one in result.left_out[:_MOST]]
    rest = max(0, len(result.unclear) - _MOST) + max(0, len(result.left_out) - _MOST)
    lines += [f"… and {rest:,} more"] if rest else []
    if any("there is no alias" in reason for one in result.unclear for reason in one.unclear):
        lines.append("               with --by stage, aliases are left alone: models that have only the stage are then declared")
    if any("has no version, but alias" in reason for one in result.unclear for reason in one.unclear):
        lines.append("               with --by alias, stages are left alone: models that have only the alias are then declared")
    if result.idle:
        named = ", ".join(result.idle[:5]) + (", …" if len(result.idle) > 5 else "")
        lines.append(harmless(f"in no environment, so not managed yet: {count(len(result.idle), 'model')} ({named})"))
    return "\n".join(lines)


def _preview(result: Started) -> str:
    files = [f"{bold(harmless(name))}\n{harmless(content.decode())}" for name, content in result.files.items()]
    return "\n".join([*files, "dry run: nothing was written"])


def _next(result: Started) -> str:
    files = " ".join(dict.fromkeys(name.rpartition("/")[0] or name for name in result.files))
    named = "" if result.file == "environments.yaml" else f"--file {result.file} "
    return harmless(
        "Next:\n"
        f"  1. look at {result.file} and at the rules\n"
        f"  2. git add {files} && git commit -m 'Declare what is in service'\n"
        f"  3. promotion {named}plan        (nothing to do)\n"
        f"  4. bring the commit to main, and there: promotion {named}reconcile"
    )


def _change(one: Adopted) -> str:
    return f"adopted   {one.model} {one.environment} {bound(one.before)} → {bound(one.after)}"


def _diff(diff: str) -> str:
    paint = {"+": green, "-": red}
    lines = []
    for line in diff.splitlines():
        colour = None if line.startswith(("+++", "---")) else paint.get(line[:1])
        lines.append(colour(harmless(line)) if colour else harmless(line))
    return "\n".join(lines)
