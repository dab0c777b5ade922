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
    from bot.doctor import Finding
    from bot.model import Diagnosis
    from bot.settings import FacilitySettings, Settings
    from bot.sweep_groups import Sweep
    from bot.watch import Round

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
audit_app = typer.Typer(help="The append-only log of removals.", rich_markup_mode=None, add_completion=False)
app.add_typer(audit_app, name="audit")

Facility = Annotated[
    str | None,
    typer.Option("--facility", metavar="LICENSE", help="The METRC license; may be left out when there is one."),
]
Deadline = Annotated[str, typer.Option("--deadline", metavar="S", help="Seconds for the whole answer, 1 to 3600.")]
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
    deadline: Deadline = "60",
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


@reconcile.command("receipt")
def reconcile_receipt(
    number: Annotated[
        str, typer.Argument(metavar="N", help="A METRC receipt's id or number, or the POS's number of the sale.")
    ],
    facility: Facility = None,
    deadline: Deadline = "60",
    *,
    as_json: AsJson = False,
) -> None:
    """Tell whether a sale is in METRC once, as it was rung up, and how its packages stand."""
    _reconcile_subject("receipt", number, facility, deadline, as_json=as_json)


@reconcile.command("manifest")
def reconcile_manifest(
    number: Annotated[str, typer.Argument(metavar="N", help="A METRC manifest's number or id.")],
    facility: Facility = None,
    deadline: Deadline = "60",
    *,
    as_json: AsJson = False,
) -> None:
    """Tell whether a load arrived, all of it and once, and how its packages stand."""
    _reconcile_subject("manifest", number, facility, deadline, as_json=as_json)


@reconcile.command("product")
def reconcile_product(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A POS product's or METRC item's name or id.")],
    facility: Facility = None,
    deadline: Deadline = "60",
    *,
    as_json: AsJson = False,
) -> None:
    """Tell whether the packages of a product share one fault, and how each of them stands."""
    _reconcile_subject("product", name, facility, deadline, as_json=as_json)


def _reconcile_subject(kind: str, text: str, facility: str | None, deadline: str, *, as_json: bool) -> None:
    from bot.model import Question, Subject, SubjectKind
    from bot.subject_names import readable_subject

    subject = Subject(SubjectKind(kind), readable_subject(SubjectKind(kind), text))
    seconds = _seconds(deadline)
    settings = _settings()
    question = Question(_one_facility(settings, facility).license, subject, deadline_seconds=seconds)

    async def answer(bot: Bot) -> Diagnosis:
        return await bot.answer(question, _say_nothing if as_json else _say)

    _print_diagnosis(_with_bot(settings, answer), as_json=as_json)


@reconcile.command("facility")
def reconcile_facility(facility: Facility = None, *, as_json: AsJson = False) -> None:
    """Judge every package of a shop, and tell what is wrong by its common cause."""
    from bot.sweep_report import as_json as report
    from bot.sweep_report import as_text

    settings = _settings()
    shop = _one_facility(settings, facility)
    sweep = _with_bot(settings, lambda bot: _sweep(bot, shop, as_json=as_json))
    _print_json(report(sweep)) if as_json else print(as_text(sweep))


async def _sweep(bot: Bot, shop: FacilitySettings, *, as_json: bool) -> Sweep:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=as_json or not console.is_terminal) as bar:
        task = bar.add_task(shop.name, total=None)

        async def told(stage: str, done: int, total: int) -> None:
            bar.update(task, description=f"{stage}: {done:,}" if done else stage, completed=done, total=total or None)

        return await bot.sweep(shop, told)


@app.command("slack-manifest")
def slack_manifest(
    *,
    mode: Annotated[str, typer.Option(metavar="MODE", help="socket or http.")] = "socket",
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="For http: where Slack reaches the bot, https://…/slack/events.")
    ] = None,
    command: Annotated[
        str, typer.Option(metavar="NAME", help="The slash command, as COUNTLAST_COMMAND.")
    ] = "/reconcile",
) -> None:
    """Print the app manifest, to be pasted where Slack makes a new app."""
    from handlers.manifest import as_yaml, manifest

    problems = _manifest_problems(mode, url, command)
    if problems:
        raise ConfigurationError(problems)
    sys.stdout.write(as_yaml(manifest(command=command, url=_events_url(url) if mode == "http" and url else None)))


