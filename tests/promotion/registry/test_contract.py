"""What every registry client must do: the fake, MLflow's client on SQLite, and HTTP to SQLite, to PostgreSQL, and to MLflow 2.9."""

from __future__ import annotations

import math

import pytest

from promotion.changes import DeleteAlias, SetAlias, SetStage
from promotion.errors import Unavailable, UsageError
from promotion.registry import observing
from promotion.registry.artifacts import digest_folder
from tests.promotion.registry.backends import FILES, write


def test_a_version_as_registered(backend, name):
    number = backend.register(name, tags={"dataset": "synthetic", "empty": ""}, description="tabular expert")
    model = backend.registry.model(name)
    assert (model.name, model.aliases, model.tags, tuple(model.versions)) == (name, {}, {}, (number,))
    version = model.versions[1]
    assert (version.version, version.stage, version.status) == (1, "None", "READY")
    assert (version.description, version.tags) == ("tabular expert", {"dataset": "synthetic", "empty": ""})
    assert version.updated >= version.identity.created > 1_600_000_000_000
    assert backend.registry.run(version.identity.run_id).user == "tests"
    assert version.identity.source


def test_what_does_not_exist_is_absent(backend, name):
    backend.register(name)
    observed = backend.registry.observe([name, f"{name}-missing", "no/such"])
    assert (observed.registry, tuple(observed.models)) == (backend.registry.address, (name,))
    assert backend.registry.model(f"{name}-missing") is None
    assert backend.registry.run("0123456789abcdef0123456789abcdef") is None
    assert backend.registry.observe([]).models == {}
    with pytest.raises(Unavailable):
        backend.registry.artifact(name, 7)
    with pytest.raises(Unavailable):
        backend.registry.artifact(f"{name}-missing", 1)


def test_a_model_without_versions_is_shown(backend, name):
    backend.delete_version(name, backend.register(name))
    assert backend.registry.model(name).versions == {}
    assert name in backend.registry.names()


def test_names_are_sorted_and_complete(backend, name):
    made = [f"{name}-{letter}" for letter in "cab"]
    for one in made:
        backend.register(one, {"MLmodel": b"x"})
    names = backend.registry.names()
    assert set(made) <= set(names)
    assert list(names) == sorted(names)


def test_few_and_many_models_read_the_same(backend, name, monkeypatch):
    monkeypatch.setattr(observing, "FEW", 5)
    monkeypatch.setattr(observing, "_PIECE", 9)
    wanted = [f"{name}-{number:02}" for number in range(23)]
    for one in wanted:
        backend.register(one, {"MLmodel": one.encode()})
    backend.registry.apply(SetStage(wanted[5], 1, "Staging", archive_existing=False))
    backend.registry.apply(SetAlias(wanted[6], "staging", 1))
    backend.registry.set_model_tag(wanted[7], "owner", "ids-team")
    many = backend.registry.observe([*wanted, f"{name}-missing"]).models
    few = backend.registry.observe(wanted[5:8]).models
    assert list(many) == wanted
    assert {one: many[one] for one in few} == few
    assert (many[wanted[5]].in_stage("Staging"), many[wanted[6]].aliases, many[wanted[7]].tags) == (
        (1,),
        {"staging": 1},
        {"owner": "ids-team"},
    )


def test_a_transition_archives_the_others_of_that_stage_alone(backend, name):
    for _ in range(3):
        backend.register(name, {"MLmodel": b"x"})
    backend.registry.apply(SetStage(name, 1, "Production", archive_existing=True))
    backend.registry.apply(SetStage(name, 2, "Staging", archive_existing=True))
    before = backend.registry.model(name)
    backend.registry.apply(SetStage(name, 3, "Production", archive_existing=True))
    after = backend.registry.model(name)
    assert [after.versions[number].stage for number in (1, 2, 3)] == ["Archived", "Staging", "Production"]
    assert after.versions[2] == before.versions[2]
    assert after.versions[1].updated == after.versions[3].updated > before.versions[1].updated


