"""Plans and decisions as text, markdown and JSON: what a reader needs stands there, and what a stranger wrote does no harm."""

from __future__ import annotations

import json as standard
import math
import re
from dataclasses import replace
from datetime import UTC, datetime

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promotion.agreement import Agreed
from promotion.beside import Beside
from promotion.changes import Change, ChangeKind, DeleteAlias, Plan, SetAlias, SetStage, Shown
from promotion.comparison import Line, Measure
from promotion.domain import Place, Problem
from promotion.errors import InvalidFiles, UsageError
from promotion.intervals import Interval
from promotion.journal import Entry, EntryKind, Hold, Recorded, Refusal
from promotion.reconcile import Outcome
from promotion.render import json, markdown, text
from promotion.render.document import document
from promotion.render.problem import render_error, render_problem
from promotion.render.style import harmless
from promotion.verdicts import Decision, Judged, Status, Verdict

DIGEST = "9f2c4be1a0d7c35e8f6b1a2d3c4e5f60718293a4b5c6d7e8f9a0b1c2d3e4f506"
MODEL = "moe-cybersecurity-cicids"
ALARM = "\x1b[1;31m"
"""Bold and red."""


def change(
    kind: ChangeKind, model: str, environment: str, before: int | None, after: int | None, *, line: int = 9, shown: Shown | None = None
) -> Change:
    now = shown or Shown((before,) if before else (), before)
    return Change(kind, model, environment, before, after, now, None, Place("environments.yaml", line, 12))


def verdict(gate: str, status: Status, expected: str, got: str, hint: str | None = None, policy: str = "both") -> Verdict:
    return Verdict(gate, status, MODEL, "production", 4, expected, got, hint, Place("policies/production.yaml", 29, 5), policy)


CHANGES = (
    change(ChangeKind.PROMOTE, MODEL, "staging", 9, 15, line=5),
    change(ChangeKind.PROMOTE, MODEL, "production", None, 9, line=7),
    change(ChangeKind.HEAL, "ft-unsw", "staging", 2, 2, line=12, shown=Shown((1, 3), 2)),
    change(ChangeKind.RETIRE, "ft-unsw", "production", 2, None, line=14),
)
OPERATIONS = (SetStage(MODEL, 15, "Staging", archive_existing=True), SetAlias(MODEL, "staging", 15), DeleteAlias("ft-unsw", "production"))
PROBLEM = Problem(
    Place("environments.yaml", 20, 12), "'x-y' has no version 9", "no-such-version", "its newest version is 2", "      use: 9"
)
PLAN = Plan("http://mlflow.example:5000", CHANGES, OPERATIONS, ("a-a staging shows 3 and is not declared",), DIGEST, (PROBLEM,))
JUDGED = Judged(
    CHANGES[1],
    (
        verdict("naming", Status.PASSED, "words", MODEL),
        verdict("digest", Status.PASSED, "any", f"sha256:{DIGEST}"),
        verdict("bound", Status.FAILED, "f1 ≥ 0.95", "f1 = 0.62 on 4000 rows", "train or choose a better version"),
        verdict("lineage", Status.ERRORED, "data → version", "the run could not be read", None, policy="applied"),
    ),
)


def test_a_commit_that_stays_refused_is_not_said_to_be_applied() -> None:
    again = Outcome("c" * 40, Decision(PLAN, (JUDGED,)), (), (JUDGED,), (), None, signed=True)
    assert text.outcome(again).count("nothing to do") == 0
    assert "recorded  nothing: the journal has commit cccccccccccc already" in text.outcome(again)
    assert "nothing to do" in text.outcome(replace(again, refused=(), decision=Decision(PLAN, ())))


