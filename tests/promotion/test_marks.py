"""Marks beside the lines of a pull request: one for each problem, and no text from a file can forge another."""

from __future__ import annotations

from types import SimpleNamespace

from promotion.changes import Change, ChangeKind, Plan, Shown
from promotion.domain import Place, Problem
from promotion.errors import InvalidFiles, Unavailable
from promotion.render import marks
from promotion.verdicts import Decision, Judged, Status, Verdict

PLACE = Place("environments.yaml", 4, 12)


def verdict(status: Status, got: str = "0.62") -> Verdict:
    return Verdict("bound", status, "flow-trees", "staging", 2, "f1 ≥ 0.9", got, "train it longer", Place("policies/staging.yaml", 3, 5))


def decision(*verdicts: Verdict) -> Decision:
    change = Change(ChangeKind.PROMOTE, "flow-trees", "staging", 1, 2, Shown((1,), 1), None, PLACE)
    return Decision(Plan("http://registry", (change,), (), (), "0" * 64), (Judged(change, verdicts),))


def test_every_problem_of_the_files_is_marked_at_its_place() -> None:
    found = InvalidFiles([Problem(PLACE, "unknown key 'stagign'", "unknown-key", "did you mean 'staging'?"), Problem(PLACE, "x", "y")])
    found_marks = marks.error(found)
    assert len(found_marks) == 2
    assert "::error file=environments.yaml,line=4,col=12,title=unknown-key::unknown key 'stagign'. did you mean 'staging'?" in found_marks


def test_an_error_without_a_place_is_marked_on_the_run() -> None:
    assert marks.error(Unavailable("no answer", hint="start it")) == ("::error title=promotion::no answer. start it",)


def test_what_blocks_is_marked_on_the_line_of_the_change_and_nothing_else() -> None:
    (mark,) = marks.decision(decision(verdict(Status.FAILED), verdict(Status.PASSED), verdict(Status.WARNED)))
    assert mark.startswith(
        "::error file=environments.yaml,line=4,col=12,title=flow-trees staging%3A bound FAILED::expected f1 ≥ 0.9, got 0.62"
    )


def test_text_from_outside_cannot_start_a_command_of_its_own() -> None:
    (mark,) = marks.decision(decision(verdict(Status.FAILED, got="1\n::set-env name=PATH::/evil%0A\r")))
    assert "\n" not in mark
    assert "\r" not in mark
    assert "1%0A::set-env name=PATH::/evil%250A%0D" in mark


def test_views_that_show_a_decision_are_marked_and_others_are_not() -> None:
    judged = decision(verdict(Status.FAILED))
    outcome = SimpleNamespace(decision=judged)
    assert marks.view("decision", judged) == marks.view("outcome", outcome) == marks.decision(judged)
    assert marks.view("plan", judged.plan) == ()
    assert marks.view("history", ()) == ()
