"""The command `recollect`: the verbs, and how whatever can go wrong is said in one line with an exit code.

0: done; 1: the data, the model or the disk is not as needed; 2: the command or a setting is wrong; 130: interrupted;
143: terminated while a server was being loaded, or as the first process of a container.
RECOLLECT_DEBUG=1 shows the traceback as well.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from recollect.cli import (
    compare,
    data,
    demo,
    doctor,
    evaluate,
    journal,
    models,
    recommend,
    refit,
    replay,
    score,
    serve,
    similar,
    train,
    vectors,
)

DEBUG = "RECOLLECT_DEBUG"
LONGEST = 2000
"""Characters of an error line: ids and paths in it can be of any length."""

app = typer.Typer(
    name="recollect",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Sequential recommendation: read a log of *user, item, time*, train a model, measure it honestly, recommend.

New here? `recollect demo` shows the whole path on a simulated log in a few minutes. With a log of your own:

- `recollect data inspect ratings.csv`
- `recollect train xlstm-lsr --data ratings.csv --out runs/first`
- `recollect evaluate runs/first`
- `recollect recommend runs/first --user 42`
- `recollect compare --models all --data ratings.csv --out runs/all`
- `recollect serve runs/first`
""",
)
app.command("demo")(demo.demo)
app.add_typer(data.app, name="data")
app.command("train")(train.train)
app.command("refit")(refit.refit)
app.command("compare")(compare.compare)
app.command("evaluate")(evaluate.evaluate)
app.command("recommend")(recommend.recommend)
app.command("similar")(similar.similar)
app.command("score")(score.score)
app.command("vectors")(vectors.vectors)
app.command("serve")(serve.serve)
app.command("replay")(replay.replay)
app.add_typer(journal.app, name="journal")
app.command("models")(models.models)
app.command("doctor")(doctor.doctor)


def _version(asked: bool) -> None:
    if asked:
        from recollect.version import __version__

        typer.echo(f"recollect {__version__}")
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None: ...


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and end the process with its exit code."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the command line -> its exit code. Errors are one line on stderr."""
    try:
        result = app(args=arguments, prog_name="recollect", standalone_mode=False)
        code = result if isinstance(result, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except BrokenPipeError:  # the reader of a pipe has gone, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if os.environ.get(DEBUG, "0") not in ("", "0"):
            import traceback

            traceback.print_exc()
        return _fail(*_explain(error))
    return _fail("interrupted", code) if code == 130 else code


def _explain(error: Exception) -> tuple[str, int]:
    """What went wrong, in words, and the exit code."""
    if type(error).__name__ == "NoArgsIsHelpError":  # its help has been shown
        return "say what to do: one of the commands above", 2
    if hasattr(error, "format_message"):  # a wrong command line
        context = getattr(error, "ctx", None)
        hint = f" (see {context.command_path} --help)" if context is not None else ""
        return f"{error.format_message()}{hint}", 2
    # Asked of what is loaded: an error of a module that was never loaded cannot have been raised.
    kinds = {"recollect.config": ("ConfigError", 2), "recollect.study.run": ("Stopped", 130)}
    kinds["recollect.study.execute"] = ("Halted", 130)
    kinds["recollect.train.loop"] = ("Interrupted", 130)  # of training that is no run with a folder: the demo's rivals
    kinds |= {"recollect.data.log": ("DataError", 1), "recollect.artifact": ("ArtifactError", 1)}
    kinds |= {
        "recollect.serve.stores.contract": ("StoreError", 1),
        "recollect.serve.stores.segments": ("JournalError", 1),
    }
    for module, (name, code) in kinds.items():
        if module in sys.modules and isinstance(error, getattr(sys.modules[module], name)):
            return str(error) or "interrupted", code
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}", 1
    if isinstance(error, MemoryError):
        return "not enough memory; try a smaller train.batches.tokens or model.width", 1
    text = str(error) or "no reason given"
    return f"unexpected {type(error).__name__}: {text}; {DEBUG}=1 shows where", 1


def _fail(message: str, code: int) -> int:
    line = " ".join(message.split())
    line = line if len(line) <= LONGEST else f"{line[: LONGEST - 200]} ... {line[-150:]}"
    typer.echo(f"error: {line}", err=True)
    return code


if __name__ == "__main__":
    main()
