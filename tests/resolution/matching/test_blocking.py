"""Blocking: one person's records share a key, blank and junk make none, and a large block has finer keys."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings

from resolution.matching.blocking import RULES, blocking_keys
from resolution.types import Name, Profile
from tests.resolution.matching.people import person
from tests.resolution.matching.strategies import profiles

MOST_KEYS = 200


def keys_of(profile: Profile) -> set[str]:
    return {key for keys in blocking_keys(profile).values() for key in keys}


def shared_keys(left: dict[str, str], right: dict[str, str]) -> set[str]:
    return keys_of(person("a", **left)) & keys_of(person("b", **right))


class TestSharedKeys:
    @pytest.mark.parametrize(
        ("left", "right", "rule"),
        [
            ({"email": "A.Smith@gmail.com"}, {"email": "asmith+x@gmail.com"}, "same_email"),
            ({"email": "a.smith84@x.de"}, {"email": "a_smith84@y.com"}, "same_mailbox_name"),
            ({"phone": "07700 900123"}, {"phone": "+447700900123"}, "same_phone"),
            (
                {"phone": "07700 900123", "name": "Anna", "country": ""},
                {"phone": "+447700900123", "name": "Ann"},
                "same_phone_tail",
            ),
            ({"external_id": "crm:1-7"}, {"external_id": "crm:17"}, "same_external_id"),
            ({"handle": "@Anna"}, {"handle": "anna"}, "same_handle"),
            ({"birth_date": "1980-02-03"}, {"birth_date": "1980-03-02"}, "same_birth_date"),
            ({"name": "Anna Müller"}, {"name": "Mueller Anna"}, "full_name"),
            (
                {"name": "Anna Smith", "postcode": "CA19 8GX"},
                {"family_name": "Smyth", "postcode": "ca198gx"},
                "family_name_and_postcode",
            ),
            (
                {"name": "Anna Smith", "postcode": "CA19 8GX"},
                {"name": "Anna Jones", "postcode": "ca198gx"},
                "given_name_and_postcode",
            ),
            (
                {"name": "Anna Smith", "city": "Bath"},
                {"family_name": "Smith", "city": "BATH"},
                "family_name_and_city",
            ),
            (
                {"name": "Anna Smith", "city": "Bath"},
                {"name": "Anna Jones", "city": "BATH"},
                "given_name_and_city",
            ),
            (
                {"address": "12 High St", "city": "Bath"},
                {"address": "12 High Street, Flat 2", "city": "bath"},
                "same_house",
            ),
            (
                {"name": "Anna Smith", "address": "12 High St"},
                {"family_name": "Smith", "address": "12 High Street"},
                "house_and_family_name",
            ),
            ({"company": "Foods & Co Ltd"}, {"company": "FOODS", "name": "Anna"}, "same_company"),
            (
                {"name": "Anna Smith", "company": "Foods Ltd"},
                {"family_name": "Smith", "company": "FOODS"},
                "company_and_name",
            ),
            ({"name": "Anna Zweig"}, {"name": "Karl Zweig"}, "rare_family_name"),
            ({"name": "Anna Zweig"}, {"name": "Anna Holm"}, "rare_given_name"),
        ],
    )
    def test_each_rule_brings_its_pair_together(
        self, left: dict[str, str], right: dict[str, str], rule: str
    ) -> None:
        ours, theirs = blocking_keys(person("a", **left)), blocking_keys(person("b", **right))
        assert set(ours[rule]) & set(theirs[rule])

    def test_every_rule_is_tried_here(self) -> None:
        tried = self.test_each_rule_brings_its_pair_together.pytestmark[0].args[1]  # type: ignore[attr-defined]
        assert {rule for _, _, rule in tried} == RULES.keys()

    def test_strangers_share_nothing(self) -> None:
        assert not shared_keys(
            {"name": "Anna Smith", "email": "anna@x.de", "city": "Bath"},
            {"name": "Peter Jones", "email": "peter@x.de", "city": "Bath"},
        )


class TestNothingIsAKey:
    @pytest.mark.parametrize(
        "record",
        [
            {},
            {"name": " ", "email": "", "phone": "  "},
            {"name": "Test", "email": "test@test.com", "phone": "000000", "birth_date": "1970-01-01"},
            {"company": "n/a", "external_id": "0", "handle": "-", "city": "unknown", "postcode": "00000"},
        ],
    )
    def test_p8_blank_and_junk_are_never_a_key(self, record: dict[str, str]) -> None:
        assert blocking_keys(person("a", **record)) == {}

    @given(profile=profiles("a"))
    @settings(max_examples=200, deadline=None)
    def test_p8_no_part_of_a_key_is_empty(self, profile: Profile) -> None:
        for key in keys_of(profile):
            assert all(key.partition(":")[2].split("|")), key


class TestLargeBlocks:
    def test_a_switchboard_is_refined_by_initial(self) -> None:
        firm = {"phone": "020 7946 0999"}
        anna, ann = {"name": "Anna Smith", **firm}, {"name": "Ann Smith", **firm}
        assert {"ph:+442079460999", "pt:79460999|a"} <= shared_keys(anna, ann)
        assert "pt:79460999|p" in keys_of(person("c", name="Peter Jones", **firm))

    @pytest.mark.parametrize("rule", ["same_email", "same_birth_date", "full_name", "rare_family_name"])
    def test_a_finer_key_starts_with_its_coarse_one(self, rule: str) -> None:
        profile = person(
            "a",
            name="Anna Smith",
            email="anna@x.de",
            birth_date="1980-02-03",
            address="12 High St",
            city="Bath",
            postcode="CA19 8GX",
        )
        coarse, *finer = blocking_keys(profile)[rule]
        assert finer
        prefix, _, value = coarse.partition(":")
        assert all(re.match(rf"{prefix}\++:{re.escape(value)}\|", key) for key in finer)

    def test_a_full_record_has_few_keys(self) -> None:
        profile = person(
            "a",
            name="Anna Smith",
            email="anna.smith@x.de",
            phone="07700 900123",
            birth_date="1980-02-03",
            address="12 High St",
            city="Bath",
            postcode="CA19 8GX",
            company="Foods",
            external_id="crm:17",
            handle="anna",
        )
        assert len(keys_of(profile)) <= 38

    def test_a_customer_of_many_values_stays_bounded(self) -> None:
        many = tuple(f"+4477009{number:05}" for number in range(500))
        names = tuple(Name(f"anna{letter}", f"smith{letter}") for letter in "abcdefghijklmnop")
        assert len(keys_of(Profile("a", names=names, phones=many))) <= MOST_KEYS
