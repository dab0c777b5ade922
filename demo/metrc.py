"""A METRC that answers like the real one, over a ``World``. It shares no code with the bot.

``MetrcStandIn(world, clock).asgi`` is the application. Shapes are complete: every documented key is there, unset ones
as null or the empty text that the real host gives. It takes only what METRC documents to be undoable: a receipt can be
archived, finalized and unfinalized, an external transfer voided; any other write is refused. Everything that came is
in ``requests``, every write in ``writes``.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Protocol, TypeVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from demo.world import (
    FAMILY_RIGHTS,
    UNITS,
    Adjustment,
    Category,
    Delivery,
    Employee,
    Item,
    Key,
    License,
    Line,
    Package,
    Receipt,
    Shipped,
    Transfer,
    TransferredRow,
    Trouble,
    World,
)

Body = dict[str, Any]
Record = TypeVar("Record")

PAGE_LIMIT: Final = 20
OBJECT_LIMIT: Final = 10
RECENT: Final = timedelta(hours=24)
UNSET: Final = "0001-01-01T00:00:00+00:00"
LAB_STATES: Final = (
    "NotSubmitted",
    "SubmittedForTesting",
    "TestFailed",
    "TestPassed",
    "TestingInProgress",
    "AwaitingConfirmation",
    "RetestFailed",
    "RetestPassed",
    "Remediated",
    "SelectedForRandomTesting",
    "NotRequired",
    "ProcessValidated",
    "Decontaminated",
    "RandDCompleted",
)
PACKAGE_TYPES: Final = ("Product", "ImmaturePlant", "VegetativePlant", "PlantWaste", "HarvestWaste", "MotherPlant")
CUSTOMER_TYPES: Final = ("Consumer", "Patient", "Caregiver", "ExternalPatient", "NonResidentConsumer")
SHIPMENT_STATES: Final = ("Shipped", "Rejected", "Accepted", "Returned")
# reason → whether METRC asks for a note
ADJUST_REASONS: Final = {
    "API Related Error": True,
    "Damage (Record Details)": True,
    "Drying": False,
    "Entry Error": True,
    "Scale Variance": True,
    "Theft": True,
}


# --- shapes -----------------------------------------------------------------------------------------------------------


def _shape(keys: str, **values: str) -> Body:
    """Every key of ``keys`` as null, but those listed in ``no``, ``text``, ``zero`` and ``many``."""
    blank: dict[str, Any] = {"no": False, "text": "", "zero": 0, "many": []}
    body: Body = dict.fromkeys(keys.split())
    for kind, names in values.items():
        body.update(dict.fromkeys(names.split(), blank[kind]))
    return body


_UNIT_CONTENT = """
    UnitCbdPercent UnitCbdContent UnitCbdContentUnitOfMeasureName UnitCbdContentDose
    UnitCbdContentDoseUnitOfMeasureName UnitCbdAPercent UnitCbdAContent UnitCbdAContentUnitOfMeasureName
    UnitCbdAContentDose UnitCbdAContentDoseUnitOfMeasureName UnitThcAPercent UnitThcAContent
    UnitThcAContentUnitOfMeasureName UnitThcAContentDose UnitThcAContentDoseUnitOfMeasureId
    UnitThcAContentDoseUnitOfMeasureName UnitThcPercent UnitThcContent UnitThcContentUnitOfMeasureName
    UnitThcContentDose UnitThcContentDoseUnitOfMeasureId UnitThcContentDoseUnitOfMeasureName UnitVolume
    UnitVolumeUnitOfMeasureName UnitWeight UnitWeightUnitOfMeasureName ServingSize NumberOfDoses UnitQuantity
    UnitQuantityUnitOfMeasureName"""

_ITEM = _shape(
    f"""Id Name GlobalProductName GlobalProductNumber ProductCategoryName ProductCategoryType IsExpirationDateRequired
    HasExpirationDate IsSellByDateRequired HasSellByDate IsUseByDateRequired HasUseByDate QuantityType
    DefaultLabTestingState UnitOfMeasureName ApprovalStatus ApprovalStatusDateTime StrainId StrainName ItemBrandId
    ItemBrandName AdministrationMethod {_UNIT_CONTENT} PublicIngredients Description Allergens ProductImages
    ProductPhotoDescription LabelImages LabelPhotoDescription PackagingImages PackagingPhotoDescription
    ProductPDFDocuments IsUsed LabTestBatchNames ProcessingJobCategoryName ProcessingJobTypeName ProductBrandName""",
    no="""IsExpirationDateRequired HasExpirationDate IsSellByDateRequired HasSellByDate IsUseByDateRequired
    HasUseByDate IsUsed""",
    zero="ItemBrandId",
    many="ProductImages LabelImages PackagingImages ProductPDFDocuments LabTestBatchNames",
)

_PRODUCT_LABEL = _shape(
    """QrCount IsChildFromParentWithLabel OriginalSourcePackageId OriginalSourcePackageLabel LabelSource QrCodeRanges
    LastLabelGenerationDate IsActive""",
    no="IsChildFromParentWithLabel",
    zero="QrCount",
) | {"IsActive": True}

_PACKAGE = _shape(
    """Id Label ExternalId PackageType SourceHarvestCount SourcePackageCount SourceProcessingJobCount
    SourceHarvestNames SourcePackageLabels LocationId LocationName SublocationId SublocationName LocationTypeName
    Quantity OriginalPackageQuantity UnitOfMeasureName UnitOfMeasureAbbreviation PatientLicenseNumber
    ItemFromFacilityLicenseNumber ItemFromFacilityName Note PackagedDate ExpirationDate SellByDate UseByDate
    InitialLabTestingState LabTestingState LabTestingStateDate LabTestingPerformedDate LabTestResultExpirationDateTime
    LabTestingRecordedDate LabTestStageId LabTestStage IsProductionBatch ProductionBatchNumber
    SourceProductionBatchNumbers IsTradeSample IsTradeSamplePersistent SourcePackageIsTradeSample IsDonation
    IsDonationPersistent SourcePackageIsDonation IsTestingSample IsProcessValidationTestingSample
    ProductRequiresRemediation ContainsRemediatedProduct RemediationDate ProductRequiresDecontamination
    ContainsDecontaminatedProduct DecontaminationDate ReceivedDateTime ReceivedFromManifestNumber
    ReceivedFromFacilityLicenseNumber ReceivedFromFacilityName IsOnHold IsOnHoldCombined IsOnInvestigation
    IsOnInvestigationHold IsOnInvestigationRecall IsOnRecall IsOnRecallCombined ArchivedDate IsFinished FinishedDate
    IsFinishedGood IsOnRetailerDelivery PackageForProductDestruction LabelsLastGeneratedDateTime LastModified Item
    ProductLabel""",
    no="""IsProductionBatch IsTradeSample IsTradeSamplePersistent SourcePackageIsTradeSample IsDonation
    IsDonationPersistent SourcePackageIsDonation IsTestingSample IsProcessValidationTestingSample
    ProductRequiresRemediation ContainsRemediatedProduct ProductRequiresDecontamination ContainsDecontaminatedProduct
    IsOnHold IsOnHoldCombined IsOnInvestigation IsOnInvestigationHold IsOnInvestigationRecall IsOnRecall
    IsOnRecallCombined IsFinished IsFinishedGood IsOnRetailerDelivery""",
    text="PatientLicenseNumber Note ProductionBatchNumber SourceProductionBatchNumbers",
    zero="SourceProcessingJobCount",
)

_RECEIPT = _shape(
    """Id ReceiptNumber ExternalReceiptNumber SalesDateTime SalesCustomerType PatientLicenseNumber
    CaregiverLicenseNumber IdentificationMethod PatientRegistrationLocationId TotalPackages TotalPrice Transactions
    IsFinal ArchivedDate RecordedDateTime RecordedByUserName LastModified""",
    text="PatientLicenseNumber CaregiverLicenseNumber IdentificationMethod",
)

_LINE = _shape(
    """PackageId TripId TripManifestNumber PackageLabel ProductName ProductCategoryName ItemStrainName
    ItemUnitCbdPercent ItemUnitCbdContent ItemUnitCbdContentUnitOfMeasureName ItemUnitCbdContentDose
    ItemUnitCbdContentDoseUnitOfMeasureName ItemUnitThcPercent ItemUnitThcContent ItemUnitThcContentUnitOfMeasureName
    ItemUnitThcContentDose ItemUnitThcContentDoseUnitOfMeasureName ItemUnitVolume ItemUnitVolumeUnitOfMeasureName
    ItemUnitWeight ItemUnitWeightUnitOfMeasureName ItemServingSize ItemSupplyDurationDays ItemUnitQuantity
    ItemUnitQuantityUnitOfMeasureName QuantitySold UnitOfMeasureName UnitOfMeasureAbbreviation UnitThcPercent
    UnitThcContent UnitWeight TotalPrice SalesDeliveryState ArchivedDate RecordedDateTime RecordedByUserName
    LastModified InvoiceNumber Price ExciseTax CityTax CountyTax MunicipalTax DiscountAmount SubTotal SalesTax"""
)

_DELIVERY = _shape(
    """Id DeliveryNumber FacilityLicenseNumber FacilityName ShipperFacilityLicenseNumber TransporterFacilityId
    TransporterFacilityLicenseNumber TransporterFacilityName SalesDateTime SalesCustomerType PatientLicenseNumber
    ConsumerId DriverEmployeeId DriverName DriversLicenseNumber VehicleMake VehicleModel VehicleLicensePlateNumber
    RecipientName RecipientAddressStreet1 RecipientAddressStreet2 RecipientAddressCity RecipientDeliveryZoneId
    RecipientZoneId RecipientDeliveryZoneName RecipientAddressCounty RecipientAddressState RecipientAddressPostalCode
    PlannedRoute Direction EstimatedDepartureDateTime ActualDepartureDateTime EstimatedArrivalDateTime
    ActualArrivalDateTime EstimatedReturnDepartureDateTime ActualReturnDepartureDateTime
    EstimatedReturnArrivalDateTime ActualReturnArrivalDateTime TotalPackages TotalPrice AcceptedDateTime Transactions
    CompletedDateTime SalesDeliveryState VoidedDate RecordedDateTime RecordedByUserName LastModified"""
)

_TRANSFER = _shape(
    """Id ManifestNumber InvoiceNumber ShipmentLicenseType ShipperFacilityLicenseNumber ShipperFacilityName Name
    TransporterFacilityLicenseNumber TransporterFacilityName DriverName DriverOccupationalLicenseNumber
    DriverVehicleLicenseNumber VehicleMake VehicleModel VehicleLicensePlateNumber DeliveryCount ReceivedDeliveryCount
    PackageCount ReceivedPackageCount ContainsPlantPackage ContainsProductPackage ContainsTradeSample ContainsDonation
    ContainsTestingSample ContainsProductRequiresRemediation ContainsRemediatedProductPackage IsVoided CreatedDateTime
    CreatedByUserName LastModified DeliveryId RecipientFacilityLicenseNumber RecipientFacilityName ShipmentTypeName
    ShipmentTransactionType EstimatedDepartureDateTime ActualDepartureDateTime EstimatedArrivalDateTime
    ActualArrivalDateTime DeliveryPackageCount DeliveryReceivedPackageCount ReceivedDateTime
    EstimatedReturnDepartureDateTime ActualReturnDepartureDateTime EstimatedReturnArrivalDateTime
    ActualReturnArrivalDateTime OriginatingTemplateId""",
    no="""ContainsPlantPackage ContainsTradeSample ContainsDonation ContainsTestingSample
    ContainsProductRequiresRemediation ContainsRemediatedProductPackage""",
    zero="ShipmentLicenseType DeliveryPackageCount DeliveryReceivedPackageCount",
)

_TRANSFER_DELIVERY = _shape(
    """Id ManifestNumber DeliveryNumber RecipientFacilityLicenseNumber RecipientFacilityName ShipmentTypeName
    ShipmentTransactionType InvoiceNumber EstimatedDepartureDateTime ActualDepartureDateTime EstimatedArrivalDateTime
    ActualArrivalDateTime GrossWeight GrossUnitOfWeightId GrossUnitOfWeightName PlannedRoute DeliveryPackageCount
    DeliveryReceivedPackageCount ReceivedDateTime EstimatedReturnDepartureDateTime ActualReturnDepartureDateTime
    EstimatedReturnArrivalDateTime ActualReturnArrivalDateTime RejectedPackagesReturned PDFDocumentFileSystemId""",
    no="RejectedPackagesReturned",
)

_SHIPPED = _shape(
    """PackageId PackageLabel PackageType SourceHarvestNames SourcePackageLabels ItemId ItemName ItemCategoryName
    ItemStrainName ItemBrandName ItemUnitCbdPercent ItemUnitCbdContent ItemUnitCbdContentUnitOfMeasureName
    ItemUnitCbdContentDose ItemUnitCbdContentDoseUnitOfMeasureName ItemUnitThcPercent ItemUnitThcContent
    ItemUnitThcContentUnitOfMeasureName ItemUnitThcContentDose ItemUnitThcContentDoseUnitOfMeasureName
    ItemUnitCbdAPercent ItemUnitCbdAContent ItemUnitCbdAContentUnitOfMeasureName ItemUnitCbdAContentDose
    ItemUnitCbdAContentDoseUnitOfMeasureName ItemUnitThcAPercent ItemUnitThcAContent
    ItemUnitThcAContentUnitOfMeasureName ItemUnitThcAContentDose ItemUnitThcAContentDoseUnitOfMeasureName
    ItemUnitVolume ItemUnitVolumeUnitOfMeasureName ItemUnitWeight ItemUnitWeightUnitOfMeasureName ItemServingSize
    ItemSupplyDurationDays ItemUnitQuantity ItemUnitQuantityUnitOfMeasureName LabTestingState ProductionBatchNumber
    IsTradeSample IsTradeSamplePersistent SourcePackageIsTradeSample IsDonation SourcePackageIsDonation IsTestingSample
    ProductRequiresRemediation ContainsRemediatedProduct RemediationDate ShipmentPackageState ShippedQuantity
    ShippedUnitOfMeasureName PackagedDate ExpirationDate SellByDate UseByDate GrossUnitOfWeightName ReceivedQuantity
    ReceivedUnitOfMeasureName ProductLabel SourceProductionBatchNumbers ExternalId IsFinishedGood""",
    no="""IsTradeSample IsTradeSamplePersistent SourcePackageIsTradeSample IsDonation SourcePackageIsDonation
    IsTestingSample ProductRequiresRemediation ContainsRemediatedProduct IsFinishedGood""",
)

_FACILITY_TYPE_NULLS = """RestrictHarvestPlantRestoreTimeHours TotalMemberPatientsAllowed
    RestrictWholesalePriceEditDays RestrictPlantBatchAdjustmentTimeHours"""
_FACILITY_TYPE_FLAGS = """
    IsMedical IsRetail IsHemp CanGrowPlants CanCreateOpeningBalancePlantBatches CanClonePlantBatches
    CanTagPlantBatches CanAssignLocationsToPlantBatches PlantsRequirePatientAffiliation
    PlantBatchesCanContainMotherPlants CanUpdatePlantStrains CanTrackVegetativePlants
    CanCreateImmaturePlantPackagesFromPlants CanPackageVegetativePlants CanPackageWaste CanReportHarvestSchedules
    CanSubmitHarvestsForTesting CanRequireHarvestSampleLabTestBatches CanReportStrainProperties
    CanCreateOpeningBalancePackages CanCreateDerivedPackages CanAssignLocationsToPackages CanUpdateLocationsOnPackages
    PackagesRequirePatientAffiliation CanCreateTradeSamplePackages CanDonatePackages CanSubmitPackagesForTesting
    CanCreateProcessValidationPackages CanRequirePackageSampleLabTestBatches CanReturnPackageQuantity
    CanRequestProductRemediation CanRemediatePackagesWithFailedLabResults CanRequestProductDecontamination
    CanDecontaminatePackagesWithFailedLabResults CanInfuseProducts CanRecordProcessingJobs
    CanRecordProductForDestruction CanDestroyProduct CanTestPackages TestsRequireLabSample
    CanTransferFromExternalFacilities CanSellToConsumers CanSellToPatients CanSellToExternalPatients
    CanSellToCaregivers RetailSalesToNonResidentConsumer AdvancedSales SalesRequirePatientNumber
    SalesRequireExternalPatientNumber SalesRequireExternalPatientIdentificationMethod SalesRequireCaregiverNumber
    SalesRequireCaregiverPatientNumber CanDeliverSalesToConsumers DeliverySalesToNonResidentConsumer
    SalesDeliveryAllowPlannedRoute SalesDeliveryAllowAddress SalesDeliveryAllowCity SalesDeliveryAllowState
    SalesDeliveryAllowCounty SalesDeliveryAllowZip SalesDeliveryRequireZone EnableExternalIdentifier
    SalesDeliveryRequireConsumerId CanDeliverSalesToPatients SalesDeliveryRequirePatientNumber
    SalesDeliveryRequireRecipientName IsSalesDeliveryHub CanHaveMemberPatients CanReportPatientCheckIns
    CanSpecifyPatientSalesLimitExemption CanReportPatientsAdverseResponses RetailerDelivery
    RetailerDeliveryAllowTradeSamples RetailerDeliveryAllowDonations RetailerDeliveryRequirePrice
    RetailerDeliveryAllowPartialPackages CanCreatePartialPackages CanAdjustSourcePackagesWithPartials
    CanReportOperationalExceptions CanReportAdulteration CanDownloadProductLabel CanReceiveAssociateProductLabel
    CanUseComplianceLabel CanTrackFinishedGoods CanOnlyReceiveFinishedGoods CanViewSourcePackages EnableSublocations
    TaxExemptReportingFeesFacilityType TaxExemptTagOrdersFacilityType CanAccessCatalog
    CanTrackMotherPlantsAsGrowthPhase CanManageItemBrands"""
_FACILITY_TYPE = _shape(_FACILITY_TYPE_NULLS + _FACILITY_TYPE_FLAGS, no=_FACILITY_TYPE_FLAGS)

_CATEGORY_DEMANDS = """
    RequiresStrain RequiresItemBrand RequiresAdministrationMethod RequiresUnitCbdPercent RequiresUnitCbdContent
    RequiresUnitCbdContentDose RequiresUnitCbdAPercent RequiresUnitCbdAContent RequiresUnitCbdAContentDose
    RequiresUnitThcPercent RequiresUnitThcContent RequiresUnitThcContentDose RequiresUnitThcAPercent
    RequiresUnitThcAContent RequiresUnitThcAContentDose RequiresUnitVolume RequiresUnitWeight RequiresServingSize
    RequiresSupplyDurationDays RequiresNumberOfDoses RequiresPublicIngredients RequiresDescription RequiresAllergens
    RequiresProductPhotoDescription RequiresLabelPhotoDescription RequiresPackagingPhotoDescription CanContainSeeds
    CanBeRemediated CanBeDecontaminated CanBeDestroyed"""
_CATEGORY = _shape(
    f"""Name ProductCategoryType QuantityType {_CATEGORY_DEMANDS} MinConsecutiveSourcesForRTA MinDaysForRTA
    MaxDaysForRecoveryAfterFailure MaxDaystoReachMinSources MinNewPassesInRecoveryWindow MaxDaysToMaintainRTA
    MaxRepackageDistanceFromSource MaxDaysWithoutTestedSource LabTestBatchNames""",
    no=_CATEGORY_DEMANDS,
    zero="RequiresProductPhotos RequiresLabelPhotos RequiresPackagingPhotos RequiresProductPDFDocuments",
    many="LabTestBatchNames",
)


_TRANSFER_TYPE = _shape(
    """Name TransactionType ForLicensedShipments ForExternalIncomingShipments ForExternalOutgoingShipments
    RequiresDestinationGrossWeight RequiresPackagesGrossWeight RequiresInvoiceNumber RequiresPDFDocument
    BypassApproval ExternalIncomingCanRecordExternalIdentifier ExternalIncomingExternalIdentifierRequired
    ExternalOutgoingCanRecordExternalIdentifier ExternalOutgoingExternalIdentifierRequired""",
    no="""ForExternalOutgoingShipments RequiresDestinationGrossWeight RequiresPackagesGrossWeight
    RequiresInvoiceNumber RequiresPDFDocument BypassApproval ExternalIncomingCanRecordExternalIdentifier
    ExternalIncomingExternalIdentifierRequired ExternalOutgoingCanRecordExternalIdentifier
    ExternalOutgoingExternalIdentifierRequired""",
)
EXTERNAL_TYPE: Final = "External Transfer"
_TRANSACTIONS: Final = {"Transfer": "Standard", "Wholesale Manifest": "Wholesale", EXTERNAL_TYPE: "Standard"}


def _number(value: Decimal | None) -> float | None:
    # JSON has no decimals: METRC writes plain numbers, and the shortest form of a float is what it shows
    return None if value is None else float(value)


def _stamp(at: datetime | None) -> str | None:
    """A moment as METRC writes it: UTC with offset; fractions have seven digits."""
    if at is None:
        return None
    at = at.astimezone(UTC)
    fraction = f".{at.microsecond:06d}0" if at.microsecond else ""
    return f"{at:%Y-%m-%dT%H:%M:%S}{fraction}+00:00"


def _wall(at: datetime | None, license_: License) -> str | None:
    """A moment as wall-clock time of the facility, without a zone, as METRC writes sale times and plans."""
    return None if at is None else at.astimezone(license_.zone).replace(tzinfo=None).isoformat(timespec="milliseconds")


def _day(on: date | None) -> str | None:
    return None if on is None else on.isoformat()


def _weight_unit(item: Item) -> str | None:
    return None if item.unit_weight is None else "Grams"


def facility_body(license_: License) -> Body:
    """An element of ``/facilities/v2/``."""
    return {
        "FacilityId": license_.facility_id,
        "HireDate": _day(license_.hired_on),
        "IsOwner": False,
        "IsManager": license_.is_manager,
        "IsFinancialContact": False,
        "Email": None,
        "Occupations": [],
        "Name": license_.name,
        "Alias": license_.alias,
        "DisplayName": license_.alias or license_.name,
        "CredentialedDate": _day(license_.credentialed_on),
        "SupportActivationDate": _day(license_.support_from),
        "SupportExpirationDate": _day(license_.support_until),
        "FacilityType": _FACILITY_TYPE | dict.fromkeys(license_.flags, True),
        "License": {
            "Number": license_.number,
            "EmployeeLicenseNumber": license_.employee,
            "StartDate": _day(license_.starts),
            "EndDate": _day(license_.ends),
            "LicenseType": license_.license_type,
        },
        "AllowTransferOfOnHoldPackages": None,
        "AllowTransferOfOnRecallPackages": None,
    }


def employee_body(employee: Employee) -> Body:
    """A row of ``/employees/v2/``."""
    return {
        "FullName": employee.name,
        "License": {
            "Number": employee.number,
            "EmployeeLicenseNumber": employee.number,
            "StartDate": _day(employee.starts),
            "EndDate": _day(employee.ends),
            "LicenseType": employee.license_type,
        },
        "IsIndustryAdmin": employee.is_admin,
        "IsOwner": False,
        "IsManager": employee.is_manager,
    }


def _item_facts(item: Item) -> Body:
    return {
        "Id": item.id,
        "Name": item.name,
        "ProductCategoryName": item.category.name,
        "StrainId": item.strain_id,
        "StrainName": item.strain,
        "UnitThcContent": _number(item.thc_mg),
        "UnitThcContentUnitOfMeasureName": None if item.thc_mg is None else "Milligrams",
        "UnitWeight": _number(item.unit_weight),
        "UnitWeightUnitOfMeasureName": _weight_unit(item),
    }


def item_body(item: Item) -> Body:
    """An item by id or as a row of the item lists: its enums are words."""
    words = {
        "ProductCategoryType": item.category.kind,
        "QuantityType": item.category.quantity_type,
        "DefaultLabTestingState": "NotSubmitted",
        "UnitOfMeasureName": item.unit,
        "ApprovalStatus": "Approved",
        "ApprovalStatusDateTime": _stamp(item.approved_at),
        "IsUsed": True,
    }
    return _ITEM | _item_facts(item) | words


def embedded_item_body(item: Item) -> Body:
    """The item inside a package: the same keys, but enums are the number 0 and the unit is null."""
    enums = dict.fromkeys(("ProductCategoryType", "QuantityType", "DefaultLabTestingState", "ApprovalStatus"), 0)
    return _ITEM | _item_facts(item) | enums | {"ApprovalStatusDateTime": UNSET}


def category_body(category: Category) -> Body:
    """A row of ``/items/v2/categories``."""
    named = {
        "Name": category.name,
        "ProductCategoryType": category.kind,
        "QuantityType": category.quantity_type,
        "CanBeRemediated": True,
    }
    return _CATEGORY | named | dict.fromkeys(category.requires, True)


def package_body(package: Package, *, patient: str = "") -> Body:
    """A package by id, by label, or as a row of the package lists."""
    here = {
        "PackageType": "Product",
        "SourceHarvestCount": 1,
        "SourcePackageCount": 1,
        "PatientLicenseNumber": patient,
        "Item": embedded_item_body(package.item),
        "ProductLabel": _PRODUCT_LABEL,
    }
    return _PACKAGE | here | _package_facts(package) | _package_state(package) | _package_origin(package)


def _package_facts(package: Package) -> Body:
    return {
        "Id": package.id,
        "Label": package.label,
        "SourceHarvestNames": package.harvests,
        "SourcePackageLabels": package.sources,
        "LocationId": package.room_id,
        "LocationName": package.room,
        "LocationTypeName": "Default" if package.room else None,
        "Quantity": _number(package.quantity),
        "OriginalPackageQuantity": _number(package.original),
        "UnitOfMeasureName": package.item.unit,
        "UnitOfMeasureAbbreviation": UNITS[package.item.unit][0],
        "Note": package.note,
        "PackagedDate": _day(package.packaged_on),
    }


def _package_state(package: Package) -> Body:
    return {
        "InitialLabTestingState": "NotSubmitted",
        "LabTestingState": package.lab_state,
        "LabTestingStateDate": _day(package.tested_on),
        "LabTestingRecordedDate": _day(package.tested_on),
        "IsOnHold": package.on_hold,
        "IsOnHoldCombined": package.on_hold,
        "ArchivedDate": _day(package.archived_on),
        "IsFinished": package.finished_on is not None,
        "FinishedDate": _day(package.finished_on),
        "LastModified": _stamp(package.modified),
    }


def _package_origin(package: Package) -> Body:
    received = package.received_at is not None
    return {
        "ItemFromFacilityLicenseNumber": package.shipper.number,
        "ItemFromFacilityName": package.shipper.name,
        "ReceivedDateTime": _stamp(package.received_at),
        "ReceivedFromManifestNumber": package.manifest if received else None,
        "ReceivedFromFacilityLicenseNumber": package.shipper.number if received else None,
        "ReceivedFromFacilityName": package.shipper.name if received else None,
    }


def receipt_body(receipt: Receipt, license_: License, *, lines: bool, planted: bool = False) -> Body:
    """A receipt; lists carry it without its lines."""
    body = _RECEIPT | {
        "Id": receipt.id,
        "ReceiptNumber": f"{receipt.id:010d}",
        "ExternalReceiptNumber": receipt.external,
        "SalesDateTime": _wall(receipt.sold_at, license_),
        "SalesCustomerType": "Consumer",
        "TotalPackages": len(receipt.lines),
        "TotalPrice": _number(sum((line.price for line in receipt.lines), Decimal(0))),
        "Transactions": [_receipt_line(line, receipt) for line in receipt.lines] if lines else [],
        "IsFinal": receipt.is_final,
        "ArchivedDate": _day(receipt.archived_on),
        "RecordedDateTime": _stamp(receipt.recorded_at),
        "RecordedByUserName": receipt.by,
        "LastModified": _stamp(receipt.modified),
    }
    return body | _planted_on_receipt(receipt.id) if planted else body


def _planted_on_receipt(number: int) -> Body:
    return {
        "SalesCustomerType": "Patient",
        "PatientLicenseNumber": f"PLANTED-PATIENT-{number}",
        "CaregiverLicenseNumber": f"PLANTED-CAREGIVER-{number}",
        "IdentificationMethod": f"PLANTED-IDENTIFICATION-{number}",
    }


def _receipt_line(line: Line, receipt: Receipt) -> Body:
    return _line_body(line) | {"ArchivedDate": _day(receipt.archived_on), "LastModified": _stamp(receipt.modified)}


def _line_body(line: Line) -> Body:
    item, price = line.package.item, _number(line.price)
    weight = item.unit_weight if line.unit_weight is None else line.unit_weight
    return _LINE | {
        "PackageId": line.package.id,
        "PackageLabel": line.package.label,
        "ProductName": item.name,
        "ProductCategoryName": item.category.name,
        "ItemStrainName": item.strain,
        "ItemUnitWeight": _number(item.unit_weight),
        "ItemUnitWeightUnitOfMeasureName": _weight_unit(item),
        "QuantitySold": _number(line.quantity),
        "UnitOfMeasureName": item.unit,
        "UnitOfMeasureAbbreviation": UNITS[item.unit][0],
        "UnitWeight": _number(weight),
        "TotalPrice": price,
        "RecordedDateTime": UNSET,
        "Price": price,
        "DiscountAmount": 0.0,
        "SubTotal": price,
    }


def delivery_body(delivery: Delivery, license_: License, *, lines: bool, planted: bool = False) -> Body:
    """A sales delivery; lists carry it without its lines."""
    body = _DELIVERY | {
        "Id": delivery.id,
        "DeliveryNumber": f"{delivery.id:010d}",
        "FacilityLicenseNumber": license_.number,
        "FacilityName": license_.name,
        "SalesDateTime": _wall(delivery.sold_at, license_),
        "SalesCustomerType": "Consumer",
        "ConsumerId": delivery.consumer,
        "EstimatedDepartureDateTime": _wall(delivery.departs_at, license_),
        "EstimatedArrivalDateTime": _wall(delivery.arrives_at, license_),
        "TotalPackages": delivery.total_packages,
        "TotalPrice": _number(delivery.total_price),
        "Transactions": [_delivery_line(line, delivery) for line in delivery.lines] if lines else [],
        "CompletedDateTime": _stamp(delivery.completed_at),
        "SalesDeliveryState": delivery.state,
        "VoidedDate": _day(delivery.voided_on),
        "RecordedDateTime": _stamp(delivery.recorded_at),
        "RecordedByUserName": delivery.by,
        "LastModified": _stamp(delivery.modified),
    }
    return body | _VAN | (_planted_on_delivery(delivery.id) if planted else {})


_VAN: Final = {
    "DriverEmployeeId": "1",
    "DriverName": "Sam Iverson",
    "DriversLicenseNumber": "1",
    "VehicleMake": "Ford",
    "VehicleModel": "Transit",
    "VehicleLicensePlateNumber": "ABC123",
    "RecipientAddressStreet1": "12 Example Ave",
    "RecipientAddressCity": "Denver",
    "RecipientAddressState": "CO",
    "RecipientAddressPostalCode": "11111",
    "PlannedRoute": "Drive to destination.",
    "Direction": "Undesignated",
}


def _planted_on_delivery(number: int) -> Body:
    return {
        "PatientLicenseNumber": f"PLANTED-PATIENT-{number}",
        "ConsumerId": f"PLANTED-CONSUMER-{number}",
        "RecipientName": f"PLANTED-RECIPIENT-{number}",
        "RecipientAddressStreet1": f"PLANTED-STREET-{number}",
    }


def _delivery_line(line: Line, delivery: Delivery) -> Body:
    return _line_body(line) | {"SalesDeliveryState": delivery.state, "LastModified": _stamp(delivery.modified)}


_TRUCK: Final = {
    "TransporterFacilityLicenseNumber": "404-X0011",
    "TransporterFacilityName": "Northline Transport LLC",
    "DriverName": "Robin Vale",
    "DriverOccupationalLicenseNumber": "M33310",
    "DriverVehicleLicenseNumber": "D000111",
    "VehicleMake": "Mercedes",
    "VehicleModel": "Sprinter",
    "VehicleLicensePlateNumber": "XYZ789",
    "ContainsProductPackage": True,
}


def transfer_body(transfer: Transfer, license_: License, *, outgoing: bool = False) -> Body:
    """A row of the transfer lists; outgoing rows tell neither the recipient nor the delivery's counts."""
    body = _TRANSFER | _TRUCK | _transfer_facts(transfer)
    body["EstimatedDepartureDateTime"] = _wall(transfer.departs_at, license_)
    body["EstimatedArrivalDateTime"] = _wall(transfer.arrives_at, license_)
    return body if outgoing else body | _recipient(transfer) | _transfer_counts(transfer)


