"""What each receiver is told, and that what comes from outside stays text in it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from promotion.changes import ChangeKind
from promotion.domain import Bound, Place
from promotion.drift import Drift, DriftKind
from promotion.journal import EntryKind, Recorded, RecordedChange, Refusal
from promotion.notifying.happenings import Happening, What, drifted, expiring, recorded
from promotion.render.messages import SHOWN, Origin, cloudevent, encoded, slack, teams
from promotion.verdicts import Status, Waiver
from tests.promotion.journal.samples import START, digest, entry

HOME = "https://git.example.org/team/models"
ORIGIN = Origin(HOME, f"{HOME}/actions/runs/7", f"{HOME}/commit/")
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
COMMIT = "c0ffee" + "0" * 34


def change(kind: ChangeKind, before: int | None, after: int | None, environment: str = "production") -> RecordedChange:
    old, new = (None if one is None else Bound(one, digest(one)) for one in (before, after))
    return RecordedChange(kind, "fraud", environment, old, new, (), Status.PASSED)


def journaled(kind: EntryKind, *changes: RecordedChange, minutes: float = 0, refusals: tuple[Refusal, ...] = ()) -> Recorded:
    made = replace(entry(COMMIT, kind=kind, minutes=minutes), changes=changes, refusals=refusals)
    return Recorded(f"{int(minutes):040x}", made)


TOLD = recorded(
    [
        journaled(EntryKind.HOLD, change(ChangeKind.ROLLBACK, None, 3), minutes=3),
        journaled(
            EntryKind.OUTCOME,
            change(ChangeKind.ROLLBACK, 3, 2),
            minutes=2,
            refusals=(Refusal("fraud", "staging", 4, ("bound FAILED: expected f1 ≥ 0.95, got 0.93",)),),
        ),
        journaled(EntryKind.INTENT, change(ChangeKind.ROLLBACK, 3, 2), minutes=1),
        journaled(EntryKind.OUTCOME, change(ChangeKind.PROMOTE, None, 3), change(ChangeKind.ADOPT, 1, 1, "staging")),
    ]
)


def test_entries_tell_what_happened_oldest_first_and_intents_and_adopted_ones_nothing():
    assert [one.sentence for one in TOLD] == [
        "fraud production: none → version 3, promoted",
        "fraud production: version 3 → version 2, rolled back",
        "fraud staging: version 4 refused, the environment stays as it was",
        "fraud production: version 3 held, it must not be applied again",
    ]
    assert len({one.id for one in TOLD}) == len(TOLD)


def test_the_same_thing_told_twice_has_the_same_id():
    drift = Drift(DriftKind.POINTER, "fraud", "production", 2, "2", "stage 1, alias 2", START)
    (first,), (second,) = drifted([drift], NOW), drifted([drift], NOW + timedelta(hours=6))
    assert first == second
    (other,) = drifted([replace(drift, got="stage none, alias 2")], NOW)
    assert other.id != first.id


def test_waivers_are_told_from_two_weeks_before_until_they_are_gone():
    def waiver(expires: date) -> Waiver:
        return Waiver("bound", "fraud", 3, None, "production", "grace", "new data", expires, Place("policies/waivers.yaml", 3, 5))

    today = NOW.date()
    days = {days: expiring([waiver(today + timedelta(days=days))], NOW) for days in (-1, 0, 14, 15)}
    assert [days for days, told in days.items() if told] == [-1, 0, 14]
    assert days[-1][0].reasons == ("gate bound, expired on 2026-11-23, owner grace (policies/waivers.yaml:3:5): new data",)
    assert days[14][0].sentence == "fraud production: the waiver for version 3 expires"


def test_a_cloudevent_bears_what_the_specification_asks_for():
    found = cloudevent(TOLD[1], ORIGIN)
    assert {name: found[name] for name in ("specversion", "source", "type", "subject", "time", "datacontenttype")} == {
        "specversion": "1.0",
        "source": HOME,
        "type": "promotion.rolled-back",
        "subject": "fraud/production",
        "time": "2026-10-01T12:02:00Z",
        "datacontenttype": "application/json",
    }
    assert found["data"]["before"] == 3
    assert found["data"]["after"] == 2
    assert found["data"]["commit"] == COMMIT
    assert found["data"]["run"] == f"{HOME}/actions/runs/7"
    assert json.loads(encoded(found)) == found


def test_slack_is_told_in_one_message_with_links_to_the_commit_and_the_run():
    found = slack(TOLD, ORIGIN)
    assert found["text"].splitlines()[0] == "1 promoted, 1 rolled-back, 1 refused, 1 held · git.example.org/team/models"
    elements = [part for block in found["blocks"] for part in block["elements"][0]["elements"]]
    assert [part["url"] for part in elements if part["type"] == "link"] == [f"{HOME}/commit/{COMMIT}"] * 4 + [f"{HOME}/actions/runs/7"]
    texts = "".join(part["text"] for part in elements)
    assert "bound FAILED: expected f1 ≥ 0.95, got 0.93" in texts
    assert "“Promote m to staging” · by Job <job@example.org> · 2026-10-01 12:00 UTC" in texts


def test_teams_is_told_by_a_card():
    (attachment,) = teams(TOLD, ORIGIN)["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"], card["actions"][0]["url"]) == ("AdaptiveCard", "1.4", f"{HOME}/actions/runs/7")
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}, "a TextBlock would read Markdown"


def test_no_link_is_made_up():
    bare = Origin("/models")
    assert '"url"' not in json.dumps([slack(TOLD, bare), teams(TOLD, bare)])
    assert cloudevent(TOLD[0], bare)["source"] == "/models"


hostile = st.one_of(
    st.sampled_from(
        ["<!channel> <@U1> <https://evil.example|click>", "[click](https://evil.example)", "*b* _i_ `c` @here", "\u202eevil\x1b[2J"]
    ),
    st.text(),
    st.text(min_size=5000, max_size=6000),
)


@settings(max_examples=25, deadline=None)
@given(name=hostile, reason=hostile, subject=hostile, count=st.integers(1, 120))
def test_what_comes_from_outside_is_text_and_the_message_is_bounded(name, reason, subject, count):
    one = Happening(What.REFUSED, "1" * 32, name, "production", NOW, 1, 2, (reason,) * 9, subject, COMMIT, subject, "e")
    made = slack((one,) * count, ORIGIN)
    assert not {"<", ">"} & set(made["text"])
    assert {part["type"] for block in made["blocks"] for part in block["elements"][0]["elements"]} == {"text", "link"}
    assert len(made["blocks"]) <= min(count, SHOWN) + 3 <= 50
    shown = json.dumps(made["blocks"], ensure_ascii=False)
    assert not {"\u202e", "\x1b"} & set(shown)
    card = teams((one,) * count, ORIGIN)["attachments"][0]["content"]
    runs = [run for block in card["body"] for run in block["inlines"]]
    assert {run["type"] for run in runs} == {"TextRun"}
    assert all(len(run["text"]) <= 600 for run in runs)
    assert json.loads(encoded(cloudevent(one, ORIGIN)))["specversion"] == "1.0"


def test_the_longest_message_is_one_that_teams_takes_and_it_says_how_much_more_there_is():
    """28 KB (Microsoft, "Limits and specifications for Teams")."""
    long = "ä" * 700
    one = Happening(What.REFUSED, "1" * 32, long, "production", NOW, 1, 2, (long,) * 9, long, COMMIT, long, "e")
    made = teams((one,) * 100, ORIGIN)
    assert len(encoded(made)) <= 28 * 1024
    body = made["attachments"][0]["content"]["body"]
    shown = sum("separator" in block for block in body)
    assert 1 < shown < SHOWN
    assert body[-1]["inlines"][0]["text"] == f"and {100 - shown} more"
