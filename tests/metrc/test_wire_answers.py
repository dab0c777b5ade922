"""Status, headers and body to a value or to the error that fits."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import errors
from bot.metrc import wire
from tests.metrc import samples

ASKED = "GET /packages/v2/active (license 402R-X0042)"


def refused(status, body=b"", headers=None, now=None):
    with pytest.raises(errors.MetrcError) as caught:
        wire.decode(status, headers or {}, body, ASKED, now=now)
    return caught.value


SAMPLES = {
    "400-message-object": (errors.MetrcRejected, "Unit of Measure is not valid for the Package."),
    "400-plain-text": (errors.MetrcRejected, "The License Number is required."),
    "400-row-list": (errors.MetrcRejected, "could not be found. Total Amount is required."),
    "400-string-list": (errors.MetrcRejected, "Quantity must be greater than zero."),
    "401-empty-body": (errors.MetrcUnauthorized, "with 401: the key may not read this"),
    "401-message-object": (errors.MetrcUnauthorized, "401 (“Unauthorized”)"),
    "403-sandbox-endpoint-in-production": (errors.MetrcForbidden, "403 (“Forbidden”)"),
    "404-empty-body": (errors.MetrcNotFound, "with 404: METRC knows no such record"),
    "404-endpoint-not-deployed": (errors.MetrcNotFound, "404 (“Not Found”)"),
    "413-too-many-objects": (errors.MetrcTooLarge, "content being submitted is too large"),
    "429-no-retry-after": (errors.MetrcRateLimited, "asked too often"),
    "429-with-retry-after": (errors.MetrcRateLimited, "wants 2 s of quiet"),
    "500-message-object": (errors.MetrcServerFault, "An error has occurred."),
    "503-html": (errors.MetrcServerFault, "a web page"),
    "504-text": (errors.MetrcServerFault, "upstream request timeout"),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_error_becomes_its_own_class_and_one_sentence(name):
    """Every recorded refusal gets its class, its status and a sentence that names what was asked."""
    sample = samples.error(name)
    kind, part = SAMPLES[name]
    error = refused(sample["status"], sample["body"].encode(), sample["headers"])
    assert type(error) is kind
    assert error.status == sample["status"]
    assert ASKED in str(error)
    assert part in str(error)
    assert "\n" not in str(error)


def test_every_recorded_error_is_in_the_table():
    """No recorded refusal is left out."""
    recorded = {path.stem for path in (samples.FOLDER / "errors").glob("*.json")}
    assert recorded == {*SAMPLES, "200-empty-body"}


def test_an_empty_good_answer_is_none():
    """An empty 200 is None, which no parser takes for an empty list."""
    sample = samples.error("200-empty-body")
    assert wire.decode(sample["status"], sample["headers"], sample["body"].encode(), ASKED) is None
    with pytest.raises(errors.MetrcNotJson):
        wire.page(None)


OTHER_STATUSES = [
    (302, errors.MetrcNotJson),  # redirects are not followed: a log-in page is no answer
    (304, errors.MetrcNotJson),
    (405, errors.MetrcRejected),  # retired: says nothing about the record, so it is not "not found"
    (408, errors.MetrcTimeout),
    (409, errors.MetrcRejected),
    (422, errors.MetrcRejected),
    (502, errors.MetrcServerFault),
    (599, errors.MetrcServerFault),
]


@pytest.mark.parametrize(("status", "kind"), OTHER_STATUSES)
def test_statuses_that_are_not_documented_are_understood(status, kind):
    """Every other status has a class as well."""
    error = refused(status)
    assert type(error) is kind
    assert error.status == status


MESSAGES = [
    (b'{"Message": "No."}', ("No.",)),
    (b'{"message": "No."}', ("No.",)),
    (b'{"MESSAGE": "No.", "ModelState": {}}', ("No.",)),
    (b'[{"row": 0, "message": "One."}, {"row": 1, "Message": "Two."}]', ("One.", "Two.")),
    (b'["One.", "Two."]', ("One.", "Two.")),
    (b'"One."', ("One.",)),
    (b"Plain text.", ("Plain text.",)),
    (b"[1, null, {}]", ()),
    (b'{"Message": 5}', ()),
    (b"7", ()),
    (b"", ()),
    (b"   ", ()),
    (b"<html>Bad Request</html>", ()),
    (b"\xff\xfe broken \x00 bytes", ("\ufffd\ufffd broken bytes",)),
    (b"[" + b",".join(b'"x"' for _ in range(500)) + b"]", ("x",) * 20),
]


@pytest.mark.parametrize(("body", "messages"), MESSAGES)
def test_a_400_tells_metrcs_own_sentences(body, messages):
    """All shapes of a 400 give METRC's sentences in order."""
    error = refused(400, body)
    assert error.messages == messages
    assert ("gave no reason" in str(error)) is (not messages)


def test_foreign_text_is_cut():
    """No message of METRC is quoted at more than 200 characters."""
    error = refused(400, b"x" * 100_000)
    assert [len(message) for message in error.messages] == [200]
    assert len(str(error)) < 320
    assert len(str(refused(500, b"y" * 100_000))) < 360


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 503])
def test_a_web_page_is_not_quoted(status):
    """HTML never gets into a sentence, whatever the status."""
    assert "<" not in str(refused(status, b"<html><script>alert(1)</script>"))


