"""Servers that are down, hang, answer errors or nonsense: told in time, with the address, what happened and what to do."""

from __future__ import annotations

import socket
import time

import pytest

from promotion.changes import SetStage
from promotion.errors import Unavailable
from promotion.registry import sockets, transport
from promotion.registry.connect import connect
from promotion.registry.interface import Unanswered
from promotion.registry.rest import RestRegistry
from tests.promotion.registry.faults import WRITE, refused, say
from tests.server import free_port

MODEL = {"registered_model": {"name": "m", "aliases": [{"alias": "staging", "version": "1"}]}}


def test_a_server_that_is_down_is_told_at_once():
    url = f"http://127.0.0.1:{free_port()}"
    begin = time.monotonic()
    error = refused(lambda: connect(url, None, {}).observe(["m"]))
    assert time.monotonic() - begin < 10
    assert error.message == f"{url} does not answer: connection refused"


def test_a_server_that_comes_up_meanwhile_is_read(faulty):
    calls = []

    def respond(handler):
        calls.append(handler.path)
        if len(calls) < 3:
            say(handler, {"error_code": "TEMPORARILY_UNAVAILABLE", "message": "starting"}, 503)
        else:
            say(handler, {"registered_models": [{"name": "m"}]})

    assert connect(faulty(respond), None, {}).names() == ("m",)
    assert len(calls) == 3


def test_a_connection_that_never_comes_about_is_given_up_in_time(monkeypatch):
    assert transport.BUDGET + transport.CONNECT <= 10
    monkeypatch.setattr(transport, "CONNECT", 0.5)
    monkeypatch.setattr(transport, "BUDGET", 1.5)
    # A listener whose queue is full neither takes nor refuses connections, like a firewall that drops them.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        others = [socket.socket() for _ in range(4)]
        for other in others:
            other.setblocking(False)
            other.connect_ex(listener.getsockname())
        begin = time.monotonic()
        error = refused(lambda: connect(f"http://127.0.0.1:{listener.getsockname()[1]}", None, {}).observe(["m"]))
        for other in others:
            other.close()
    assert time.monotonic() - begin < 5
    assert "no connection within 0.5 s" in error.message


@pytest.mark.parametrize("write", [False, True])
def test_a_server_that_hangs_is_given_up_after_the_time_out(faulty, write):
    calls = []

    def respond(handler):
        calls.append(handler.path)
        time.sleep(1.5)

    registry = connect(faulty(respond), None, {"MLFLOW_HTTP_REQUEST_TIMEOUT": "0.3"})
    error = refused((lambda: registry.apply(WRITE)) if write else registry.names)
    assert len(calls) == 1
    assert "time-out after 0.3 s" in error.message
    assert ("unknown whether the write arrived" in error.hint) is write


@pytest.mark.parametrize("cut", [False, True])
def test_a_write_that_may_still_be_under_way_is_told_from_one_that_was_cut(faulty, cut):
    def respond(handler):
        handler.close_connection = True
        time.sleep(0 if cut else 1.0)

    registry = connect(faulty(respond), None, {"MLFLOW_HTTP_REQUEST_TIMEOUT": "0.2"})
    with pytest.raises(Unavailable) as caught:
        registry.apply(WRITE)
    assert isinstance(caught.value, Unanswered) is not cut


