"""What the bot promises whatever happens: Slack hears of it at once, nothing is changed, and no secret gets out."""

import ast
import asyncio
import base64
import inspect
import io
import json
import logging
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import structlog

from bot.app import Bot, SystemClock
from bot.cli import run
from bot.logs import configure
from bot.metrc.client import MetrcClient
from bot.metrc.removals import MetrcRemovals
from bot.ports import PackageStream, TrackAndTrace
from bot.redact import forms
from bot.serve import SlackSide, slack_side
from bot.settings import SlackSettings
from bot.tags import Scanner
from bot.transport import UNDOING, Limiter, Patience, Transport
from demo.metrc import MetrcStandIn
from demo.pos import write_books
from demo.scene import SHOWCASE, seeded_shop
from demo.serving import running
from demo.slack import SlackStandIn
from storage.books import open_books
from tests.loopback import ROOT, shop_on_loopback
from tests.store import settings

NOW = datetime(2026, 3, 3, 3, 30, tzinfo=UTC)
LABEL = "1A4FF0100000022000002002"
VENDOR_KEY, USER_KEY = "PLANTED+vendor/key=1", "PLANTED+user/key=2"
BOT_TOKEN, SIGNING_SECRET = "xoxb-PLANTED-3", "PLANTED-signing-4"
SECRETS = (VENDOR_KEY, USER_KEY, BOT_TOKEN, SIGNING_SECRET, f"{VENDOR_KEY}:{USER_KEY}")
QUICK = Patience(total=0.5, attempt=0.2, first_wait=0.01, first_wait_when_limited=0.01)


LOUD = ("slack_bolt", "slack_bolt.AsyncApp", "slack_sdk", "httpx", "httpcore", "aiohttp", "asyncio")


@pytest.fixture(autouse=True)
def logging_is_put_back():
    """Some of these set up logging for the whole process."""
    loggers = {name: logging.getLogger(name) for name in LOUD}
    root, levels = logging.getLogger(), {name: logger.level for name, logger in loggers.items()}
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    for name, logger in loggers.items():
        logger.setLevel(levels[name])
    structlog.reset_defaults()


@dataclass
class Scene:
    """The real bot behind signed HTTP, with Slack and METRC stand-ins on loopback."""

    bot: Bot
    side: SlackSide
    slack: SlackStandIn
    metrc: MetrcStandIn
    folder: Path

    async def ask(self, text: str = f"package {LABEL}") -> float:
        """Send a command, wait for everything it brings, and return how long Slack waited for the ack."""
        result = await self.slack.command(text)
        await self.side.work.idle()
        assert result.acked
        return result.ack_seconds

    def said(self) -> str:
        """Everything anybody could read in Slack, blocks included."""
        return "\n".join(
            f"{m.text} {json.dumps(m.blocks, ensure_ascii=False)}" for m in self.slack.workspace.everything()
        )


@asynccontextmanager
async def scene(folder: Path, *, metrc_url: str | None = None):
    world = seeded_shop(NOW)
    world.keys[0].vendor, world.keys[0].user = VENDOR_KEY, USER_KEY
    metrc = MetrcStandIn(world, SystemClock(NOW))
    slack = SlackStandIn(signing_secret=SIGNING_SECRET, bot_token=BOT_TOKEN)
    async with running(metrc.asgi) as url, slack.serving() as page:
        config = settings(folder, now=NOW)
        (folder / "vendor").write_text(VENDOR_KEY, encoding="utf-8")
        (folder / "user").write_text(USER_KEY, encoding="utf-8")
        write_books(world, folder / "pos", NOW)
        (facility,) = config.facilities
        facility = replace(facility, metrc=replace(facility.metrc, base_url=metrc_url or url))
        api = SlackSettings(BOT_TOKEN, SIGNING_SECRET, None, f"{page}/api/")
        config = replace(config, facilities=(facility,), slack=api, log_level="debug")
        books = await open_books(config.database_url)
        try:
            async with Transport(dev=True, patience=QUICK) as transport:
                bot = Bot(config, books, transport, SystemClock(NOW))
                async with slack_side(bot, at_once) as side, running(side.web) as bot_url:
                    slack.app_url = f"{bot_url}/slack/events"
                    yield Scene(bot, side, slack, metrc, folder)
        finally:
            await books.close()


