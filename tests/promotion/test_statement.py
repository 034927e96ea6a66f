"""One statement of evidence, checked offline: what it is of, who vouches for it, and everything that may be wrong with it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest

from promotion.cli import root as command
from promotion.cli.ending import run
from promotion.evidence import key, read
from promotion.git import Git, Identity
from promotion.journal.codec import evidence_folder
from promotion.kept import FolderEvidence
from promotion.predicate import json_schema
from tests.memory import MemoryScene
from tests.promotion.journal.conftest import make_key, signer_line
from tests.scene import NAMING

BOUND = NAMING + "  - gate: bound\n    metric: f1\n    min: 0.5\n"


class Told:
    """A repository whose signed journal holds one statement, the statement, and the model's files."""

    def __init__(self, folder: Path) -> None:
        self.key = make_key(folder, "job")
        scene = self.scene = MemoryScene(folder / "models", "memory://", shared={"signing_key": self.key})
        scene.start()
        scene.measure()
        scene.rule("staging", BOUND)
        (scene.folder / "policies" / "allowed_signers").write_text(signer_line("job@example.org", self.key))
        scene.register(1)
        scene.declare(staging=1)
        scene.reconcile()
        self.git = Git(scene.folder)
        (self.path,) = self.git.list("promotion-journal", "evidence", recursive=True)
        self.data = self.git.read("promotion-journal", self.path) or b""
        self.digest = Path(self.path).stem
        self.model = folder / "model"
        scene.registry.download(scene.name, 1, self.model)

    def ask(self, *arguments: str) -> int:
        return run(command, ["-C", str(self.scene.folder), "--no-color", "evidence", "verify", *arguments])


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Told:
    return Told(tmp_path_factory.mktemp("told"))


@pytest.fixture
def told(kept, tmp_path, monkeypatch) -> Told:
    """A copy, to do harm to."""
    copy = object.__new__(Told)
    copy.__dict__ |= kept.__dict__
    shutil.copytree(kept.scene.folder, tmp_path / "copy")
    copy.scene = replace(kept.scene, folder=tmp_path / "copy")
    copy.git = Git(tmp_path / "copy")
    return copy


def checks(capsys) -> dict[str, tuple[str, str]]:
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "promotion/examined/v1"
    return {one["what"]: (one["status"], one["got"]) for one in found["checks"]}


def test_a_statement_of_the_journal_holds(kept, capsys):
    assert kept.ask(kept.digest, "--artifact", str(kept.model)) == 0
    shown = capsys.readouterr().out
    assert f"statement {kept.digest}" in shown
    assert "signed by job@example.org" in shown
    assert shown.count("PASSED") == 5
    assert kept.ask(kept.digest[:8], "--format", "json") == 0
    found = checks(capsys)
    assert found["subject"][0] == "WARNED", "nothing was compared"
    assert {name for name, (status, _) in found.items() if status == "PASSED"} == {"form", "name", "journal", "signature"}


def test_a_file_that_the_journal_has_too_is_vouched_for(kept, capsys, tmp_path):
    (tmp_path / "any.json").write_bytes(kept.data)
    assert kept.ask(str(tmp_path / "any.json"), "--format", "json") == 0
    assert "name" not in checks(capsys), "that name promises nothing"


def test_evidence_in_a_folder_is_vouched_for_by_nobody(kept, capsys, tmp_path):
    statement = read(kept.data)
    path = FolderEvidence(tmp_path).put(replace(statement, by="somebody else"))
    assert kept.ask(str(path), "--format", "json") == 5
    assert checks(capsys)["journal"][0] == "ERRORED"


def spoiled(data: bytes, **members: object) -> bytes:
    value = json.loads(data)
    value["predicate"] |= members
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


