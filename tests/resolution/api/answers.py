"""Reading the API's answers."""

from __future__ import annotations

from typing import Any


def problem(response: Any, status: int, code: str) -> dict[str, Any]:
    """Return the problem details of a refusal after checking their form."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["code"] == code, body
    assert body["status"] == status
    assert body["type"] == f"urn:identity-desk:problem:{code}"
    assert body["detail"].endswith((".", "!", "?")), body["detail"]
    assert body["request_id"]
    return body


def ids(response: Any) -> list[Any]:
    assert response.status_code == 200, response.content
    return [row["id"] for row in response.json()["results"]]
