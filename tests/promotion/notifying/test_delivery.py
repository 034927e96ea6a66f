"""Delivery to webhooks that listen for real, and to some that do not."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from promotion.notifying.delivery import Letter, Limits, deliver, signature
from promotion.notifying.happenings import What
from promotion.notifying.receivers import Format, Receiver, key
from tests.promotion.notifying.webhook import Answer, listening
from tests.server import free_port

QUICK = Limits(patience=5.0, timeout=0.5, pauses=(0.01, 0.01, 0.01))
LETTERS = (Letter(b'{"a":1}', "application/json", "one"), Letter(b'{"b":"\xc3\xa9"}', "application/json", "two"))


def receiver(url: str) -> Receiver:
    return Receiver(Format.CLOUDEVENTS, url, frozenset(What))


def send(url: str, limits: Limits = QUICK, key: bytes | None = None):
    (found,) = deliver([(receiver(url), LETTERS)], key=key, limits=limits)
    return found


def test_letters_arrive_in_order_as_they_are():
    with listening() as webhook:
        found = send(webhook.url)
    assert (found.accepted, found.fault) == (2, None)
    assert [body for _, body in webhook.received] == [one.body for one in LETTERS]
    assert {headers["content-type"] for headers, _ in webhook.received} == {"application/json"}
    assert not any("webhook-signature" in headers for headers, _ in webhook.received), "nobody gave a key"


def test_the_signature_is_that_of_standard_webhooks():
    """The example of its reference implementations: secret, id, time, body and signature."""
    secret = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}') == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_a_receiver_can_verify_what_was_sent():
    with listening() as webhook:
        send(webhook.url, key=b"shared")
    for letter, (headers, body) in zip(LETTERS, webhook.received, strict=True):
        assert headers["webhook-id"] == letter.id
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.new(b"shared", signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_may_pass_is_tried_again(status):
    with listening(Answer(status), Answer(status)) as webhook:
        found = send(webhook.url)
    assert (found.accepted, found.fault) == (2, None)
    assert [body for _, body in webhook.received] == [LETTERS[0].body] * 3 + [LETTERS[1].body]


@pytest.mark.parametrize(("status", "told"), [(400, "it answered 400"), (404, "it answered 404"), (410, "it answered 410")])
def test_what_cannot_pass_is_not_tried_again(status, told):
    with listening(Answer(status)) as webhook:
        found = send(webhook.url)
    assert (found.accepted, found.fault) == (0, told)
    assert len(webhook.received) == 1


def test_a_receiver_that_stays_broken_is_given_up_after_the_last_try():
    with listening(*[Answer(503)] * 20) as webhook:
        found = send(webhook.url)
    assert (found.accepted, found.fault) == (0, "it answered 503")
    assert len(webhook.received) == 4, "the second letter is not even tried"


def test_it_waits_as_long_as_it_is_asked_to():
    waited: list[float] = []
    with listening(Answer(429, {"Retry-After": "2"}), Answer(503, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"})) as webhook:
        found = send(webhook.url, Limits(patience=5.0, timeout=0.5, pauses=(0.25, 0.25), sleep=waited.append))
    assert found.fault is None
    assert waited == [2.0, 0.25]


def test_who_asks_for_more_than_the_time_there_is_is_not_waited_for():
    with listening(Answer(429, {"Retry-After": "20"})) as webhook:
        found = send(webhook.url)
    assert found.fault == "it answered 429"


def test_no_redirect_is_followed():
    with listening() as other, listening(Answer(307, {"Location": other.url})) as webhook:
        found = send(webhook.url)
    assert found.fault == "it answered 307, a redirect: declare the address that it leads to"
    assert not other.received


def test_a_dead_receiver_is_told_and_its_address_is_not():
    found = send(f"http://127.0.0.1:{free_port()}/path-that-is-a-secret")
    assert (found.accepted, found.fault) == (0, "no connection")
    assert "secret" not in f"{found} {found.receiver!r}"


def test_a_slow_one_is_given_up_and_its_neighbour_is_told():
    with listening(*[Answer(wait=3.0)] * 9) as slow, listening() as quick:
        mail = [(receiver(slow.url), LETTERS), (receiver(quick.url), LETTERS)]
        first, second = deliver(mail, key=None, limits=QUICK)
    assert (first.accepted, first.fault) == (0, "no answer within 0.5 s")
    assert (second.accepted, second.fault) == (2, None)


def test_one_that_lets_its_answer_drip_holds_nobody_longer_than_the_patience():
    with listening(Answer(drip=True)) as webhook:
        found = send(webhook.url, Limits(patience=1.0, timeout=0.5, pauses=()))
    assert found.fault == "not done after 1 s"


def test_a_password_of_netrc_is_not_sent(tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ada password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with listening() as webhook:
        send(webhook.url)
    assert "authorization" not in webhook.received[0][0]