def _manifest_problems(mode: str, url: str | None, command: str) -> list[str]:
    problems = []
    if mode not in {"socket", "http"}:
        problems.append(f"--mode is {mode!r}; accepted: socket, http")
    if mode == "http" and not (url or "").startswith("https://"):
        problems.append("--url is needed for --mode http; accepted: an address that begins with https://")
    if mode == "socket" and url is not None:
        problems.append("--url is not used with --mode socket; leave it out")
    if not re.fullmatch(r"/[a-z0-9_-]{1,31}", command):
        problems.append(f"--command is {command!r}; accepted: a slash and up to 31 small letters, digits, - and _")
    return problems


def _events_url(url: str) -> str:
    """Where Slack sends everything; a bare host gets the path."""
    return url if url.rstrip("/").endswith("/slack/events") else url.rstrip("/") + "/slack/events"


@app.command("replay")
def replay_command(
    diagnosis_id: Annotated[
        str | None, typer.Argument(metavar="DIAGNOSIS_ID", help="The id under an answer, as in “Question 8a9d…”.")
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Every stored answer, as a regression run.")] = False,
    as_json: AsJson = False,
) -> None:
    """Judge stored evidence again by today's checks; exit 1 when anything would be answered otherwise.

    Nothing is read from METRC or the POS.
    """
    if (diagnosis_id is None) != every:
        raise QuestionError("countlast replay needs one of: DIAGNOSIS_ID, --all")
    settings = _settings()
    if not _with_bot(settings, lambda bot: _replay(bot, diagnosis_id, as_json=as_json)):
        raise typer.Exit(FAILED)


async def _replay(bot: Bot, diagnosis_id: str | None, *, as_json: bool) -> bool:
    from bot import replay

    if diagnosis_id is None:
        said = [verdict async for verdict in bot.books.inquiries.verdicts()]
        run = await replay.replay_all(bot.books.ledger.answers(), said)
        _print_json(replay.regression_as_json(run)) if as_json else print(replay.regression_as_text(run))
        return run.is_equal
    stored = await bot.books.ledger.stored(diagnosis_id.strip())
    if stored is None:
        raise QuestionError(f"No answer {diagnosis_id[:64]!r} is stored; accepted: the id under an answer, or --all")
    one = replay.replay(stored)
    _print_json(replay.replayed_as_json(one)) if as_json else print(replay.replayed_as_text(one))
    return one.is_equal


@audit_app.command("export")
def audit_export(
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help="csv or jsonl.")] = "jsonl",
) -> None:
    """Print the whole log, oldest row first, and its last row's number and hash on stderr."""
    from bot.audit import as_csv, as_jsonl, head_of

    forms = {"csv": as_csv, "jsonl": as_jsonl}
    if form not in forms:
        raise QuestionError(f"--format is {form!r}; accepted: {', '.join(forms)}")

    async def work(bot: Bot) -> None:
        rows = [row async for row in bot.books.audit.rows()]
        for line in forms[form](rows):
            sys.stdout.write(line)
        print(f"anchor {head_of(rows[-1])}" if rows else "the log is empty", file=sys.stderr)

    _with_bot(_settings(), work)


@audit_app.command("verify")
def audit_verify(
    anchors: Annotated[
        list[str] | None,
        typer.Option("--anchor", metavar="SEQ:HASH", help="A row's number and hash put away earlier; may be repeated."),
    ] = None,
) -> None:
    """Check the whole log; exit 1 and name the first broken row when it is not as it was written.

    Without an anchor from outside, a log that was cut off or written anew in all its tables cannot be told.
    """
    from bot.audit import Walk, parse_anchor

    kept = [parse_anchor(text) for text in anchors or ()]

    async def work(bot: Bot) -> bool:
        # The end is read before and after: rows that are added meanwhile are no fault.
        walk = Walk([*kept, await bot.books.audit.head()])
        async for row in bot.books.audit.rows():
            walk.feed(row)
        found = walk.verdict(await bot.books.audit.head())
        print(found.says if found.holds else f"row {found.broken} is broken: {found.says}")
        return found.holds

    if not _with_bot(_settings(), work):
        raise typer.Exit(FAILED)


