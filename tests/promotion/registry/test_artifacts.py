"""The digest, names that would escape, links, and servers that send something else than they list."""

from __future__ import annotations

import hashlib
import os
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promotion.errors import Unavailable, UsageError
from promotion.registry import artifacts
from promotion.registry.artifacts import checked_path, collect, digest_files, digest_folder
from promotion.registry.connect import connect
from promotion.registry.interface import ArtifactFile
from promotion.registry.rest import RestRegistry
from tests.promotion.registry.backends import FILES, write
from tests.promotion.registry.faults import say

EMPTY = hashlib.sha256().hexdigest()


def test_the_canonical_form_is_as_documented():
    # Written out by hand: whoever changes the form breaks every pin and every journal.
    first, second = hashlib.sha256(b"1").hexdigest(), hashlib.sha256(b"22").hexdigest()
    text = f"promotion-artifact-v1\n{first} 1 MLmodel\0{second} 2 data/ä.bin\0"
    files = [ArtifactFile("data/ä.bin", 2, second), ArtifactFile("MLmodel", 1, first)]
    assert digest_files(files).digest == hashlib.sha256(text.encode()).hexdigest()


paths = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=5)
files = st.dictionaries(paths, st.tuples(st.integers(0, 99), st.sampled_from([EMPTY, "0" * 64])), max_size=4)


def digest(content: dict) -> str:
    return digest_files(ArtifactFile(path, *rest) for path, rest in content.items()).digest


@given(files, files)
def test_only_equal_files_have_an_equal_digest(one, other):
    assert (digest(one) == digest(other)) == (one == other)
    assert digest(dict(reversed(one.items()))) == digest(one)


ESCAPING = ["../x", "a/../../x", "/etc/passwd", "a//b", "./a", "a/.", "..", "", "a\\..\\x", "C:/x", "C:x", "a\0b", "a/", "\ud800"]


@pytest.mark.parametrize("path", ESCAPING)
def test_names_that_would_escape_are_refused(path, tmp_path):
    with pytest.raises(UsageError, match="outside its folder"):
        checked_path(path)
    into = tmp_path / "a" / "into"
    with pytest.raises(UsageError):
        collect([("fine", [b"1"]), (path, [b"evil"])], where="here", into=into)
    assert [one for one in tmp_path.rglob("*") if one.is_file()] == []


@pytest.mark.parametrize("path", ["a", "a/b.c", "..a", "a..", "…", "with space", "aa:b/c", ".hidden", "#", "50%", "a?b"])
def test_odd_names_that_stay_inside_are_kept(path, tmp_path):
    found = collect([(path, [b"1"])], where="here", into=tmp_path / "into")
    assert found == digest_folder(tmp_path / "into")


def test_links_and_special_files_are_refused(tmp_path):
    folder = write(tmp_path / "model", FILES)
    for make in (
        lambda path: path.symlink_to("/etc/passwd"),
        lambda path: path.symlink_to(tmp_path),
        lambda path: path.symlink_to("MLmodel"),
        os.mkfifo,
    ):
        make(folder / "odd")
        with pytest.raises(UsageError, match="a link or a special file"):
            digest_folder(folder)
        (folder / "odd").unlink()
    digest_folder(folder)


def test_a_file_that_becomes_a_link_while_it_is_read_is_refused(tmp_path):
    folder = write(tmp_path / "model", {"a": b"1", "b": b"2"})
    contents = artifacts.local_contents(folder)
    path, chunks = next(contents)
    (folder / path).unlink()
    (folder / path).symlink_to("/etc/passwd")
    with pytest.raises(OSError, match=r"symbolic|links"):
        next(iter(chunks))


