"""`recollect serve`: the memory service over HTTP, from a trained model and a folder that keeps the events."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from recollect.artifact import Artifact
    from recollect.serve.coverage import Coverage
    from recollect.serve.http.reload_signal import ReloadSignal
    from recollect.serve.service import Service

READ_KEY, WRITE_KEY = "RECOLLECT_READ_KEY", "RECOLLECT_WRITE_KEY"
"""Where keys are looked for; with _FILE at the end, the name of a file that holds one."""

LEAST_KEY = 16
"""Characters of a key."""

Keys = tuple[str, ...]

Store = Annotated[
    str,
    typer.Option(
        "--store",
        metavar="DIR|URL",
        help="The folder of journal and memories, made if there is none; or a server, redis://HOST:PORT.",
    ),
]


def serve(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a trained model.")],
    store: Store = "store",
    host: Annotated[
        str, typer.Option(help="The address to listen on; others than this machine's need keys.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, envvar="RECOLLECT_PORT", help="The port; 0 takes a free one.")
    ] = 8000,
    half: Annotated[bool, typer.Option("--half", help="Save memories in half precision.")] = False,
    cache: Annotated[
        int, typer.Option("--cache-mb", "--room", min=1, help="MB of memories in the process. (--room: its old name.)")
    ] = 256,
    keep: Annotated[
        float | None,
        typer.Option(
            min=0, help="Days after which an unused memory is dropped; it can be made again.", show_default="for ever"
        ),
    ] = None,
    any_time: Annotated[
        bool,
        typer.Option(
            "--any-time",
            help="Take events with times before 1990 or more than a day ahead too: for a clock that is artificial.",
        ),
    ] = False,
) -> None:
    """Take in events and respond with ranked lists: `POST /events`, `GET /recommendations?user=ID`; `/docs` has all.

    Every event is durable before it is acknowledged, and each user's memory has one size however long the history.
    A folder belongs to one server at a time, but `recollect journal` may read it meanwhile. Several servers may share a
    Redis or Valkey server. Ctrl-C or SIGTERM ends it in order, a kill loses nothing. SIGHUP loads RUN again and
    continues with the new model.

    Keys are taken from the environment: `RECOLLECT_READ_KEY` and `RECOLLECT_WRITE_KEY`, or `..._FILE` for a file that
    holds them; several, separated by spaces, while one is changed. Without keys only this machine is served.

    Examples:

    - `recollect serve runs/first`
    - `recollect serve runs/first --store events --host 0.0.0.0 --port 80` (with both keys set)
    - `recollect serve runs/first --store redis://localhost:6379`
    """
    from recollect.config import ConfigError

    read_keys, write_keys = _keys(READ_KEY), _keys(WRITE_KEY)
    if bool(read_keys) != bool(write_keys):
        here, missing = (READ_KEY, WRITE_KEY) if read_keys else (WRITE_KEY, READ_KEY)
        raise ConfigError(f"{here} is set and {missing} is not, so that half of the server would be open; set both")
    if set(read_keys) & set(write_keys):
        raise ConfigError(
            f"the same key is in {READ_KEY} and {WRITE_KEY}: whoever may read could write and forget; give two keys"
        )
    if host not in ("127.0.0.1", "localhost", "::1") and not read_keys:
        raise ConfigError(
            f"to listen on {host}, where others can reach it, set {READ_KEY} and {WRITE_KEY} to keys of your own"
        )

    from recollect.serve.http.reload_signal import ReloadSignal

    with ReloadSignal() as reload_signal:  # before anything that takes long
        from recollect.artifact import load
        from recollect.serve.engine import Engine
        from recollect.serve.service import Service
        from recollect.serve.stores.opening import is_url, open_store

        artifact = load(run)
        _expect_free(host, port)
        with open_store(store) as kept:
            engine = Engine(artifact, kept, cache_bytes=cache << 20, half=half)
            typer.echo(
                f"{artifact.name} [{artifact.digest}], {engine.bytes_per_user:,} bytes a user, seen items "
                f"{engine.seen}; {'the store' if is_url(store) else store} holds {kept.events:,} events",
                err=True,
            )
            if not any_time:
                _remark_on_times(artifact)
            service = Service(engine, keep_seconds=None if keep is None else 86_400 * keep)
            if service.coverage.events:
                typer.echo(f"{artifact.name}: {service.coverage}", err=True)
            _warn_of_few(service.coverage)
            access: dict[str, Any] = {"read_keys": read_keys, "write_keys": write_keys, "any_time": any_time}
            _listen(service, run, host, port, access, reload_signal)


def _remark_on_times(artifact: Artifact) -> None:
    """Say so where the log of the run has times that events may not have here."""
    from recollect.cli.asking import note
    from recollect.serve.http.fields import refused_as
    from recollect.study.lineage import learnt_until

    until = learnt_until(artifact.card)
    if artifact.clock and until is not None and (why := refused_as(until)):
        note(
            f"the times of the log of {artifact.folder} end at {until}, which is {why}: such times of events "
            "are refused; with --any-time they are taken"
        )


def _warn_of_few(known: Coverage) -> None:
    """Say so where a model knows too few of the events in the store."""
    if known.low:
        share = "none of them, so every user gets the list of a newcomer" if known.none else f"only {known.share:.0%}"
        typer.echo(f"warning: the model knows {share}; was it trained on another catalogue?", err=True)


def _expect_free(host: str, port: int) -> None:
    """Raise ConfigError where the address cannot be listened on, before a store is made or locked for it."""
    import socket

    from recollect.config import ConfigError

    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            pass
    except OSError as error:
        raise ConfigError(
            f"port {port} of {host} cannot be listened on ({error.strerror or error}); "
            "stop the server that does, or give another --port"
        ) from None


def _listen(
    service: Service,
    run: Path,
    host: str,
    port: int,
    access: Mapping[str, Any],
    reload_signal: ReloadSignal,
) -> None:
    """`access`: who may do what, as `create_app` takes it."""
    import logging

    import torch

    from recollect.artifact import ArtifactError, load
    from recollect.serve.http.app import create_app
    from recollect.serve.http.listening import listen
    from recollect.serve.service import StrangerError
    from recollect.serve.stores.contract import StoreError

    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    torch.set_num_threads(1)  # batches are small: a second thread costs more than it gives

    def say(text: str) -> None:
        typer.echo(text, err=True)

    async def reload() -> None:
        try:
            artifact = await service.reload(lambda: load(run))
        except (ArtifactError, OSError, StoreError, StrangerError) as error:
            say(f"the model is not changed: {error}")
            return
        say(f"using {artifact.name} [{artifact.digest}] now, seen items {service.engine.seen}; {service.coverage}")
        _warn_of_few(service.coverage)

    app = create_app(service, **access)
    listen(app, host, port, say=say, reload=reload, reload_signal=reload_signal)


def _keys(name: str) -> Keys:
    """Keys from the environment, or from the file named there. Raises ConfigError for one that is easily guessed."""
    from recollect.config import ConfigError

    text, place = os.environ.get(name), name
    if path := os.environ.get(f"{name}_FILE"):
        place = f"{name}_FILE: {path}"
        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{place}: {error.strerror or error}") from None
        except UnicodeDecodeError:
            raise ConfigError(f"{place}: not a text; a key a line is expected") from None
    keys = tuple((text or "").split())
    if text is not None and not keys:  # whoever sets it wants a key
        raise ConfigError(f"{place}: there is no key in it; write one, or unset it to serve everybody on this machine")
    for key in keys:
        if len(key) < LEAST_KEY:
            raise ConfigError(f"{name}: a key has {len(key)} characters; it needs {LEAST_KEY} or more, drawn at random")
    return keys
