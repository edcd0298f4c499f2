"""Profiles: several records of one customer to distinct canonical values."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from resolution.matching.normalise.profile import (
    RECORD_FIELDS,
    build_profile,
    normalise_record,
    record_identifiers,
)
from resolution.types import Address, Name, Profile
from tests.resolution.matching.strategies import regions, texts


class TestBuildProfile:
    def test_joins_records_and_keeps_each_value_once(self) -> None:
        profile = build_profile(
            "7",
            [
                {"given_name": "Anna", "family_name": "Smith", "email": "Anna@x.de", "phone": "07700 900123"},
                {"name": "Smith, Anna", "email": "anna@x.de", "phone": "+447700900123", "handle": "@anna"},
            ],
            region="GB",
        )
        assert profile == Profile(
            "7",
            names=(Name("anna", "smith"),),
            emails=("anna@x.de",),
            phones=("+447700900123",),
            handles=("anna",),
        )

    def test_a_records_country_goes_before_the_default_region(self) -> None:
        row = {"phone": "030 1234567", "country": "Germany", "birth_date": "3/4/80"}
        profile = build_profile("7", [row], region="US")
        assert (profile.phones, profile.birth_dates) == (("+49301234567",), ("1980-04-03",))

    def test_reads_a_whole_record(self) -> None:
        record = normalise_record(
            {
                "address": "12 High St",
                "city": "Newton",
                "postcode": "CA19 8GX",
                "country": "GB",
                "company": "Foods Ltd",
                "external_id": "17",
                "external_system": "crm",
            }
        )
        assert record.address == Address("high street", "12", "ca198gx", "newton", "gb")
        assert (record.company, record.external_id) == ("foods", "crm:17")

    def test_p8_blank_and_junk_leave_an_empty_profile(self) -> None:
        junk = {
            "name": "N/A",
            "email": "test@test.com",
            "phone": "000000",
            "birth_date": "1900-01-01",
            "address": "-",
            "city": "unknown",
            "postcode": "000",
            "company": "none",
            "external_id": "0",
            "handle": "n/a",
        }
        assert build_profile("7", [junk, {}, dict.fromkeys(RECORD_FIELDS, " ")]) == Profile("7")

    @given(st.lists(st.dictionaries(st.sampled_from(RECORD_FIELDS), texts), max_size=3), regions)
    @settings(max_examples=120, deadline=None)
    def test_no_text_breaks_it(self, records: list[dict[str, str]], region: str) -> None:
        profile = build_profile("7", records, region=region)
        assert all("" not in values for values in (profile.emails, profile.phones, profile.birth_dates))


class TestRecordIdentifiers:
    def test_lists_identifiers_by_trust_with_their_reasons(self) -> None:
        found = record_identifiers(
            {"email": "test@test.com", "phone": "07700 900123", "external_id": "17"}, region="GB"
        )
        assert [(one.type, one.normalised) for one in found] == [
            ("external_id", "17"),
            ("email", ""),
            ("phone", "+447700900123"),
        ]
        assert found[1].unusable == "a filler, nobody's mailbox"