def test_a_plan_as_text() -> None:
    assert click.unstyle(text.plan(PLAN)) == (
        "promote  moe-cybersecurity-cicids  staging                      9 → 15     environments.yaml:5:12\n"
        "promote  moe-cybersecurity-cicids  production                none → 9      environments.yaml:7:12\n"
        "heal     ft-unsw                   staging     stage 1+3, alias 2 → 2      environments.yaml:12:12\n"
        "retire   ft-unsw                   production                   2 → none  EMPTIES IT   environments.yaml:14:12\n"
        "\n"
        "   1  set moe-cybersecurity-cicids/15 to stage Staging, archiving the others there\n"
        "   2  point alias moe-cybersecurity-cicids@staging at version 15\n"
        "   3  delete alias ft-unsw@production\n"
        "\n"
        "environments.yaml:20:12: 'x-y' has no version 9 [no-such-version]\n"
        "          use: 9\n"
        "               ^\n"
        "  hint: its newest version is 2\n"
        "\n"
        "not managed: a-a staging shows 3 and is not declared\n"
        "\n"
        "2 to promote, 1 to retire, 1 to heal, 3 registry writes; plan 9f2c4be1a0d7 for http://mlflow.example:5000"
    )


def test_a_decision_as_text_has_the_worst_first_and_what_passed_in_one_line() -> None:
    assert click.unstyle(text.decision(Decision(PLAN, (JUDGED,)), signed=False)).split("\n\n")[0] == (
        "promote  moe-cybersecurity-cicids  production  none → 9   environments.yaml:7:12   ERRORED\n"
        "  ERRORED       lineage  expected: data → version, by the rules of the applied commit\n"
        "                         got:      the run could not be read\n"
        "                         rule:     policies/production.yaml:29:5\n"
        "  FAILED        bound    expected: f1 ≥ 0.95\n"
        "                         got:      f1 = 0.62 on 4000 rows\n"
        "                         rule:     policies/production.yaml:29:5\n"
        "                         hint:     train or choose a better version\n"
        "  PASSED        naming   moe-cybersecurity-cicids\n"
        "  PASSED        digest   sha256:9f2c4be1a0d7…"
    )
    assert click.unstyle(text.decision(Decision(PLAN, (JUDGED,)))).endswith("ERRORED: 1 change judged, 1 refused")
    assert "unsigned" in text.decision(Decision(PLAN, (JUDGED,)), signed=False)


def test_emptying_an_environment_is_red() -> None:
    red = [line for line in text.plan(PLAN).split("\n") if line.startswith(ALARM)]
    assert len(red) == 1
    assert "production" in red[0]
    assert "EMPTIES IT" in red[0]
    assert "| **retire** ft\\-unsw production ⚠️ **empties it** | 2 → none |" in markdown.plan(PLAN)
    assert "⚠️ **empties it**" in markdown.decision(Decision(PLAN, (Judged(CHANGES[3], ()),)))


def test_nothing_to_do_and_nothing_to_judge() -> None:
    empty = Plan("http://mlflow.example:5000", (), (), (), DIGEST)
    assert text.plan(empty) == "nothing to do: http://mlflow.example:5000 shows what is declared, and the journal says so"
    assert text.decision(Decision(empty, ())) == "nothing to judge: no binding changes"
    assert "nothing to do" not in text.plan(Plan("x", (), (), (), DIGEST, (PROBLEM,)))


def test_wide_names_line_up() -> None:
    made = Plan(
        "x",
        (change(ChangeKind.PROMOTE, "模型-検知", "staging", 1, 2), change(ChangeKind.PROMOTE, "ascii-name-x", "staging", 1, 2)),
        (),
        (),
        DIGEST,
    )
    first, second = click.unstyle(text.plan(made)).split("\n")[:2]
    # Four wide characters take a column more each.
    assert first.index("staging") + 4 == second.index("staging")


EVIL = 'a\x1b[2J\x1b]0;owned\x07\u202e|**b**<script>alert(1)</script>[x](http://evil)`"\r\n::error::x @everyone'


def evil() -> Decision:
    one = change(ChangeKind.PROMOTE, EVIL, EVIL, 1, 2)
    bad = Verdict(EVIL, Status.FAILED, EVIL, EVIL, 2, EVIL, EVIL, EVIL, Place(EVIL, 1, 1))
    problem = Problem(Place(EVIL, 1, 4), EVIL, "rule", EVIL, EVIL)
    made = Plan("x", (one,), (SetAlias(EVIL, EVIL, 2),), (EVIL,), DIGEST, (problem,))
    return Decision(made, (Judged(one, (bad,)),))


