"""The guide's examples run as they stand and answer as shown."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone
from rest_framework.test import APIClient

from customers.models import Customer
from resolution.api.throttling import CallerRateThrottle
from resolution.conf import policy
from resolution.models import Merge, MergeProposal
from resolution.services.compare_models import compare_in_shadow
from resolution.services.note import note_untold
from resolution.types import Actor
from tests.factories import ChannelFactory, CustomerFactory, draft, lead, service_user
from tests.resolution.api.conftest import MakeClient

GUIDE = (Path(settings.BASE_DIR) / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```sh\n(.*?)```\n\n```json\n(.*?)```", GUIDE, re.DOTALL)
ANY = "…"


@pytest.mark.django_db
def test_every_example_answers_as_shown(client_for: MakeClient) -> None:
    variables = _variables(client_for)
    assert len(EXAMPLES) == GUIDE.count("```sh") >= 10
    for command, shown in EXAMPLES:
        answer = _run(command, {**variables, **_latest()})
        _compare(json.loads(shown), answer, command)


def test_the_limits_are_those_in_force() -> None:
    assert f"({settings.API_RATE}; 0 for no limit)" in GUIDE
    assert CallerRateThrottle.THROTTLE_RATES["caller"] == f"{settings.API_RATE}/min"
    assert policy().idempotency_hours == 24


def _variables(client_for: MakeClient) -> dict[str, str]:
    ChannelFactory(code="web")
    service, second = client_for(service_user()), client_for(lead())
    one, other = CustomerFactory(name="Anna Smith"), CustomerFactory(name="Ann Smith")
    note_untold(actor=Actor.machine("test"))
    moment = timezone.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    draft()
    model = compare_in_shadow(version="2.0.0", actor=Actor.machine("test"))
    tag = service.get(f"/api/v1/customers/{one.pk}")["ETag"]
    return {
        "DESK": "/api/v1",
        "KEY": _text_of(service),
        "LEADS_KEY": _text_of(second),
        "CUSTOMER": str(one.pk),
        "OTHER": str(other.pk),
        "MOMENT": moment,
        "MODEL": model.version,
        "ETAG": tag.replace('"', r"\""),
    }


def _latest() -> dict[str, str]:
    """What an example before has made."""
    assert Customer.objects.exists()
    made = {"PROPOSAL": MergeProposal.objects.last(), "MERGE": Merge.objects.last()}
    return {name: str(row.pk) for name, row in made.items() if row is not None}


def _text_of(client: APIClient) -> str:
    return client._credentials["HTTP_AUTHORIZATION"].removeprefix("Bearer ")


def _run(command: str, variables: Mapping[str, str]) -> Any:
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("address")
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-X", dest="method")
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("-d", dest="body", default="")
    line = Template(command.replace("\\\n", " ")).substitute(variables)
    given = parser.parse_args(shlex.split(line))
    headers = dict(header.split(": ", 1) for header in given.headers)
    kind = headers.pop("Content-Type", "application/json")
    method = given.method or ("POST" if given.body else "GET")
    return APIClient().generic(method, given.address, given.body, content_type=kind, headers=headers).json()


def _compare(shown: Any, answered: Any, command: str) -> None:
    if shown == ANY:
        return
    if isinstance(shown, dict):
        assert shown.keys() <= answered.keys(), f"{command}\n{answered}"
        for name, value in shown.items():
            _compare(value, answered[name], command)
    elif shown != [ANY]:
        assert shown == answered, command