def test_a_transition_without_archiving_leaves_two(backend, name):
    for _ in range(2):
        backend.register(name, {"MLmodel": b"x"})
    for number in (1, 2):
        backend.registry.apply(SetStage(name, number, "Production", archive_existing=False))
    assert backend.registry.model(name).in_stage("Production") == (1, 2)
    # Archiving repairs it, even though version 2 bears the stage already.
    backend.registry.apply(SetStage(name, 2, "Production", archive_existing=True))
    assert backend.registry.model(name).in_stage("Production") == (2,)


@pytest.mark.parametrize("stage", ["Archived", "None"])
def test_archiving_is_left_out_where_mlflow_refuses_it(backend, name, stage):
    for _ in range(3):
        backend.register(name, {"MLmodel": b"x"})
    backend.registry.apply(SetStage(name, 1, "Archived", archive_existing=False))
    backend.registry.apply(SetStage(name, 2, stage, archive_existing=True))
    model = backend.registry.model(name)
    assert [model.versions[number].stage for number in (1, 2, 3)] == ["Archived", stage, "None"]


def test_a_transition_that_changes_nothing_still_moves_the_time(backend, name):
    backend.register(name, {"MLmodel": b"x"})
    backend.registry.apply(SetStage(name, 1, "Staging", archive_existing=True))
    before = backend.registry.model(name).versions[1]
    backend.registry.apply(SetStage(name, 1, "Staging", archive_existing=True))
    after = backend.registry.model(name).versions[1]
    assert after.updated > before.updated
    assert after.stage == before.stage


def test_aliases_are_set_moved_and_deleted_without_touching_times(backend, name):
    for _ in range(2):
        backend.register(name, {"MLmodel": b"x"})
    before = backend.registry.model(name).versions
    backend.registry.apply(SetAlias(name, "production", 1))
    backend.registry.apply(SetAlias(name, "canary", 1))
    backend.registry.apply(SetAlias(name, "production", 2))
    assert backend.registry.model(name).aliases == {"canary": 1, "production": 2}
    backend.registry.apply(DeleteAlias(name, "canary"))
    backend.registry.apply(DeleteAlias(name, "canary"))  # deleting one that is not there is fine
    assert backend.registry.model(name).aliases == {"production": 2}
    assert backend.registry.model(name).versions == before


@pytest.mark.parametrize("alias", ["latest", "v3", "a b", ""])
def test_reserved_and_malformed_aliases_are_refused(backend, name, alias):
    backend.register(name, {"MLmodel": b"x"})
    with pytest.raises(Unavailable):
        backend.registry.apply(SetAlias(name, alias, 1))
    assert backend.registry.model(name).aliases == {}


def test_writes_to_what_does_not_exist_are_refused(backend, name):
    backend.register(name, {"MLmodel": b"x"})
    missing = f"{name}-missing"
    for operation in (
        SetStage(name, 9, "Staging", archive_existing=True),
        SetStage(missing, 1, "Staging", archive_existing=True),
        SetStage(name, 1, "Nirvana", archive_existing=False),
        SetAlias(name, "production", 9),
        DeleteAlias(missing, "production"),
    ):
        with pytest.raises(Unavailable) as caught:
            backend.registry.apply(operation)
        assert caught.value.hint
        assert backend.registry.address in caught.value.message
    assert backend.registry.model(name).versions[1].stage == "None"


def test_deleting_a_version_removes_its_aliases_and_its_number_for_good(backend, name):
    for _ in range(2):
        backend.register(name, {"MLmodel": b"x"})
    backend.registry.apply(SetAlias(name, "production", 2))
    backend.registry.apply(SetStage(name, 2, "Production", archive_existing=True))
    backend.delete_version(name, 2)
    model = backend.registry.model(name)
    # Before MLflow 2.10 the alias stays, and leads nowhere.
    assert (tuple(model.versions), model.aliases) == ((1,), {"production": 2} if backend.leaves_aliases else {})
    assert backend.register(name, {"MLmodel": b"x"}) == 3


