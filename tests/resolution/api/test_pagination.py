"""Pages: stable, bounded, and refusing what is no page of theirs."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from tests.factories import CustomerFactory
from tests.resolution.api.answers import ids, problem

pytestmark = pytest.mark.django_db
CUSTOMERS = "/api/v1/customers"


class TestPages:
    def test_lead_through_every_row_once_newest_first(self, service: APIClient) -> None:
        made = [str(CustomerFactory().pk) for _ in range(5)]
        seen, address = [], f"{CUSTOMERS}?limit=2"
        while address:
            response = service.get(address)
            seen += ids(response)
            address = response.json()["next"]
        assert seen == sorted(made, reverse=True)

    def test_rows_that_arrive_meanwhile_shift_nothing(self, service: APIClient) -> None:
        made = [str(CustomerFactory().pk) for _ in range(4)]
        first = service.get(f"{CUSTOMERS}?limit=2").json()
        CustomerFactory.create_batch(3)
        assert ids(service.get(first["next"])) == sorted(made, reverse=True)[2:]

    def test_keep_their_filters(self, service: APIClient) -> None:
        for name in ("Anna Smith", "Hans", "Anna Smythe", "Hans", "Anna Schmidt"):
            CustomerFactory(name=name)
        first = service.get(f"{CUSTOMERS}?limit=2&name=anna").json()
        second = service.get(first["next"]).json()
        names = {row["name"] for row in first["results"] + second["results"]}
        assert names == {"Anna Smith", "Anna Smythe", "Anna Schmidt"}

    def test_the_last_page_says_so(self, service: APIClient) -> None:
        CustomerFactory.create_batch(2)
        assert service.get(f"{CUSTOMERS}?limit=2").json()["next"] is None

    def test_an_empty_list_is_a_page(self, service: APIClient) -> None:
        assert service.get(CUSTOMERS).json() == {"next": None, "results": []}

    @pytest.mark.parametrize("limit", ["0", "201", "-1", "x", "1.5", "²", "9" * 5000, "0000000200999999"])
    def test_a_limit_out_of_range_is_refused(self, limit: str, service: APIClient) -> None:
        assert (
            "1 to 200"
            in problem(service.get(CUSTOMERS, {"limit": limit}), 400, "malformed_request")["detail"]
        )

    @pytest.mark.parametrize("cursor", ["x", "é", "bm90IGFuIGlk", "AAAA", "x" * 5000])
    def test_a_cursor_it_did_not_give_is_refused(self, cursor: str, service: APIClient) -> None:
        problem(service.get(CUSTOMERS, {"cursor": cursor}), 400, "malformed_request")

    @pytest.mark.parametrize("query", ["name=", "name=anna&name=hans", "limit=5&limit=6"])
    def test_a_parameter_without_value_or_given_twice_is_refused(
        self, query: str, service: APIClient
    ) -> None:
        problem(service.get(f"{CUSTOMERS}?{query}"), 400, "malformed_request")

    def test_an_unknown_parameter_is_refused_with_those_it_knows(self, service: APIClient) -> None:
        body = problem(service.get(f"{CUSTOMERS}?nmae=anna"), 400, "malformed_request")
        assert "name" in body["facts"]["known"]
