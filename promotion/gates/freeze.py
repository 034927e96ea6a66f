"""freeze: nothing is promoted while a window of the calendar is shut.

Each window says when it is shut, in one time zone: days of the week, hours of the day, dates; whatever it says must hold together.
Hours that end before they begin run into the next day, and belong to the day on which they begin. The clock is that of the time
zone, so a window moves with summer time as people do. ``emergency`` names what passes a shut window: ``rollback`` and ``heal`` (the
default; they are never stopped, at most told), ``waiver`` for a waiver in policies/waivers.yaml.

Sample (policies/production.yaml):
    rules:
      - gate: freeze
        timezone: Europe/Berlin
        windows:
          - {days: [fri], hours: 16:00-24:00, reason: nobody looks until Monday}
          - {days: [sat, sun]}
          - {first: 2026-12-19, last: 2027-01-03, reason: holidays}

Passes: Thursday at noon in Berlin.
Fails: Friday at 16:30 in Berlin; the verdict says when the window opens.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import Annotated, ClassVar, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from promotion.changes import ChangeKind
from promotion.gates import interface
from promotion.gates.interface import Facts, Ruling
from promotion.verdicts import Status

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"(?P<from>[0-9]{2}:[0-9]{2})-(?P<until>[0-9]{2}:[0-9]{2})")
_HOURS_SCHEMA = {"pattern": "^[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}$"}
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_WHOLE_DAY = 24 * 60
_MOST_STEPS = 400


def _minutes(text: str) -> int:
    hours, minutes = (int(part) for part in text.split(":"))
    if minutes > 59 or hours * 60 + minutes > _WHOLE_DAY:
        msg = f"{text} is no time of a day"
        raise ValueError(msg)
    return hours * 60 + minutes


def _hours(text: str) -> str:
    match = _HOURS.fullmatch(text)
    if match is None:
        msg = f"must be hours such as 16:00-24:00 or 22:00-06:00, however: {text!r}"
        raise ValueError(msg)
    if _minutes(match["from"]) in {_minutes(match["until"]), _WHOLE_DAY}:
        msg = f"{text} is no span of hours; leave hours out for whole days"
        raise ValueError(msg)
    return text


def _date(value: object) -> date:
    try:
        if isinstance(value, str) and re.fullmatch(_DATE, value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    msg = f"must be a date such as 2026-12-24, however: {value!r}"
    raise ValueError(msg)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        msg = f"there is no time zone {name!r} here; write one such as Europe/Berlin or UTC"
        raise ValueError(msg) from error
    return name


_Date = Annotated[date, BeforeValidator(_date, json_schema_input_type=str), Field(json_schema_extra={"pattern": f"^{_DATE}$"})]


class Window(interface.Parameters):
    """When it is shut: all that is given must hold; ``first`` and ``last`` are the first and the last day, both shut."""

    days: Annotated[tuple[Day, ...], Field(strict=False, min_length=1)] | None = None
    hours: Annotated[str, AfterValidator(_hours), Field(json_schema_extra=_HOURS_SCHEMA)] | None = None
    first: _Date | None = None
    last: _Date | None = None
    reason: str | None = None

    @model_validator(mode="after")
    def _meaningful(self) -> Self:
        if self.days is None and self.hours is None and self.first is None and self.last is None:
            msg = "give days, hours, first or last: a window without any is shut for ever"
            raise ValueError(msg)
        if self.first is not None and self.last is not None and self.first > self.last:
            msg = f"first must not be after last, however: {self.first} and {self.last}"
            raise ValueError(msg)
        return self

    def __str__(self) -> str:
        parts = [", ".join(self.days)] if self.days else []
        parts += [self.hours] if self.hours else []
        parts += [f"from {self.first}"] if self.first else []
        parts += [f"to {self.last}"] if self.last else []
        return " ".join(parts)


class Parameters(interface.Parameters):
    """``windows`` in the clock of ``timezone`` (a name of the IANA database), and what passes them."""

    timezone: Annotated[str, AfterValidator(_zone)]
    windows: Annotated[tuple[Window, ...], Field(strict=False, min_length=1)]
    emergency: Annotated[tuple[Literal["rollback", "heal", "waiver"], ...], Field(strict=False)] = ("rollback", "heal")


class Freeze:
    """Keeps promotions out while nobody wants them."""

    name: ClassVar[str] = "freeze"
    summary: ClassVar[str] = "no window of the calendar is shut"
    parameters: ClassVar[type[interface.Parameters]] = Parameters
    mandatory: ClassVar[bool] = False

    def judge(self, rule: Parameters, facts: Facts) -> Ruling:
        """FAILED while a window is shut, unless the change takes the emergency path."""
        expected = f"no window is shut in {rule.timezone}"
        local = facts.now.astimezone(ZoneInfo(rule.timezone))
        shut = next((one for one in rule.windows if shuts(one, local.replace(tzinfo=None)) is not None), None)
        if shut is None:
            return Ruling(Status.PASSED, expected, f"open at {local.isoformat(timespec='minutes')}")
        why = f"shut ({shut}{f': {shut.reason}' if shut.reason else ''}) at {local.isoformat(timespec='minutes')}"
        if facts.change.kind in {ChangeKind.ROLLBACK, ChangeKind.HEAL} and facts.change.kind.value in rule.emergency:
            return Ruling(Status.PASSED, expected, f"{why}, which a {facts.change.kind} passes")
        waivable = "waiver" in rule.emergency
        end = opens(rule, local.replace(tzinfo=None))
        hint = f"wait until {end.isoformat(timespec='minutes')} ({rule.timezone})" if end else "change the policy: it opens by no time"
        hint += "; in an emergency roll back" + (", or waive it in the waivers" if waivable else "")
        return Ruling(Status.FAILED, expected, why, hint, waivable=waivable)


def shuts(window: Window, local: datetime) -> datetime | None:
    """The local time at which the window that is shut at ``local`` opens again by itself; None where it is open now."""
    start, until = 0, _WHOLE_DAY
    if window.hours:
        match = _HOURS.fullmatch(window.hours)
        assert match is not None
        start, until = _minutes(match["from"]), _minutes(match["until"])
    until += _WHOLE_DAY if until <= start else 0
    today = local.date()
    for day in (today - timedelta(days=1), today):
        if _counts(window, day):
            midnight = datetime.combine(day, time())
            if midnight + timedelta(minutes=start) <= local < midnight + timedelta(minutes=until):
                return midnight + timedelta(minutes=until)
    return None


def _counts(window: Window, day: date) -> bool:
    """Whether the window shuts on a day at all."""
    return (
        (window.days is None or _DAYS[day.weekday()] in window.days)
        and (window.first is None or window.first <= day)
        and (window.last is None or day <= window.last)
    )


def opens(rule: Parameters, local: datetime) -> datetime | None:
    """The local time at which no window is shut any more; None where that lies too far away to be told."""
    for _ in range(_MOST_STEPS):
        ends = [end for window in rule.windows if (end := shuts(window, local)) is not None]
        if not ends:
            return local
        local = max(ends)
    return None