SPOILED = {
    "edited figures": (lambda data: spoiled(data, figures={"f1": 1.0}), "its figures do not follow from its counts"),
    "an unknown member": (lambda data: spoiled(data, verdict="PASSED"), "unknown members"),
    "spaces": (lambda data: json.dumps(json.loads(data)).encode(), "not in canonical form"),
    "cut off": (lambda data: data[:-40], "not JSON"),
    "another predicate": (lambda data: data.replace(b"urn:promotion:evaluation:v1", b"urn:promotion:evaluation:v2"), "another type"),
    "too large": (lambda data: data + b" " * (9 << 20), "at most"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_a_statement_that_was_spoiled_is_told(kept, capsys, tmp_path, name):
    spoil, words = SPOILED[name]
    path = tmp_path / f"{kept.digest}.json"
    path.write_bytes(spoil(kept.data))
    assert kept.ask(str(path), "--format", "json") == 4
    found = checks(capsys)
    assert found["form"][0] == "FAILED"
    assert words in found["form"][1]
    assert found["name"][0] == "FAILED", "its bytes are not what its name says"


def test_another_artifact_is_told(kept, capsys, tmp_path):
    other = Path(shutil.copytree(kept.model, tmp_path / "other"))
    (other / "MLmodel").write_text("flavors: {}\n")
    assert kept.ask(kept.digest, "--artifact", str(other), "--format", "json") == 4
    assert checks(capsys)["subject"][0] == "FAILED"


def forge(told: Told, key: Path, files: dict[str, bytes | None]) -> None:
    """Append to the journal as somebody who can write the branch would."""
    head = told.git.resolve("promotion-journal")
    tree = told.git.make_tree(head, files)
    at = datetime.fromisoformat(json.loads(told.git.read(head, "entry.json") or b"")["at"])
    made = told.git.commit_tree(tree, (head,), "outcome\n", who=Identity("Eve", "eve@example.org"), at=at, key=key)
    assert told.git.update_ref("refs/heads/promotion-journal", made, head)


@pytest.fixture
def forged(told) -> tuple[bytes, str]:
    """A flattering statement in the journal's form, and where the journal would keep it."""
    statement = replace(read(told.data), by="Eve")
    wanted = key(statement.artifact, statement.dataset, statement.evaluator, statement.settings)
    return statement.to_bytes(), f"{evidence_folder(wanted)}/{statement.digest}.json"


def test_a_strangers_entry_below_a_good_one_is_found(told, forged, capsys, tmp_path):
    """The newest entry verifies; the one that brought this statement does not."""
    content, path = forged
    forge(told, make_key(tmp_path, "eve"), {path: content})
    forge(told, told.key, {})
    assert told.ask(Path(path).stem, "--format", "json") == 6
    found = checks(capsys)
    assert found["journal"][0] == "PASSED"
    assert found["signature"][0] == "FAILED"
    assert "does not allow" in found["signature"][1]
    assert told.ask(told.digest, "--format", "json") == 0, "the other statement is as good as ever"


def test_a_stranger_as_the_newest_is_refused_at_once(told, forged, capsys, tmp_path):
    content, path = forged
    forge(told, make_key(tmp_path, "eve"), {path: content})
    assert told.ask(told.digest) == 6
    assert "does not verify" in capsys.readouterr().err


def test_a_file_that_was_changed_after_it_was_brought_is_told(told, capsys):
    forge(told, told.key, {told.path: told.data + b" "})
    assert told.ask(told.digest, "--format", "json") == 4
    assert checks(capsys)["name"][0] == "FAILED"


def test_what_is_no_file_and_no_digest_is_a_bad_argument(kept, capsys):
    for target, words in (("nothing.json", "neither a file nor a digest"), ("0" * 64, "no statement"), ("abc", "neither")):
        assert kept.ask(target) == 2
        assert words in capsys.readouterr().err


def test_an_unsigned_journal_is_told(told, capsys, tmp_path):
    scene = MemoryScene(tmp_path / "models", "memory://")
    scene.start()
    scene.measure()
    scene.rule("staging", BOUND)
    scene.register(1)
    scene.declare(staging=1)
    scene.reconcile()
    (path,) = Git(scene.folder).list("promotion-journal", "evidence", recursive=True)
    assert run(command, ["-C", str(scene.folder), "--format", "json", "evidence", "verify", Path(path).stem]) == 0
    assert checks(capsys)["signature"][0] == "WARNED"


def test_the_schema_describes_what_is_written_and_nothing_else(kept, capsys):
    assert run(command, ["schema", "evidence"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema == json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    statement = json.loads(kept.data)
    validator.validate(statement)
    for name in statement["predicate"].keys() - {"seeds"}:  # of statements that are older, nothing tells them
        less = {**statement, "predicate": {key: value for key, value in statement["predicate"].items() if key != name}}
        assert not validator.is_valid(less), name
    assert not validator.is_valid({**statement, "predicate": {**statement["predicate"], "verdict": "PASSED"}})
