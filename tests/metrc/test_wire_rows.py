"""JSON rows to frozen values."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import errors, model
from bot.metrc import wire
from tests.metrc import samples

DENVER = ZoneInfo("America/Denver")
LABEL = "1A4FF0100000022000001002"

PARSERS = {
    "facility": wire.facility,
    "package": wire.package,
    "item": wire.item,
    "receipt": lambda row: wire.receipt(row, DENVER),
    "delivery": lambda row: wire.delivery(row, DENVER),
    "transfer": lambda row: wire.transfer(row, model.Direction.INCOMING),
    "transfer_package": wire.transfer_package,
    "transferred": wire.transferred,
    "adjustment": wire.adjustment,
}

HEALTHY = {
    "facility": samples.rows("facilities")[0],
    "package": samples.decoded("package-by-label"),
    "item": samples.decoded("item-by-id"),
    "receipt": samples.decoded("sales-receipt-by-id-880101"),
    "delivery": samples.rows("sales-deliveries-active")[0],
    "transfer": samples.rows("transfers-incoming")[1],
    "transfer_package": samples.rows("delivery-560144-packages")[0],
    "transferred": samples.rows("packages-transferred")[0],
    "adjustment": samples.rows("packages-adjustments")[0],
}

IDENTITY = {
    "facility": ["License"],
    "package": ["Id", "Label"],
    "item": ["Id"],
    "receipt": ["Id"],
    "delivery": ["Id"],
    "transfer": ["Id"],
    "transfer_package": ["PackageLabel"],
    "transferred": ["PackageLabel"],
    "adjustment": ["PackageLabel", "AdjustmentQuantity"],
}


def at(*parts):
    return datetime(*parts, tzinfo=UTC)


WHOLE = {
    "facility": model.Facility(
        license="402R-X0042",
        name="Harbor Street Dispensary LLC",
        license_type="Retail Marijuana Store",
        license_ends_on=date(2027, 4, 17),
        support_expires_on=date(2027, 4, 20),
        employee_license="M41822",
        sells=True,
    ),
    "package": model.MetrcPackage(
        id=5510102,
        label=LABEL,
        quantity=Decimal(18),
        unit="Each",
        item=model.MetrcItem(
            id=90212,
            name="Fern Hollow - Sunbreak - Pre-Roll 5pk x 1g",
            category="Raw Pre-Roll (Each)",
            unit=None,
            quantity_type=None,
            unit_weight=Decimal(1),
            unit_weight_unit="Grams",
            strain="Sunbreak",
        ),
        original_quantity=Decimal(40),
        package_type="Product",
        lab_state="TestPassed",
        lab_state_on=date(2026, 2, 16),
        location="Sales Floor",
        packaged_on=date(2026, 2, 10),
        received_at=at(2026, 2, 20, 17, 32, 10),
        received_from_manifest="0000417733",
        received_from_license="403-X0007",
        source_labels=("1A4FF0100000022000001900",),
        last_modified=at(2026, 3, 3, 0, 41, 15),
    ),
    "item": model.MetrcItem(
        id=90212,
        name="Fern Hollow - Sunbreak - Pre-Roll 5pk x 1g",
        category="Raw Pre-Roll (Each)",
        unit="Each",
        quantity_type="CountBased",
        unit_weight=Decimal(1),
        unit_weight_unit="Grams",
        strain="Sunbreak",
    ),
    "receipt": model.MetrcReceipt(
        id=880101,
        number="0000880101",
        external_number="POS-20260302-00417",
        sold_at=at(2026, 3, 3, 0, 41, 7),
        recorded_at=at(2026, 3, 3, 0, 41, 11),
        last_modified=at(2026, 3, 3, 0, 41, 11),
        recorded_by="Lee Marsh",
        total_price=Decimal(42),
        total_packages=1,
        lines=(
            model.MetrcLine(
                label=LABEL,
                quantity=Decimal(1),
                unit="Each",
                price=Decimal(42),
                unit_weight=Decimal(1),
                unit_weight_unit="Grams",
                item_name="Fern Hollow - Sunbreak - Pre-Roll 5pk x 1g",
            ),
        ),
    ),
    "delivery": model.MetrcDelivery(
        id=6611,
        number="0000006611",
        sold_at=at(2026, 3, 2, 23, 10),
        recorded_at=at(2026, 3, 2, 23, 10, 5),
        last_modified=at(2026, 3, 2, 23, 10, 5),
        recorded_by="Lee Marsh",
        state="Undesignated",
        total_price=Decimal(42),
        total_packages=1,
    ),
    "transfer": model.Transfer(
        id=418902,
        manifest="0000418902",
        direction=model.Direction.INCOMING,
        delivery_id=560144,
        invoice="INV-7781",
        shipper_license="403-X0007",
        shipper_name="Fern Hollow Growers LLC",
        recipient_license="402R-X0042",
        recipient_name="Harbor Street Dispensary LLC",
        shipment_type="Wholesale Manifest",
        created_at=at(2026, 3, 1, 20, 11),
        created_by="Kit Lowell",
        departed_at=at(2026, 3, 2, 15),
        last_modified=at(2026, 3, 2, 15, 0, 12),
        package_count=2,
        received_package_count=0,
    ),
    "transfer_package": model.TransferPackage(
        label="1A4FF0100000022000001007",
        package_id=5510107,
        state="Shipped",
        shipped_quantity=Decimal(40),
        shipped_unit="Each",
        item_id=90212,
        item_name="Fern Hollow - Sunbreak - Pre-Roll 5pk x 1g",
        item_category="Raw Pre-Roll (Each)",
        item_unit_weight=Decimal(1),
        item_unit_weight_unit="Grams",
        lab_state="TestPassed",
    ),
    "transferred": model.TransferredPackage(
        label="1A4FF0100000022000001007",
        package_id=5510107,
        manifest="0000418902",
        recipient_license="402R-X0042",
        recipient_name="Harbor Street Dispensary LLC",
        state="Accepted",
        shipped_quantity=Decimal(40),
        received_quantity=Decimal(40),
        unit="ea",
        received_at=at(2026, 3, 2, 21, 30),
    ),
    "adjustment": model.Adjustment(
        label="1A4FF0100000022000001001",
        package_id=5510101,
        quantity=Decimal(-1),
        unit="Each",
        reason="Damage (Record Details)",
        note="Jar cracked at intake",
        on=date(2026, 2, 21),
        by="Dana Orrin",
    ),
}

EVERY_SAMPLE = [
    ("facilities", "facility", 2),
    ("packages-active", "package", 4),
    ("packages-active-bare-array", "package", 2),
    ("packages-active-no-window", "package", 2),
    ("packages-active-page-1-of-2", "package", 2),
    ("packages-active-page-2-of-2", "package", 2),
    ("packages-inactive", "package", 2),
    ("packages-intransit", "package", 1),
    ("packages-onhold", "package", 1),
    ("packages-labsamples", "package", 0),
    ("packages-transferred", "transferred", 1),
    ("packages-adjustments", "adjustment", 2),
    ("items-active", "item", 5),
    ("items-inactive", "item", 1),
    ("sales-receipts-active", "receipt", 6),
    ("sales-receipts-inactive", "receipt", 2),
    ("sales-deliveries-active", "delivery", 1),
    ("transfers-incoming", "transfer", 3),
    ("transfers-outgoing", "transfer", 1),
    ("transfers-rejected", "transfer", 1),
    ("delivery-559001-packages", "transfer_package", 4),
    ("delivery-560144-packages", "transfer_package", 2),
    ("delivery-560145-packages", "transfer_package", 2),
    ("empty-page", "package", 0),
]


@pytest.mark.parametrize("kind", PARSERS)
def test_a_sample_of_every_kind_is_read_as_a_whole(kind):
    """Every field of the healthy row is where it belongs, and nothing else is."""
    assert PARSERS[kind](HEALTHY[kind]) == WHOLE[kind]


@pytest.mark.parametrize(("name", "kind", "count"), EVERY_SAMPLE)
def test_every_sample_list_is_read(name, kind, count):
    """Every recorded list gives as many values as it has rows."""
    assert len([PARSERS[kind](row) for row in samples.rows(name)]) == count


@pytest.mark.parametrize("path", sorted(samples.FOLDER.glob("sales-receipt-by-*.json")), ids=lambda path: path.stem)
def test_every_sample_receipt_has_lines(path):
    """A receipt read by id comes with its lines."""
    assert wire.receipt(samples.decoded(path.stem), DENVER).lines


def test_a_package_by_id_is_the_same_as_in_a_list():
    """Both ways to come by a package give the same value, but for the list it was read from."""
    by_id = wire.package(samples.decoded("package-by-id"))
    assert by_id in [wire.package(row) for row in samples.rows("packages-active")]


def test_the_states_of_packages_are_told_apart():
    """Held, finished, discontinued and travelling packages show it."""
    held = wire.package(samples.rows("packages-onhold")[0], model.PackageList.ON_HOLD)
    discontinued, finished = (wire.package(row) for row in samples.rows("packages-inactive"))
    travelling = wire.package(samples.rows("packages-intransit")[0])
    assert (held.is_on_hold, held.is_held, held.is_closed) == (True, True, False)
    assert held.listing is model.PackageList.ON_HOLD
    assert held.quantity == Decimal("453.59")
    assert (finished.is_finished, finished.finished_on, finished.is_closed) == (True, date(2026, 2, 27), True)
    assert (discontinued.is_finished, discontinued.archived_on) == (False, date(2026, 2, 21))
    assert (discontinued.is_closed, discontinued.note) == (True, "Discontinued by licensee")
    assert (travelling.location, travelling.received_at, travelling.note) == (None, None, None)


def test_a_voided_receipt_shows_it_and_keeps_its_lines():
    """After a void the receipt and its lines carry the day, the quantity is still told."""
    voided = wire.receipt(samples.decoded("sales-receipt-by-id-after-void"), DENVER)
    assert (voided.archived_on, voided.is_live) == (date(2026, 3, 3), False)
    assert [(line.quantity, line.archived_on) for line in voided.lines] == [(Decimal(1), date(2026, 3, 3))]


def test_receipts_of_a_list_have_no_lines_yet():
    """An empty Transactions is "not read", never "sold nothing"."""
    assert {wire.receipt(row, DENVER).lines for row in samples.rows("sales-receipts-active")} == {None}


def test_a_sale_of_nothing_has_no_lines():
    """Only a receipt that says it has no packages has an empty tuple of lines."""
    row = HEALTHY["receipt"] | {"Transactions": [], "TotalPackages": 0}
    assert wire.receipt(row, DENVER).lines == ()


def test_outgoing_transfers_take_the_manifests_own_counts():
    """Outgoing rows have zeros in the delivery's counts; those are not the number of packages."""
    outgoing = wire.transfer(samples.rows("transfers-outgoing")[0], model.Direction.OUTGOING)
    assert (outgoing.package_count, outgoing.received_package_count, outgoing.delivery_id) == (1, 0, 559310)
    assert (outgoing.recipient_license, outgoing.shipment_type) == (None, None)


