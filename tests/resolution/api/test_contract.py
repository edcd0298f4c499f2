"""What the schema promises, tried with requests made from it: right ones, wrong ones, strange ones."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, settings
from rest_framework.test import APIClient
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.parameters import ParameterLocation

from customers.models import Mapping
from identity_project.wsgi import application
from resolution.services.blocks import block_value
from resolution.services.merge import merge_customers
from resolution.types import Actor
from tests.factories import ChannelFactory, ConflictFactory, CustomerFactory, MappingFactory, draft, lead

load_all_checks()
PROMISES = [
    CHECKS.get_one(name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "negative_data_rejection",
    )
]
SCHEMA = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(request=None, public=True))
SCHEMA.app = application


def _examples(number: int) -> settings:
    """How many requests are made up for each operation, the same ones in every run."""
    return settings(
        max_examples=number,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture
def _one_connection() -> Iterator[None]:
    """The test's transaction lives on one connection, which a real server would close after each request."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def known(db: None) -> dict[str, Any]:
    """Ids that exist, for the addresses that take one."""
    ChannelFactory(code="shop")
    mapping: Mapping = MappingFactory()
    members = [CustomerFactory(name="Anna").pk, CustomerFactory(name="Anna").pk]
    merge = merge_customers(member_ids=members, actor=Actor.machine("test"))
    return {
        "customer_id": str(mapping.customer_id),
        "mapping_id": str(mapping.pk),
        "merge_id": merge.pk,
        "conflict_id": ConflictFactory().pk,
        "version": draft().version,
        "rule": "many_records",
        "identifier_type": "phone",
        "block_id": block_value(value="till_*", actor=Actor.machine("test")).row.pk,
    }


@SCHEMA.parametrize()
@pytest.mark.usefixtures("_one_connection")
@_examples(4)
def test_the_api_keeps_its_schema(case: Any, known: dict[str, Any], client_for: Any) -> None:
    _call(case, known, client_for)


@pytest.mark.soak
@SCHEMA.parametrize()
@pytest.mark.usefixtures("_one_connection")
@_examples(100)
def test_the_api_keeps_its_schema_for_long(case: Any, known: dict[str, Any], client_for: Any) -> None:
    _call(case, known, client_for)


def _call(case: Any, known: dict[str, Any], client_for: Any) -> None:
    caller: APIClient = client_for(lead(username=f"lead-{uuid.uuid4()}"))
    _use_known(case, known)
    headers = {"Authorization": caller._credentials["HTTP_AUTHORIZATION"]}
    case.call_and_validate(headers=headers, checks=PROMISES)


def _use_known(case: Any, known: dict[str, Any]) -> None:
    """Let well-formed addresses be about something that exists."""
    made = case.meta.components.get(ParameterLocation.PATH)
    if made is not None and made.mode.is_positive:
        case.path_parameters.update({name: known[name] for name in case.path_parameters if name in known})