def _transfer_facts(transfer: Transfer) -> Body:
    return {
        "Id": transfer.id,
        "ManifestNumber": transfer.manifest,
        "InvoiceNumber": transfer.invoice,
        "ShipperFacilityLicenseNumber": transfer.shipper.number,
        "ShipperFacilityName": transfer.shipper.name,
        "DeliveryCount": 1,
        "ReceivedDeliveryCount": 0 if transfer.received_at is None else 1,
        "PackageCount": transfer.sent,
        "ReceivedPackageCount": transfer.accepted,
        "IsVoided": transfer.is_voided,
        "CreatedDateTime": _stamp(transfer.created_at),
        "CreatedByUserName": transfer.created_by,
        "LastModified": _stamp(transfer.modified),
        "DeliveryId": transfer.delivery_id,
        "ActualDepartureDateTime": _stamp(transfer.departed_at),
        "ReceivedDateTime": _stamp(transfer.received_at),
    }


def _recipient(transfer: Transfer) -> Body:
    kind = EXTERNAL_TYPE if transfer.is_external else "Wholesale Manifest"
    return {
        "RecipientFacilityLicenseNumber": transfer.recipient.number,
        "RecipientFacilityName": transfer.recipient.name,
        "ShipmentTypeName": kind,
        "ShipmentTransactionType": _TRANSACTIONS[kind],
    }