def test_a_facility_that_cannot_sell_says_so():
    """A grower's license is no shop; without any word about sales nothing is said."""
    grower = wire.facility(samples.rows("facilities")[1])
    assert (grower.license, grower.sells) == ("403R-X0043", False)
    for kind in ({}, None, "Retail", {"CanSellToConsumers": "often"}):
        assert wire.facility(HEALTHY["facility"] | {"FacilityType": kind}).sells is None


def test_a_facility_without_a_name_is_called_by_what_it_has():
    """Name, display name, alias, and at last the license."""
    row = HEALTHY["facility"] | {"Name": "", "DisplayName": None}
    assert wire.facility(row).name == "Harbor Street"
    assert wire.facility(row | {"Alias": None}).name == "402R-X0042"


def test_rights_are_lower_case_names():
    """Permissions come as a bare array, and in any case."""
    assert wire.rights(samples.decoded("employees-permissions-read-only")) == {
        "view packages",
        "view sales",
        "view transfers",
    }
    assert wire.rights(["View Packages"]) == {"view packages"}
    assert wire.rights([]) == frozenset()


@pytest.mark.parametrize("body", [["view packages", 5], [None], [{}], {}, None])
def test_rights_that_are_no_names_are_a_broken_answer(body):
    """Something else among the permissions is not skipped: it might be the one that matters."""
    with pytest.raises(errors.MetrcNotJson):
        wire.rights(body)