@pytest.mark.parametrize("folder", ["missing", "empty", "file"])
def test_what_is_no_model_folder(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    with pytest.raises(Unavailable):
        digest_folder(tmp_path / folder)


def test_what_was_written_is_read_again(tmp_path):
    into = tmp_path / "into"

    def contents():
        yield "a", [b"good"]
        (into / "a").write_bytes(b"evil")
        yield "b", [b"good"]

    with pytest.raises(Unavailable, match="is not what was read"):
        collect(contents(), where="here", into=into)
    assert list(into.iterdir()) == []


def test_the_same_file_twice_and_too_many_files(monkeypatch):
    with pytest.raises(Unavailable, match="lists 'a' twice"):
        collect([("a", [b"1"]), ("a", [b"2"])], where="here")
    monkeypatch.setattr(artifacts, "MAX_FILES", 2)
    with pytest.raises(Unavailable, match="more than 2 files"):
        collect([(name, [b"1"]) for name in "abc"], where="here")


def test_memory_stays_at_one_chunk(tmp_path):
    import tracemalloc

    big = tmp_path / "big" / "weights"
    big.parent.mkdir()
    with big.open("wb") as file:
        file.truncate(64 << 20)
    tracemalloc.start()
    digest_folder(big.parent)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20


class Store:
    """An MLflow server that lists and serves whatever it is told."""

    def __init__(self, listing, content=b"x", uri="mlflow-artifacts:/0/model") -> None:
        self.listing, self.content, self.uri = listing, content, uri
        self.asked: list[str] = []

    def __call__(self, handler) -> None:
        url = urlsplit(handler.path)
        self.asked.append(url.path)
        if url.path.endswith("/get-download-uri"):
            say(handler, {"artifact_uri": self.uri})
        elif url.path.endswith("/experiments/search"):
            say(handler, {"experiments": [{"artifact_location": self.uri.partition("?")[0]}]})
        elif url.path.endswith("/mlflow-artifacts/artifacts"):
            say(handler, {"files": self.listing(parse_qs(url.query)["path"][0])})
        else:
            say(handler, self.content, kind="application/octet-stream")


def one_file(path="x", size=1):
    return lambda _: [{"path": path, "is_dir": False, "file_size": size}]


@pytest.mark.parametrize("path", ["../x", "..", "/etc/passwd", "a/b", "a\\b", "a\0b", "."])
@pytest.mark.parametrize("is_dir", [False, True])
def test_a_server_that_lists_escaping_names(faulty, tmp_path, path, is_dir):
    store = Store(lambda _: [{"path": path, "is_dir": is_dir, "file_size": 1}])
    with pytest.raises(UsageError) as caught:
        connect(faulty(store), None, {}).download("m", 1, tmp_path / "into")
    assert caught.value.hint
    assert not [one for one in tmp_path.rglob("*") if one.is_file()]


@pytest.mark.parametrize(
    "uri",
    [
        "/etc",
        "file:///etc",
        "file:/etc",
        "etc",
        "http://169.254.169.254/latest",
        "https://elsewhere.example/model",
        "mlflow-artifacts://elsewhere.example:5000/0/model",
        "mlflow-artifacts:/../../etc",
        "mlflow-artifacts:/0/../1",
        "mlflow-artifacts:/",
    ],
)
@pytest.mark.parametrize("known", [False, True])
def test_sources_outside_the_artifact_root(faulty, tmp_path, uri, known):
    store = Store(one_file(), uri=uri)
    registry = connect(faulty(store), None, {"MLFLOW_TRACKING_TOKEN": "t0ken-t0ken"})
    with pytest.raises(UsageError, match=r"outside|another server"):
        registry.download("m", 1, tmp_path / "into", source=uri) if known else registry.artifact("m", 1)
    assert not any("mlflow-artifacts" in path for path in store.asked)


@pytest.mark.parametrize(
    ("source", "asks"), [("mlflow-artifacts:/0/model", False), ("", True), ("models:/m-1", True), ("runs:/1/model", True), ("/disk", True)]
)
def test_a_source_on_the_server_spares_the_question_where_the_files_lie(faulty, tmp_path, source, asks):
    store = Store(one_file(), uri="mlflow-artifacts:/0/model")
    connect(faulty(store), None, {}).download("m", 1, tmp_path / "into", source=source)
    assert any("get-download-uri" in path for path in store.asked) == asks
    assert (tmp_path / "into" / "x").read_bytes() == b"x"


@pytest.mark.parametrize("host", ["", "//{}"])
def test_sources_on_this_server(faulty, host):
    store = Store(one_file())
    url = faulty(store)
    store.uri = f"mlflow-artifacts:{host.format(urlsplit(url).netloc)}/0/a model#1"
    assert connect(url, None, {}).artifact("m", 1).files == (ArtifactFile("x", 1, hashlib.sha256(b"x").hexdigest()),)
    assert store.asked[-1].endswith("/mlflow-artifacts/artifacts/0/a%20model%231/x")


@pytest.mark.parametrize(("size", "content"), [(5, b"four"), (3, b"four")])
def test_a_file_of_another_size_than_listed(faulty, tmp_path, size, content):
    registry = connect(faulty(Store(one_file(size=size), content)), None, {})
    with pytest.raises(Unavailable, match="has 4 bytes where"):
        registry.download("m", 1, tmp_path / "into")
    assert list((tmp_path / "into").iterdir()) == []


def test_folders_without_end(faulty):
    registry = connect(faulty(Store(lambda _: [{"path": "loop", "is_dir": True}])), None, {})
    with pytest.raises(Unavailable, match="64 deep"):
        registry.artifact("m", 1)


def test_an_artifact_that_is_gone(faulty):
    with pytest.raises(Unavailable, match=r"m/1 on .* holds no files"):
        connect(faulty(Store(lambda _: [])), None, {}).artifact("m", 1)


def test_a_source_that_leads_to_itself(faulty):
    with pytest.raises(Unavailable, match="without end"):
        connect(faulty(Store(one_file(), uri="models:/m/1")), None, {}).artifact("m", 1)


def test_a_transfer_that_breaks_off(faulty, tmp_path):
    def respond(handler):
        if "get-download-uri" in handler.path:
            say(handler, {"artifact_uri": "mlflow-artifacts:/0/model"})
        elif "path=" in handler.path:
            say(handler, {"files": [{"path": "x", "is_dir": False, "file_size": 9}]})
        else:
            handler.send_response(200)
            handler.send_header("Content-Length", "9")
            handler.end_headers()
            handler.wfile.write(b"half")
            handler.close_connection = True

    with pytest.raises(Unavailable, match="does not answer") as caught:
        connect(faulty(respond), None, {}).download("m", 1, tmp_path / "into")
    assert caught.value.hint == "try again; the transfer broke off"
    assert list((tmp_path / "into").iterdir()) == []


def test_object_stores_go_through_mlflow_and_their_errors_are_ours(faulty, tmp_path):
    # The scheme is that of a real store whose client is not installed here.
    registry = connect(faulty(Store(one_file(), uri="wasbs://box@user.blob.core.windows.net/model?sig=s3cret")), None, {})
    with pytest.raises(Unavailable, match="cannot fetch wasbs://") as caught:
        registry.download("m", 1, tmp_path / "into")
    assert "s3cret" not in caught.value.message
    assert not [one for one in tmp_path.rglob("*") if one.is_file()]


def test_a_logged_model_and_a_run_are_followed_to_their_files(mlflow_server, name, tmp_path, monkeypatch):
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=mlflow_server, registry_uri=mlflow_server)
    run = client.create_run("0")
    folder = write(tmp_path / "model", FILES)
    model = client.create_logged_model("0", name="model", source_run_id=run.info.run_id)
    client.log_model_artifacts(model.model_id, str(folder))
    client.finalize_logged_model(model.model_id, "READY")
    client.log_artifacts(run.info.run_id, str(folder), "model")
    client.create_registered_model(name)
    source = f"models:/{model.model_id}"
    client.create_model_version(name, source, run.info.run_id, await_creation_for=0, model_id=model.model_id)
    client.copy_model_version(f"models:/{name}/1", f"{name}-copy")
    registry = RestRegistry(mlflow_server)
    for one in (name, f"{name}-copy"):
        assert registry.artifact(one, 1) == digest_folder(folder)
    # A server keeps what a client wrote as source; these two are resolved here.
    for uri in (f"runs:/{run.info.run_id}/model", f"models:/{model.model_id}"):
        monkeypatch.setattr(registry, "_download_uri", lambda *_, uri=uri: uri)
        assert registry.artifact(name, 1) == digest_folder(folder), uri


def test_an_artifact_listing_of_another_form(faulty):
    registry = connect(faulty(Store(lambda _: [{"name": "x"}])), None, {})
    with pytest.raises(Unavailable, match="unknown form"):
        registry.artifact("m", 1)