def _transfer_counts(transfer: Transfer) -> Body:
    return {"DeliveryPackageCount": transfer.sent, "DeliveryReceivedPackageCount": transfer.accepted}


def transfer_delivery_body(transfer: Transfer, license_: License) -> Body:
    """A row of ``/transfers/v2/{id}/deliveries``."""
    planned = {
        "Id": transfer.delivery_id,
        "ManifestNumber": transfer.manifest,
        "DeliveryNumber": 1,
        "InvoiceNumber": transfer.invoice,
        "EstimatedDepartureDateTime": _wall(transfer.departs_at, license_),
        "EstimatedArrivalDateTime": _wall(transfer.arrives_at, license_),
        "PlannedRoute": "State road 9 south, exit 14.",
        "ReceivedDateTime": _stamp(transfer.received_at),
    }
    return _TRANSFER_DELIVERY | planned | _recipient(transfer) | _transfer_counts(transfer)


def shipped_body(shipped: Shipped) -> Body:
    """A row of ``/transfers/v2/deliveries/{id}/packages``."""
    item = shipped.item
    return _SHIPPED | {
        "PackageId": shipped.package_id,
        "PackageLabel": shipped.label,
        "PackageType": "Product",
        "SourceHarvestNames": Package.harvests,
        "SourcePackageLabels": Package.sources,
        "ItemId": item.id,
        "ItemName": item.name,
        "ItemCategoryName": item.category.name,
        "ItemStrainName": item.strain,
        "ItemUnitWeight": _number(item.unit_weight),
        "ItemUnitWeightUnitOfMeasureName": _weight_unit(item),
        "LabTestingState": shipped.lab_state,
        "ShipmentPackageState": shipped.state,
        "ShippedQuantity": _number(shipped.quantity),
        "ShippedUnitOfMeasureName": item.unit,
        "PackagedDate": _day(shipped.packaged_on),
        "ReceivedQuantity": _number(shipped.received),
        "ReceivedUnitOfMeasureName": None if shipped.received is None else item.unit,
        "ProductLabel": _PRODUCT_LABEL,
    }


