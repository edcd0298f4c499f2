"""What users type, and profiles made of it, for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from resolution.matching.normalise.profile import build_profile
from resolution.types import Profile

AWKWARD = (
    "",
    " ",
    "\x00",
    "\ud800",
    "\u200b\u202e",
    "😀🏳️‍🌈",
    "N/A",
    "a" * 10_000,
    "1" * 10_000,
    "@" * 10_000,
    "(" * 10_000,
    "Ａｎｎａ",
    "ﬁ ß İ ı ŉ",
    "٠١٢٣٤٥٦٧٨٩",
    "山田太郎",
    "Ёлкина-Щукина",
    "anna@xn--bcher-kva.example",
    "+" + "9" * 40,
    "1980-02-30",
)

# Text of any kind, surrogates and NUL included, and the awkward values we know.
texts = st.one_of(
    st.sampled_from(AWKWARD), st.text(st.characters(), max_size=80), st.from_regex(r"[\w .@+/-]{0,40}")
)
regions = st.sampled_from(("", "US", "GB", "DE", "IT", "RU", "AR", "xx", "🇩🇪"))

GIVEN = ("Anna", "Ann", "Bob", "Robert", "A.", "Daniel", "Daniela", "Юстин", "Yustin", "Smith", "")
FAMILY = ("Smith", "Smith-Jones", "Smyth", "Anna", "Ivanov", "Ivanova", "van der Berg", "")
EMAILS = ("anna.smith@gmail.com", "annasmith@googlemail.com", "anna.smth@gmail.com", "info@firm.de", "")
PHONES = ("+44 7700 900123", "07700 900123", "+44 7700 900132", "0000000", "")
DATES = ("1980-02-03", "1980-03-02", "1980-02-04", "1980-01-02", "1981-01-01", "")
STREETS = ("12 High St", "12 High Street, Flat 3", "14 High St", "Hauptstr. 5", "")
POSTCODES = ("CA19 8GX", "CA198GX", "12345", "")
CITIES = ("Newton", "Nweton", "London", "")
COMPANIES = ("Foods Ltd", "Foods Limited", "Motors GmbH", "")
IDS = ("crm:1001234", "crm:1001235", "shop:1001234", "")
HANDLES = ("@anna", "anna", "x:bob", "")

records = st.fixed_dictionaries(
    {
        "given_name": st.sampled_from(GIVEN),
        "family_name": st.sampled_from(FAMILY),
        "email": st.sampled_from(EMAILS),
        "phone": st.sampled_from(PHONES),
        "birth_date": st.sampled_from(DATES),
        "address": st.sampled_from(STREETS),
        "postcode": st.sampled_from(POSTCODES),
        "city": st.sampled_from(CITIES),
        "company": st.sampled_from(COMPANIES),
        "external_id": st.sampled_from(IDS),
        "handle": st.sampled_from(HANDLES),
        "country": st.sampled_from(("GB", "")),
    }
)


def profiles(key: str) -> st.SearchStrategy[Profile]:
    """Profiles of one to three records each, close enough to each other to meet on every level."""
    return st.lists(records, min_size=1, max_size=3).map(lambda rows: build_profile(key, rows))
