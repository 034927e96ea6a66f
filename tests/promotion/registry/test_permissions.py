"""A real server with MLflow's basic-auth: who may not see a model is told so, and never plans against a gap."""

from __future__ import annotations

import pytest

from promotion.changes import DeleteAlias, SetAlias, SetStage, SetVersionTag
from promotion.errors import Unavailable
from promotion.registry.connect import connect
from promotion.registry.interface import Rejected
from tests.guarded import ADMIN, EDITOR, READER, STRANGER, credentials, grant
from tests.promotion.registry.backends import MlflowBackend


@pytest.fixture(scope="module")
def guarded(guarded_server):
    """The server's URL, with a model ``guarded`` that the reader may read, the editor may edit and the stranger may not see."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in credentials(ADMIN).items():
            patch.setenv(name, value)
        MlflowBackend(as_user(guarded_server, ADMIN), guarded_server).register("guarded", {"MLmodel": b"x"})
    grant(guarded_server, STRANGER, "guarded", "DENY")
    grant(guarded_server, EDITOR, "guarded", "EDIT")
    return guarded_server


def as_user(url, user):
    return connect(url, None, credentials(user))


def test_nobody_is_asked_who_they_are(guarded):
    with pytest.raises(Unavailable, match="HTTP 401") as caught:
        connect(guarded, None, {}).observe(["guarded"])
    assert "MLFLOW_TRACKING_USERNAME" in str(caught.value.hint)


def test_a_wrong_password(guarded):
    with pytest.raises(Unavailable, match="HTTP 401") as caught:
        as_user(guarded, ("reader", "wrong-wrong-wrong")).names()
    assert "wrong-wrong" not in caught.value.message


def test_a_hidden_model_is_not_absent(guarded):
    registry = as_user(guarded, STRANGER)
    with pytest.raises(Unavailable, match="hides model guarded"):
        registry.observe(["guarded"])
    # Nor when so many are asked for that they are read by a search, which leaves it out silently.
    with pytest.raises(Unavailable, match="hides model guarded"):
        registry.observe(["guarded", *(f"no-such-{number}" for number in range(30))])
    assert "guarded" not in registry.names()


def test_a_reader_plans_and_does_not_apply(guarded):
    registry = as_user(guarded, READER)
    assert tuple(registry.model("guarded").versions) == (1,)
    assert registry.artifact("guarded", 1) == as_user(guarded, ADMIN).artifact("guarded", 1)
    with pytest.raises(Unavailable, match="HTTP 403") as caught:
        registry.apply(SetStage("guarded", 1, "Production", archive_existing=True))
    assert "EDIT" in str(caught.value.hint)
    as_user(guarded, ADMIN).apply(SetStage("guarded", 1, "Production", archive_existing=True))
    assert registry.model("guarded").in_stage("Production") == (1,)


WRITES = (
    SetStage("guarded", 1, "Staging", archive_existing=True),
    SetAlias("guarded", "staging", 1),
    DeleteAlias("guarded", "staging"),
    SetVersionTag("guarded", 1, "owner", "ids-team"),
)


@pytest.mark.parametrize("user", [ADMIN, EDITOR, READER], ids=lambda one: one[0])
def test_whether_a_write_is_allowed_is_known_without_writing(guarded, user):
    registry = as_user(guarded, user)
    before = registry.model("guarded")
    told = [registry.rejections([write]) for write in WRITES]
    assert registry.model("guarded") == before, "asking changes nothing"
    assert [rejections == {} for rejections in told] == [takes(registry, write) for write in WRITES], "and says what then happens"
    for rejections in told:
        for name, error in rejections.items():
            assert (name, isinstance(error, Rejected)) == ("guarded", True)
            assert "does not let this user write guarded (HTTP 403)" in error.message
            assert "EDIT on guarded" in str(error.hint)


def takes(registry, write):
    """Whether the write is taken when it is sent."""
    try:
        registry.apply(write)
    except Rejected:
        return False
    return True


def test_an_open_server_is_asked_once_and_takes_nothing(rest_backend, name, postgres_backend, old_backend):
    for backend in (rest_backend, postgres_backend, old_backend):
        backend.register(name, {"MLmodel": b"x"})
        before = backend.registry.model(name)
        writes = [SetStage(name, 1, "Staging", archive_existing=True), SetAlias(name, "staging", 1), DeleteAlias(name, "staging")]
        for write in [*writes, SetVersionTag(name, 1, "owner", "ids-team")]:
            assert backend.registry.rejections([write]) == {}
        assert backend.registry.model(name) == before