def wholesale_body(shipped: Shipped) -> Body:
    """A row of ``/transfers/v2/deliveries/{id}/packages/wholesale``."""
    return {
        "PackageId": shipped.package_id,
        "PackageLabel": shipped.label,
        "ShipperWholesalePrice": _number(shipped.price),
        "ReceiverWholesalePrice": None if shipped.received is None else _number(shipped.price),
    }


def transferred_body(row: TransferredRow) -> Body:
    """A row of ``/packages/v2/transferred``."""
    shipped, unit = row.shipped, UNITS[row.shipped.item.unit][0]
    return {
        "Id": row.id,
        "PackageId": shipped.package_id,
        "RecipientFacilityLicenseNumber": row.recipient.number,
        "RecipientFacilityName": row.recipient.name,
        "ManifestNumber": row.manifest,
        "PackageLabel": shipped.label,
        "ExternalId": None,
        "SourceHarvestNames": Package.harvests,
        "SourcePackageLabels": Package.sources,
        "ProductName": shipped.item.name,
        "ProductCategoryName": shipped.item.category.name,
        "ItemStrainName": shipped.item.strain,
        "LabTestingStateName": shipped.lab_state,
        "ShippedQuantity": _number(shipped.quantity),
        "ShippedUnitOfMeasureAbbreviation": unit,
        "GrossWeight": None,
        "GrossUnitOfWeightAbbreviation": None,
        "ShipperWholesalePrice": _number(shipped.price),
        "ReceivedQuantity": _number(shipped.received),
        "ReceivedUnitOfMeasureAbbreviation": None if shipped.received is None else unit,
        "ReceiverWholesalePrice": None if shipped.received is None else _number(shipped.price),
        "ShipmentPackageStateName": shipped.state,
        "ActualDepartureDateTime": _stamp(row.departed_at),
        "ReceivedDateTime": _stamp(row.received_at),
        "ProcessingJobTypeName": None,
    }


