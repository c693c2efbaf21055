"""`recollect compare`: any set of models on any log, several seeds each, one table with what it rests on."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from recollect.cli.choices import Part, RunData, RunSeen, Sets
from recollect.cli.output import print_json, print_sheets
from recollect.cli.reading import with_reading

ALL = "all"


@with_reading
def compare(
    ctx: typer.Context,
    *,
    models: Annotated[
        str | None,
        typer.Option(
            help="Names with commas between them, or `all`; `recollect models` lists them. By default those that "
            "--config has a section for.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the runs and the table are kept; there it also goes on.")],
    data: RunData = None,
    seen: RunSeen = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many times each model is trained.")] = 3,
    on: Annotated[Part, typer.Option(help="Which targets decide; test is scored once for each run.")] = Part.test,
    config: Annotated[
        Path | None, typer.Option(help="Settings of all models, and of one under [models.NAME]; the guide shows one.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(help="Which of them the others are compared with; by default the best.", show_default=False),
    ] = None,
    sets: Sets = None,
    jobs: Annotated[int, typer.Option(min=1, help="How many runs are made at the same time.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print the table as JSON for a program to read.")] = False,
    reading: dict[str, Any],
) -> None:
    """Train any set of models on one log, with several seeds, and compare them.

    Each run lies in `OUT/MODEL/seed-N` as `recollect train` would leave it. What is there is not made again: after
    Ctrl-C, a crash or a failure the same command goes on, and with more models or seeds it makes those that are new.
    A model that fails stands in the table with its reason, and the others go on.

    Examples:

    - `recollect compare --models popularity,markov,sasrec,xlstm-lsr --data ml-1m --out runs/ml-1m`
    - `recollect compare --models all --data ratings.csv --seeds 1 --on validation --out runs/first-look`
    - `recollect compare --models sasrec,gru4rec --data ml-1m --set train.epochs=30 --set models.sasrec.model.window=100
      --out runs/two`
    - `recollect compare --config variants.toml --against xlstm-lsr --data ml-1m --on validation --out runs/variants`
    """
    from recollect.config import ConfigError
    from recollect.registry import names
    from recollect.study import compare as study
    from recollect.study.compare_settings import compose_comparison
    from recollect.study.execute import Halted
    from recollect.study.report import REPORT, without_figures
    from recollect.study.tables import plain
    from recollect.train.progress import Console

    settings = compose_comparison(config, {"data": {**reading, "source": data}, "evaluate": {"seen": seen}}, sets or [])
    if models is None:
        asked = list(settings.models)
        if not asked:
            raise ConfigError("which models? name them, as in --models popularity,sasrec,xlstm-lsr")
    else:
        asked = names() if models.strip() == ALL else [name.strip() for name in models.split(",") if name.strip()]
    command = _typed(ctx)
    try:
        result = study.compare(
            settings,
            asked,
            out,
            seeds=seeds,
            on=on.value,
            against=against,
            at_once=jobs,
            report=Console(),
            command=command,
        )
    except Halted as halted:
        raise Halted(f"{halted}. To go on: {command}") from None
    if json:
        print_json({"folder": str(result.folder), "failed": result.failed, **plain(result.table)})
    else:
        print_sheets(result.table)
        for line in without_figures(result.table) if not result.table.rows else ():
            typer.echo(line)
        typer.echo(f"Kept in {out / REPORT}; each run in {out}/MODEL/seed-N.")
    if result.failed:
        typer.echo(
            f"error: {result.failed} of {result.runs} runs failed, see above and {out / study.FAILURES}; "
            "the same command tries them again",
            err=True,
        )
        raise typer.Exit(1)


def _typed(ctx: typer.Context) -> str:
    """The command as it was typed, to be typed again."""
    words = ["recollect", "compare"]
    for option in ctx.command.params:
        source = ctx.get_parameter_source(option.name or "")
        if source is None or source.name != "COMMANDLINE":
            continue
        given = ctx.params[option.name or ""]
        for value in given if isinstance(given, list | tuple) else [given]:
            words += [option.opts[0]] if value is True else [option.opts[0], str(value)]
    return shlex.join(words)
