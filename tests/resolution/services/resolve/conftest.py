"""A channel, and bands that leave room between a question and a certainty."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from customers.models import Channel
from resolution.conf import policy
from tests.factories import ChannelFactory


@pytest.fixture(autouse=True)
def _bands_far_apart(settings: Settings) -> Iterator[None]:
    """A full name alone lies well within review, one with e-mail and phone well above it."""
    settings.IDENTITY_DESK = {"auto_weight": 8.0, "sample_weight": 7.0, "review_weight": 0.0, "margin": 2.0}
    policy.cache_clear()
    yield
    policy.cache_clear()


@pytest.fixture
def channel() -> Channel:
    return ChannelFactory(code="mailbox")