@pytest.mark.parametrize("kind", PARSERS)
@pytest.mark.parametrize("row", [None, 5, "row", [], True])
def test_what_is_no_object_is_a_broken_answer(kind, row):
    """A row that is no object raises and is not skipped."""
    with pytest.raises(errors.MetrcNotJson):
        PARSERS[kind](row)


@pytest.mark.parametrize("kind", PARSERS)
@pytest.mark.parametrize("value", [None, "", "  ", [], {}, True, -1, 0, Decimal("1.5"), "MISSING"])
def test_a_row_without_its_identity_is_a_broken_answer(kind, value):
    """A row that lost its id or label raises, naming the field: left out it would read as "METRC has none"."""
    for key in IDENTITY[kind]:
        if key == "AdjustmentQuantity" and value in (0, -1, Decimal("1.5")) and value is not True:
            continue
        if key.endswith("Label") and value == "MISSING":
            continue
        row = {k: v for k, v in HEALTHY[kind].items() if k != key} | ({} if value == "MISSING" else {key: value})
        with pytest.raises(errors.MetrcNotJson, match=key):
            PARSERS[kind](row)


@pytest.mark.parametrize("kind", PARSERS)
@pytest.mark.parametrize("value", ["DROP", None, "", [], {}, 0, -5, Decimal("1e30"), "nonsense", "0001-01-01", True])
def test_any_other_field_may_be_missing_empty_or_mistyped(kind, value):
    """No single field but the identity makes a row unreadable."""
    for key in HEALTHY[kind].keys() - set(IDENTITY[kind]):
        row = {k: v for k, v in HEALTHY[kind].items() if k != key} | ({} if value == "DROP" else {key: value})
        assert type(PARSERS[kind](row)) is type(WHOLE[kind])


