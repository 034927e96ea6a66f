"""MLflow's own variables for credentials, certificates, workspace and time-out: obeyed, and never shown."""

from __future__ import annotations

import base64
import ssl
import time
import warnings

import pytest

from promotion.errors import UsageError
from promotion.registry import transport
from promotion.registry.access import Access
from promotion.registry.connect import connect
from tests.promotion.registry.faults import WRITE, refused, say
from tests.server import free_port

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
        ({"MLFLOW_TRACKING_INSECURE_TLS": "yes"}, "neither true nor false"),
        ({"MLFLOW_TRACKING_CLIENT_CERT_PATH": "/no/such.pem"}, "does not exist"),
    ],
)
def test_settings_that_cannot_be(environ, match):
    with pytest.raises(UsageError, match=match):
        connect("http://127.0.0.1:1", None, environ)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate for 127.0.0.1 and its key, in one file."""
    import datetime as dt
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
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
    url = faulty(
        lambda handler: say(handler, {"registered_models": [{"name": "m"}]}), wrap=lambda s: context.wrap_socket(s, server_side=True)
    )
    with monkeypatch.context() as patient:
        patient.setattr(transport, "BUDGET", 100.0)
        patient.setattr(transport, "_PAUSES", (20.0,))
        begin = time.monotonic()
        error = refused(connect(url, None, {}).names)
        assert time.monotonic() - begin < 10  # a bad certificate does not get better by waiting
    assert "certificate is not trusted (self-signed certificate)" in error.message
    # What requests takes from the environment must not overrule MLflow's own variables.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/ssl/certs/ca-certificates.crt")
    assert connect(url, None, {"MLFLOW_TRACKING_SERVER_CERT_PATH": str(certificate)}).names() == ("m",)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # urllib3 warns of it, rightly
        assert connect(url, None, {"MLFLOW_TRACKING_INSECURE_TLS": "true"}).names() == ("m",)