def test_a_gateways_404_page_is_no_missing_record():
    """A 404 with a web page means that METRC itself was not reached."""
    assert type(refused(404, b"<html>Not Found</html>")) is errors.MetrcNotJson


NOW = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)
WAITS = [
    ({}, None),
    ({"Retry-After": ""}, None),
    ({"Retry-After": "2"}, 2.0),
    ({"retry-after": " 2.5 "}, 2.5),
    ({"RETRY-AFTER": "0"}, 0.0),
    ({"Retry-After": "999999999999999999999999"}, 120.0),
    ({"Retry-After": "-5"}, None),
    ({"Retry-After": "nan"}, None),
    ({"Retry-After": "inf"}, None),
    ({"Retry-After": "soon"}, None),
    ({"Retry-After": "²"}, None),
    ({"Retry-After": "."}, None),
    ({"Retry-After": "Tue, 03 Mar 2026 01:00:30 GMT"}, 30.0),
    ({"Retry-After": "Tue, 03 Mar 2026 00:00:00 GMT"}, 0.0),
    ({"Retry-After": "Wed, 04 Mar 2026 01:00:00 GMT"}, 120.0),
    ({"Retry-After": "Tue, 03 Mar 2026 01:00:30 -0000"}, 30.0),
    ({"Retry-After": "Tue, 99 Mar 2026 01:00:30 GMT"}, None),
    # the host's own clock is what its date is measured by
    ({"Retry-After": "Tue, 03 Mar 2026 02:00:10 GMT", "Date": "Tue, 03 Mar 2026 02:00:00 GMT"}, 10.0),
]


@pytest.mark.parametrize(("headers", "wait"), WAITS)
def test_the_wait_that_metrc_asks_for(headers, wait):
    """Seconds or a date, capped at two minutes; what cannot be understood is None."""
    assert refused(429, headers=headers, now=NOW).retry_after == wait


def test_a_date_without_any_clock_is_no_wait():
    """A date says nothing when neither the answer nor the caller knows the time."""
    assert refused(429, headers={"Retry-After": "Tue, 03 Mar 2026 01:00:30 GMT"}).retry_after is None


BROKEN = [
    (b"<!DOCTYPE html><html></html>", "a web page"),
    (b"\xef\xbb\xbf \n<html>", "a web page"),
    (b'{"Data": [', "broken JSON"),
    (b"maintenance", "broken JSON"),
    (b"\xff\xff\xff", "broken JSON"),
    (b'{"Quantity": NaN}', "broken JSON"),
    (b'{"Quantity": Infinity}', "broken JSON"),
    (b'{"Quantity": -Infinity}', "broken JSON"),
    (b'{"Quantity": 1, "Quantity": 2}', "broken JSON"),
    (b'{"Quantity": 1, "quantity": 2}', "broken JSON"),
    (b"[" + b"9" * 5000 + b"]", "broken JSON"),
    (b"[" * 100_000, "broken JSON"),
    (b"[" * 40 + b"]" * 40, "JSON nested too deep"),
    (b'{"a":' * 40 + b"1" + b"}" * 40, "JSON nested too deep"),
    (b"[" + b"1," * 600_000 + b"1]", "far too many values"),
    (b'"' + b"x" * 10_000_000 + b'"', "more than 10 MB"),
]


@pytest.mark.parametrize(("body", "fault"), BROKEN, ids=range(len(BROKEN)))
def test_what_is_no_answer_is_never_a_value(body, fault):
    """Web pages, torn, doubled, endless and too deep JSON raise, also with status 200."""
    error = refused(200, body)
    assert type(error) is errors.MetrcNotJson
    assert str(error) == f"METRC answered {ASKED} with {fault} instead of data."
    # The parser's own error would carry the whole body with it.
    assert error.__context__ is None


def test_numbers_are_decimals():
    """No float ever appears: 0.1 stays 0.1."""
    value = wire.decode(200, {}, b'{"a": 0.1, "b": 7, "c": [1e2, 453.59]}', ASKED)
    assert value == {"a": Decimal("0.1"), "b": Decimal(7), "c": [Decimal(100), Decimal("453.59")]}
    assert not any(isinstance(number, float) for number in [value["a"], value["b"], *value["c"]])


def test_a_byte_order_mark_is_tolerated():
    """JSON behind a byte order mark is JSON."""
    assert wire.decode(200, {}, b"\xef\xbb\xbf[]", ASKED) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


@given(status=st.integers(100, 599), body=st.binary(max_size=80) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_answer_is_a_value_or_a_metrc_error(status, body):
    """Nothing that a host can send raises anything else."""
    try:
        wire.decode(status, {"Retry-After": body.decode("latin-1")}, body, ASKED, now=NOW)
    except errors.MetrcError as error:
        sentence = str(error)
    else:
        assert 200 <= status < 300
        return
    assert ASKED in sentence
    assert len(sentence) < 500
