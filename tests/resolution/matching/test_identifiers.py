"""Identifiers: the table of types, and canonical values with their reasons."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resolution.matching.identifiers import (
    IDENTIFIER_TYPES,
    UnknownIdentifierType,
    identifier_type,
    normalise_identifier,
)
from tests.resolution.matching.strategies import AWKWARD, regions, texts


class TestNormaliseIdentifier:
    def test_keeps_the_raw_value_beside_the_canonical_one(self) -> None:
        found = normalise_identifier("email", " Anna.Smith+x@GoogleMail.com")
        assert (found.value, found.normalised) == ("Anna.Smith+x@GoogleMail.com", "annasmith@gmail.com")
        assert found.usable

    def test_reads_a_messenger_as_a_phone(self) -> None:
        found = normalise_identifier("whatsapp", "whatsapp:+447700900123")
        assert (found.type, found.normalised) == ("phone", "+447700900123")

    def test_reads_a_national_number_by_the_region(self) -> None:
        assert normalise_identifier("phone", "07700 900123", region="GB").normalised == "+447700900123"

    def test_an_unknown_type_is_refused_with_the_known_ones(self) -> None:
        with pytest.raises(UnknownIdentifierType, match=r"'fax machine'.*email, external_id, handle, phone"):
            normalise_identifier("fax machine", "1")

    @pytest.mark.parametrize("type", IDENTIFIER_TYPES)
    @pytest.mark.parametrize("value", AWKWARD)
    def test_an_unusable_value_says_why_and_can_be_stored(self, type: str, value: str) -> None:
        found = normalise_identifier(type, value)
        assert bool(found.normalised) != bool(found.unusable)
        assert len(found.value) <= 255
        assert "\x00" not in found.value
        found.value.encode("utf-8")

    @given(type=st.sampled_from(sorted(IDENTIFIER_TYPES)), value=texts, region=regions)
    @settings(max_examples=300, deadline=None)
    def test_normalising_the_canonical_value_gives_it_back(self, type: str, value: str, region: str) -> None:
        once = normalise_identifier(type, value, region=region).normalised
        assert normalise_identifier(type, once, region=region).normalised == once


class TestIdentifierType:
    def test_trust_ranks_every_type_once(self) -> None:
        assert sorted(kind.trust for kind in IDENTIFIER_TYPES.values()) == list(
            range(1, len(IDENTIFIER_TYPES) + 1)
        )

    def test_other_words_lead_to_the_type(self) -> None:
        assert identifier_type(" E-Mail ").code == "email"