def adjustment_body(adjustment: Adjustment) -> Body:
    """A row of ``/packages/v2/adjustments``."""
    item = adjustment.package.item
    return {
        "PackageId": adjustment.package.id,
        "PackageLabel": adjustment.package.label,
        "ItemName": item.name,
        "ItemCategoryName": item.category.name,
        "AdjustmentQuantity": _number(adjustment.quantity),
        "AdjustmentUnitOfMeasureName": item.unit,
        "AdjustmentUnitOfMeasureAbbreviation": UNITS[item.unit][0],
        "AdjustmentReasonName": adjustment.reason,
        "AdjustmentNote": adjustment.note,
        "AdjustmentDate": f"{adjustment.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "PackagedDate": f"{adjustment.packaged_on}T00:00:00Z",
        "AdjustedByUserName": adjustment.by,
        "PackageLabTestResultExpirationDateTime": None,
    }


def _reason_body(reason: tuple[str, bool]) -> Body:
    name, needs_note = reason
    wastes = ("RequiresWasteWeight", "RequiresImmatureWasteWeight", "RequiresMatureWasteWeight")
    return {"Name": name, "RequiresNote": needs_note} | dict.fromkeys(wastes, False)


def _brand_body(brand: tuple[int, str, str]) -> Body:
    number, name, status = brand
    return {"Id": number, "Name": name, "Status": status}


def transfer_type_body(name: str) -> Body:
    """A row of ``/transfers/v2/types``. Only the type tells whether a transfer came from outside the system."""
    external = name == EXTERNAL_TYPE
    return _TRANSFER_TYPE | {
        "Name": name,
        "TransactionType": _TRANSACTIONS[name],
        "ForLicensedShipments": not external,
        "ForExternalIncomingShipments": external,
    }


def tag_body(number: int, label: str, license_: License) -> Body:
    """An element of ``/tags/v2/package/available``."""
    return {
        "Id": number,
        "GroupTagTypeName": None,
        "TagTypeName": None,
        "GroupTagTypeId": None,
        "TagTypeId": None,
        "TagInventoryTypeName": "CannabisPackage",
        "MaxGroupSize": 0,
        "FacilityId": license_.facility_id,
        "Label": label,
    }


# --- refusals ---------------------------------------------------------------------------------------------------------


class Refused(Exception):
    """An answer other than 200, with the response that says so."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def _message(status: int, text: str) -> Refused:
    return Refused(JSONResponse({"Message": text}, status))


def _unauthorized() -> Refused:
    # one empty 401 for a bad key, a missing right, a wrong license and a foreign record: they cannot be told apart
    return Refused(Response(status_code=401))


def _bad(text: str) -> Refused:
    return Refused(PlainTextResponse(text, 400))


# --- what a call asks -------------------------------------------------------------------------------------------------


class Clock(Protocol):
    """Where the stand-in's ``now`` comes from."""

    def now(self) -> datetime:
        """Aware, in UTC."""
        ...


@dataclass(frozen=True)
class Window:
    """A span of ``LastModified``, both ends included."""

    start: datetime
    end: datetime

    def holds(self, at: datetime) -> bool:
        """Whether something that changed at ``at`` lies inside."""
        return self.start <= at <= self.end


@dataclass(frozen=True)
class Page:
    """A page asked for; ``size`` None: paging is off."""

    number: int
    size: int | None


@dataclass(frozen=True)
class Call:
    """One request that passed the ladder: whose key, at which license, when."""

    request: Request
    key: Key
    license: License | None
    now: datetime
    body: bytes

    @property
    def at(self) -> License:
        """The license of a call that needs one."""
        if self.license is None:
            raise _bad("A license number is needed.")
        return self.license

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def number(self, name: str = "id") -> int:
        """A numeric part of the path; anything else names no record."""
        text = self.path(name)
        if not text.isdecimal():
            raise _message(404, "Not Found")
        return int(text)