def test_what_a_stranger_wrote_does_not_reach_the_terminal() -> None:
    for shown in (text.decision(evil()), text.plan(evil().plan)):
        assert set(re.findall(r"[^\x20-\x7e\n→…≥]", re.sub(r"\x1b\[[0-9]+m", "", shown))) == set()


def test_what_a_stranger_wrote_in_the_journal_does_not_either() -> None:
    now = datetime(2026, 10, 1, tzinfo=UTC)
    entry = Entry(
        EntryKind.OUTCOME,
        "id",
        DIGEST[:40],
        EVIL,
        EVIL,
        now,
        EVIL,
        "1",
        EVIL,
        None,
        None,
        (),
        (Refusal(EVIL, EVIL, 3, (EVIL,)),),
        None,
        None,
        None,
    )
    held = Hold(EVIL, EVIL, 3, DIGEST, EVIL, now, EVIL)
    shown = text.history([Recorded(DIGEST[:40], entry)], signers={DIGEST[:40]: EVIL}, signed=True) + text.holds([held])
    assert EVIL not in shown
    assert set(re.findall(r"[^\x20-\x7e\n→…]", shown)) == set()


def test_what_a_stranger_wrote_does_not_reach_the_page() -> None:
    lines = (Line(EVIL, Measure(0.5, None), Measure(0.6, None), None),)
    beside = Beside(evil().plan.changes[0], EVIL, 1, EVIL, 400, EVIL, lines, EVIL)
    for shown in (markdown.decision(evil()), markdown.plan(evil().plan), markdown.beside([beside])):
        assert "<script>" not in shown
        assert "](http" not in shown
        assert "@everyone" not in shown
        assert "**b**" not in shown
        for row in shown.split("\n"):
            assert not row.startswith("::")
            if row.startswith("|"):
                assert len(re.findall(r"(?<!\\)\|", row)) in {4, 5, 6}


def test_a_page_of_a_plan_tells_what_happens_on_merge_and_how_to_get_back() -> None:
    shown = markdown.plan(PLAN)
    merge, back = shown.split("**When this is on main**")[1].split("**How to get back**")
    assert merge.count("\n1. ") == 1
    assert [line.split(". ")[0] for line in merge.splitlines() if line[:1].isdigit()] == ["1", "2", "3"]
    staging, production, healed, retired = (line.replace("\\-", "-") for line in back.splitlines() if line)
    assert staging.startswith(f"- staging of {MODEL}, back to version 9: revert this pull request; or, when there is no time, <code>promo")
    assert f"<code>promotion rollback {MODEL} staging</code> or the workflow rollback" in staging
    assert production.startswith(f"- production of {MODEL}: nothing was there before. Declare `use: none`, or another version")
    assert healed.startswith("- staging of ft-unsw: what was applied last is restored")
    assert retired.startswith("- production of ft-unsw, back to version 2: revert this pull request")


def test_a_page_shows_a_version_beside_what_is_in_service_with_its_intervals_drawn() -> None:
    f1 = Line("f1", Measure(0.8, Interval(0.7, 0.9)), Measure(0.9, Interval(0.8, 1.0)), Measure(0.1, Interval(0.05, 0.15)))
    other = Line("router.tabular", None, Measure(0.5, None), None)
    shown = markdown.beside([Beside(CHANGES[0], "production", 4, "holdout", 400, "rows.csv", (f1, other), None)])
    last = "─" * 12
    assert "Version 15 beside version 4 in production, by holdout: 400 rows of rows.csv, 95 % intervals." in shown
    drawn = shown.split("```text\n")[1].split("\n```")[0].splitlines()
    assert [line.strip().split("  ")[0] for line in drawn] == ["f1", "4 in production", "15", "difference"]
    assert drawn[1].endswith(f"├{last}●{last}┤               0.8000 (0.7000 to 0.9000)")
    assert drawn[2].endswith(f" ├{last}●{last}┤  0.9000 (0.8000 to 1.0000)")
    assert drawn[1].index("●") == drawn[2].index("├"), "one scale for both"
    assert drawn[3].endswith("+0.1000 (+0.0500 to +0.1500) higher")
    assert r"| router.tabular | none | 0.5000 | none |  |" in shown, "what is not drawn stands in the table"
    alone = markdown.beside([Beside(CHANGES[1], None, None, "holdout", 400, "rows.csv", (other,), "nothing else is in service")])
    assert "Version 9 beside nothing" in alone
    assert "Nothing else is in service." in alone
    assert "| figure | version 9 |" in alone


