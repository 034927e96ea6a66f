"""``promotion notify`` from a real journal, registry and file to a webhook that listens."""

from __future__ import annotations

import json

import pytest

from promotion.cli import root
from promotion.cli.ending import run
from promotion.notifying.delivery import Limits
from promotion.reconcile import Options
from promotion.restore import rollback
from tests.promotion.notifying.webhook import listening
from tests.scene import Scene
from tests.server import free_port

WAIVERS = """version: 1
waivers:
  - gate: naming
    model: {name}
    version: 2
    environment: production
    owner: Grace
    reason: renamed soon
    expires: 2026-01-31
"""


@pytest.fixture
def scene(tmp_path, mlflow_server, monkeypatch):
    for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    made = Scene(tmp_path / "models", mlflow_server)
    made.start()
    made.register(2)
    for version in (1, 2):
        made.declare(production=version)
        made.reconcile()
    return made


def notify(scene: Scene, *more: str) -> int:
    return run(root, ["notify", "-C", str(scene.folder), "--tracking-uri", scene.url, *more])


def test_what_the_journal_tells_since_an_entry_is_told_once_for_people_and_one_by_one_for_programs(scene, monkeypatch, capsys):
    before = scene.journal()
    rollback(scene.workspace(), Options(), scene.name, "production", reason="alarms", push=False)
    with listening() as people, listening() as programs, listening() as others:
        lines = [f"slack {people.url}", f"cloudevents {programs.url}", f"teams {others.url} drifted,expiring"]
        monkeypatch.setenv("PROMOTION_WEBHOOKS", "\n".join(lines))
        monkeypatch.setenv("PROMOTION_WEBHOOK_SECRET", "shared")
        assert notify(scene, "--since", before) == 0
    ((_, message),) = people.received
    assert f"{scene.name} production: version 2 → version 1, rolled back" in json.loads(message)["text"]
    events = [json.loads(body) for _, body in programs.received]
    assert [one["type"] for one in events] == ["promotion.rolled-back", "promotion.held"]
    assert [(one["data"]["after"], one["data"]["reasons"]) for one in events] == [(1, []), (2, ["alarms"])]
    assert [headers["webhook-id"] for headers, _ in programs.received] == [one["id"] for one in events]
    assert all(headers["webhook-signature"].startswith("v1,") for headers, _ in programs.received)
    assert {headers["content-type"] for headers, _ in programs.received} == {"application/cloudevents+json; charset=utf-8"}
    assert {one["source"] for one in events} == {"/models"}
    assert not others.received
    shown = capsys.readouterr().out
    assert "told      slack at 127.0.0.1 (1 post)" in shown
    assert "told      cloudevents at 127.0.0.1 (2 posts)" in shown
    assert "secret" not in shown


def test_what_drifted_and_what_expires_is_told(scene, monkeypatch):
    scene.move(1, "Production")
    (scene.folder / "policies" / "waivers.yaml").write_text(WAIVERS.format(name=scene.name))
    with listening() as webhook:
        monkeypatch.setenv("PROMOTION_WEBHOOKS", f"cloudevents {webhook.url}")
        assert notify(scene, "--drift", "--expiring") == 0
    first, second = (json.loads(body) for _, body in webhook.received)
    assert (first["type"], first["subject"]) == ("promotion.drifted", f"{scene.name}/production")
    assert "pointer: applied" in first["data"]["reasons"][0]
    assert second["type"] == "promotion.expiring"
    assert "expired on 2026-01-31, owner Grace" in second["data"]["reasons"][0]


def test_a_dead_receiver_is_told_in_a_warning_without_its_address(scene, monkeypatch, capsys):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    with listening() as webhook:
        dead = f"http://127.0.0.1:{free_port()}/path-that-is-a-secret"
        monkeypatch.setenv("PROMOTION_WEBHOOKS", f"teams {dead} drifted,promoted\nslack {webhook.url}")
        monkeypatch.setattr("promotion.notifying.delivery.Limits", lambda: Limits(pauses=()))
        assert notify(scene, "--since", "none") == 5
    assert len(webhook.received) == 1, "its neighbour is told"
    shown = capsys.readouterr()
    assert "NOT TOLD  teams at 127.0.0.1: no connection (0 of 1 post taken)" in shown.out
    assert "::warning title=not told::teams at 127.0.0.1: no connection" in shown.err
    assert "secret" not in shown.out + shown.err


def test_a_dry_run_tells_nobody(scene, monkeypatch, capsys):
    with listening() as webhook:
        monkeypatch.setenv("PROMOTION_WEBHOOKS", f"slack {webhook.url}")
        assert notify(scene, "--since", "none", "--dry-run", "--format", "json") == 0
    assert not webhook.received
    shown = json.loads(capsys.readouterr().out)
    assert [(one["what"], one["before"], one["after"]) for one in shown["happenings"]] == [("promoted", None, 1), ("promoted", 1, 2)]
    assert shown["receivers"] == [{"receiver": "slack at 127.0.0.1", "posts": 1, "accepted": 0, "fault": None}]


def test_nobody_is_to_be_told(scene, monkeypatch, capsys):
    monkeypatch.delenv("PROMOTION_WEBHOOKS", raising=False)
    assert notify(scene, "--since", "none") == 0
    assert "nobody is to be told: PROMOTION_WEBHOOKS names no receiver" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [((), "nothing to tell was asked for"), (("--since", "f" * 40), "the journal has no entry ffff")],
)
def test_what_cannot_be_told_is_an_error(scene, monkeypatch, capsys, arguments, told):
    monkeypatch.setenv("PROMOTION_WEBHOOKS", "slack http://127.0.0.1:1/secret")
    assert notify(scene, *arguments) == 2
    assert told in capsys.readouterr().err
