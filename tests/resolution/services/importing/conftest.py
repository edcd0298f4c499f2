"""What the tests here share."""

from __future__ import annotations

from pathlib import Path

import pytest

from customers.models import Channel
from tests.factories import ChannelFactory


@pytest.fixture
def channel() -> Channel:
    return ChannelFactory(code="crm", default_region="DE")


@pytest.fixture(autouse=True)
def _rejects_in_tmp(settings: object, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path  # type: ignore[attr-defined]
