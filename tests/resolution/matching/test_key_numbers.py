"""Blocking keys as numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from resolution.matching.blocking import LIMITS, MAX_BLOCK, MAX_CHANCE_BLOCK, blocking_keys
from resolution.matching.key_numbers import key_number, number_keys, number_limit
from resolution.matching.normalise.profile import build_profile

keys = st.builds("{}:{}".format, st.sampled_from(sorted(LIMITS)), st.text(max_size=200))


class TestKeyNumber:
    def test_never_changes_from_one_version_to_the_next(self) -> None:
        assert key_number("em:anna@example.org") == -6892541683879231238
        assert key_number("bd:19800102") == 4926449240223001263

    @given(keys)
    def test_fits_a_bigint_and_tells_its_limit(self, key: str) -> None:
        number = key_number(key)
        assert -(2**63) <= number < 2**63
        assert number_limit(number) == LIMITS[key.partition(":")[0]]

    def test_limits_are_the_two_it_can_tell(self) -> None:
        assert set(LIMITS.values()) == {MAX_BLOCK, MAX_CHANCE_BLOCK}


class TestNumberKeys:
    def test_names_every_key_of_a_profile(self) -> None:
        profile = build_profile("a", [{"name": "Anna Smith", "email": "anna.smith@example.org"}], region="")
        texts = {key for rule_keys in blocking_keys(profile).values() for key in rule_keys}
        assert set(number_keys(profile).values()) == texts
