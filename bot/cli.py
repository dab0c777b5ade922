"""The command line: argument → use case → print. Heavy libraries are imported where they are used."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer
from typer.exceptions import TyperException

from bot.errors import ConfigurationError, CountlastError, QuestionError, StorageError

if TYPE_CHECKING:
    from bot.app import Bot
    from bot.model import Diagnosis
    from bot.settings import FacilitySettings, Settings

T = TypeVar("T")

FAILED: Final = 1
USAGE_ERROR: Final = 2
INTERRUPTED: Final = 130  # 128 and the number of SIGINT, as shells count
READER_GONE: Final = 141  # the same for SIGPIPE

app = typer.Typer(
    name="countlast",
    help="Why METRC cannot find a package that is on the shelf. The count is the last thing to touch.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
reconcile = typer.Typer(help="Answer one question, with the evidence.", rich_markup_mode=None, add_completion=False)
app.add_typer(reconcile, name="reconcile")

Facility = Annotated[
    str | None,
    typer.Option("--facility", metavar="LICENSE", help="The METRC license; may be left out when there is one."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


def run(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0, 1 for what failed, 2 for usage and configuration, else as shells count.

    Every error that can be foreseen is one sentence a problem on stderr.
    """
    sys.exit(_status(arguments))


def _status(arguments: Sequence[str] | None) -> int:
    try:
        status = app(args=arguments, prog_name="countlast", standalone_mode=False)
        # here, where a reader that is gone can still be noticed
        sys.stdout.flush()
    except BrokenPipeError:
        return _stop_writing()
    except TyperException as error:
        print(_usage_sentence(error), file=sys.stderr)
        return USAGE_ERROR
    except CountlastError as error:
        return _complain(error)
    except BaseExceptionGroup as group:
        return _complain(_known(group))
    except KeyboardInterrupt:
        return INTERRUPTED
    return status if isinstance(status, int) else 0


def _known(group: BaseExceptionGroup[BaseException]) -> CountlastError:
    """The first of the errors that several tasks ended in; raises the group again when one of them is no error of ours."""
    ours, others = group.split(CountlastError)
    if ours is None or others is not None:
        raise group
    first: BaseException = ours
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    assert isinstance(first, CountlastError)  # noqa: S101 - what the group was split by
    return first


