"""Approvals that do not count: nobody's, the author's own, a stranger's, another plan's, used, aged, or for other bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from promotion.approvals import make
from promotion.judging import judge
from promotion.repository import at
from promotion.survey import survey
from tests.promotion.corpus.way import ERRORED, FAILED, STAGING, Bad, Way
from tests.promotion.corpus.world import telling
from tests.promotion.journal.conftest import make_key, signer_line

APPROVAL = "  - gate: approval\n    signers: [bob@example.org, ada@example.org]\n"


def _asked(story: Callable[[Way], None]) -> Callable[[Way], None]:
    """Ada promotes and signs her commits, Bob may approve: this is asked for since before the story begins."""

    def begin(way: Way) -> None:
        for who in ("ada", "bob", "eve"):
            way.keys[who] = make_key(way.folder.parent, who)
        with (way.folder / "policies" / "allowed_signers").open("a") as file:
            file.writelines(signer_line(f"{who}@example.org", way.keys[who]) for who in ("ada", "bob"))
        for name, value in (("gpg.format", "ssh"), ("user.signingkey", str(way.keys["ada"])), ("commit.gpgsign", "true")):
            way.git("config", name, value)
        way.rule("staging", STAGING + APPROVAL)
        way.to(staging=1, production=1)
        story(way)

    return begin


def _approve(way: Way, who: str = "bob", *, expired: bool = False) -> str:
    """Sign what reconcile would do now, as ``promotion approve`` does; returns the tag's name."""
    workspace = replace(way, shared={**way.shared, "signing_key": way.keys[who]}).workspace()
    commit = workspace.git.resolve("HEAD")
    found = survey(workspace, at(workspace.git, commit, workspace.layout))
    decision = judge(workspace, found, commit=commit, measure=False).decision
    until = workspace.now() + timedelta(days=-1 if expired else 7)
    return make(workspace, found, decision, commit, until)[0]


def by_nobody(way: Way) -> None:
    way.declare(staging=2, production=1)


def by_its_author(way: Way) -> None:
    way.declare(staging=2, production=1)
    _approve(way, "ada")


def that_expired(way: Way) -> None:
    way.declare(staging=2, production=1)
    _approve(way, expired=True)


def of_an_unknown_author(way: Way) -> None:
    way.git("config", "commit.gpgsign", "false")
    way.declare(staging=2, production=1)
    _approve(way)


def replayed(way: Way) -> None:
    """It is applied and brought back; then the same plan, with the same bytes before and after, is declared again."""
    way.declare(staging=2, production=1)
    _approve(way)
    assert way.reconcile().exit_code == 0
    way.to(staging=1, production=1)
    way.declare(staging=2, production=1)


def of_another_plan(way: Way) -> None:
    """Bob signed version 2; the commit that is applied declares version 3, which is as good."""
    way.declare(staging=2, production=1)
    _approve(way)
    way.add(telling(97))
    way.declare(staging=3, production=1)


def before_the_bytes_were_replaced(way: Way) -> None:
    way.declare(staging=2, production=1)
    _approve(way)
    way.registry.replace_files(way.name, 2, telling(97))


def before_the_rules_changed(way: Way) -> None:
    way.declare(staging=2, production=1)
    _approve(way)
    way.rule("staging", STAGING.replace("min: 0.8", "min: 0.7") + APPROVAL)
    way.commit("lower the bar")


def under_the_name_of_this_plan(way: Way) -> None:
    """The signed tag of one plan, renamed to another's."""
    way.declare(staging=2, production=1)
    name = _approve(way)
    way.add(telling(97))
    way.declare(staging=3, production=1)
    other = _approve(way)
    way.git("update-ref", f"refs/tags/{other}", way.git("rev-parse", f"refs/tags/{name}"))


def rule_dropped_beside(way: Way) -> None:
    way.rule("staging", STAGING)
    way.declare(staging=2, production=1)


def signer_replaced_beside(way: Way) -> None:
    """The commit that promotes gives Bob's name to another key."""
    path = way.folder / "policies" / "allowed_signers"
    path.write_text(
        path.read_text().replace(signer_line("bob@example.org", way.keys["bob"]), signer_line("bob@example.org", way.keys["eve"]))
    )
    way.declare(staging=2, production=1)
    _approve(way, "eve")


APPROVALS = [
    Bad("approved by nobody", _asked(by_nobody), "approval", FAILED, "nobody has approved this plan", "staging"),
    Bad("approved by its author", _asked(by_its_author), "approval", FAILED, "promotes it, and cannot approve it", "staging"),
    Bad("approval expired", _asked(that_expired), "approval", FAILED, "it expired at", "staging"),
    Bad("approval, author unknown", _asked(of_an_unknown_author), "approval", ERRORED, "the author is unknown", "staging"),
    Bad("approval replayed", _asked(replayed), "approval", FAILED, "it was used already", "staging"),
    Bad("approval of another plan", _asked(of_another_plan), "approval", FAILED, "nobody has approved this plan", "staging"),
    Bad("approval of other bytes", _asked(before_the_bytes_were_replaced), "approval", FAILED, "other bytes", "staging"),
    Bad("approval under other rules", _asked(before_the_rules_changed), "approval", FAILED, "nobody has approved", "staging"),
    Bad("approval renamed", _asked(under_the_name_of_this_plan), "approval", FAILED, "no annotated tag of this name", "staging"),
    Bad("approval's rule dropped beside", _asked(rule_dropped_beside), "approval", FAILED, "nobody has approved", "staging", "applied"),
    Bad("approver replaced beside", _asked(signer_replaced_beside), "approval", FAILED, "not signed by a key", "staging"),
]
