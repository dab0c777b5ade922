"""The command line: argument → use case → print. Heavy libraries are imported where they are used."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from bot.errors import ConfigurationError, CountlastError, QuestionError

if TYPE_CHECKING:
    from bot.app import Bot
    from bot.model import Diagnosis
    from bot.settings import FacilitySettings, Settings

T = TypeVar("T")

USAGE_ERROR: Final = 2

app = typer.Typer(
    name="countlast",
    help="Why METRC cannot find a package that is on the shelf. The count is the last thing to touch.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
reconcile = typer.Typer(
    help="Answer one question, with the evidence.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)
app.add_typer(reconcile, name="reconcile")

Facility = Annotated[
    str | None, typer.Option("--facility", help="The METRC license; may be left out when there is one.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


def run() -> None:
    """Run the command line; every known error is one sentence a problem on stderr and exit status 2 or 1."""
    try:
        app()
    except (ConfigurationError, QuestionError) as error:
        _complain(error)
        sys.exit(USAGE_ERROR)
    except CountlastError as error:
        _complain(error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _complain(error: CountlastError) -> None:
    for line in str(error).splitlines():
        print(line, file=sys.stderr)


@app.callback()
def _version(
    *, version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)] = False
) -> None:
    if version:
        from bot import __version__

        print(__version__)
        raise typer.Exit


@reconcile.command("package")
def reconcile_package(
    label: Annotated[str, typer.Argument(help="The package's label (METRC tag).")],
    facility: Facility = None,
    shelf: Annotated[str | None, typer.Option("--shelf", help="What somebody counted on the shelf.")] = None,
    deadline: Annotated[float, typer.Option("--deadline", help="Seconds for the whole answer.", min=1, max=3600)] = 60,
    *,
    as_json: AsJson = False,
) -> None:
    """Explain the difference between POS and METRC for one package, to the unit."""
    from bot.model import Question, Subject, SubjectKind
    from bot.wording import readable_label

    settings = _settings()
    question = Question(
        facility=_one_facility(settings, facility).license,
        subject=Subject(SubjectKind.PACKAGE, readable_label(label)),
        shelf=_quantity(shelf),
        deadline_seconds=deadline,
    )

    async def answer(bot: Bot) -> Diagnosis:
        return await bot.answer(question, _say_nothing if as_json else _say)

    diagnosis = _with_bot(settings, answer)
    _print_diagnosis(diagnosis, as_json=as_json)


@app.command("sync")
def sync_command(
    facility: Facility = None,
    since: Annotated[str, typer.Option("--since", help="How far back, for example 30d or 12h.")] = "30d",
) -> None:
    """Bring the local mirror of METRC and the POS up to date."""
    settings = _settings()
    shops = [_one_facility(settings, facility)] if facility else list(settings.facilities)
    span = _span(since)

    async def work(bot: Bot) -> bool:
        fine = True
        for shop in shops:
            fine = await _sync_one(bot, shop, span) and fine
        return fine

    if not _with_bot(settings, work):
        raise typer.Exit(1)


async def _sync_one(bot: Bot, shop: FacilitySettings, span: timedelta) -> bool:
    from rich.progress import Progress

    with Progress(transient=True) as bar:
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
    role: Annotated[str, typer.Option("--role", help="all, web or worker.")] = "all",
) -> None:
    """Run the bot: Slack over HTTP, or over Socket Mode when SLACK_APP_TOKEN is set."""
    if role not in {"all", "web", "worker"}:
        raise ConfigurationError([f"--role is {role!r}; accepted: all, web, worker"])
    settings = _settings()
    missing = settings.slack.missing()
    if missing:
        raise ConfigurationError(missing)
    from bot.app import opened
    from bot.serve import serve

    async def work() -> None:
        async with opened(settings) as bot:
            await serve(bot, role=role)

    asyncio.run(work())


@app.command("demo")
def demo_command(
    port: Annotated[int, typer.Option("--port", help="Where the workspace page is.", min=0, max=65535)] = 8899,
    execute: Annotated[
        str | None, typer.Option("--exec", help="Send this one command, print its thread, stop.")
    ] = None,
) -> None:
    """Start a whole store on this machine, with METRC, POS and Slack stand-ins, and the real bot in front of it."""
    from demo.run import demo

    sys.exit(asyncio.run(demo(port=port, execute=execute)))


# --- helpers ----------------------------------------------------------------------------------------------------------


def _settings() -> Settings:
    from bot.settings import load

    settings = load()
    from bot.logs import configure

    configure(settings)
    return settings


def _with_bot(settings: Settings, use: Callable[[Bot], Coroutine[Any, Any, T]]) -> T:
    from bot.app import opened

    async def work() -> T:
        async with opened(settings) as bot:
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
    try:
        quantity = Decimal(text)
    except InvalidOperation:
        quantity = Decimal(-1)
    if not quantity.is_finite() or quantity < 0:
        raise QuestionError(f"--shelf is {text!r}; accepted: a number, 0 or more")
    return quantity


def _span(text: str) -> timedelta:
    number, unit = text[:-1], text[-1:]
    if not number.isdigit() or int(number) < 1 or unit not in {"d", "h"} or int(number) > 3650:
        raise QuestionError(f"--since is {text!r}; accepted: a whole number and d or h, for example 30d or 12h")
    return timedelta(days=int(number)) if unit == "d" else timedelta(hours=int(number))


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
