"""Three kinds of drift: pointers, bytes, metadata; what is told of each, and what healing restores."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

from promotion.changes import SetVersionTag
from promotion.drift import DriftKind, heal, look
from promotion.errors import Exit
from promotion.reconcile import Options
from promotion.render import json, markdown, text
from promotion.repository import working
from tests.scene import Scene

Served = Callable[[int], Scene]


def drifts(scene: Scene, *, read: bool = False) -> list[tuple[DriftKind, str, str]]:
    workspace = scene.workspace()
    found = look(workspace, working(workspace.git, workspace.layout), read=read)
    for render in (text.drift, markdown.drift, json.drift):
        assert render(found)
    return [(one.kind, one.environment, one.got) for one in found.drifts]


@pytest.fixture
def scene(served: Served) -> Scene:
    found = served(3)
    found.client.set_model_version_tag(found.name, "2", "data_version", "v7")
    found.declare(staging=3, production=2)
    assert found.reconcile().exit_code is Exit.DONE
    assert drifts(found) == []
    return found


def restore(scene: Scene) -> tuple[str, ...]:
    workspace = scene.workspace()
    outcome = heal(workspace, Options(), working(workspace.git, workspace.layout))
    assert workspace.journal.verify() == ()
    return tuple(map(str, outcome.written))


def test_a_moved_stage_is_told_with_its_time_and_healed(scene: Scene) -> None:
    scene.client.transition_model_version_stage(scene.name, "1", "Production", archive_existing_versions=True)
    workspace = scene.workspace()
    (found,) = look(workspace, working(workspace.git, workspace.layout)).drifts
    assert (found.kind, found.expected, found.got) == (DriftKind.POINTER, "2", "stage 1, alias 2")
    moved = scene.client.get_model_version(scene.name, "1").last_updated_timestamp
    assert found.since is not None
    assert round(found.since.timestamp() * 1000) == moved
    restore(scene)
    assert drifts(scene) == []


def test_a_moved_alias_is_told_without_a_time(scene: Scene) -> None:
    scene.client.set_registered_model_alias(scene.name, "production", "1")
    workspace = scene.workspace()
    (found,) = look(workspace, working(workspace.git, workspace.layout)).drifts
    assert (found.got, found.since) == ("stage 2, alias 1", None)
    assert "the registry does not tell" in text.drift(look(workspace, working(workspace.git, workspace.layout)))


def test_edited_and_removed_tags_are_told_and_restored_and_recorded(scene: Scene) -> None:
    scene.client.set_model_version_tag(scene.name, "2", "data_version", "forged")
    scene.client.set_model_version_tag(scene.name, "2", "note", "a tag that was added is nobody's loss")
    assert drifts(scene) == [(DriftKind.METADATA, "production", "tag data_version is 'forged'")]
    assert restore(scene) == (str(SetVersionTag(scene.name, 2, "data_version", "v7")),)
    assert drifts(scene) == []
    entry = scene.workspace().journal.read().entry
    assert entry is not None
    assert [(change.kind.value, change.environment) for change in entry.changes] == [("heal", "production")]
    scene.client.delete_model_version_tag(scene.name, "2", "data_version")
    assert drifts(scene) == [(DriftKind.METADATA, "production", "tag data_version was removed")]
    restore(scene)
    assert drifts(scene) == []
    assert restore(scene) == (), "a second time nothing is written"


def test_bytes_that_changed_are_found_by_reading_them_again(scene: Scene) -> None:
    replace_file(scene, 2)
    assert drifts(scene) == [], "without --bytes nothing is read"
    ((kind, environment, got),) = drifts(scene, read=True)
    assert (kind, environment) == (DriftKind.BYTES, "production")
    assert got.startswith("sha256:")


def test_a_version_that_was_deleted_or_made_anew_is_told(scene: Scene) -> None:
    scene.client.delete_model_version(scene.name, "3")
    assert drifts(scene) == [(DriftKind.POINTER, "staging", "the version was deleted")]
    scene.client.delete_registered_model(scene.name)
    assert {got for _, _, got in drifts(scene)} == {"the model was deleted"}


def replace_file(scene: Scene, version: int, name: str = "added.txt", content: bytes = b"others") -> None:
    """What whoever may write the artifact store can do without anybody noticing."""
    location = scene.client.get_model_version_download_uri(scene.name, str(version)).removeprefix("mlflow-artifacts:/").strip("/")
    where = f"{scene.url}/api/2.0/mlflow-artifacts/artifacts/{location}/{name}"
    assert requests.put(where, data=content, timeout=30).status_code == 200