@pytest.mark.parametrize("kind", PARSERS)
def test_unknown_keys_change_nothing(kind):
    """A key that METRC adds tomorrow is ignored."""
    assert PARSERS[kind](HEALTHY[kind] | {"Tomorrow": {"Id": 1}}) == WHOLE[kind]


def recased(value, change):
    if isinstance(value, dict):
        return {change(key): recased(inner, change) for key, inner in value.items()}
    return [recased(inner, change) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("kind", PARSERS)
@pytest.mark.parametrize("change", [str.lower, str.upper, str.swapcase])
def test_keys_are_read_in_any_case(kind, change):
    """The case of keys does not matter, at any depth."""
    assert PARSERS[kind](recased(HEALTHY[kind], change)) == WHOLE[kind]


@pytest.mark.parametrize("kind", PARSERS)
def test_rows_of_a_plain_parser_are_read_alike(kind):
    """Python's own numbers are as good as decimals, and 18 is 18.0."""
    assert PARSERS[kind](json.loads(json.dumps(HEALTHY[kind], default=float))) == WHOLE[kind]


@pytest.mark.parametrize(
    "quantity", [None, "", "18", "eighteen", True, [], {}, Decimal("1e400"), float("nan"), float("inf"), "MISSING"]
)
def test_a_quantity_that_is_not_told_is_not_zero(quantity):
    """A package whose quantity is missing or mistyped has none, and certainly not 0."""
    row = HEALTHY["package"] | {"Quantity": quantity}
    if quantity == "MISSING":
        del row["Quantity"]
    assert wire.package(row).quantity is None


QUANTITIES = [
    (Decimal("18.0"), "18"),
    (18, "18"),
    (0, "0"),
    (Decimal("-0.0"), "0"),
    (0.1, "0.1"),
    (Decimal("453.5900"), "453.59"),
    (Decimal("1E+2"), "100"),
    (Decimal("-2.50"), "-2.5"),
]


@pytest.mark.parametrize(("quantity", "text"), QUANTITIES)
def test_quantities_read_the_same_however_they_are_written(quantity, text):
    """Trailing zeros and exponents are gone, the value is exact."""
    assert str(wire.package(HEALTHY["package"] | {"Quantity": quantity}).quantity) == text


HOLDS = [
    ("IsOnHold", (True, False, False)),
    ("IsOnHoldCombined", (True, False, False)),
    ("IsOnInvestigation", (False, True, False)),
    ("IsOnInvestigationHold", (False, True, False)),
    ("IsOnInvestigationRecall", (False, True, False)),
    ("IsOnRecall", (False, False, True)),
    ("IsOnRecallCombined", (False, False, True)),
]


@pytest.mark.parametrize(("key", "held"), HOLDS)
@pytest.mark.parametrize("yes", [True, 1, Decimal(1), "true", "True", " TRUE "])
def test_each_kind_of_hold_is_seen(key, held, yes):
    """Seven flags in any spelling fold into three."""
    package = wire.package(HEALTHY["package"] | {key: yes})
    assert (package.is_on_hold, package.is_on_investigation, package.is_on_recall) == held


@pytest.mark.parametrize("no", [False, 0, Decimal(0), "false", "FALSE", None, "", "maybe", 2, [], {}])
def test_no_hold_is_made_up(no):
    """Only a clear yes is a hold."""
    assert not wire.package(HEALTHY["package"] | {key: no for key, _ in HOLDS}).is_held


MOMENTS = [
    ("2026-03-03T00:41:11+00:00", at(2026, 3, 3, 0, 41, 11)),
    ("2026-03-03T00:41:11Z", at(2026, 3, 3, 0, 41, 11)),
    ("2026-03-02T17:41:11-07:00", at(2026, 3, 3, 0, 41, 11)),
    ("2026-02-08T07:05:59.7441994+00:00", at(2026, 2, 8, 7, 5, 59, 744199)),
    ("2026-03-03T00:41:11", at(2026, 3, 3, 0, 41, 11)),
    ("2026-03-03", at(2026, 3, 3)),
    (" 2026-03-03T00:41:11Z ", at(2026, 3, 3, 0, 41, 11)),
    ("0001-01-01T00:00:00+00:00", None),
    ("0001-01-01T00:00:00", None),
    ("0001-01-01T00:00:00+14:00", None),
    ("9999-12-31T23:59:59-12:00", None),
    ("2026-02-30T00:00:00Z", None),
    ("03/02/2026", None),
    ("yesterday", None),
    ("", None),
    (None, None),
    (20260303, None),
]


@pytest.mark.parametrize(("text", "moment"), MOMENTS)
def test_moments(text, moment):
    """METRC's own stamps are UTC when they carry no offset; year 1 and nonsense are None."""
    assert wire.package(HEALTHY["package"] | {"LastModified": text}).last_modified == moment


SALE_TIMES = [
    ("2026-03-02T17:41:07.000", at(2026, 3, 3, 0, 41, 7)),  # winter: UTC-7
    ("2026-07-02T17:41:07.000", at(2026, 7, 2, 23, 41, 7)),  # summer: UTC-6
    ("2026-03-08T02:30:00", at(2026, 3, 8, 9, 30)),  # this hour does not exist
    ("2026-11-01T01:30:00", at(2026, 11, 1, 7, 30)),  # this hour comes twice: the first
    ("2026-03-02T17:41:07+00:00", at(2026, 3, 2, 17, 41, 7)),  # its own offset wins
    ("2026-03-02T17:41:07Z", at(2026, 3, 2, 17, 41, 7)),
    ("2026-03-02", at(2026, 3, 2, 7)),
    ("0001-01-01T00:00:00", None),
    ("9999-12-31T23:59:59", None),
]


@pytest.mark.parametrize(("text", "moment"), SALE_TIMES)
def test_sale_times_are_the_shops_wall_clock(text, moment):
    """A sale time without an offset is read in the facility's zone, clock changes included."""
    assert wire.receipt(HEALTHY["receipt"] | {"SalesDateTime": text}, DENVER).sold_at == moment
    delivered = wire.delivery(HEALTHY["delivery"] | {"SalesDateTime": text, "CompletedDateTime": text}, DENVER)
    assert (delivered.sold_at, delivered.completed_at) == (moment, moment)


DAYS = [
    ("2026-03-03", date(2026, 3, 3)),
    ("2026-03-03T23:59:59-07:00", date(2026, 3, 3)),
    ("2026-03-03T00:00:00Z", date(2026, 3, 3)),
    ("9999-12-31", date(9999, 12, 31)),  # a license without an end
    ("0001-01-01", None),
    ("0001-01-01T00:00:00+00:00", None),
    ("soon", None),
]


@pytest.mark.parametrize(("text", "day"), DAYS)
def test_days_are_taken_as_written(text, day):
    """A day is never moved by a zone."""
    row = HEALTHY["facility"]
    assert wire.facility(row | {"License": row["License"] | {"EndDate": text}}).license_ends_on == day


def test_labels_are_compared_in_upper_case():
    """Labels come out upper case and without blanks, sources are split at commas."""
    row = HEALTHY["package"] | {"Label": f" {LABEL.lower()} ", "SourcePackageLabels": "1a, 1B ,,1c"}
    package = wire.package(row)
    assert package.label == LABEL
    assert package.source_labels == ("1A", "1B", "1C")
    assert wire.package(HEALTHY["package"] | {"SourcePackageLabels": ["1A"]}).source_labels == ()


def test_embedded_enums_may_be_words_or_numbers():
    """A word is taken, a number says nothing; a package without its item is still a package."""
    inner = HEALTHY["package"]["Item"]
    worded = wire.package(HEALTHY["package"] | {"Item": inner | {"QuantityType": "CountBased"}})
    assert worded.item.quantity_type == "CountBased"
    for missing in (None, [], "item"):
        assert wire.package(HEALTHY["package"] | {"Item": missing}).item == model.MetrcItem(id=None, name=None)


def test_ids_may_be_text():
    """An id that comes as text is the same id."""
    assert wire.package(HEALTHY["package"] | {"Id": "5510102"}) == WHOLE["package"]
    for bad in ("5510102a", "-1", "9" * 30, "٣", 2**63):
        with pytest.raises(errors.MetrcNotJson):
            wire.package(HEALTHY["package"] | {"Id": bad})


def test_numbers_of_receipts_may_be_numbers():
    """An external number that is numeric is the same number as text; a manifest without one is its padded id."""
    assert wire.receipt(HEALTHY["receipt"] | {"ExternalReceiptNumber": Decimal(417)}, DENVER).external_number == "417"
    row = HEALTHY["transfer"] | {"ManifestNumber": None}
    assert wire.transfer(row, model.Direction.INCOMING).manifest == "0000418902"


@pytest.mark.parametrize("key", ["PackageLabel", "QuantitySold"])
def test_a_sale_line_that_cannot_be_used_makes_the_receipt_unreadable(key):
    """A line without label or quantity is never 0 of nothing."""
    line = HEALTHY["receipt"]["Transactions"][0]
    for broken in ({k: v for k, v in line.items() if k != key}, line | {key: None}, line | {key: []}, None):
        with pytest.raises(errors.MetrcNotJson):
            wire.receipt(HEALTHY["receipt"] | {"Transactions": [line, broken]}, DENVER)


def test_text_that_no_database_takes_is_cleaned():
    """Lone surrogates and NUL are legal JSON, but nothing downstream can store them."""
    package = wire.package(HEALTHY["package"] | {"Note": "a\x00b\ud800c", "LocationName": "x" * 10_000})
    assert package.note == "ab?c"
    assert len(package.location) == 4_000


PRIVATE = [
    "PatientLicenseNumber",
    "CaregiverLicenseNumber",
    "IdentificationMethod",
    "ConsumerId",
    "DriverName",
    "DriverEmployeeId",
    "DriversLicenseNumber",
    "DriverOccupationalLicenseNumber",
    "DriverVehicleLicenseNumber",
    "VehicleLicensePlateNumber",
    "RecipientName",
    "RecipientAddressStreet1",
    "RecipientAddressStreet2",
    "RecipientAddressCity",
    "RecipientAddressPostalCode",
    "PlannedRoute",
    "Email",
]


@pytest.mark.parametrize("kind", PARSERS)
def test_people_are_never_read(kind):
    """What is planted in the fields of patients, consumers and drivers is in no value."""
    row = HEALTHY[kind] | dict.fromkeys(PRIVATE, "PLANTED")
    assert "PLANTED" not in repr(PARSERS[kind](row))


LEAF = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.decimals(allow_nan=False)
    | st.text(max_size=30)
    | st.sampled_from(["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59-12:00", LABEL, "2026-03-02T17:41:07.000"])
)
JSON = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner), max_leaves=6
)


