"""The schema is valid OpenAPI 3.1, complete, and kept by what the API really answers."""

from __future__ import annotations

import re
from typing import Any

import pytest
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from openapi_spec_validator import OpenAPIV31SpecValidator
from playwright.sync_api import Page, expect
from rest_framework.test import APIClient

from resolution.api.urls import urlpatterns


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return SchemaGenerator().get_schema(request=None, public=True)


class TestSchema:
    def test_is_valid(self, schema: dict[str, Any]) -> None:
        assert schema["openapi"].startswith("3.1")
        assert not list(OpenAPIV31SpecValidator(schema).iter_errors())

    def test_is_made_without_warnings(self) -> None:
        GENERATOR_STATS.reset()
        SchemaGenerator().get_schema(request=None, public=True)
        assert not GENERATOR_STATS

    def test_names_every_method_of_every_address(self, schema: dict[str, Any]) -> None:
        told = {(path, method.upper()) for path, entry in schema["paths"].items() for method in entry}
        assert told == {
            (re.sub("<[a-z]+:([a-z_]+)>", r"{\1}", f"/api/v1/{pattern.pattern}"), method)
            for pattern in urlpatterns
            for method in getattr(pattern.callback.cls, "access", {})  # type: ignore[union-attr]
        }

    def test_tells_of_the_problem_answer_everywhere(self, schema: dict[str, Any]) -> None:
        for path, entry in schema["paths"].items():
            for operation in entry.values():
                content = operation["responses"]["default"]["content"]
                assert list(content) == ["application/problem+json"], path

    def test_every_post_takes_an_idempotency_key(self, schema: dict[str, Any]) -> None:
        for path, entry in schema["paths"].items():
            if "post" in entry:
                assert "Idempotency-Key" in {each["name"] for each in entry["post"]["parameters"]}, path

    @pytest.mark.django_db
    def test_is_served_to_everybody(self) -> None:
        response = APIClient().get("/api/schema/", HTTP_ACCEPT="application/json")
        assert response.status_code == 200
        assert response.json()["info"]["title"] == "Identity Desk"


@pytest.mark.django_db(transaction=True)
class TestDocs:
    def test_are_shown_under_the_strict_policy(self, live_server: Any, page: Page) -> None:
        page.goto(f"{live_server.url}/api/docs/")
        expect(page.get_by_text("/api/v1/resolve", exact=True)).to_be_visible(timeout=30_000)
