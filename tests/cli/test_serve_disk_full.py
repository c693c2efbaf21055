"""A disk that is really full: lists go on, events are refused, and whoever watches the server can tell."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ..serve.http.running import Client

MOUNT = ["unshare", "-rm", "sh", "-c"]
"""A small disk of their own for a command and what it starts; nothing of it is left afterwards."""


def can_mount(folder: Path) -> bool:
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run([*MOUNT, f"mount -t tmpfs -o size=1m tmpfs {folder}"], capture_output=True)
    return tried.returncode == 0


def test_a_full_disk_stops_events_and_no_lists(trained: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if not can_mount(disk):
        pytest.skip("no disk can be mounted here")
    serve = f"{sys.executable} -m recollect serve {trained} --store {disk}/store --port 0"
    command = [*MOUNT, f"mount -t tmpfs -o size=16m tmpfs {disk} && exec {serve}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            found = None
            for line in process.stderr:
                if found := re.search(r"listening on http://\S+:(\d+)", line):
                    break
            assert found is not None
            watch(Client(int(found[1])), Path(f"/proc/{process.pid}/root{disk}"))
        finally:
            process.kill()


def watch(client: Client, disk: Path) -> None:
    """Fill the disk of a server, and make room again."""

    def writes() -> tuple[str, str]:
        ready = client.get("/readyz")
        assert ready["status"] == "ready" and ready["digest"]
        (metric,) = re.findall(r"^recollect_writes_refused (\S+)$", client.get("/metrics"), re.MULTILINE)
        return ready["writes"], metric

    def events(number: int) -> int:
        body = {"events": [{"user": 7, "item": f"item {n}", "id": f"{number}-{n}"} for n in range(100)]}
        return client.request("POST", "/events", body)[0]

    assert events(0) == 200 and writes() == ("accepted", "0.0")
    before = client.get("/recommendations?user=7")
    with (disk / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(os.urandom(4096))
    assert writes() == ("refused", "1.0"), "even before any event was refused"
    statuses = [events(number) for number in range(1, 30)]
    assert statuses[-1] == 503 and writes() == ("refused", "1.0")
    assert client.get("/recommendations?user=7")["events"] >= before["events"] == 100
    (disk / "filler").unlink()
    assert events(99) == 200 and writes() == ("accepted", "0.0")
