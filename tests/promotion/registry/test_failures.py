"""Servers that are down, hang, answer errors or nonsense: told in time, with the address, what happened and what to do."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import time
import warnings

import pytest

from promotion.domain import SetAlias, SetStage
from promotion.errors import Exit, Unavailable, UsageError
from promotion.registry import transport
from promotion.registry.access import Access
from promotion.registry.connect import connect
from promotion.registry.rest import RestRegistry
from tests.server import free_port

MODEL = {"registered_model": {"name": "m", "aliases": [{"alias": "staging", "version": "1"}]}}
WRITE = SetAlias("m", "staging", 1)


def say(handler, body, status=200, kind="application/json", **headers):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(content)))
    for key, value in headers.items():
        handler.send_header(key, value)
    handler.end_headers()
    handler.wfile.write(content)


def refused(call) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        call()
    assert caught.value.exit_code is Exit.ERRORED
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(transport, "_PAUSES", (0.01, 0.02, 0.03))


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
    assert time.monotonic() - begin < 2
    assert "no connection within 0.5 s" in error.message


@pytest.mark.parametrize("write", [False, True])
def test_a_server_that_hangs_is_given_up_after_the_time_out(faulty, write):
    registry = connect(faulty(lambda _: time.sleep(1.5)), None, {"MLFLOW_HTTP_REQUEST_TIMEOUT": "0.3"})
    begin = time.monotonic()
    error = refused((lambda: registry.apply(WRITE)) if write else (lambda: registry.observe(["m"])))
    assert time.monotonic() - begin < 1
    assert "time-out after 0.3 s" in error.message
    assert ("unknown whether the write arrived" in error.hint) is write


def test_a_body_that_stops_half_way_is_given_up(faulty):
    def respond(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"registered_models": [')
        handler.wfile.flush()
        time.sleep(1.5)

    begin = time.monotonic()
    error = refused(lambda: connect(faulty(respond), None, {"MLFLOW_HTTP_REQUEST_TIMEOUT": "0.3"}).names())
    assert time.monotonic() - begin < 1
    assert "time-out after 0.3 s" in error.message


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_reads_are_tried_a_few_times_and_writes_once(faulty, impatient, status):
    calls = []

    def respond(handler):
        calls.append(handler.command)
        say(handler, {"error_code": "INTERNAL_ERROR", "message": "disk full\n" * 100}, status)

    registry = connect(faulty(respond), None, {})
    error = refused(lambda: registry.observe(["m"]))
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

    assert tuple(connect(faulty(respond), None, {}).model("m").versions) == (1, 2)


PASSWORD = "p@ss/w:rd%21"
BASIC = "Basic " + base64.b64encode(f"ada:{PASSWORD}".encode()).decode()


@pytest.mark.parametrize(
    ("environ", "userinfo", "expected"),
    [
        ({}, "", None),
        ({"MLFLOW_TRACKING_USERNAME": "ada", "MLFLOW_TRACKING_PASSWORD": PASSWORD}, "", BASIC),
        ({"MLFLOW_TRACKING_TOKEN": "t0ken-t0ken"}, "", "Bearer t0ken-t0ken"),
        ({"MLFLOW_TRACKING_USERNAME": "ada", "MLFLOW_TRACKING_PASSWORD": PASSWORD, "MLFLOW_TRACKING_TOKEN": "t0ken"}, "", BASIC),
        ({"MLFLOW_TRACKING_TOKEN": "t0ken-t0ken"}, "ada:p%40ss%2Fw%3Ard%2521@", BASIC),
    ],
)
def test_credentials_are_sent_and_never_shown(faulty, impatient, monkeypatch, tmp_path, environ, userinfo, expected):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n")
    if expected:
        monkeypatch.setenv("NETRC", str(netrc))
    seen = []

    def respond(handler):
        seen.append(handler.headers.get("Authorization"))
        say(handler, {"error_code": "INTERNAL_ERROR", "message": f"no {environ} for {handler.headers['Authorization']}"}, 500)

    plain = faulty(respond)
    registry = connect(plain.replace("//", f"//{userinfo}"), None, environ)
    assert registry.address == plain
    for call in (registry.names, lambda: registry.apply(WRITE)):
        error = refused(call)
        for secret in (PASSWORD, "t0ken-t0ken", "p%40ss", BASIC[6:]):
            assert secret not in f"{error.message} {error.hint} {registry!r}"
    assert set(seen) == {expected}


def test_a_down_server_with_credentials_in_its_address_hides_them():
    error = refused(connect(f"http://ada:hunter2@127.0.0.1:{free_port()}", None, {}).names)
    assert "hunter2" not in error.message
    assert "ada" not in error.message


def test_the_credentials_file_of_mlflow_is_read(tmp_path):
    (tmp_path / ".mlflow").mkdir()
    (tmp_path / ".mlflow" / "credentials").write_text("[mlflow]\nmlflow_tracking_username = ada\nmlflow_tracking_password = lovelace\n")
    access = Access.from_environment({"MLFLOW_TRACKING_USERNAME": "grace"}, tmp_path)
    assert (access.user, access.password) == ("grace", "lovelace")
    assert "lovelace" not in repr(access)


def test_a_workspace_goes_along_and_is_part_of_the_target(faulty):
    seen = []

    def respond(handler):
        seen.append(handler.headers["X-MLFLOW-WORKSPACE"])
        say(handler, {"registered_models": []})

    url = faulty(respond)
    registry = connect(url, None, {"MLFLOW_WORKSPACE": "blue"})
    registry.names()
    assert (seen, registry.address) == (["blue"], f"{url}#workspace=blue")


@pytest.mark.parametrize(
    ("environ", "match"),
    [
        ({"MLFLOW_HTTP_REQUEST_TIMEOUT": "soon"}, "MLFLOW_HTTP_REQUEST_TIMEOUT is 'soon'"),
        ({"MLFLOW_HTTP_REQUEST_TIMEOUT": "-1"}, "not a number of seconds"),
        ({"MLFLOW_HTTP_REQUEST_TIMEOUT": "nan"}, "not a number of seconds"),
        ({"MLFLOW_TRACKING_SERVER_CERT_PATH": "/no/such.pem"}, "does not exist"),
        ({"MLFLOW_TRACKING_INSECURE_TLS": "true", "MLFLOW_TRACKING_SERVER_CERT_PATH": "/dev/null"}, "both set"),
    ],
)
def test_settings_that_cannot_be(environ, match):
    with pytest.raises(UsageError, match=match):
        connect("http://127.0.0.1:1", None, environ)


def test_runs_are_read_at_the_tracking_server_and_models_at_the_registry(faulty):
    models = faulty(lambda handler: say(handler, MODEL if "registered-models" in handler.path else {}))
    runs = faulty(lambda handler: say(handler, {"run": {"info": {"run_id": "r1", "status": "RUNNING"}}}))
    registry = connect(runs, models, {})
    assert registry.address == models
    assert registry.model("m").aliases == {"staging": 1}
    assert registry.run("r1").status == "RUNNING"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate for 127.0.0.1 and its key, in one file."""
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return path


def test_tls_is_checked_unless_told_otherwise(faulty, certificate, monkeypatch):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    url = faulty(lambda handler: say(handler, {"registered_models": [{"name": "m"}]}), wrap=lambda s: context.wrap_socket(s, server_side=True))
    begin = time.monotonic()
    error = refused(connect(url, None, {}).names)
    assert time.monotonic() - begin < 1  # a bad certificate does not get better by waiting
    assert "certificate is not trusted (self-signed certificate)" in error.message
    # What requests takes from the environment must not overrule MLflow's own variables.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/ssl/certs/ca-certificates.crt")
    assert connect(url, None, {"MLFLOW_TRACKING_SERVER_CERT_PATH": str(certificate)}).names() == ("m",)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # urllib3 warns of it, rightly
        assert connect(url, None, {"MLFLOW_TRACKING_INSECURE_TLS": "true"}).names() == ("m",)


def test_kept_connections_are_used_again_and_acknowledge_at_once(faulty):
    peers = set()

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
    registry.names()
    begin = time.monotonic()
    for _ in range(20):
        registry.names()
    assert len(peers) == 1
    if hasattr(socket, "TCP_QUICKACK"):
        assert (time.monotonic() - begin) / 20 < 0.02
