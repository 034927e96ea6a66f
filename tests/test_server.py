"""The server that tests and demo start: wholly gone after ``stop``, and its log told when it does not start."""

from __future__ import annotations

import socket
import subprocess
import time

import pytest
import requests

from tests.server import Server, ServerError


def members(group: int) -> list[str]:
    listed = subprocess.run(["ps", "-eo", "pgid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=2) for line in listed.splitlines()]
    return [row[2] for row in rows if row[0] == str(group) and not row[1].startswith("Z")]


def test_stopping_ends_the_workers_too(tmp_path):
    with Server(tmp_path, workers=2) as server:
        group, url = server.group, server.url
        assert group is not None
        assert requests.get(f"{url}/api/2.0/mlflow/registered-models/search", timeout=10).json() == {}
        assert len(members(group)) >= 3  # the command and two workers
    assert server.group is None
    assert members(group) == []
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/health", timeout=2)


def test_a_server_that_does_not_start_shows_its_log(tmp_path):
    begin = time.monotonic()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ServerError, match="address already in use"):
            Server(tmp_path, port=taken.getsockname()[1]).start()
    assert time.monotonic() - begin < 60
