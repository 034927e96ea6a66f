"""Documents: they round-trip, have one form, are YAML too, and anything else is refused with the field's name."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from promotion.changes import ChangeKind
from promotion.domain import AppliedBinding, AppliedModel, Bound, Passed, VersionIdentity
from promotion.journal import Entry, EntryKind, Hold, RecordedChange, RecordedVerdict, Refusal
from promotion.journal.codec import decode_applied, decode_entry, decode_holds, encode_applied, encode_entry, encode_holds, file_name
from promotion.journal.fields import Malformed, canonical
from promotion.verdicts import Status
from tests.promotion.journal.samples import entry, memory, promoting

texts = st.text(st.characters(codec="utf-8"), max_size=30)
names = texts.filter(bool)
digests = st.integers(0, 2**256 - 1).map(lambda number: f"{number:064x}")
commits = st.integers(0, 2**160 - 1).map(lambda number: f"{number:040x}")
zones = st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours)))
times = st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1), timezones=zones)  # noqa: DTZ001 - hypothesis adds the zone
bounds = st.builds(Bound, st.integers(1, 10**9), digests)
evidence = st.lists(digests, max_size=3).map(tuple)
bindings = st.builds(
    AppliedBinding,
    bound=st.none() | bounds,
    previous=st.none() | bounds,
    identity=st.none() | st.builds(VersionIdentity, st.integers(0, 2**43), texts, st.none() | texts),
    evidence=evidence,
    commit=commits,
    at=times,
    by=texts,
    adopted=st.booleans(),
    unverified=st.booleans(),
)
proofs = st.builds(Passed, st.integers(1, 10**9), times, commits, evidence)
models = st.builds(
    AppliedModel,
    names,
    st.dictionaries(names, bindings, max_size=3),
    st.dictionaries(names, st.dictionaries(digests, proofs, max_size=3), max_size=3),
)
statuses = st.sampled_from(Status)
verdicts = st.builds(RecordedVerdict, texts, statuses, texts, texts, st.none() | texts, st.none() | texts)
changes = st.builds(
    RecordedChange,
    st.sampled_from(ChangeKind),
    names,
    names,
    st.none() | bounds,
    st.none() | bounds,
    evidence,
    statuses,
    st.lists(verdicts, max_size=2).map(tuple),
)
refusals = st.builds(Refusal, names, names, st.none() | st.integers(1, 10**9), st.lists(texts, max_size=2).map(tuple))


@st.composite
def entries(draw):
    kind = draw(st.sampled_from(EntryKind))
    return Entry(
        kind=kind,
        id=draw(texts),
        commit=draw(commits),
        author=draw(texts),
        subject=draw(texts),
        at=draw(times),
        by=draw(texts),
        tool=draw(texts),
        registry=draw(texts),
        plan=draw(st.none() | texts),
        policies=draw(st.none() | texts),
        changes=draw(st.lists(changes, max_size=3).map(tuple)),
        refusals=draw(st.lists(refusals, max_size=3).map(tuple)),
        lease_until=draw(times) if kind is EntryKind.INTENT else None,
        takes_over=draw(st.none() | texts),
        recorded=draw(st.none() | commits),
        writes=draw(st.lists(texts, max_size=2).map(tuple)),
    )


@given(entries(), st.none() | commits)
def test_entries_round_trip_in_one_form(one, root):
    content = encode_entry(one, root)
    again, again_root = decode_entry(content)
    assert (again, again_root) == (one, root)
    assert encode_entry(again, again_root) == content
    assert yaml.safe_load(content) == json.loads(content)


def test_an_entry_of_before_verdicts_and_writes_were_recorded_is_read():
    told = json.loads(encode_entry(promoting(entry("a" * 40), "m", 1), None))
    assert told.pop("writes") == told["changes"][0].pop("verdicts") == []
    found, _ = decode_entry(canonical(told))
    assert (found.writes, found.changes[0].verdicts) == ((), ())


@given(models)
def test_memories_round_trip_and_any_yaml_reader_opens_them(model):
    content = encode_applied(model)
    assert decode_applied(content, f"applied/{file_name(model.name)}") == model
    assert yaml.safe_load(content) == json.loads(content)


@given(names, st.lists(st.builds(Hold, st.just(""), names, st.integers(1, 99), digests, texts, times, texts), max_size=3))
def test_holds_round_trip(model, found):
    holds = tuple(Hold(model, one.environment, one.version, one.digest, one.reason, one.at, one.by) for one in found)
    again = decode_holds(encode_holds(model, holds), f"holds/{file_name(model)}")
    assert (set(again), len(again)) == (set(holds), len(holds))


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=300), st.text(st.characters(codec="utf-8"), min_size=1, max_size=300))
def test_file_names_are_plain_short_and_never_meet(one, other):
    name = file_name(one)
    assert name.isascii()
    assert "/" not in name
    assert len(name) <= 255
    assert (name == file_name(other)) == (one == other)


def test_a_time_of_another_zone_is_written_in_utc():
    at = datetime(2026, 10, 1, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    assert b'"at": "2026-10-01T12:00:00+00:00"' in encode_applied(memory("m", 1, "a" * 40, at))


def _edited(**fields):
    found = json.loads(encode_entry(entry("a" * 40), None))
    return json.dumps(found | fields).encode()


def _without(name):
    found = json.loads(encode_entry(entry("a" * 40), None))
    del found[name]
    return json.dumps(found).encode()


CHANGE: dict[str, object] = {
    "kind": "promote",
    "model": "m",
    "environment": "staging",
    "before": None,
    "after": None,
    "evidence": [],
    "status": "PASSED",
}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "not an object"),
        (b"{" * 100_000, "not JSON"),
        (b'{"a":' * 200_000 + b"1" + b"}" * 200_000, "not JSON"),
        (b'{"schema": "x", "schema": "y"}', "schema: appears twice"),
        (_edited(schema="promotion/journal-entry/v2"), "schema: is 'promotion/journal-entry/v2'"),
        (_edited(kind="sabotage"), "kind: is 'sabotage', not one of intent"),
        (_edited(kind=[]), "kind: is []"),
        (_edited(commit="HEAD"), "commit: is 'HEAD'"),
        (_edited(commit=1), "commit: is 1"),
        (_edited(at="yesterday"), "at: is 'yesterday', not a time"),
        (_edited(at="2026-10-01T12:00:00"), "not in UTC"),
        (_edited(at="2026-10-01T12:00:00+02:00"), "not in UTC"),
        (_edited(by=None), "by: is None"),
        (_edited(lease_until="2026-10-01T12:00:00+00:00"), "lease_until: must stand in an intent"),
        (_edited(kind="intent"), "lease_until: must stand in an intent"),
        (_edited(extra=1), "extra: is unknown to this version"),
        (_edited(changes={}), "changes: a list is needed"),
        (_edited(changes=[1]), "changes[0]: an object is needed"),
        (_edited(changes=[CHANGE | {"status": "FINE"}]), "changes[0].status: is 'FINE'"),
        (_edited(changes=[CHANGE | {"after": {"version": True, "digest": "0" * 64}}]), "changes[0].after.version: is True"),
        (_edited(changes=[CHANGE | {"after": {"version": 1.0, "digest": "0" * 64}}]), "1.0 is not a whole number"),
        (_edited(changes=[CHANGE | {"after": {"version": 1, "digest": "0" * 63}}]), "changes[0].after.digest"),
        (_edited(changes=[CHANGE | {"evidence": [7]}]), "changes[0].evidence[0]"),
        (_edited(changes=[CHANGE | {"note": ""}]), "changes[0].note: is unknown"),
        (_edited(plan=float("nan")), "NaN is not a whole number"),
        (_without("recorded"), "recorded: is missing"),
    ],
)
def test_a_malformed_entry_is_refused_with_its_field(content, told):
    with pytest.raises(Malformed) as caught:
        decode_entry(content)
    assert told in str(caught.value)


def test_a_memory_under_another_models_name_is_refused():
    with pytest.raises(Malformed, match=r"model: is 'm', whose file is m.yaml"):
        decode_applied(encode_applied(memory("m", 1, "a" * 40)), "applied/other.yaml")
