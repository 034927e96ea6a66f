"""The way to a server, over real sockets: an authority of one's own, client certificates, proxies, ``~/.netrc``, the total time."""

from __future__ import annotations

import base64
import socket
import threading
import time

import pytest

from promotion.changes import SetAlias
from promotion.errors import UsageError
from promotion.registry import sockets
from promotion.registry.connect import connect
from tests.promotion.registry import certificates
from tests.promotion.registry.faults import WRITE, refused, say
from tests.server import free_port

HERE = {"registered_models": [{"name": "m"}]}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def direct(monkeypatch):
    """What the shell says of proxies and bundles is gone."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch


@pytest.mark.parametrize("variable", ["MLFLOW_TRACKING_SERVER_CERT_PATH", "REQUESTS_CA_BUNDLE"])
def test_an_authority_of_our_own(faulty, files, direct, variable):
    context = files.listening(asks=False)
    url = faulty(lambda handler: say(handler, HERE), wrap=lambda one: context.wrap_socket(one, server_side=True))
    assert "certificate is not trusted" in refused(connect(url, None, {}).names).message
    direct.setenv(variable, str(files.authority))  # requests reads its own variable from the process
    assert connect(url, None, {variable: str(files.authority)}).names() == ("m",)


def test_a_client_certificate_is_shown_to_a_server_that_asks(faulty, files, direct):
    context = files.listening(asks=True)
    # The handshake belongs to each connection's thread, or a refusal would end the listener.
    url = faulty(
        lambda handler: say(handler, HERE),
        wrap=lambda one: context.wrap_socket(one, server_side=True, do_handshake_on_connect=False),
    )
    trusted = {"MLFLOW_TRACKING_SERVER_CERT_PATH": str(files.authority)}
    assert connect(url, None, trusted | {"MLFLOW_TRACKING_CLIENT_CERT_PATH": str(files.client)}).names() == ("m",)
    for more in ({}, {"MLFLOW_TRACKING_CLIENT_CERT_PATH": str(files.stranger)}):
        begin = time.monotonic()
        error = refused(connect(url, None, trusted | more).names)
        assert "MLFLOW_TRACKING_CLIENT_CERT_PATH" in error.message
        assert time.monotonic() - begin < 10


def test_a_file_that_is_no_certificate_is_told(faulty, files, direct, tmp_path):
    (tmp_path / "not.pem").write_text("not a certificate")
    context = files.listening(asks=False)
    url = faulty(lambda handler: say(handler, HERE), wrap=lambda one: context.wrap_socket(one, server_side=True))
    for variable in ("MLFLOW_TRACKING_SERVER_CERT_PATH", "MLFLOW_TRACKING_CLIENT_CERT_PATH"):
        environ = {"MLFLOW_TRACKING_SERVER_CERT_PATH": str(files.authority)} | {variable: str(tmp_path / "not.pem")}
        refused(connect(url, None, environ).names)


def test_a_proxy_gets_the_whole_address_and_its_own_credentials(faulty, direct):
    seen = []

    def respond(handler):
        seen.append((handler.path, handler.headers.get("Proxy-Authorization"), handler.headers.get("Authorization")))
        say(handler, HERE)

    proxy = faulty(respond)
    direct.setenv("HTTP_PROXY", proxy.replace("//", "//ada:hunter2@"))
    registry = connect("http://mlflow.example:5000/prefix", None, {"MLFLOW_TRACKING_TOKEN": "t0ken"})
    assert registry.names() == ("m",)
    basic = "Basic " + base64.b64encode(b"ada:hunter2").decode()
    assert [(path.partition("?")[0], *rest) for path, *rest in seen] == [
        ("http://mlflow.example:5000/prefix/api/2.0/mlflow/registered-models/search", basic, "Bearer t0ken")
    ]
    registry.apply(SetAlias("m", "staging", 1))
    assert seen[-1][0] == "http://mlflow.example:5000/prefix/api/2.0/mlflow/registered-models/alias"


@pytest.mark.parametrize("without", ["127.0.0.1", "localhost,127.0.0.0/8", "*"])
def test_no_proxy_for_what_is_near(faulty, direct, without):
    url = faulty(lambda handler: say(handler, HERE))
    direct.setenv("http_proxy", f"http://ada:hunter2@127.0.0.1:{free_port()}")
    error = refused(connect(url, None, {}).names)
    assert "the proxy does not let us through (connection refused)" in error.message
    assert "hunter2" not in f"{error.message} {error.hint}"
    direct.setenv("no_proxy", without)
    assert connect(url, None, {}).names() == ("m",)


def test_a_proxy_that_cannot_be_used_is_told_at_once(direct):
    direct.setenv("HTTP_PROXY", "http://:not-a-proxy:")
    with pytest.raises(UsageError) as caught:
        connect("http://mlflow.example", None, {})
    assert "HTTP_PROXY" in str(caught.value.hint)


@pytest.fixture
def tunnel():
    """A proxy that tunnels (CONNECT) to where it is told, or refuses; notes the first lines and headers it got."""
    listener = socket.create_server(("127.0.0.1", 0))
    seen: list[str] = []

    def pipe(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        finally:
            target.close()

    def serve():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            head = b""
            while b"\r\n\r\n" not in head and (more := client.recv(4096)):
                head += more
            seen.append(head.decode())
            host, port = head.split()[1].decode().rsplit(":", 1)
            if host != "127.0.0.1":
                client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                client.close()
                continue
            server = socket.create_connection((host, int(port)))
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            for pair in ((client, server), (server, client)):
                threading.Thread(target=pipe, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", seen
    listener.close()


def test_tls_goes_through_a_proxy_unread(faulty, files, direct, tunnel):
    address, seen = tunnel
    context = files.listening(asks=False)
    url = faulty(lambda handler: say(handler, HERE), wrap=lambda one: context.wrap_socket(one, server_side=True))
    direct.setenv("HTTPS_PROXY", address)
    environ = {"MLFLOW_TRACKING_SERVER_CERT_PATH": str(files.authority), "MLFLOW_TRACKING_TOKEN": "t0ken-t0ken"}
    registry = connect(url, None, environ)
    assert (registry.names(), registry.names()) == (("m",), ("m",))
    assert len(seen) == 1, "the tunnel is kept"
    direct.setattr(sockets, "IDLE", -1.0)  # as if it had been idle for too long
    assert registry.names() == ("m",)
    assert len(seen) == 2
    for head in seen:
        assert head.startswith(f"CONNECT {url.removeprefix('https://')} ")
        assert "t0ken" not in head
    error = refused(connect("https://mlflow.example", None, environ).names)
    assert "the proxy does not let us through" in error.message
    assert "403" in error.message


def test_netrc_is_read_where_nothing_else_says_who_we_are(faulty, direct, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ada password lovelace\n")
    direct.setenv("NETRC", str(netrc))
    seen = []

    def respond(handler):
        seen.append(handler.headers.get("Authorization"))
        say(handler, HERE)

    connect(faulty(respond), None, {}).names()
    assert seen == ["Basic " + base64.b64encode(b"ada:lovelace").decode()]


def test_the_total_time_bounds_every_request(faulty):
    def respond(handler):
        time.sleep(3)
        say(handler, HERE)

    left = [0.3]
    registry = connect(faulty(respond), None, {}, left=lambda: left[0])
    for call in (registry.names, lambda: registry.apply(WRITE)):
        begin = time.monotonic()
        assert "time-out" in refused(call).message
        assert time.monotonic() - begin < 2
    left[0] = -1.0
    for call in (registry.names, lambda: registry.apply(WRITE)):
        error = refused(call)
        assert "the time for" in error.message
        assert "--timeout" in error.hint


def test_a_server_that_is_busy_is_not_asked_again_beyond_the_total_time(faulty):
    calls = []

    def respond(handler):
        calls.append(handler.path)
        say(handler, {}, 503)

    registry = connect(faulty(respond), None, {}, left=lambda: 0.1)
    begin = time.monotonic()
    assert "HTTP 503" in refused(registry.names).message
    assert time.monotonic() - begin < 5
    assert len(calls) == 1
