"""Numbers, moments and codes as people read them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from resolution.templatetags import words


def test_an_address_breaks_after_its_at_sign_and_its_dots_and_is_escaped() -> None:
    assert words.breakable("a<b.c@sky.com") == "a&lt;b.<wbr>c@<wbr>sky.<wbr>com"


@pytest.mark.parametrize(("weight", "shown"), [(6.21, "+6.2"), (-3.0, "−3.0"), (-0.04, "+0.0"), (None, "")])
def test_a_weight_carries_its_sign(weight: float | None, shown: str) -> None:
    assert words.signed(weight) == shown


@pytest.mark.parametrize(
    ("weight", "shown"),
    [
        (6.0, "about 64 to 1 for"),
        (-3.0, "about 8 to 1 against"),
        (500.0, "more than a million to 1 for"),
        (None, "not scored"),
    ],
)
def test_a_weight_is_told_as_odds(weight: float | None, shown: str) -> None:
    assert words.odds(weight) == shown


@pytest.mark.parametrize(
    ("past", "shown"),
    [
        (timedelta(seconds=5), "moments ago"),
        (timedelta(minutes=12, seconds=30), "12 min ago"),
        (timedelta(hours=30), "30 h ago"),
        (timedelta(days=3, hours=1), "3 days ago"),
    ],
)
def test_a_past_moment_is_told_in_one_unit(past: timedelta, shown: str) -> None:
    assert words.ago(timezone.now() - past) == shown


def test_a_coming_moment_is_told_as_coming_and_a_missed_one_as_late() -> None:
    assert words.until(timezone.now() + timedelta(minutes=12, seconds=30)) == "in 12 min"
    assert words.until(timezone.now() - timedelta(hours=3, minutes=1)) == "3 h late"
    assert words.until(None) == ""


def test_a_claim_says_when_it_ends_or_that_it_ran_out() -> None:
    assert words.lease(timezone.now() + timedelta(minutes=12, seconds=30)) == "the claim ends in 12 min"
    assert words.lease(timezone.now() - timedelta(minutes=3, seconds=1)) == "the claim ran out 3 min ago"
    assert words.lease(None) == ""


def test_one_is_not_many() -> None:
    assert words.plural(1, "message,messages") == "1 message"
    assert words.plural(2345, "message,messages") == "2,345 messages"


def test_a_band_is_told_in_words_and_an_unknown_one_as_it_is() -> None:
    assert words.band_words("review") == "needs a person"
    assert words.band_words("new") == "new"


@pytest.mark.parametrize(
    ("value", "shown"), [(0.76, "0.76"), (0.9999, "0.9999"), (0.000012, "0.000012"), (1.0, "1"), (0.0, "0")]
)
def test_a_share_shows_its_telling_digits_and_no_exponent(value: float, shown: str) -> None:
    assert words.share(value) == shown


def test_a_part_is_told_in_percent_and_an_unknown_one_not_at_all() -> None:
    assert (words.percent(0.9857), words.percent(None)) == ("98.6 %", "")
