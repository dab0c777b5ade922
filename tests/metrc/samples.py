"""The sample answers, read as the client reads them."""

import json
from pathlib import Path

from bot.metrc import wire

FOLDER = Path(__file__).parent.parent / "data" / "metrc-samples"


def body(name):
    return (FOLDER / f"{name}.json").read_bytes()


def decoded(name):
    return wire.decode(200, {}, body(name), f"GET {name}")


def rows(name):
    return wire.page(decoded(name)).rows


def error(name):
    return json.loads((FOLDER / "errors" / f"{name}.json").read_text())


def rows_json(name):
    return json.loads(body(name))["Data"]
