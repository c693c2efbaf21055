"""`recollect replay` and `recollect journal`: a log goes in once, and comes out as the log that it was."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from recollect.data.parquet import read_columns
from recollect.serve.stores.contract import IncomingEvent
from recollect.serve.stores.embedded import EmbeddedStore

from ..serve.stores.redis_server import Server, server
from .conftest import Command

__all__ = ["server"]  # a fixture


def rows(log_file: Path) -> list[tuple[str, str, int]]:
    lines = [line.split(",") for line in log_file.read_text().splitlines()[1:]]
    return sorted(((user, item, int(time)) for user, item, time in lines), key=lambda row: (int(row[0]), row[2]))


def test_a_log_goes_in_once_and_comes_out_again(
    recollect: Command, trained: Path, log_file: Path, tmp_path: Path
) -> None:
    wanted = rows(log_file)
    store, out = tmp_path / "store", tmp_path / "events.parquet"
    said = recollect("replay", trained, "--store", store)
    assert said.code == 0 and f"{len(wanted)} new events of {len(wanted)}; 30 users have a memory" in said.out
    assert "0 new events" in recollect("replay", trained, "--store", store).out
    with EmbeddedStore(store) as kept:
        assert all(saved is not None for saved in kept.load_memories(kept.users()))
        kept.append([], 0)
    checked = recollect("journal", "verify", store, "--json").json
    assert checked["events"] == checked["last"] == len(wanted) and checked["files"] == 1
    assert recollect("journal", "export", store, "--out", out).code == 0
    columns, _ = read_columns(out)
    assert [(u, i, t) for u, i, t in zip(columns["user"], columns["item"], columns["time"], strict=True)] == wanted
    # It reads as a log, and is the same log to whoever learns from it.
    again = tmp_path / "again"
    assert recollect("train", "markov", "--data", out, "--out", tmp_path / "run").code == 0
    assert recollect("replay", tmp_path / "run", "--store", again).code == 0
    with EmbeddedStore(again) as one, EmbeddedStore(store) as two:
        assert {user: one.history(user).events for user in one.users()} == {
            user: two.history(user).events for user in two.users()
        }


def test_a_server_is_a_store_too(
    recollect: Command, trained: Path, log_file: Path, tmp_path: Path, server: Server
) -> None:
    said = recollect("replay", trained, "--store", server.url)
    assert said.code == 0 and "30 users have a memory of gru4rec in the store" in said.out
    assert "0 new events" in recollect("replay", trained, "--store", server.url).out
    out = tmp_path / "events.parquet"
    assert recollect("journal", "export", server.url, "--out", out).code == 0
    columns, _ = read_columns(out)
    found = sorted(zip(columns["user"], columns["item"], columns["time"], strict=True), key=lambda r: (int(r[0]), r[2]))
    assert found == rows(log_file)
    said = recollect("replay", trained, "--store", "redis://127.0.0.1:1")
    assert said.code == 1 and "127.0.0.1:1" in said.error


def test_an_exported_log_adds_nothing_to_where_it_came_from(
    recollect: Command, trained: Path, log_file: Path, tmp_path: Path
) -> None:
    store, out = tmp_path / "store", tmp_path / "events.parquet"
    recollect("replay", trained, "--store", store)
    with EmbeddedStore(store) as kept:  # as the interface takes them in, with ids of their own or none
        kept.append([IncomingEvent("5", "item 3", 1_780_000_000, own) for own in ("order-1", None)], 0)
    assert recollect("journal", "export", store, "--out", out).code == 0
    assert "0 new events" in recollect("replay", trained, "--store", store, "--data", out).out
    shutil.rmtree(store / "journal")
    shutil.rmtree(store / "index")
    said = recollect("replay", trained, "--store", store, "--data", out)
    assert f"{len(rows(log_file)) + 2} new events" in said.out


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_events_are_exported_in_the_form_that_the_ending_says(
    recollect: Command, trained: Path, tmp_path: Path, ending: str
) -> None:
    store, again, out = tmp_path / "store", tmp_path / "again", tmp_path / f"events{ending}"
    recollect("replay", trained, "--store", store)
    with EmbeddedStore(store) as kept:
        kept.append([IncomingEvent("5", 'an "item", with commas', 1_780_000_000, "order-1")], 0)
        wanted = {user: kept.history(user).events for user in kept.users()}
    said = recollect("journal", "export", store, "--out", out)
    assert said.code == 0 and f"{sum(map(len, wanted.values()))} events are in" in said.out
    first = out.read_bytes()[:40]
    assert first.startswith(
        {".csv": b"number,user,item,id,time\n", ".jsonl": b'{"number":1,', ".parquet": b"PAR1"}[ending]
    )
    assert recollect("replay", trained, "--store", again, "--data", out).code == 0
    with EmbeddedStore(again) as kept:
        assert {user: kept.history(user).events for user in kept.users()} == wanted


def test_an_export_like_a_run_is_read_by_that_run(recollect: Command, tmp_path: Path) -> None:
    shop, run, store, out = (tmp_path / name for name in ("shop.csv", "run", "store", "newer.csv"))
    lines = [f"{user},A{(user + n) % 5},{n + 1:02}/05/2024 1{user}:30" for user in range(4) for n in range(20)]
    shop.write_text("\n".join(["Kunde,Artikel,Datum", *lines]) + "\n")
    columns = ("--user", "Kunde", "--item", "Artikel", "--time", "Datum")
    assert recollect("train", "markov", "--data", shop, *columns, "--out", run).code == 0
    assert recollect("replay", run, "--store", store).code == 0
    with EmbeddedStore(store) as kept:
        kept.append([IncomingEvent("2", "A3", 1_717_236_000, None)], 0)  # on 1 June 2024
    assert recollect("journal", "export", store, "--out", out, "--like", run).code == 0
    assert out.read_text().splitlines()[:2] == ["Kunde,Artikel,Datum", "0,A0,1714559400"]
    assert "0 new events of 81" in recollect("replay", run, "--store", store, "--data", out).out
    said = recollect("evaluate", run, "--data", out, "--since", "2024-06-01")
    assert said.code == 0 and "over 1 users" in said.out
    assert recollect("refit", run, "--data", out, "--out", tmp_path / "refit").code == 0


def test_an_export_is_in_the_form_that_a_run_reads(recollect: Command, tmp_path: Path) -> None:
    shop, run, store, out = (tmp_path / name for name in ("shop.csv", "run", "store", "newer.csv"))
    lines = [f"{user};A{(user + n) % 5};{n + 1:02}.05.2024 1{user}:30;buy" for user in range(4) for n in range(9)]
    shop.write_text("\n".join(["user;item;at;event", *lines, "0;A1;01.05.2024 10:00;view"]) + "\n")
    form = ("--time", "at", "--time-format", "%d.%m.%Y %H:%M", "--separator", ";", "--where", "event == 'buy'")
    assert recollect("train", "markov", "--data", shop, *form, "--out", run).code == 0
    assert recollect("replay", run, "--store", store).code == 0
    with EmbeddedStore(store) as kept:
        kept.append([IncomingEvent("2", "A3", 1_717_236_059, None)], 0)
    said = recollect("journal", "export", store, "--out", out, "--like", run)
    assert said.code == 0 and out.read_text().splitlines()[:2] == ["user;item;at;event", "0;A0;01.05.2024 10:30;buy"]
    assert "note: 1 times are cut to what %d.%m.%Y %H:%M says" in said.err and "event is buy in every row" in said.err
    assert "1 new events of 37" in recollect("replay", run, "--store", store, "--data", out).out, "the one that was cut"
    assert recollect("refit", run, "--data", out, "--out", tmp_path / "refit").code == 0


def test_what_a_run_would_not_read_is_said(recollect: Command, trained: Path, tmp_path: Path) -> None:
    shop, run, store, out = (tmp_path / name for name in ("shop.csv", "run", "store", "newer.csv"))
    shop.write_text("user,item,time,event\n" + "".join(f"{u},A{n},{n},buy\n" for u in range(3) for n in range(6)))
    assert recollect("replay", trained, "--store", store).code == 0
    where = ("--where", "item != 'A4'")
    assert recollect("train", "markov", "--data", shop, *where, "--out", run).code == 0
    with EmbeddedStore(store) as kept:
        kept.append([IncomingEvent("2", "A4", 1_780_000_000, None)], 0)
    said = recollect("journal", "export", store, "--out", out, "--like", run)
    assert said.code == 0 and f"note: {run} leaves out 1 x not item != 'A4'" in said.err
    kinds = ("--kind", "event", "--targets", "buy")
    assert recollect("train", "markov", "--data", shop, *kinds, "--out", tmp_path / "kinds").code == 0
    said = recollect("journal", "export", store, "--out", tmp_path / "x.csv", "--like", tmp_path / "kinds")
    assert said.code == 2 and "tells kinds of events apart (data.kind)" in said.error
    assert not (tmp_path / "x.csv").exists()


@pytest.mark.parametrize("name", ["events.xlsx", "events", "events.csv.gz"])
def test_another_ending_is_refused_before_anything_is_read(recollect: Command, tmp_path: Path, name: str) -> None:
    said = recollect("journal", "export", tmp_path / "nothing", "--out", tmp_path / name)
    assert said.code == 2 and ".csv, .jsonl or .parquet" in said.error and not (tmp_path / name).exists()


def test_what_is_left_out_of_a_log_is_said(recollect: Command, trained: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("user,item,time\n" + "".join(f"1,item {n},{n}\n" for n in range(6)) + ",item 2,6\n")
    run = tmp_path / "run"
    assert recollect("train", "popularity", "--data", log, "--on-bad", "skip", "--out", run).code == 0
    said = recollect("replay", run, "--store", tmp_path / "store")
    assert "6 new events of 6" in said.out and "dropped: 1 x no user id" in said.err
    log.write_text(f"user,item,time\n1,item 1,5\n1,{'x' * 300},6\n")
    said = recollect("replay", run, "--store", tmp_path / "another")
    assert said.code == 1 and "item has 300 bytes, at most 256" in said.err


def test_an_artificial_clock_goes_in_comes_out_and_is_learnt_again(recollect: Command, tmp_path: Path) -> None:
    """Times that count from some start, beside an event that came in by the real clock."""
    log, run, store, out = (tmp_path / name for name in ("log.csv", "run", "store", "out.csv"))
    log.write_text("user,item,time\n" + "".join(f"{u},A{n},{100 * n + 7}\n" for u in range(5) for n in range(6)))
    assert recollect("train", "markov", "--data", log, "--out", run).code == 0
    said = recollect("replay", run, "--store", store)
    assert said.code == 0 and "--time-format unix" in said.err and "30 new events" in said.out
    with EmbeddedStore(store) as kept:
        kept.append([IncomingEvent("2", "A4", 1_780_000_000, None)], 0)
    said = recollect("journal", "export", store, "--out", out)
    assert said.code == 0 and "30 of the 31 times are outside" in said.err and "--time-format unix" in said.err
    refit = ("refit", run, "--data", out, "--out", tmp_path / "refit")
    said = recollect(*refit)
    assert said.code == 1 and "--time-format unix" in said.err
    said = recollect(*refit, "--time-format", "unix", "--json")
    assert said.code == 0 and said.json["learnt"]["events"] == 31
    again = recollect("replay", tmp_path / "refit", "--store", tmp_path / "again")
    assert again.code == 0 and "31 new events of 31" in again.out


def test_an_order_goes_in_as_one_and_a_real_clock_is_not_remarked_on(
    recollect: Command, trained: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log.csv"
    log.write_text("user,item\n" + "".join(f"{u},A{n}\n" for u in range(5) for n in range(6)))
    assert recollect("train", "markov", "--data", log, "--out", tmp_path / "run").code == 0
    said = recollect("replay", tmp_path / "run", "--store", tmp_path / "store")
    assert said.code == 0 and "are no times, only an order" in said.err
    assert "--time-format" not in recollect("replay", trained, "--store", tmp_path / "other").err


def test_a_longer_log_adds_what_is_new(recollect: Command, trained: Path, log_file: Path, tmp_path: Path) -> None:
    longer = tmp_path / "longer.csv"
    longer.write_text(log_file.read_text() + "5,item 3,1780000000\n5,item 3,1780000000\nnewcomer,item 4,1780000000\n")
    store = tmp_path / "store"
    assert recollect("replay", trained, "--store", store).code == 0
    longer.write_text(longer.read_text() + "5,no such item,1780000001\n")
    said = recollect("replay", trained, "--store", store, "--data", longer)
    assert "1 events are of items this model does not know" in said.err
    assert "4 new events" in said.out and "31 users" in said.out
    with EmbeddedStore(store) as kept:
        assert kept.history("5").events[-3:-1] == [("item 3", 1780000000)] * 2


def test_what_is_forgotten_is_compacted(recollect: Command, trained: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    recollect("replay", trained, "--store", store)
    with EmbeddedStore(store) as kept:
        count = kept.summary("5").events  # type: ignore[union-attr]
        kept.forget("5")
    assert "1 requests to forget wait" in recollect("journal", "verify", store).out
    assert f"{count} events are gone" in recollect("journal", "compact", store).out
    assert "wait" not in recollect("journal", "verify", store).out


@pytest.mark.parametrize("verb", [["verify"], ["export", "--out", "x.parquet"], ["compact"]])
def test_no_journal_is_said(recollect: Command, tmp_path: Path, verb: list[str]) -> None:
    said = recollect("journal", verb[0], tmp_path / "nothing", *verb[1:])
    assert said.code == 1 and "no journal is there" in said.error and not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("verb", ["verify", "compact"])
def test_a_server_has_no_journal(recollect: Command, verb: str) -> None:
    said = recollect("journal", verb, "redis://localhost:6379")
    assert said.code == 2 and "a folder is expected" in said.error


def test_damage_is_said(recollect: Command, trained: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    recollect("replay", trained, "--store", store)
    (file,) = (store / "journal").glob("*.log")
    file.write_bytes(file.read_bytes().replace(b'"item 3"', b'"item 8"', 1))
    for verb in (["journal", "verify", store], ["journal", "export", store, "--out", tmp_path / "x.parquet"]):
        said = recollect(*verb)
        assert said.code == 1 and "damaged at byte" in said.error and "backup" in said.error
    assert not (tmp_path / "x.parquet").exists()
