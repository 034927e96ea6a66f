"""Who is declared to be told, and what is said of mistakes: never the address."""

from __future__ import annotations

import pytest

from promotion.errors import UsageError
from promotion.notifying.happenings import What
from promotion.notifying.receivers import Format, key, receivers

DECLARED = """
# the team
slack https://hooks.example.org/services/T0/B0/secret
teams https://flows.example.org/x?sig=secret refused,rolled-back
  cloudevents  http://127.0.0.1:8080/secret   drifted
"""


def test_lines_are_read():
    first, second, third = receivers(DECLARED)
    assert (first.format, first.url, first.kinds) == (Format.SLACK, "https://hooks.example.org/services/T0/B0/secret", frozenset(What))
    assert (second.format, second.kinds) == (Format.TEAMS, frozenset({What.REFUSED, What.ROLLED_BACK}))
    assert (third.format, third.kinds) == (Format.CLOUDEVENTS, frozenset({What.DRIFTED}))
    assert str(second) == "teams at flows.example.org"


def test_nothing_declared_is_nobody():
    assert receivers("") == ()


@pytest.mark.parametrize(
    ("declared", "message", "hint"),
    [
        ("slak https://example.org/secret", "line 1 names no format: slak", "did you mean slack?"),
        ("\n\nslack", "line 3 has 1 words, not 2 or 3", "write a line for each receiver"),
        ("https://example.org/secret slack", "line 1 starts with an address, not with a format", "write a line for each"),
        ("slack example.org/secret", "line 1 holds no http(s) address", "write a line"),
        ("slack ftp://example.org/secret", "line 1 holds no http(s) address", "write a line"),
        ("slack https://example.org:99999999/secret", "line 1 holds no http(s) address", "write a line"),
        ("slack https://[example.org/secret", "line 1 holds no http(s) address", "write a line"),
        ("slack https://example.org/secret refussed", "line 1 names no kind: refussed", "did you mean refused?"),
        ("slack https://example.org/secret x", "line 1 names no kind: x", "there are: promoted, refused, rolled-back"),
    ],
)
def test_mistakes_are_told_without_the_address(declared, message, hint):
    with pytest.raises(UsageError) as caught:
        receivers(declared)
    assert caught.value.message == f"PROMOTION_WEBHOOKS, {message}"
    assert (caught.value.hint or "").startswith(hint)
    assert "secret" not in f"{caught.value} {caught.value.hint}"


def test_a_secret_is_the_texts_bytes_or_base64():
    assert key("plain") == b"plain"
    assert key("whsec_AAEC") == b"\x00\x01\x02"
    with pytest.raises(UsageError, match="not base64"):
        key("whsec_*")
