"""`recollect serve` as a process: it listens, ends in order, takes up a new model, and refuses to be open to all."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recollect.cli import main

from ..architecture.tree import ROOT
from ..serve.forked import forked_server
from ..serve.http.running import Client
from .conftest import Command


@contextmanager
def running(
    run: Path, store: Path, *arguments: str, **environment: str
) -> Iterator[tuple[subprocess.Popen[str], Client]]:
    command = [sys.executable, "-m", "recollect", "serve", str(run), "--store", str(store), "--port", "0", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if found := re.search(r"listening on http://\S+:(\d+)", line):
                    yield process, Client(int(found[1]), environment.get("RECOLLECT_WRITE_KEY"))
                    return
            raise AssertionError("it has not begun to listen")
        finally:
            process.kill()


def test_it_serves_ends_in_order_and_goes_on(trained: Path, log_file: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    with running(run, tmp_path / "store") as (process, client):
        client.post("/events", {"events": [{"user": 7, "item": f"item {n}"} for n in range(1, 6)]})
        before = client.get("/recommendations?user=7")
        assert before["source"] == "memory" and before["events"] == 5
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert b"closed" in (tmp_path / "store/index/data.mdb").read_bytes()
    with running(run, tmp_path / "store") as (process, client):
        assert client.get("/recommendations?user=7") == before
        # Another model in the place of the first, taken up without a pause.
        shutil.rmtree(run)
        assert main.run(["train", "markov", "--data", str(log_file), "--out", str(run), "--json"]) == 0
        process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 30
        while (after := client.get("/recommendations?user=7"))["model"] != "markov":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert after["digest"] != before["digest"] and after["events"] == 5
        (run / "weights.safetensors").write_bytes(b"damaged")
        process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        assert client.get("/recommendations?user=7") == after


@pytest.mark.parametrize("seen", ["hidden", "allowed"])
def test_lists_are_those_of_recommend_for_the_runs_seen_filter(
    recollect: Command, log_file: Path, tmp_path: Path, seen: str
) -> None:
    run, store = tmp_path / "run", tmp_path / "store"
    assert recollect("train", "markov", "--data", log_file, "--seen", seen, "--out", run).code == 0
    assert recollect("replay", run, "--store", store).code == 0
    repeated = 0
    with forked_server(run, store) as (_, client):
        for user in client.get("/users?limit=8")["users"]:
            offline = recollect("recommend", run, "--user", user, "--json").json
            served = client.get(f"/recommendations?user={user}")
            assert served["seen"] == offline["seen"] == seen and served["events"] == offline["events"]
            assert [row["item"] for row in served["items"]] == [row["item"] for row in offline["recommendations"]]
            history = {row["item"] for row in client.get(f"/users/{user}")["history"]}
            repeated += sum(row["item"] in history for row in served["items"])
    assert (repeated > 0) == (seen == "allowed")


def test_a_new_model_is_taken_up_by_a_link(recollect: Command, trained: Path, log_file: Path, tmp_path: Path) -> None:
    """As the guide says it: a link that moves, and SIGHUP."""
    shutil.copytree(trained, tmp_path / "runs/first")
    assert recollect("train", "markov", "--data", log_file, "--out", tmp_path / "runs/second").code == 0
    link = tmp_path / "runs/current"
    link.symlink_to("first")
    with forked_server(link, tmp_path / "store") as (process, client):
        assert client.get("/model")["model"] == "gru4rec"
        link.unlink()
        link.symlink_to("second")
        assert process.pid is not None
        os.kill(process.pid, signal.SIGHUP)
        deadline = time.monotonic() + 30
        while client.get("/model")["model"] != "markov":
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_model_of_another_catalogue_is_not_taken_up_and_strangers_get_the_list_of_newcomers(
    recollect: Command, trained: Path, log_file: Path, tmp_path: Path
) -> None:
    run, other = Path(shutil.copytree(trained, tmp_path / "run")), tmp_path / "other"
    text = log_file.read_text()
    longer = tmp_path / "longer.csv"
    longer.write_text(text + "stranger,no such thing,1780000000\n")
    (tmp_path / "other.csv").write_text(text.replace(",item ", ",thing "))
    assert recollect("train", "markov", "--data", tmp_path / "other.csv", "--out", other).code == 0
    assert recollect("replay", run, "--data", longer, "--store", tmp_path / "store").code == 0
    offline = recollect("recommend", run, "--data", longer, "--user", "stranger", "--json").json
    with running(run, tmp_path / "store") as (process, client):
        served = client.get("/recommendations?user=stranger")
        assert (served["source"], served["events"]) == ("newcomer", offline["events"]) == ("newcomer", 1)
        for mine, theirs in zip(served["items"], offline["recommendations"], strict=True):
            assert mine["item"] == theirs["item"] and mine["logit"] == pytest.approx(theirs["logit"], abs=1e-4)
            assert mine["probability"] == pytest.approx(theirs["probability"], rel=1e-3)
        shutil.rmtree(run)
        shutil.copytree(other, run)
        process.send_signal(signal.SIGHUP)
        assert process.stderr is not None
        assert re.search(r"the model is not changed: .* knows 0 of the .* another catalogue", process.stderr.readline())
        assert client.get("/recommendations?user=stranger") == served
        assert "recollect_reload_failed 1.0" in client.get("/metrics")
    command = [sys.executable, "-m", "recollect", "serve", str(run), "--store", str(tmp_path / "store"), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            said = "".join(line for line, _ in zip(process.stderr, range(3), strict=False))
            assert "knows 0 of the" in said and "warning: the model knows none of them" in said
        finally:
            process.kill()


def test_others_are_served_only_with_keys(
    recollect: Command, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RECOLLECT_READ_KEY", "RECOLLECT_WRITE_KEY"):
        monkeypatch.delenv(name, raising=False)
    said = recollect("serve", trained, "--store", tmp_path / "store", "--host", "0.0.0.0")
    assert said.code == 2 and "set RECOLLECT_READ_KEY and RECOLLECT_WRITE_KEY" in said.error
    monkeypatch.setenv("RECOLLECT_WRITE_KEY", "short")
    assert "it needs 16 or more" in recollect("serve", trained, "--store", tmp_path / "store").error
    monkeypatch.setenv("RECOLLECT_WRITE_KEY", "long-enough-for-a-key")
    said = recollect("serve", trained, "--store", tmp_path / "store")
    assert said.code == 2 and "RECOLLECT_READ_KEY is not, so that half of the server would be open" in said.error
    monkeypatch.setenv("RECOLLECT_READ_KEY", "another-another-another long-enough-for-a-key")
    said = recollect("serve", trained, "--store", tmp_path / "store")
    assert said.code == 2 and "the same key is in RECOLLECT_READ_KEY and RECOLLECT_WRITE_KEY" in said.error
    assert "long-enough" not in said.error
    monkeypatch.delenv("RECOLLECT_READ_KEY")
    monkeypatch.setenv("RECOLLECT_READ_KEY_FILE", "no-such-file")
    assert "RECOLLECT_READ_KEY_FILE: no-such-file: No such file" in recollect("serve", trained).error
    assert not (tmp_path / "store").exists()


def test_keys_come_from_the_environment_or_a_file(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("another-another-another\nreading-reading-reading\n")
    keys = {"RECOLLECT_WRITE_KEY": "writing-writing-writing", "RECOLLECT_READ_KEY_FILE": str(tmp_path / "key")}
    with running(trained, tmp_path / "store", "--host", "0.0.0.0", **keys) as (_, writer):
        writer.post("/events", {"user": 7, "item": "item 1"})
        reader, nobody = Client(writer.port, "reading-reading-reading"), Client(writer.port)
        assert reader.get("/recommendations?user=7")["events"] == 1
        assert nobody.request("GET", "/recommendations?user=7")[0] == 401


def test_the_port_of_the_environment_is_the_one_that_the_container_looks_at(
    recollect: Command, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    health = re.search(r"^HEALTHCHECK CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert health is not None
    check = [sys.executable, *json.loads(health[1])[1:]]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "recollect", "serve", str(trained), "--store", str(tmp_path / "store")]
    environment = {**os.environ, "RECOLLECT_PORT": port}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        try:
            assert any(f"listening on http://127.0.0.1:{port}" in line for line in process.stderr)
            assert subprocess.run(check, env=environment, timeout=60).returncode == 0
        finally:
            process.kill()
    assert subprocess.run(check, env=environment, timeout=60, capture_output=True).returncode != 0


def test_what_cannot_be_served_is_said(recollect: Command, trained: Path, tmp_path: Path) -> None:
    said = recollect("serve", tmp_path / "nothing", "--store", tmp_path / "store", "--port", "0")
    assert said.code == 1 and "no such folder" in said.error and not (tmp_path / "store").exists()
    (tmp_path / "file").write_text("")
    said = recollect("serve", trained, "--store", tmp_path / "file", "--port", "0")
    assert said.code == 1 and "cannot be opened for writing" in said.error
    said = recollect("serve", trained, "--store", "http://127.0.0.1", "--port", "0")
    assert said.code == 1 and "a folder or redis://HOST:PORT" in said.error
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = recollect("serve", trained, "--store", tmp_path / "store", "--port", port)
    assert said.code == 2 and f"port {port} of 127.0.0.1 cannot be listened on" in said.error
    assert not (tmp_path / "store").exists()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="which signals are handled is read from /proc")
def test_a_hang_up_before_it_listens_kills_nothing_and_loads_the_model_again(trained: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "recollect", "serve", str(trained), "--store", str(tmp_path / "s"), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            deadline = time.monotonic() + 30
            while not handles_hang_up(process.pid):
                assert time.monotonic() < deadline and process.poll() is None
                time.sleep(0.001)
            process.send_signal(signal.SIGHUP)  # torch is being loaded now, or yet to be
            lines = []
            for line in process.stderr:
                lines.append(line)
                if "now, seen items" in line:
                    break
            assert "listening on" in "".join(lines[:-1]) and "using gru4rec" in lines[-1]
            process.send_signal(signal.SIGHUP)
            assert "using gru4rec" in process.stderr.readline()
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()


def handles_hang_up(process: int) -> bool:
    """Whether a process has a handler of its own for SIGHUP, by the bits of the kernel."""
    status = Path(f"/proc/{process}/status").read_text()
    (caught,) = re.findall(r"^SigCgt:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return bool(int(caught, 16) >> (signal.SIGHUP - 1) & 1)


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe\x00"])
def test_a_key_that_is_set_to_nothing_opens_no_door(
    recollect: Command, trained: Path, tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_bytes(content)
    for name in ("RECOLLECT_READ_KEY_FILE", "RECOLLECT_WRITE_KEY_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "key"))
    said = recollect("serve", trained, "--store", tmp_path / "store", "--port", "0")
    assert said.code == 2 and f"RECOLLECT_READ_KEY_FILE: {tmp_path / 'key'}: " in said.error
    for name in ("RECOLLECT_READ_KEY", "RECOLLECT_WRITE_KEY"):
        monkeypatch.delenv(f"{name}_FILE")
        monkeypatch.setenv(name, "")
    said = recollect("serve", trained, "--store", tmp_path / "store", "--port", "0")
    assert said.code == 2 and "RECOLLECT_READ_KEY: there is no key in it" in said.error