def _stop_writing() -> int:
    """Let the interpreter's last flush go nowhere, or it would complain about the reader as well."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return READER_GONE


def _usage_sentence(error: TyperException) -> str:
    said = error.format_message().strip().rstrip(".")
    context = getattr(error, "ctx", None)
    if context is None:
        return f"countlast: {said}; see countlast --help"
    return f"{context.command_path}: {said}; accepted: {_accepted(context)}"


def _accepted(context: typer.Context) -> str:
    """The commands of a group, else the arguments and options of a command."""
    command = context.command
    if isinstance(command, typer.core.TyperGroup):
        return ", ".join([*command.list_commands(context), "--help"])
    names = [param.metavar or param.opts[0] for param in command.params if param.param_type_name == "argument"]
    return ", ".join([*names, *(param.opts[0] for param in command.params if param.param_type_name == "option")])


def _complain(error: CountlastError) -> int:
    for line in str(error).splitlines():
        print(line, file=sys.stderr)
    return USAGE_ERROR if isinstance(error, ConfigurationError | QuestionError) else FAILED


def _print_version(wanted: bool) -> None:
    if wanted:
        from bot import __version__

        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """See ``app``; the option is dealt with before anything else is looked at."""


@reconcile.command("package")
def reconcile_package(
    label: Annotated[str, typer.Argument(metavar="LABEL", help="The package's label (METRC tag).")],
    facility: Facility = None,
    shelf: Annotated[
        str | None, typer.Option("--shelf", metavar="QTY", help="What somebody counted on the shelf.")
    ] = None,
    deadline: Annotated[
        str, typer.Option("--deadline", metavar="S", help="Seconds for the whole answer, 1 to 3600.")
    ] = "60",
    *,
    as_json: AsJson = False,
) -> None:
    """Explain the difference between POS and METRC for one package, to the unit."""
    from bot.model import Question, Subject, SubjectKind
    from bot.wording import readable_label

    subject = Subject(SubjectKind.PACKAGE, readable_label(label))
    counted, seconds = _quantity(shelf), _seconds(deadline)
    settings = _settings()
    question = Question(_one_facility(settings, facility).license, subject, counted, deadline_seconds=seconds)

    async def answer(bot: Bot) -> Diagnosis:
        return await bot.answer(question, _say_nothing if as_json else _say)

    diagnosis = _with_bot(settings, answer)
    _print_diagnosis(diagnosis, as_json=as_json)


@app.command("sync")
def sync_command(
    facility: Facility = None,
    since: Annotated[str, typer.Option("--since", metavar="SPAN", help="How far back, such as 30d or 12h.")] = "30d",
) -> None:
    """Bring the local mirror of METRC and the POS up to date."""
    span = _span(since)
    settings = _settings()
    shops = [_one_facility(settings, facility)] if facility else list(settings.facilities)

    async def work(bot: Bot) -> bool:
        fine = True
        for shop in shops:
            fine = await _sync_one(bot, shop, span) and fine
        return fine

    if not _with_bot(settings, work):
        raise typer.Exit(FAILED)


async def _sync_one(bot: Bot, shop: FacilitySettings, span: timedelta) -> bool:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(shop.name, total=None)
        feeds: dict[str, tuple[int, int]] = {}

        def told(feed: str, done: int, total: int) -> None:
            feeds[feed] = (done, total)
            counts = list(feeds.values())
            bar.update(task, completed=sum(d for d, _ in counts), total=sum(t for _, t in counts))

        report = await bot.sync(shop, span, told)
    rows = sum(report.rows.values())
    print(f"{shop.name} ({shop.license}): {rows} rows, {report.requests} requests to METRC.")
    for feed, problems in report.problems.items():
        for problem in problems:
            print(f"  {feed}: {problem.says}", file=sys.stderr)
    return not report.problems


@app.command("run")
def run_command(
    role: Annotated[
        str,
        typer.Option("--role", help="all or web. They are the same: there is no work without Slack in this version."),
    ] = "all",
) -> None:
    """Run the bot.

    Slack reaches it over HTTP, or over Socket Mode when SLACK_APP_TOKEN is set.
    """
    if role == "worker":
        raise ConfigurationError(
            ["--role worker would do nothing: this version has no scheduled work; accepted: all, web"]
        )
    if role not in {"all", "web"}:
        raise ConfigurationError([f"--role is {role!r}; accepted: all, web"])
    settings = _settings(with_slack=True)
    from bot.serve import serve

    _with_bot(settings, serve)


@app.command("demo")
def demo_command(
    port: Annotated[
        str, typer.Option("--port", metavar="N", help="Where the workspace page is; 0: any free port.")
    ] = "8899",
    execute: Annotated[
        str | None,
        typer.Option("--exec", metavar="COMMAND", help="Send this one command, print its thread, stop."),
    ] = None,
) -> None:
    """Start a whole store on this machine.

    METRC, POS and Slack are stand-ins; the bot in front of them is the real one.
    """
    number = _port(port)
    from demo.run import demo

    asyncio.run(demo(port=number, execute=execute))


# --- helpers ----------------------------------------------------------------------------------------------------------


def _settings(*, with_slack: bool = False) -> Settings:
    from bot.settings import load

    settings = load(with_slack=with_slack)
    from bot.logs import configure

    configure(settings)
    return settings


def _with_bot(settings: Settings, use: Callable[[Bot], Coroutine[Any, Any, T]]) -> T:
    from bot.app import opened

    async def work() -> T:
        async with AsyncExitStack() as stack:
            try:
                bot = await stack.enter_async_context(opened(settings))
            except StorageError as error:
                # one that cannot even be opened is a wrong setting
                raise ConfigurationError([f"DATABASE_URL: {error}"]) from error
            return await use(bot)

    return asyncio.run(work())


def _one_facility(settings: Settings, license_number: str | None) -> FacilitySettings:
    known = ", ".join(f"{f.license} ({f.name})" for f in settings.facilities)
    if license_number is None:
        if len(settings.facilities) == 1:
            return settings.facilities[0]
        raise QuestionError(f"--facility is needed, there are several; accepted: {known}")
    facility = settings.facility(license_number)
    if facility is None:
        raise QuestionError(f"--facility {license_number!r} is not configured; accepted: {known}")
    return facility


def _quantity(text: str | None) -> Decimal | None:
    if text is None:
        return None
    # plain digits only: 1e9999 and nan are decimals as well
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text):
        raise QuestionError(f"--shelf is {text!r}; accepted: a number, 0 or more")
    return Decimal(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 3600:
        raise QuestionError(f"--deadline is {text!r}; accepted: a number of seconds from 1 to 3600")
    return seconds


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > 65535:
        raise QuestionError(f"--port is {text!r}; accepted: a whole number from 0 to 65535")
    return int(text)


def _span(text: str) -> timedelta:
    parts = re.fullmatch(r"([0-9]{1,4})([dh])", text)
    if parts is None or not 1 <= int(parts[1]) <= 3650:
        raise QuestionError(f"--since is {text!r}; accepted: 1 to 3650 and d or h, for example 30d or 12h")
    return timedelta(days=int(parts[1])) if parts[2] == "d" else timedelta(hours=int(parts[1]))


async def _say(sentence: str) -> None:
    print(f"{sentence} …", file=sys.stderr)


async def _say_nothing(_sentence: str) -> None:
    """A script wants the answer only."""


def _print_diagnosis(diagnosis: Diagnosis, *, as_json: bool) -> None:
    if as_json:
        from bot.report import as_json as report

        print(json.dumps(report(diagnosis), ensure_ascii=False, indent=2))
    else:
        from bot.wording import as_text

        print(as_text(diagnosis))