@pytest.mark.parametrize("kind", PARSERS)
@given(data=st.data())
def test_any_json_row_is_a_value_or_a_metrc_error(kind, data):
    """No row whatsoever raises anything but a MetrcError."""
    keys = st.sampled_from(sorted(HEALTHY[kind])) | st.text(max_size=8)
    changes = data.draw(st.dictionaries(keys, JSON, max_size=6) | JSON)
    row = HEALTHY[kind] | changes if isinstance(changes, dict) else changes
    try:
        assert type(PARSERS[kind](row)) is type(WHOLE[kind])
    except errors.MetrcError as error:
        sentence = str(error)
    else:
        return
    assert sentence.startswith("METRC sent")


def test_rows_of_ever_other_keys_are_read_alike():
    """What is remembered of one row's keys is not taken for another's, however many kinds of rows there are."""
    row, wanted = HEALTHY["package"], wire.package(HEALTHY["package"])
    for number in range(500):
        cased = {key.upper() if number % 2 else key.lower(): value for key, value in row.items()}
        assert wire.package(cased | {f"Own{number}": number}) == wanted


def test_keys_too_long_to_be_remembered_are_read_all_the_same():
    """They are looked at anew each time."""
    row = HEALTHY["package"] | {"x" * 5000: 1}
    assert wire.package(row) == wire.package(HEALTHY["package"]) == wire.package(row)