@app.command("watch")
def watch_command(
    *,
    once: Annotated[bool, typer.Option("--once", help="One round, now.")] = False,
    backwards: Annotated[
        bool,
        typer.Option(
            "--back-test", help="Only tell how often the silence alert would have spoken in the last 8 weeks."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Look at every facility once: keys, rights, syncs, exports; nothing is held back, and one good look ends an alert."""
    if backwards:
        _with_bot(_settings(), _tell_back_tests)
        return
    if not once:
        raise ConfigurationError(["countlast watch needs --once or --back-test"])
    from bot.watch import ONCE
    from bot.watch import as_json as report

    async def work(bot: Bot) -> Round:
        done = await bot.watch(ONCE)
        await _send_what_waits(bot)
        return done

    settings = _settings()
    done = _with_bot(settings, work)
    _print_json(report(done)) if as_json else print(_round_text(done, len(settings.facilities)))


async def _send_what_waits(bot: Bot) -> None:
    """As the scheduler does; without Slack it waits in the outbox until somebody can send it."""
    if bot.settings.slack.bot_token:
        from bot.serve import send_now

        await send_now(bot)


async def _tell_back_tests(bot: Bot) -> None:
    for shop in bot.settings.facilities:
        print(f"{shop.name} ({shop.license}): {(await bot.try_out(shop)).says}")


def _round_text(done: Round, shops: int) -> str:
    lines = [f"opened: {alert.headline} {alert.remedy}" for alert in done.opened]
    opened = {alert.id for alert in done.opened}
    lines += [f"open: {alert.headline}" for alert in done.open if alert.id not in opened]
    lines += [f"closed: {alert.headline}" for alert in done.closed]
    lines += [f"not known yet: {lic}, its last sales are still being read" for lic in done.filling]
    lines += [f"not looked at: {lic}, the round ended before its turn" for lic in done.late]
    if not lines and done.read < shops:
        lines = [f"METRC was read at {done.read} of {shops} shops, so nobody knows whether the others are well"]
    return "\n".join(lines) or "All is well."


@app.command("doctor")
def doctor_command(facility: Facility = None, *, as_json: AsJson = False) -> None:
    """Tell whether all that is needed can be reached and is right; exit 1 when something must be fixed.

    Keys are named by where they are kept, never shown.
    """
    from bot.doctor import as_json as report
    from bot.doctor import as_text, must_fix

    settings = _settings()
    shops = [_one_facility(settings, facility)] if facility else list(settings.facilities)
    findings = _with_bot(settings, lambda bot: _examine(bot, shops))
    _print_json(report(findings)) if as_json else print(as_text(findings))
    if must_fix(findings):
        raise typer.Exit(FAILED)


async def _examine(bot: Bot, shops: Sequence[FacilitySettings]) -> list[Finding]:
    from bot.doctor import Finding, Health, judge_slack
    from handlers.health import ask_slack

    await bot.books.ping()
    findings = [Finding("database", None, Health.FINE, "The database answers, and its schema is up to date.")]
    findings += judge_slack(await ask_slack(bot.settings))
    for shop in shops:
        findings += await bot.examine(shop)
    return findings


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
        typer.Option(
            "--role",
            help="all, web (answers Slack) or worker (syncs, watches, sends); any number may share a database.",
        ),
    ] = "all",
) -> None:
    """Run the bot.

    Slack reaches it over HTTP, or over Socket Mode when SLACK_APP_TOKEN is set.
    """
    roles = ("all", "web", "worker")
    if role not in roles:
        raise ConfigurationError([f"--role is {role!r}; accepted: {', '.join(roles)}"])
    settings = _settings(with_slack=True)
    from bot.serve import serve

    _with_bot(settings, lambda bot: serve(bot, role))


@app.command("demo")
def demo_command(
    port: Annotated[
        str, typer.Option("--port", metavar="N", help="Where the workspace page is; 0: any free port.")
    ] = "8899",
    execute: Annotated[
        str | None,
        typer.Option("--exec", metavar="COMMAND", help="Send this one command, print its thread, stop."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="N", help="A random shop instead; what is wrong with it is listed."),
    ] = None,
) -> None:
    """Start a whole store on this machine.

    METRC, POS and Slack are stand-ins; the bot in front of them is the real one.
    """
    number = _port(port)
    from demo.run import demo

    asyncio.run(demo(port=number, execute=execute, seed=seed))


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


def _print_json(told: dict[str, Any]) -> None:
    print(json.dumps(told, ensure_ascii=False, indent=2))


def _print_diagnosis(diagnosis: Diagnosis, *, as_json: bool) -> None:
    if as_json:
        from bot.report import as_json as report

        _print_json(report(diagnosis))
    else:
        from bot.wording import as_text

        print(as_text(diagnosis))