def test_json_is_one_sorted_document_with_a_schema() -> None:
    for shown, schema in ((json.plan(PLAN), "promotion/plan/v1"), (json.decision(Decision(PLAN, (JUDGED,))), "promotion/decision/v1")):
        found = standard.loads(shown)
        assert found["schema"] == schema
        assert standard.dumps(found, indent=2, sort_keys=True, ensure_ascii=False) == shown
    assert standard.loads(json.plan(PLAN))["changes"][3]["after"] is None


def test_a_figure_that_is_not_a_number_is_null() -> None:
    assert standard.loads(document("x/v1", {"f1": math.nan, "deep": [{"a": math.inf}]})) == {
        "schema": "x/v1",
        "f1": None,
        "deep": [{"a": None}],
    }


def test_a_plan_that_was_written_is_recognised() -> None:
    assert json.agreed("plan.json", json.plan(PLAN).encode()) == Agreed(PLAN.digest, PLAN.basis)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b'{"schema": "promotion/decision/v1", "digest": "x"}',
        b"[" * 100_000,
        b"\xff",
        b'{"schema": "promotion/plan/v1", "digest": 3}',
        b'{"schema": "promotion/plan/v1", "digest": "3", "basis": [1]}',
        b'{"schema": "promotion/plan/v1", "digest": "3", "basis": {"file": 1}}',
    ],
)
def test_anything_else_is_no_plan(content: bytes) -> None:
    with pytest.raises(UsageError, match=r"plan\.json is not a plan") as caught:
        json.agreed("plan.json", content)
    assert "promotion plan --out" in (caught.value.hint or "")
    assert not caught.value.message.endswith("plan: 'schema'"), "a missing key by itself says nothing"


@pytest.mark.parametrize(
    ("source", "column", "expected"),
    [
        ("use: x", 6, ["    use: x", "         ^"]),
        ("\tuse: x", 7, ["     use: x", "          ^"]),
        ("模型: x", 5, ["    模型: x", "          ^"]),
        ("e\u0301: x", 5, ["    e\u0301: x", "       ^"]),
        ("a", 3, ["    a", "      ^"]),
    ],
)
def test_the_caret_stands_below_the_column(source: str, column: int, expected: list[str]) -> None:
    shown = click.unstyle(render_problem(Problem(Place("f.yaml", 1, column), "m", "r", None, source)))
    if column > len(source):
        expected = [expected[0], f"    {' ' * len(source)}^"]
    assert shown.split("\n")[1:] == expected


@given(length=st.integers(0, 2_000), data=st.data())
def test_a_long_line_is_cut_around_the_caret(length: int, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, length))
    source = "".join("#" if index == at else "-" for index in range(length))
    problem = Problem(Place("f.yaml", 1, at + 1), "m", "r", None, source)
    lines = click.unstyle(render_problem(problem)).split("\n")
    if not source:
        assert len(lines) == 1
        return
    _, line, caret = lines
    assert len(line) <= 170
    if at < length:
        assert line[caret.index("^")] == "#"


def test_an_error_tells_place_and_what_to_do() -> None:
    error = UsageError("there is no model", hint="register it\nfirst", place=Place("environments.yaml", 3, 1))
    assert click.unstyle(render_error(error)) == "error: environments.yaml:3:1: there is no model\n  hint: register it\n        first"
    assert click.unstyle(render_error(InvalidFiles([PROBLEM]))).endswith("error: 1 problem found; nothing was changed")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("model é 模型\n", "model é 模型\n"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("plain\nback\rover\n\ttab", "plain\nback\\rover\n\\ttab"),
        ("right\u202eleft\u2028line", "right\\u202eleft\\u2028line"),
    ],
)
def test_what_could_move_the_cursor_is_shown_as_its_escape(said, shown):
    assert harmless(said) == shown