def test_a_model_made_again_has_another_identity_under_the_same_number(backend, name):
    backend.register(name, {"MLmodel": b"one"})
    before, bytes_before = backend.registry.model(name).versions[1], backend.registry.artifact(name, 1)
    backend.delete_model(name)
    assert backend.register(name, {"MLmodel": b"two"}) == 1
    assert backend.registry.model(name).versions[1].identity != before.identity
    assert backend.registry.artifact(name, 1).digest != bytes_before.digest


def test_tags_are_set_and_replaced(backend, name):
    backend.register(name, {"MLmodel": b"x"}, tags={"a": "1"})
    before = backend.registry.model(name).versions[1]
    backend.registry.set_model_tag(name, "owner", "one")
    backend.registry.set_model_tag(name, "owner", "two")
    backend.registry.set_version_tag(name, 1, "digest", "sha256:" + "0" * 64)
    model = backend.registry.model(name)
    assert model.tags == {"owner": "two"}
    assert model.versions[1].tags == {"a": "1", "digest": "sha256:" + "0" * 64}
    assert model.versions[1].updated == before.updated


def test_a_run_with_numbers_that_are_none(backend):
    metrics = {"f1": 0.75, "loss": math.nan, "steps": 3.0}
    run_id = backend.run(params={"seed": "1", "lr": "0.1"}, metrics=metrics, tags={"git": "abc"})
    run = backend.registry.run(run_id)
    assert (run.run_id, run.status, run.user) == (run_id, "FINISHED", "tests")
    assert run.params == {"lr": "0.1", "seed": "1"}
    assert run.tags["git"] == "abc"
    assert {key: run.metrics[key] for key in ("f1", "steps")} == {"f1": 0.75, "steps": 3.0}
    assert math.isnan(run.metrics["loss"])


def test_the_digest_is_that_of_the_local_folder(backend, name, tmp_path):
    backend.register(name)
    local = digest_folder(write(tmp_path / "local", FILES))
    listed = backend.registry.artifact(name, 1)
    assert listed == local
    assert [file.path for file in listed.files] == sorted(FILES)
    assert {file.path: file.size for file in listed.files} == {path: len(content) for path, content in FILES.items()}
    fetched = tmp_path / "fetched"
    assert backend.registry.download(name, 1, fetched) == local
    assert {path.relative_to(fetched).as_posix(): path.read_bytes() for path in fetched.rglob("*") if path.is_file()} == FILES
    # What is known from observing leads to the same files.
    source = backend.registry.model(name).versions[1].identity.source
    assert backend.registry.download(name, 1, tmp_path / "again", source=source) == local


def test_a_replaced_file_changes_the_digest(backend, name):
    backend.register(name)
    before = backend.registry.artifact(name, 1)
    backend.replace(name, 1, {"data/model.json": b"{}" * 499 + b"[]"})
    after = backend.registry.artifact(name, 1)
    assert after.digest != before.digest
    assert [file.path for one, file in zip(before.files, after.files, strict=True) if one != file] == ["data/model.json"]


def test_what_downloading_adds_is_no_part_of_the_digest(backend, name, tmp_path):
    backend.register(name)
    before = backend.registry.artifact(name, 1)
    backend.replace(name, 1, {"registered_model_meta": b"model_name: x\n"})
    assert backend.registry.artifact(name, 1) == before
    assert backend.registry.download(name, 1, tmp_path / "fetched") == before
    assert not (tmp_path / "fetched" / "registered_model_meta").exists()
    # Only in the top folder: anywhere else it is a file like any other.
    backend.replace(name, 1, {"data/registered_model_meta": b"code"})
    assert backend.registry.artifact(name, 1).digest != before.digest


def test_a_download_needs_an_empty_folder(backend, name, tmp_path):
    backend.register(name)
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(UsageError, match="not empty"):
        backend.registry.download(name, 1, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
