"""The OpenAPI schema of the read API. tests/contract checks the API against it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.test import Client

from django_hoiio.api import urls
from django_hoiio.api.views import CallViewSet, FaxViewSet, NotificationViewSet, SmsViewSet, TotalViewSet
from django_hoiio.enums import SmsStatus, Traffic
from django_hoiio.models import Notification

VIEWS: dict[str, Any] = {
    "notifications": NotificationViewSet,
    "calls": CallViewSet,
    "sms": SmsViewSet,
    "faxes": FaxViewSet,
    "totals": TotalViewSet,
}


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The schema as the command writes it; a warning of it fails."""
    file = tmp_path_factory.mktemp("schema") / "schema.yaml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(file))
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def operations(schema: Any) -> dict[str, Any]:
    return {
        operation["operationId"]: operation
        for path, methods in schema["paths"].items()
        for operation in methods.values()
        if path.startswith("/api/hoiio/")
    }


def parameters(operation: Any) -> dict[str, Any]:
    return {each["name"]: each for each in operation["parameters"] if each["in"] == "query"}


def test_operations_have_unique_names(schema: Any) -> None:
    assert set(operations(schema)) == {
        "hoiio_notifications_list",
        "hoiio_notifications_retrieve",
        "hoiio_calls_list",
        "hoiio_calls_retrieve",
        "hoiio_sms_list",
        "hoiio_sms_retrieve",
        "hoiio_faxes_list",
        "hoiio_faxes_retrieve",
        "hoiio_totals_list",
    }
    assert {method for path, methods in schema["paths"].items() for method in methods} == {"get"}


def test_each_operation_describes_its_responses(schema: Any) -> None:
    for name, operation in operations(schema).items():
        statuses = {"200", "401", "403", "404", "429"} | ({"400"} if name.endswith("_list") else set())
        assert (set(operation["responses"]), bool(operation["summary"]), operation["tags"]) == (
            statuses,
            True,
            ["hoiio"],
        )


@pytest.mark.parametrize("name", VIEWS)
def test_list_names_each_filter_with_an_example(schema: Any, name: str) -> None:
    described = parameters(operations(schema)[f"hoiio_{name}_list"])
    filters = set(VIEWS[name].filterset_class.base_filters)
    paging = {"cursor"} if name == "totals" else {"cursor", "page_size"}

    assert set(described) == filters | paging
    assert [each for each in filters if not described[each]["description"] or "example" not in described[each]] == []


def test_statuses_are_extensible_enums(schema: Any) -> None:
    components = schema["components"]["schemas"]
    word = components["HoiioSms"]["properties"]["sms_status"]

    assert (word["type"], word["x-extensible-enum"], "enum" in word) == ("string", SmsStatus.values, False)
    assert components["HoiioTotal"]["properties"]["traffic"]["x-extensible-enum"] == Traffic.values
    assert [name for name, each in components.items() if "Enum" in name or "enum" in each] == []


def test_raw_request_is_described_and_may_be_null(schema: Any) -> None:
    components = schema["components"]["schemas"]
    raw = components["HoiioNotificationDetail"]["properties"]["raw"]

    assert raw["nullable"] is True
    assert components["Raw"]["properties"]["body"]["format"] == "byte"
    assert "raw" not in components["HoiioNotification"]["properties"]


def test_component_describes_each_field(schema: Any) -> None:
    fields = schema["components"]["schemas"]["HoiioSms"]["properties"]

    assert [name for name, each in fields.items() if "description" not in each and name != "id"] == []


@pytest.mark.django_db
def test_schema_is_served(client: Client) -> None:
    assert "operationId: hoiio_sms_list" in client.get("/api/schema/").content.decode()


def test_schema_contains_no_stored_data(schema: Any) -> None:
    # It is made without a query: the test has no database.
    assert Notification._meta.db_table not in str(schema)
    assert urls.app_name == "hoiio_api"