def _moment(text: str) -> datetime:
    # an unescaped "+" arrives as a space: METRC then drops the offset without a word, and so does this
    text = text.partition(" ")[0]
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise _message(400, f"The value {text!r} is not a date.") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _whole(text: str, name: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise _bad(f"{name} has to be a whole number from 1.")
    return int(text)


def _page(query: Mapping[str, str]) -> Page:
    size = _whole(query["pageSize"], "pageSize") if "pageSize" in query else None
    if size is not None and size > PAGE_LIMIT:
        raise _bad(f"pageSize must not be above {PAGE_LIMIT}.")
    return Page(_whole(query.get("pageNumber", "1"), "pageNumber") if size else 1, size)


def _envelope(records: Sequence[Record], page: Page, body: Callable[[Record], Body]) -> Body:
    size = page.size or len(records) or PAGE_LIMIT
    shown = records[(page.number - 1) * size : page.number * size]
    return {
        "Data": [body(each) for each in shown],
        "Total": len(records),
        "TotalRecords": len(records),
        "PageSize": size,
        "RecordsOnPage": len(shown),
        "Page": page.number,
        "CurrentPage": page.number,
        "TotalPages": max(1, -(-len(records) // size)),
    }


def _credentials(header: str) -> tuple[str, str] | None:
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        vendor, colon, user = base64.b64decode(text, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (vendor, user) if colon else None


# --- the stand-in -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """One request that came: ``query`` is without any key, ``at`` the stand-in's time on arrival.

    ``status`` 0: the caller went away before the answer.
    """

    method: str
    path: str
    query: Mapping[str, str]
    status: int
    at: datetime


@dataclass(frozen=True)
class Write:
    """One write that came, done or refused. ``body`` is its text."""

    method: str
    path: str
    license: str | None
    body: str
    status: int
    at: datetime


Handler = Callable[[Call], Response]


@dataclass(frozen=True)
class Asked:
    """What stands behind a path."""

    family: str | None
    licensed: bool
    handler: Handler


Known = tuple[str, str, tuple[str | None, bool, Handler]]
"""A row of the tables of calls: method, path, and what stands behind it as the fields of ``Asked``."""


class MetrcStandIn:
    """METRC over ``world``. ``latency`` seconds are added to every answer.

    ``requests``: everything that came, in the order of the answers. ``writes``: what tried to change something.
    ``high_water``: the most requests ever in flight at once.
    """

    def __init__(self, world: World, clock: Clock, latency: float = 0.0) -> None:
        self.world = world
        self.clock = clock
        self.latency = latency
        self.requests: list[Entry] = []
        self.writes: list[Write] = []
        self.in_flight = 0
        self.high_water = 0
        self._unknown = itertools.cycle((401, 404))
        self._landing: list[tuple[datetime, Callable[[], Response]]] = []
        self.asgi = Starlette(routes=self._routes())

    def count(self, prefix: str = "/", *, method: str | None = None) -> int:
        """How many requests came under ``prefix``."""
        return sum(e.path.startswith(prefix) and method in (None, e.method) for e in self.requests)

    def _routes(self) -> list[Route]:
        """The order counts: fixed paths before those with a label or an id in them."""
        known = [*self._open_calls(), *self._package_calls(), *self._sales_calls(), *self._transfer_calls()]
        routes = [self._route(path, [method], Asked(*behind)) for method, path, behind in known]
        every = ["GET", "POST", "PUT", "DELETE", "PATCH"]
        return [*routes, self._route("/{rest:path}", every, Asked(None, False, self._not_deployed))]  # noqa: FBT003 a column of the tables

    def _route(self, path: str, methods: list[str], asked: Asked) -> Route:
        async def answer(request: Request) -> Response:
            return await self._answer(request, asked)

        return Route(path, answer, methods=methods)

    def _open_calls(self) -> list[Known]:
        return [
            ("GET", "/facilities/v2/", (None, False, self._facilities)),
            ("GET", "/unitsofmeasure/v2/active", (None, False, self._units)),
            ("GET", "/unitsofmeasure/v2/inactive", (None, False, _fixed([]))),
            ("GET", "/packages/v2/types", (None, False, _fixed(PACKAGE_TYPES))),
            ("GET", "/labtests/v2/states", (None, False, _fixed(LAB_STATES))),
            ("GET", "/sales/v2/customertypes", (None, False, _fixed(CUSTOMER_TYPES))),
            ("GET", "/transfers/v2/deliveries/packages/states", (None, False, _fixed(SHIPMENT_STATES))),
            ("GET", "/employees/v2/permissions", ("employees", True, self._permissions)),
            ("GET", "/employees/v2/", ("employees", True, self._employees)),
            ("GET", "/tags/v2/package/available", ("tags", True, self._tags)),
            ("GET", "/items/v2/categories", (None, False, self._categories)),
            ("GET", "/items/v2/active", ("items", True, self._items_active)),
            ("GET", "/items/v2/inactive", ("items", True, self._items_inactive)),
            ("GET", "/items/v2/brands", ("items", True, self._brands)),
            ("GET", "/items/v2/{id}", ("items", True, self._item)),
        ]

    def _package_calls(self) -> list[Known]:
        lists = ("active", "onhold", "inactive", "intransit", "labsamples")
        return [
            *(("GET", f"/packages/v2/{name}", ("packages", True, self._package_list(name))) for name in lists),
            ("GET", "/packages/v2/transferred", ("packages", True, self._transferred)),
            ("GET", "/packages/v2/adjustments", ("packages", True, self._adjustments)),
            ("GET", "/packages/v2/adjust/reasons", (None, True, self._reasons)),
            ("GET", "/packages/v2/{id}/source/harvests", ("packages", True, self._harvests)),
            ("GET", "/packages/v2/{key}", ("packages", True, self._package)),
            ("GET", "/retailid/v2/receive/qr/{code}", ("packages", True, self._scanned)),
        ]

    def _sales_calls(self) -> list[Known]:
        receipts, deliveries = "/sales/v2/receipts", "/sales/v2/deliveries"
        return [
            ("GET", f"{receipts}/active", ("sales", True, self._receipts_active)),
            ("GET", f"{receipts}/inactive", ("sales", True, self._receipts_inactive)),
            ("GET", f"{receipts}/external/{{number}}", ("sales", True, self._receipt_by_external)),
            ("GET", f"{receipts}/{{id}}", ("sales", True, self._receipt)),
            ("PUT", f"{receipts}/finalize", ("sales", True, self._finalize)),
            ("PUT", f"{receipts}/unfinalize", ("sales", True, self._unfinalize)),
            ("DELETE", f"{receipts}/{{id}}", ("sales", True, self._archive)),
            ("GET", f"{deliveries}/active", ("deliveries", True, self._deliveries_active)),
            ("GET", f"{deliveries}/inactive", ("deliveries", True, self._deliveries_inactive)),
            ("GET", f"{deliveries}/{{id}}", ("deliveries", True, self._delivery)),
        ]

    def _transfer_calls(self) -> list[Known]:
        below = "/transfers/v2/deliveries/{id}/packages"
        return [
            ("GET", "/transfers/v2/incoming", ("transfers", True, self._incoming)),
            ("GET", "/transfers/v2/outgoing", ("transfers", True, self._outgoing)),
            ("GET", "/transfers/v2/types", (None, True, self._types)),
            ("GET", "/transfers/v2/rejected", ("transfers", True, self._rejected)),
            ("GET", "/transfers/v2/{id}/deliveries", ("transfers", False, self._transfer_deliveries)),
            ("GET", below, ("transfers", False, self._transfer_packages)),
            ("GET", f"{below}/wholesale", ("transfers", False, self._wholesale)),
            ("DELETE", "/transfers/v2/external/incoming/{id}", ("transfers", True, self._void_external)),
        ]

    # --- the ladder every call climbs ---------------------------------------------------------------------------------

    async def _answer(self, request: Request, asked: Asked) -> Response:
        at, body, status = self.clock.now(), await request.body(), 0
        self._land()
        with self._flight():
            try:
                await asyncio.sleep(self.latency + self.world.slow_seconds)
                response = await self._troubled(request, lambda: self._judged(request, body, asked))
                status = response.status_code
                return response
            finally:
                self._note(request, body, at, status)

    @contextmanager
    def _flight(self) -> Iterator[None]:
        self.in_flight += 1
        self.high_water = max(self.high_water, self.in_flight)
        try:
            yield
        finally:
            self.in_flight -= 1

    def _note(self, request: Request, body: bytes, at: datetime, status: int) -> None:
        query = dict(request.query_params)
        self.requests.append(Entry(request.method, request.url.path, query, status, at))
        if request.method != "GET":
            text, number = body.decode("utf-8", "replace"), query.get("licenseNumber")
            self.writes.append(Write(request.method, request.url.path, number, text, status, at))

    def _judged(self, request: Request, body: bytes, asked: Asked) -> Response:
        try:
            return asked.handler(self._admit(request, body, asked))
        except Refused as refused:
            return refused.response

    def _admit(self, request: Request, body: bytes, asked: Asked) -> Call:
        key = self._key(request)
        license_ = self._license(request, key) if asked.licensed else None
        if asked.family:
            _check_right(key, asked.family, write=request.method != "GET")
            _check_type(license_, asked.family)
        return Call(request, key, license_, self.clock.now(), body)

    def _key(self, request: Request) -> Key:
        pair = _credentials(request.headers.get("authorization", ""))
        for key in self.world.keys:
            if key.alive and pair == (key.vendor, key.user):
                return key
        raise _unauthorized()

    def _license(self, request: Request, key: Key) -> License:
        number = request.query_params.get("licenseNumber")
        if not number:
            raise _bad("A license number is needed.")
        if number not in key.licenses or number not in self.world.licenses:
            raise _unauthorized()
        return self.world.licenses[number]

    # --- trouble ------------------------------------------------------------------------------------------------------

    async def _troubled(self, request: Request, healthy: Callable[[], Response]) -> Response:
        limit, trouble = self.world.rate_limit, self.world.trouble
        if limit and _spend(limit):
            return _too_many(limit.retry_after)
        if trouble is None or not _strikes(trouble, request) or not _spend(trouble):
            return healthy()
        if trouble.kind == "late":
            self._landing.append((self.clock.now() + timedelta(seconds=trouble.lands_after), healthy))
            return _broken("504", healthy)
        if trouble.kind in ("timeout", "504_after"):
            # the gateway gives up, yet METRC may have done what it was told
            healthy()
        if trouble.kind == "timeout":
            await asyncio.sleep(self.world.hang_seconds)
        return _broken(trouble.kind.removesuffix("_after"), healthy)

    def _land(self) -> None:
        """Let happen what was asked for long ago."""
        now = self.clock.now()
        due = [landing for at, landing in self._landing if at <= now]
        self._landing = [(at, landing) for at, landing in self._landing if at > now]
        for landing in due:
            landing()

    # --- facilities, people, items ------------------------------------------------------------------------------------

    def _facilities(self, call: Call) -> Response:
        reached = [each for each in self.world.licenses.values() if each.number in call.key.licenses]
        return JSONResponse([facility_body(each) for each in reached])

    def _units(self, _: Call) -> Response:
        units = [{"QuantityType": kind, "Name": name, "Abbreviation": short} for name, (short, kind) in UNITS.items()]
        return JSONResponse(units)

    def _permissions(self, call: Call) -> Response:
        if not self.world.permissions_endpoint:
            raise _message(404, "Not Found")
        number = call.request.query_params.get("employeeLicenseNumber")
        for employee in self.world.employees:
            if employee.number == number:
                return JSONResponse(employee.permissions)
        raise _unauthorized()

    def _employees(self, call: Call) -> Response:
        return self._listed(call, self.world.employees, employee_body)

    def _tags(self, call: Call) -> Response:
        spare = enumerate(self.world.spare_tags, start=801)
        return JSONResponse([tag_body(number, label, call.at) for number, label in spare])

    def _categories(self, call: Call) -> Response:
        return self._listed(call, self.world.categories, category_body)

    def _brands(self, call: Call) -> Response:
        return self._listed(call, self.world.brands, _brand_body)

    def _items_active(self, call: Call) -> Response:
        window = self._window(call)
        items = [i for i in self.world.items.values() if i.is_active and window.holds(i.approved_at)]
        return self._listed(call, items, item_body)

    def _items_inactive(self, call: Call) -> Response:
        return self._listed(call, [each for each in self.world.items.values() if not each.is_active], item_body)

    def _item(self, call: Call) -> Response:
        item = self.world.items.get(call.number())
        if item is None:
            raise self._no_such()
        return JSONResponse(item_body(item))

    # --- packages -----------------------------------------------------------------------------------------------------

    def _package_list(self, name: str) -> Handler:
        def answer(call: Call) -> Response:
            window = self._window(call)
            here = [p for p in self.world.packages if p.license == call.at.number and p.listing == name]
            return self._listed(call, [p for p in here if window.holds(p.modified)], self._package_body)

        return answer

    def _package_body(self, package: Package) -> Body:
        return package_body(package, patient=f"PLANTED-PATIENT-{package.id}" if self.world.plant_patients else "")

    def _package(self, call: Call) -> Response:
        key = call.path("key")
        # a label of 24 digits is still a label
        matching = [p for p in self.world.packages if key == (str(p.id) if len(key) < 24 else p.label)]
        for package in matching:
            if package.license == call.at.number and package.listing != "intransit":
                return JSONResponse(self._package_body(package))
        if any(p.license != call.at.number for p in matching):
            raise _unauthorized()
        raise self._no_such()

    def _scanned(self, call: Call) -> Response:
        label = self.world.scans.get(call.path("code"))
        if label is None:
            raise self._no_such()
        return JSONResponse({"ChildTag": label.lower(), "SiblingTags": [], "LabelSource": "RetailId"})

    def _no_such(self) -> Refused:
        status = self.world.unknown_label_status
        return Refused(Response(status_code=next(self._unknown) if status == "alternate" else int(status)))

    def _harvests(self, call: Call) -> Response:
        for package in self.world.packages:
            if package.id == call.number() and package.license == call.at.number:
                return JSONResponse([_harvest_body(package)])
        raise self._no_such()

    def _transferred(self, call: Call) -> Response:
        window = self._window(call)
        rows = [row for row in self.world.transferred if row.license == call.at.number]
        rows = [row for row in rows if window.holds(row.received_at or row.departed_at)]
        return self._listed(call, rows, transferred_body)

    def _adjustments(self, call: Call) -> Response:
        window = self._window(call)
        rows = [each for each in self.world.adjustments if each.license == call.at.number and window.holds(each.at)]
        return self._listed(call, rows, adjustment_body)

    def _reasons(self, call: Call) -> Response:
        return self._listed(call, list(ADJUST_REASONS.items()), _reason_body)

    # --- sales --------------------------------------------------------------------------------------------------------

    def _receipts_active(self, call: Call) -> Response:
        return self._receipts(call, active=True)

    def _receipts_inactive(self, call: Call) -> Response:
        return self._receipts(call, active=False)

    def _receipts(self, call: Call, *, active: bool) -> Response:
        window = self._window(call)
        rows = [r for r in self.world.receipts if r.license == call.at.number and r.is_active == active]
        changed = [r for r in rows if window.holds(r.modified)]
        return self._listed(call, changed, lambda receipt: self._receipt_body(receipt, lines=False))

    def _receipt_body(self, receipt: Receipt, *, lines: bool) -> Body:
        license_ = self.world.licenses[receipt.license]
        return receipt_body(receipt, license_, lines=lines, planted=self.world.plant_patients)

    def _receipt(self, call: Call) -> Response:
        return JSONResponse(self._receipt_body(self._find_receipt(call, call.number()), lines=True))

    def _find_receipt(self, call: Call, number: int) -> Receipt:
        for receipt in self.world.receipts:
            if receipt.id == number and receipt.license != call.at.number:
                raise _unauthorized()
            if receipt.id == number:
                return receipt
        raise self._no_such()

    def _receipt_by_external(self, call: Call) -> Response:
        number = call.path("number")
        found = [r for r in self.world.receipts if r.external == number and r.license == call.at.number]
        if not found:
            raise self._no_such()
        # one object, whatever there is: a pair cannot be seen through this call
        first = min(found, key=lambda receipt: (receipt.archived_on is not None, receipt.id))
        return JSONResponse(self._receipt_body(first, lines=True))

    def _archive(self, call: Call) -> Response:
        receipt = self._find_receipt(call, call.number())
        if receipt.archived_on is not None:
            return Response(status_code=self.world.repeat_void_status)
        if receipt.is_final:
            raise _message(400, "A finalized receipt has to be unfinalized before it can be voided.")
        self.world.void_receipt(receipt, call.now)
        return Response(status_code=200)

    def _finalize(self, call: Call) -> Response:
        return self._set_final(call, final=True)

    def _unfinalize(self, call: Call) -> Response:
        return self._set_final(call, final=False)

    def _set_final(self, call: Call, *, final: bool) -> Response:
        receipts = [self._find_receipt(call, number) for number in _sent_ids(call.body)]
        for receipt in receipts:
            self.world.finalize(receipt, call.now, final=final)
        return Response(status_code=200)

    def _deliveries_active(self, call: Call) -> Response:
        return self._deliveries(call, active=True)

    def _deliveries_inactive(self, call: Call) -> Response:
        return self._deliveries(call, active=False)

    def _deliveries(self, call: Call, *, active: bool) -> Response:
        window = self._window(call)
        here = [d for d in self.world.deliveries if d.license == call.at.number and window.holds(d.modified)]
        rows = [d for d in here if (d.completed_at is None and d.voided_on is None) == active]
        return self._listed(call, rows, lambda delivery: self._delivery_body(delivery, call.at, lines=False))

    def _delivery_body(self, delivery: Delivery, license_: License, *, lines: bool) -> Body:
        return delivery_body(delivery, license_, lines=lines, planted=self.world.plant_patients)

    def _delivery(self, call: Call) -> Response:
        for delivery in self.world.deliveries:
            if delivery.id == call.number() and delivery.license == call.at.number:
                return JSONResponse(self._delivery_body(delivery, call.at, lines=True))
        raise self._no_such()

    # --- transfers ----------------------------------------------------------------------------------------------------

    def _incoming(self, call: Call) -> Response:
        window = self._window(call)
        to_here = [t for t in self.world.transfers if t.recipient.number == call.at.number and not t.is_rejected]
        changed = [t for t in to_here if window.holds(t.modified)]
        return self._listed(call, changed, lambda transfer: transfer_body(transfer, call.at))

    def _outgoing(self, call: Call) -> Response:
        window = self._window(call)
        from_here = [t for t in self.world.transfers if t.shipper.number == call.at.number]
        changed = [t for t in from_here if window.holds(t.modified)]
        return self._listed(call, changed, lambda transfer: transfer_body(transfer, call.at, outgoing=True))

    def _rejected(self, call: Call) -> Response:
        """Not windowed: METRC documents no window for it."""
        rejected = [t for t in self.world.transfers if t.recipient.number == call.at.number and t.is_rejected]
        return self._listed(call, rejected, lambda transfer: transfer_body(transfer, call.at))

    def _types(self, call: Call) -> Response:
        """The external type is listed for a facility that may receive from outside."""
        external = "CanTransferFromExternalFacilities" in call.at.flags
        names = [name for name in _TRANSACTIONS if external or name != EXTERNAL_TYPE]
        return self._listed(call, names, transfer_type_body)

    def _reached(self, call: Call, transfer: Transfer) -> License:
        for number in (transfer.recipient.number, transfer.shipper.number):
            if number in call.key.licenses and number in self.world.licenses:
                return self.world.licenses[number]
        raise _unauthorized()

    def _transfer_deliveries(self, call: Call) -> Response:
        found = [transfer for transfer in self.world.transfers if transfer.id == call.number()]
        if not found:
            raise self._no_such()
        license_ = self._reached(call, found[0])
        return self._listed(call, found, lambda transfer: transfer_delivery_body(transfer, license_))

    def _transfer_packages(self, call: Call) -> Response:
        return self._listed(call, self._on_delivery(call), shipped_body)

    def _wholesale(self, call: Call) -> Response:
        return self._listed(call, self._on_delivery(call), wholesale_body)

    def _on_delivery(self, call: Call) -> list[Shipped]:
        for transfer in self.world.transfers:
            if transfer.delivery_id == call.number():
                self._reached(call, transfer)
                return transfer.packages
        raise self._no_such()

    def _void_external(self, call: Call) -> Response:
        for transfer in self.world.transfers:
            if transfer.id == call.number() and transfer.recipient.number == call.at.number:
                self._check_voidable(transfer)
                self.world.void_transfer(transfer, call.now)
                return Response(status_code=200)
        raise self._no_such()

    def _check_voidable(self, transfer: Transfer) -> None:
        if not transfer.is_external:
            raise _message(400, "Only an external incoming transfer can be voided by its recipient.")
        if transfer.received_at is not None:
            raise _message(400, "A received transfer cannot be voided.")

    # --- shared -------------------------------------------------------------------------------------------------------

    def _not_deployed(self, _: Call) -> Response:
        raise _message(404, "Not Found")

    def _window(self, call: Call) -> Window:
        """What was asked for; without a word about it METRC shows what changed during the last day."""
        query = call.request.query_params
        start, end = query.get("lastModifiedStart"), query.get("lastModifiedEnd")
        if not start and not end:
            return Window(call.now - RECENT, call.now)
        window = Window(
            _moment(start) if start else datetime.min.replace(tzinfo=UTC), _moment(end) if end else call.now
        )
        self._check_width(window)
        return window

    def _check_width(self, window: Window) -> None:
        hours = self.world.window_hours
        if hours is not None and window.end - window.start > timedelta(hours=hours):
            raise _message(400, f"The window between the two dates must not be wider than {hours} hours.")

    def _listed(self, call: Call, records: Sequence[Record], body: Callable[[Record], Body]) -> Response:
        """Records in METRC's order, newest id first, in an envelope; only those of the page are written out."""
        ordered = sorted(records, key=lambda record: -int(getattr(record, "id", 0)))
        page = _page(call.request.query_params)
        if page.size is None and self.world.bare_lists:
            return JSONResponse([body(each) for each in ordered])
        return JSONResponse(_envelope(ordered, page, body))


def _fixed(values: Sequence[str]) -> Handler:
    def answer(_: Call) -> Response:
        return JSONResponse(list(values))

    return answer


def _check_right(key: Key, family: str, *, write: bool) -> None:
    rights = FAMILY_RIGHTS[family]
    if key.rights.isdisjoint(rights[-1:] if write else rights):
        raise _unauthorized()


def _check_type(license_: License | None, family: str) -> None:
    """A facility type without sales answers its sales calls like a missing right."""
    if family in ("sales", "deliveries") and license_ is not None and not license_.sells:
        raise _unauthorized()


def _sent_ids(body: bytes) -> list[int]:
    """The ids of a write's array of objects."""
    try:
        rows = json.loads(body)
    except ValueError as error:
        raise _bad("The body is not JSON.") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _message(400, "An array of objects is expected.")
    if len(rows) > OBJECT_LIMIT:
        raise _message(413, "The content being submitted is too large")
    missing = [{"row": place, "message": "Id is needed."} for place, row in enumerate(rows) if not _has_id(row)]
    if missing:
        raise Refused(JSONResponse(missing, 400))
    return [row["Id"] for row in rows]


def _has_id(row: Mapping[str, object]) -> bool:
    return isinstance(row.get("Id"), int)


def _harvest_body(package: Package) -> Body:
    return {
        "HarvestedByFacilityLicenseNumber": package.shipper.number,
        "HarvestedByFacilityName": package.shipper.name,
        "Name": package.harvests,
        "HarvestStartDate": package.harvests[:10],
    }


def _strikes(trouble: Trouble, request: Request) -> bool:
    return request.url.path.startswith(trouble.prefix) and trouble.method in (None, request.method)


class _Limited(Protocol):
    left: int | None


def _spend(limited: _Limited) -> bool:
    """Whether the trouble still holds; one that is counted loses one."""
    if limited.left is None:
        return True
    limited.left -= 1
    return limited.left >= 0


def _too_many(retry_after: int | None) -> Response:
    if retry_after is None:
        return Response(status_code=429)
    return JSONResponse({"Message": "Too many requests"}, 429, headers={"Retry-After": str(retry_after)})


_HTML: Final = "<html><head><title>503 Service Temporarily Unavailable</title></head><body></body></html>"


def _broken(kind: str, healthy: Callable[[], Response]) -> Response:
    if kind == "torn":
        whole = bytes(healthy().body)
        return Response(whole[: len(whole) // 2], 200, media_type="application/json")
    if kind == "500":
        return JSONResponse({"Message": "An error has occurred."}, 500)
    if kind in ("504", "timeout"):
        return PlainTextResponse("upstream request timeout", 504)
    if kind == "empty200":
        return Response(status_code=200)
    return Response(_HTML, 503 if kind == "503" else 200, media_type="text/html")
