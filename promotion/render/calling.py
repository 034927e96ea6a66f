"""Text of what ``init-workflows`` wrote, or found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promotion.render.style import green, harmless, red, yellow

if TYPE_CHECKING:
    from promotion.calling.protection import Protected
    from promotion.calling.setup import Checked, Installed

_NEXT = """\
Next:
  1. look at them with git diff, and commit them in a pull request
  2. set what .github/PROMOTION.md names: protections, environments, variables
  3. GH_TOKEN=$(gh auth token) promotion init-workflows --check"""
_PIN = "A tag can be moved by who may push there: the hash of the commit (--from OWNER/REPO@HASH) cannot."


def written(done: Installed) -> str:
    """The files, and what to do next."""
    lines = [f"wrote     {name}" for name in done.written] + [f"as it is  {name}" for name in done.already]
    return harmless("\n".join([*lines, "", *([] if done.source.fixed else [_PIN, ""]), _NEXT]))


def checked(found: Checked) -> str:
    """Each file and each protection with what was found."""
    wrong = {fault.file for fault in found.faults}
    lines = [green(f"as written   {name}") for name in found.files if name not in wrong]
    lines += [red(harmless(f"NOT SO       {fault.file}: {fault.why}")) for fault in found.faults]
    if found.source is not None and not found.source.fixed:
        lines.append(yellow(harmless(f"note         {found.source}: {_PIN}")))
    lines += [_protection(one) for one in found.protections or ()]
    if found.protections is None:
        lines.append("not asked    the protection of main and promotion-journal (--check asks)")
    return "\n".join(lines)


def _protection(one: Protected) -> str:
    if one.holds:
        return green(harmless(f"protected    {one.what} ({one.why})"))
    word, paint = ("UNKNOWN      ", yellow) if one.holds is None else ("NOT SO       ", red)
    return paint(harmless(f"{word}{one.what}: {one.why}"))
