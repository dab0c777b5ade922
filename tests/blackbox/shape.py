"""What every answer must be, whatever it says: the shape of ``countlast.diagnosis/1`` and the laws inside it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

Answered = dict[str, Any]

CHECKS = ["authentication", "mapping", "timing", "duplication", "custody", "definition", "count"]
OWNER = {
    "authentication": "authentication",
    "wrong_license": "authentication",
    "outage": "authentication",
    "mapping": "mapping",
    "timing": "timing",
    "failed_post": "timing",
    "duplication": "duplication",
    "in_transit": "custody",
    "on_hold": "custody",
    "finished": "custody",
    "lab_state": "custody",
    "split": "custody",
    "definition": "definition",
    "count_error": "count",
}
ACTIONS = {
    "fix_key", "fix_permission", "fix_license", "fix_mapping", "wait", "resend", "remove_duplicate", "accept_transfer",
    "fix_pos_record", "contact_compliance", "fix_definition", "recount", "record_count", "retry_later", "none",
}  # fmt: skip
FORBIDDEN = {"adjust_quantity", "renew_key", "remove_record", "resend"}
DUPLICATES = {"sales_receipt", "sales_delivery", "external_transfer", "transfer", "receive", "package", "adjustment"}
TOP = {
    "schema", "id", "facility", "subject", "asked_at", "as_of", "cause", "code", "confidence", "provisional", "headline",
    "action", "must_not", "gap", "checks", "duplicates", "related",
}  # fmt: skip


def check(answer: Answered) -> Answered:
    """The answer again; an assertion names the first law that it breaks."""
    assert answer.keys() >= TOP, TOP - answer.keys()
    assert answer["schema"] == "countlast.diagnosis/1"
    assert answer["id"]
    assert answer["headline"].strip()
    assert answer["confidence"] in {"certain", "likely", "possible", "unknown"}
    assert isinstance(answer["provisional"], bool)
    _moments(answer)
    _checks(answer)
    _cause(answer)
    _gap(answer)
    _action(answer)
    _must_not(answer)
    _duplicates(answer)
    assert answer["subject"]["value"] not in answer["related"]
    assert all(isinstance(found, str) and found for found in answer["related"])
    return answer


def outcomes(answer: Answered) -> dict[str, str]:
    """Check name → outcome."""
    return {entry["name"]: entry["outcome"] for entry in answer["checks"]}


def _moment(text: str | None) -> None:
    if text is not None:
        assert text.endswith("Z"), text
        assert datetime.fromisoformat(text).utcoffset() == timedelta(0)


def _moments(answer: Answered) -> None:
    assert answer["asked_at"] is not None
    _moment(answer["asked_at"])
    assert answer["as_of"].keys() >= {"metrc", "pos"}
    for at in answer["as_of"].values():
        _moment(at)


def _checks(answer: Answered) -> None:
    checks = answer["checks"]
    assert [entry["name"] for entry in checks] == CHECKS
    for entry in checks:
        assert entry["outcome"] in {"clear", "found", "unknown", "not_reached"}
        assert (entry["code"] is not None) == (entry["outcome"] == "found"), entry
        assert entry["code"] is None or _owner(entry["code"]) == entry["name"], entry
        assert entry["summary"].strip()
        _evidence(entry)
    results = [entry["outcome"] for entry in checks]
    if "not_reached" in results:
        assert results[1:] == ["not_reached"] * 6, results
        assert results[0] != "clear"


def _evidence(entry: Answered) -> None:
    assert entry["evidence"] or entry["outcome"] != "found", f"{entry['name']} accuses without evidence"
    for quote in entry["evidence"]:
        assert quote["source"] in {"metrc", "pos", "mirror", "config", "shelf"}, quote
        assert quote["asked"].strip(), quote
        assert quote["says"].strip(), quote
        _moment(quote["as_of"])


def _owner(code: str) -> str:
    assert re.fullmatch(r"[a-z_]+\.[a-z0-9]+(-[a-z0-9]+)*", code), code
    return OWNER[code.partition(".")[0]]


def _cause(answer: Answered) -> None:
    cause, code = answer["cause"], answer["code"]
    if cause in {"none", "unknown"}:
        assert code is None
    else:
        assert code.partition(".")[0] == cause
        assert outcomes(answer)[OWNER[cause]] == "found"
    if cause == "none":
        assert "found" not in outcomes(answer).values(), outcomes(answer)
    if cause == "count_error" and answer["gap"] is not None and answer["gap"]["unexplained"] != "0":
        assert "unknown" not in outcomes(answer).values(), "a residue left while a check is unknown is unknown"


def _decimal(text: str) -> Decimal:
    assert isinstance(text, str)
    assert re.fullmatch(r"-?\d+(\.\d+)?", text), text
    assert text != "-0", text
    return Decimal(text)


def _gap(answer: Answered) -> None:
    gap = answer["gap"]
    if gap is None:
        return
    pos, metrc = (Decimal(0) if gap[side] is None else _decimal(gap[side]) for side in ("pos", "metrc"))
    difference, unexplained = _decimal(gap["difference"]), _decimal(gap["unexplained"])
    assert difference == pos - metrc
    assert difference == sum((_share(answer, share) for share in gap["explained"]), Decimal(0)) + unexplained
    assert gap["unit"]
    assert gap["shelf"] is None or _decimal(gap["shelf"]) >= 0
    if answer["confidence"] == "certain" and answer["cause"] != "count_error":
        assert unexplained == 0, "certain, yet the arithmetic does not close"


def _share(answer: Answered, share: Answered) -> Decimal:
    assert share["refs"], share
    assert all(ref.strip() for ref in share["refs"])
    assert _owner(share["code"]) != "count", "a count error explains nothing"
    assert outcomes(answer)[_owner(share["code"])] == "found", share
    return _decimal(share["quantity"])


def _action(answer: Answered) -> None:
    action = answer["action"]
    assert action["kind"] in ACTIONS
    assert action["text"].strip()
    _moment(action["not_before"])
    if action["kind"] == "wait":
        assert action["not_before"] is not None


def _must_not(answer: Answered) -> None:
    must_not = answer["must_not"]
    assert set(must_not) <= FORBIDDEN
    assert len(must_not) == len(set(must_not))
    others = [result for name, result in outcomes(answer).items() if name != "count"]
    count_alone = answer["cause"] == "count_error" and set(others) == {"clear"}
    assert ("adjust_quantity" in must_not) != count_alone, (must_not, outcomes(answer))
    if answer["cause"] == "outage":
        assert "renew_key" in must_not
    forbids = {"resend": "resend", "remove_duplicate": "remove_record"}
    assert forbids.get(answer["action"]["kind"]) not in must_not, "what is to be done is also what must not be done"


def _duplicates(answer: Answered) -> None:
    for twin in answer["duplicates"]:
        assert twin["system"] in {"metrc", "pos"}
        assert twin["kind"] in DUPLICATES
        assert isinstance(twin["keep"], str)
        assert twin["keep"]
        assert twin["remove"]
        assert all(isinstance(each, str) and each for each in twin["remove"])
        assert len({twin["keep"], *twin["remove"]}) == 1 + len(twin["remove"])
        assert twin["why"].strip()
        voidable = twin["system"] == "metrc" and twin["kind"] in {"sales_receipt", "external_transfer"}
        assert twin["removable"] in ({True, False} if voidable else {False}), twin