async def at_once(_seconds: float) -> None:
    """Nobody waits for the pace of messages: what is asked in a row here would be asked over a day."""
    await asyncio.sleep(0)


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


# --- whatever METRC does ----------------------------------------------------------------------------------------------


TROUBLES = {
    "down": (None, "No connection to METRC"),
    "slow": (lambda world: world.slow(5), "METRC did not finish answering"),
    "html": (lambda world: world.outage("html200"), "METRC"),
    "limited": (lambda world: world.rate_limit_everything(retry_after=30), "429"),
    "failing": (lambda world: world.outage("503"), "503"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_slack_is_answered_at_once_and_told_what_could_not_be_read(trouble, tmp_path):
    """The ack comes within a second; the thread says that METRC could not be read, and accuses nobody."""
    spoil, says = TROUBLES[trouble]
    async with scene(tmp_path, metrc_url=closed_port() if spoil is None else None) as shop:
        if spoil is not None:
            spoil(shop.metrc.world)
        assert await shop.ask() < 1
        said = shop.said()
    assert says in said
    assert "Do not adjust the quantity" in said
    assert "remove_duplicate" not in said
    for internal in ("Traceback", "Exception", "Error(", "unexpected"):
        assert internal not in said


@pytest.fixture(scope="module")
def loopback_shop(tmp_path_factory):
    with shop_on_loopback(seeded_shop(NOW), tmp_path_factory.mktemp("shop")) as shop:
        yield shop


@pytest.mark.parametrize("trouble", TROUBLES)
def test_json_is_valid_and_the_status_is_0_also_when_metrc_is_down(
    trouble, loopback_shop, monkeypatch, capsys, tmp_path
):
    """An answer that says what could not be read is an answer: seven checks, none of them clear without a reading."""
    spoil, _ = TROUBLES[trouble]
    shop = loopback_shop
    shop.world.recover()
    for name, value in shop.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/countlast.db")
    monkeypatch.setenv("COUNTLAST_CONFIG", str(tmp_path / "facilities.toml"))
    config = (shop.folder / "facilities.toml").read_text(encoding="utf-8")
    url = shop.metrc_url if spoil is not None else closed_port()
    (tmp_path / "facilities.toml").write_text(config.replace(shop.metrc_url, url), encoding="utf-8")
    (tmp_path / "pos").symlink_to(shop.folder / "pos")
    monkeypatch.chdir(tmp_path)
    if spoil is not None:
        spoil(shop.world)
    with pytest.raises(SystemExit) as ended:
        run(["reconcile", "package", LABEL, "--json", "--deadline", "1"])
    shop.world.recover()
    written = capsys.readouterr()
    assert (ended.value.code, written.err) == (0, "")
    answer = json.loads(written.out)
    assert answer["checks"][0]["outcome"] in {"found", "unknown"}
    assert len(answer["checks"]) == 7
    assert answer["cause"] in {"outage", "unknown"}
    assert (answer["gap"], answer["duplicates"]) == (None, [])
    assert "adjust_quantity" in answer["must_not"]


# --- nothing is changed -----------------------------------------------------------------------------------------------


async def test_no_question_and_no_press_changes_anything_at_metrc(tmp_path):
    """Every label of the showcase asked, every button pressed: METRC saw nothing but GET."""
    async with scene(tmp_path) as shop:
        for label, _ in SHOWCASE:
            await shop.ask(f"package {label}")
        cards = [message for message in shop.slack.messages() if "remove_duplicate" in json.dumps(message.blocks)]
        for card in cards:
            assert (await shop.slack.press(card.ts, "remove_duplicate")).acked
        await shop.side.work.idle()
        assert len(cards) >= 2
        assert shop.metrc.writes == []
        assert {entry.method for entry in shop.metrc.requests} == {"GET"}
        assert not [entry.path for entry in shop.metrc.requests if entry.path.endswith("/adjust")]


def test_the_metrc_client_offers_nothing_but_reads():
    """Each public method is one of the port, and every one of those is documented as a GET or a probe."""
    offered = {name for name, _ in inspect.getmembers(MetrcClient, inspect.isfunction) if not name.startswith("_")}
    port = {name for name, _ in inspect.getmembers(TrackAndTrace, inspect.isfunction) if not name.startswith("_")}
    streams = {name for name, _ in inspect.getmembers(PackageStream, inspect.isfunction) if not name.startswith("_")}
    scans = {name for name, _ in inspect.getmembers(Scanner, inspect.isfunction) if not name.startswith("_")}
    assert offered == port | streams | scans
    for name in port:
        said = inspect.getdoc(getattr(TrackAndTrace, name)) or ""
        assert "GET /" in said or name == "probe" or said.startswith("One of the package lists")


def test_three_calls_take_a_record_back_and_nothing_else_does():
    """Void a receipt, unfinalize a receipt, void an external incoming transfer: one class offers them, and no more."""
    offered = {name for name, _ in inspect.getmembers(MetrcRemovals, inspect.isfunction) if not name.startswith("_")}
    assert offered == {"void_receipt", "unfinalize_receipt", "void_external_transfer"}
    assert [(verb, form.pattern) for verb, form in UNDOING] == [
        ("PUT", "/sales/v2/receipts/unfinalize"),
        ("DELETE", "/sales/v2/receipts/[0-9]{1,19}"),
        ("DELETE", "/transfers/v2/external/incoming/[0-9]{1,19}"),
    ]


OTHER_WRITES = (
    ("PUT", "/packages/v2/adjust"),
    ("POST", "/packages/v2/adjust"),
    ("DELETE", "/packages/v2/5509101"),
    ("POST", "/sales/v2/receipts"),
    ("PUT", "/sales/v2/receipts"),
    ("PUT", "/sales/v2/receipts/finalize"),
    ("POST", "/sales/v2/receipts/880102"),
    ("DELETE", "/sales/v2/receipts/880102/"),
    ("DELETE", "/sales/v2/receipts/880102?x=/sales/v2/receipts/1"),
    ("DELETE", "/sales/v2/receipts/../../packages/v2/5509101"),
    ("DELETE", "/sales/v2/deliveries/6001"),
    ("PUT", "/transfers/v2/external/incoming/418903"),
    ("DELETE", "/transfers/v2/templates/outgoing/1"),
)


@pytest.mark.parametrize(("verb", "path"), OTHER_WRITES)
async def test_no_other_write_leaves_the_transport(verb, path):
    """Whoever asks for another one, by mistake or by force, gets an error before anything is sent."""
    sent = []

    def network(request):
        sent.append(request)
        return httpx.Response(200)

    async with Transport(dev=True, inner=httpx.MockTransport(network)) as transport:
        with pytest.raises(ValueError, match="no call that takes a record back"):
            await transport.undo(verb, "http://metrc.test", path, print, asked=path, limiter=Limiter(), deadline=1)
    assert sent == []


def sources(*folders: str) -> Iterator[tuple[Path, list[ast.AST]]]:
    """Each file, and every node of its tree."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT), list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def texts(nodes: list[ast.AST]) -> Iterator[str]:
    """Every string that is not a docstring."""
    told = {
        id(node.body[0].value)
        for node in nodes
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value


WRITING = {"post", "put", "patch", "delete"}
# where the three calls are named, and where they are made
MAY_WRITE = {Path("bot/transport.py"), Path("bot/metrc/removals.py")}


def test_no_source_knows_how_to_adjust_a_quantity():
    """Neither METRC's path for it, nor a verb towards METRC that writes, stands anywhere in the bot but in one place."""
    for path, nodes in sources("bot", "handlers", "storage"):
        told = set(texts(nodes))
        assert not [text for text in told if text.rstrip("/").endswith("/adjust")], path
        if path.parts[0] == "handlers":  # what they write goes to Slack
            continue
        named = WRITING & {text.lower() for text in told}
        assert named <= ({"put", "delete"} if path in MAY_WRITE else set()), path
        called = {
            node.func.attr for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        }
        assert not called & (WRITING - {"delete"}), path


def test_there_is_one_place_where_a_request_is_made():
    """And the only verb that it takes from elsewhere is the reading one, or one that was held against the list."""
    tree = ast.parse((ROOT / "bot" / "transport.py").read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    made = [call for call in calls if call.func.attr in {"stream", "request", "send", "build_request"}]
    assert [ast.unparse(call.args[0]) for call in made] == ["ask.verb"]
    asks = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "_Ask"]
    assert sorted(len(call.args) for call in asks) == [8, 10]  # the longer one is below the check in ``undo``


# --- no secret gets out -----------------------------------------------------------------------------------------------


def shapes() -> set[str]:
    """Every secret as it is, URL-encoded, in base64, and inside quoted text."""
    every = {shape for secret in SECRETS for shape in forms(secret)}
    # the head of a header's value stays the same whatever follows it
    return every | {base64.b64encode(VENDOR_KEY.encode()).decode()[:20]}


def stored(path: Path) -> str:
    """Every row, and every byte of the files beside it."""
    with sqlite3.connect(path) as database:
        rows = "\n".join(database.iterdump())
    files = sorted(path.parent.glob(f"{path.name}*"))
    return rows + "\n".join(file.read_bytes().decode("latin-1") for file in files)


def as_talkative_as_can_be() -> None:
    for name in ("", *LOUD):
        logging.getLogger(name).setLevel(logging.DEBUG)


async def eventful_day(shop: Scene) -> None:
    """Good answers, a dead key, METRC and Slack failing, a fault of the program, and a forged request."""
    await shop.ask()
    shop.metrc.world.outage("503")
    await shop.ask()
    shop.metrc.world.recover()
    shop.metrc.world.keys[0].alive = False
    await shop.ask()
    shop.metrc.world.keys[0].alive = True
    async with httpx.AsyncClient() as client:
        forged = {"X-Slack-Signature": "v0=" + "0" * 64, "X-Slack-Request-Timestamp": "1"}
        assert (await client.post(shop.slack.app_url, content=b"text=help", headers=forged)).status_code == 401
    (shop.folder / "user").write_text("", encoding="utf-8")
    await shop.ask()
    (shop.folder / "user").write_text(USER_KEY, encoding="utf-8")
    await shop.bot.books.close()
    logging.getLogger("canary").info("keys %s", SECRETS)


async def test_no_secret_gets_out_over_an_eventful_day(tmp_path):
    """Not into a log line at debug level, a Slack message, a metric, a stored row or a repr; in no encoding."""
    log = io.StringIO()
    async with scene(tmp_path) as shop:
        configure(shop.bot.settings, log)
        as_talkative_as_can_be()
        await eventful_day(shop)
        told = {
            "log": log.getvalue(),
            "Slack": shop.said(),
            "metrics": shop.side.services.metrics.text().decode(),
            "repr": repr(shop.bot) + repr(shop.bot.settings) + repr(shop.side),
            "database": stored(tmp_path / "countlast.db"),
        }
    assert "keys" in told["log"]
    assert "[redacted]" in told["log"]
    assert LABEL in told["database"]
    assert shop.metrc.count("/facilities") if hasattr(shop.metrc, "count") else shop.metrc.requests
    for place, text in told.items():
        for shape in shapes():
            assert shape not in text, place
