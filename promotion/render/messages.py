"""What happened, as receivers of webhooks want to be told: a message for people (Slack, Teams), an event each for programs (CloudEvents).

Whatever comes from the registry or from git stands in these as text: it forms no mention, no link and no markup.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from promotion.render.style import harmless

if TYPE_CHECKING:
    from promotion.notifying.happenings import Happening

SHOWN = 20
"""Happenings in one message, since Slack takes 50 blocks; who needs more follows the link."""
CARD = 28 * 1024
"""Bytes of a message that Teams takes (Microsoft, "Limits and specifications for Microsoft Teams")."""
_LINE = 600
_FIELD = 100
_REASONS = 3


@dataclass(frozen=True, slots=True)
class Origin:
    """Where this ran: ``source`` names the repository, ``run`` is the address of the workflow's run, ``commits`` that under which a
    commit is found by its hash; None where not known."""

    source: str
    run: str | None = None
    commits: str | None = None


def slack(told: Sequence[Happening], origin: Origin) -> dict[str, Any]:
    """A message for an incoming webhook, in rich text blocks, which know no markup (Slack, "Reference: Block Kit")."""
    blocks: list[dict[str, Any]] = [_section({"text": _title(told, origin), "style": {"bold": True}})]
    for one in told[:SHOWN]:
        link = _commit(one, origin)
        commit = [{"type": "link", "text": f" {(one.commit or '')[:12]}", "url": link}] if link else []
        lines = "".join(f"\n{line}" for line in (*_why(one), _who(one)))
        blocks.append(_section({"text": _line(one.sentence, _LINE), "style": {"bold": True}}, {"text": lines}, *commit))
    if more := _more(told, SHOWN):
        blocks.append(_section({"text": more}))
    if origin.run:
        blocks.append(_section({"type": "link", "text": "The run", "url": origin.run}))
    lines = "\n".join(_line(text, _LINE) for text in (_title(told, origin), *(one.sentence for one in told[:SHOWN])))
    # What a phone shows before the message is opened is markup: its three characters are escaped (Slack, "Formatting text").
    return {"text": lines.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"), "blocks": blocks, "unfurl_links": False}


def teams(told: Sequence[Happening], origin: Origin) -> dict[str, Any]:
    """A message with an Adaptive Card 1.4 (its schema's reference) for a Workflows webhook; fewer happenings where that is too long."""
    shown = SHOWN
    while len(encoded(made := _card(told, origin, shown))) > CARD and shown > 1:
        shown //= 2
    return made


def cloudevent(one: Happening, origin: Origin) -> dict[str, Any]:
    """One event in the structured mode (CloudEvents 1.0, "JSON Event Format"); told twice, it bears the same ``id``."""
    data = {
        "model": one.model,
        "environment": one.environment,
        "before": one.before,
        "after": one.after,
        "reasons": list(one.reasons),
        "by": one.by,
        "commit": one.commit,
        "subject": one.subject,
        "entry": one.entry,
        "run": origin.run,
        "message": one.sentence,
    }
    return {
        "specversion": "1.0",
        "id": one.id,
        "source": origin.source,
        "type": f"promotion.{one.what}",
        "subject": f"{one.model}/{one.environment}",
        "time": one.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": data,
    }


def encoded(message: dict[str, Any]) -> bytes:
    """JSON that any receiver reads."""
    return json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")


def _card(told: Sequence[Happening], origin: Origin, shown: int) -> dict[str, Any]:
    # A TextBlock would read Markdown; a RichTextBlock's runs are text.
    body: list[dict[str, Any]] = [_runs({"text": _title(told, origin), "weight": "Bolder", "size": "Medium"})]
    for one in told[:shown]:
        link = _commit(one, origin)
        commit = [{"text": f" · {(one.commit or '')[:12]}", "selectAction": {"type": "Action.OpenUrl", "url": link}}] if link else []
        body.append({**_runs({"text": one.sentence, "weight": "Bolder"}), "separator": True})
        body += [_runs({"text": line}) for line in _why(one)]
        body.append(_runs({"text": _who(one), "isSubtle": True}, *commit))
    if more := _more(told, shown):
        body.append(_runs({"text": more}))
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    if origin.run:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "The run", "url": origin.run}]
    return {"type": "message", "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}]}


def _title(told: Sequence[Happening], origin: Origin) -> str:
    counts: dict[str, int] = {}
    for one in told:
        counts[one.what.value] = counts.get(one.what.value, 0) + 1
    what = ", ".join(f"{number} {name}" for name, number in counts.items())
    return _line(f"{what} · {origin.source.rsplit('://', 1)[-1]}", 2 * _FIELD)


def _why(one: Happening) -> list[str]:
    more = len(one.reasons) - _REASONS
    return [_line(reason, _LINE) for reason in one.reasons[:_REASONS]] + ([f"and {more} more reasons"] if more > 0 else [])


def _who(one: Happening) -> str:
    at = one.at.astimezone(UTC)
    parts = [one.subject and f"“{_line(one.subject, _FIELD)}”", one.by and f"by {_line(one.by, _FIELD)}", f"{at:%Y-%m-%d %H:%M} UTC"]
    return " · ".join(filter(None, parts))


def _more(told: Sequence[Happening], shown: int) -> str:
    return f"and {len(told) - shown} more" if len(told) > shown else ""


def _commit(one: Happening, origin: Origin) -> str | None:
    return f"{origin.commits}{one.commit}" if origin.commits and one.commit else None


def _runs(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", **run, "text": _line(run["text"], _LINE)} for run in runs]}


def _section(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [{"type": "text", **one} for one in elements]}]}


def _line(text: str, limit: int) -> str:
    line = harmless(" ".join(text.split()))
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