def test_a_body_that_stops_half_way_is_given_up(faulty):
    calls = []

    def respond(handler):
        calls.append(handler.path)
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"registered_models": [')
        handler.wfile.flush()
        time.sleep(1.5)

    error = refused(lambda: connect(faulty(respond), None, {"MLFLOW_HTTP_REQUEST_TIMEOUT": "0.3"}).names())
    assert len(calls) == 1
    assert "time-out after 0.3 s" in error.message


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_reads_are_tried_a_few_times_and_writes_once(faulty, impatient, status):
    calls = []

    def respond(handler):
        calls.append(handler.command)
        say(handler, {"error_code": "INTERNAL_ERROR", "message": "disk full\n" * 100}, status)

    registry = connect(faulty(respond), None, {})
    error = refused(registry.names)
    assert calls == ["GET"] * 4
    assert f"HTTP {status}: disk full disk full" in error.message
    assert len(error.message) < 300
    calls.clear()
    refused(lambda: registry.apply(WRITE))
    refused(lambda: registry.set_version_tag("m", 1, "k", "v"))
    assert calls == ["POST", "POST"]


def test_a_500_is_told_within_ten_seconds_with_real_pauses(faulty):
    begin = time.monotonic()
    refused(lambda: connect(faulty(lambda handler: say(handler, {}, 500)), None, {}).names())
    assert 1 < time.monotonic() - begin < 10


def test_a_write_whose_answer_is_lost_is_sent_once(faulty):
    calls = []

    def respond(handler):
        calls.append(handler.path)
        handler.close_connection = True  # nothing is sent

    error = refused(lambda: connect(faulty(respond), None, {}).apply(SetStage("m", 1, "Staging", archive_existing=True)))
    assert len(calls) == 1
    assert "closed before the answer" in error.message
    assert "unknown whether" in error.hint


def test_a_hidden_model_is_not_absent(faulty):
    registry = connect(faulty(lambda handler: say(handler, b"Permission denied", 403, "text/plain")), None, {})
    error = refused(lambda: registry.observe(["m"]))
    assert "hides model m" in error.message
    assert "READ" in error.hint


def test_missing_credentials_say_which_to_set(faulty):
    registry = connect(faulty(lambda handler: say(handler, b"You are not authenticated", 401, "text/plain")), None, {})
    error = refused(registry.names)
    assert "HTTP 401: You are not authenticated" in error.message
    assert "MLFLOW_TRACKING_USERNAME" in error.hint


@pytest.mark.parametrize("body", [b"<html>Sign in</html>", b"[]", b"", b"null", b"\xff\xfe\x00"])
def test_an_answer_that_is_no_json_object(faulty, body):
    error = refused(connect(faulty(lambda handler: say(handler, body, kind="text/html")), None, {}).names)
    assert "not MLflow's JSON" in error.message


@pytest.mark.parametrize(
    "body",
    [
        {"registered_model": None},
        {"registered_model": []},
        {"registered_model": {"name": "m", "aliases": [{"alias": "a", "version": "one"}]}},
        {"registered_model": {"name": "m", "tags": [7]}},
        {},
    ],
)
def test_an_answer_of_another_form(faulty, body):
    error = refused(lambda: connect(faulty(lambda handler: say(handler, body)), None, {}).observe(["m"]))
    assert "in an unknown form" in error.message


def test_a_wrong_address_is_not_taken_for_an_absent_model(faulty):
    registry = connect(faulty(lambda handler: say(handler, b"<h1>404</h1>", 404, "text/html")), None, {})
    error = refused(lambda: registry.observe(["m"]))
    assert "HTTP 404" in error.message
    assert "not the address of an MLflow server" in error.hint
    refused(lambda: registry.run("0" * 32))


def test_a_redirect_is_told_and_not_followed(faulty):
    seen = []
    other = faulty(lambda handler: seen.append(handler.path))
    target = other.replace("http://", "http://user:secret@") + "/login?next=x"
    registry = connect(faulty(lambda handler: say(handler, {}, 302, Location=target)), None, {"MLFLOW_TRACKING_TOKEN": "t0ken"})
    error = refused(registry.names)
    assert f"{other}/login" in error.hint
    assert "secret" not in error.hint
    assert seen == []


def test_a_page_that_never_ends(faulty):
    registry = connect(faulty(lambda handler: say(handler, {"registered_models": [], "next_page_token": "same"})), None, {})
    assert "same page again" in refused(registry.names).message


def test_versions_that_a_search_leaves_out_are_an_error(faulty):
    def respond(handler):
        if "model-versions/search" in handler.path:
            say(handler, {"model_versions": []})
        else:
            say(handler, {"registered_model": {"name": "m", "latest_versions": [{"version": "4"}]}})

    assert "leaves version 4 of m out" in refused(lambda: connect(faulty(respond), None, {}).observe(["m"])).message


def test_a_model_that_changes_while_it_is_read_is_read_again(faulty):
    searches = []

    def respond(handler):
        if "model-versions/search" in handler.path:
            searches.append(handler.path)
            numbers = ["1", "2"] if len(searches) > 1 else ["1"]
            versions = [{"name": "m", "version": number, "creation_timestamp": 1} for number in numbers]
            say(handler, {"model_versions": versions})
        else:
            say(handler, {"registered_model": {"name": "m", "latest_versions": [{"version": "2"}]}})

    assert tuple(connect(faulty(respond), None, {}).observe(["m"]).models["m"].versions) == (1, 2)


def test_runs_are_read_at_the_tracking_server_and_models_at_the_registry(faulty):
    models = faulty(lambda handler: say(handler, MODEL if "registered-models" in handler.path else {}))
    runs = faulty(lambda handler: say(handler, {"run": {"info": {"run_id": "r1", "status": "RUNNING"}}}))
    registry = connect(runs, models, {})
    assert registry.address == models
    assert registry.observe(["m"]).models["m"].aliases == {"staging": 1}
    run = registry.run("r1")
    assert run is not None
    assert run.status == "RUNNING"


def test_kept_connections_are_used_again_and_acknowledge_at_once(faulty, monkeypatch):
    peers, armed = set(), []
    acknowledge = sockets._acknowledge

    def watched(connection):
        acknowledge(connection)
        armed.append(connection.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK) if hasattr(socket, "TCP_QUICKACK") else 1)

    monkeypatch.setattr(sockets, "_acknowledge", watched)

    def respond(handler):
        peers.add(handler.client_address)
        # As MLflow's server: header and body in two packets, the second held back until the first is acknowledged.
        content = b'{"registered_models": []}'
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.flush()
        handler.wfile.write(content)

    registry = RestRegistry(faulty(respond))
    for _ in range(20):
        registry.names()
    assert len(peers) == 1
    assert armed == [1] * 20, "the option does not last: it is set before each answer"
