"""Which customers are worth comparing: the union of small rules, each a function from a profile to keys.

Two customers are candidates when they share a key that at most MAX_BLOCK customers have. A rule whose keys
can grow large also gives finer keys ("em:x" and "em:x|a"): when the coarse key is too large, the finer
ones still bring the likeliest pairs together. Online look-up and batch join both skip a key by its size
alone, so both find the same candidates, and what a size cost can be counted. Blank and junk values never
get here, so they are never a key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import product

from resolution.matching.normalise.address import street_core
from resolution.matching.normalise.email import is_shared_mailbox
from resolution.matching.normalise.name import core_family, sound_of
from resolution.types import Address, Profile

# Keys of more customers than this are skipped; their finer keys still count.
MAX_BLOCK = 50

# A merged customer may have many values; the first ones of each field make its keys.
MOST_VALUES = 4
SHORTEST_MAILBOX = 6
PHONE_TAIL = 8

Rule = Callable[[Profile], Iterable[str]]


def same_email(profile: Profile) -> Iterator[str]:
    """One mailbox; finer by initial for a family's."""
    for email in profile.emails[:MOST_VALUES]:
        yield f"em:{email}"
        yield from (f"em:{email}|{initial}" for initial in _initials(profile))


def same_mailbox_name(profile: Profile) -> Iterator[str]:
    """One local part at two providers, or a domain with a typo."""
    for email in profile.emails[:MOST_VALUES]:
        local = email.partition("@")[0].replace(".", "").replace("_", "")
        if len(local) >= SHORTEST_MAILBOX and not is_shared_mailbox(email):
            yield f"ml:{local}"


def same_phone(profile: Profile) -> Iterator[str]:
    """One number; finer by initial for a switchboard's."""
    for phone in profile.phones[:MOST_VALUES]:
        yield f"ph:{phone}"
        yield from (f"ph:{phone}|{initial}" for initial in _initials(profile))


def same_phone_tail(profile: Profile) -> Iterator[str]:
    """One number, with and without its country, under one initial."""
    for phone, initial in product(profile.phones[:MOST_VALUES], _initials(profile)):
        yield f"pt:{phone[-PHONE_TAIL:]}|{initial}"


def same_external_id(profile: Profile) -> Iterator[str]:
    """One id in one system."""
    return (f"xi:{value}" for value in profile.external_ids[:MOST_VALUES])


def same_handle(profile: Profile) -> Iterator[str]:
    """One social handle."""
    return (f"hd:{value}" for value in profile.handles[:MOST_VALUES])


def same_birth_date(profile: Profile) -> Iterator[str]:
    """One day, also with day and month swapped; finer by either name as it sounds, and by neighbourhood."""
    finer = sorted({*_given_sounds(profile), *_family_sounds(profile), *_postcodes(profile)})
    for day in _days(profile):
        yield f"bd:{day}"
        yield from (f"bd:{day}|{part}" for part in finer)


def full_name(profile: Profile) -> Iterator[str]:
    """Both names as they sound, in either order; finer by birth year, postcode and town."""
    places = [*_years(profile), *_postcodes(profile), *_cities(profile)]
    for name in profile.names[:MOST_VALUES]:
        if name.given and name.family:
            sounds = "+".join(sorted((_given_sound(name.given), _family_sound(name.family))))
            yield f"nn:{sounds}"
            yield from (f"nn:{sounds}|{place}" for place in places)


def family_name_and_postcode(profile: Profile) -> Iterator[str]:
    """A family name in one neighbourhood; finer by initial."""
    for name, code in product(_family_sounds(profile), _postcodes(profile)):
        yield f"fp:{name}|{code}"
        yield from (f"fp:{name}|{code}|{initial}" for initial in _initials(profile))


def given_name_and_postcode(profile: Profile) -> Iterator[str]:
    """A given name in one neighbourhood: finds a changed or mistyped family name."""
    return (f"gp:{name}|{code}" for name, code in product(_given_sounds(profile), _postcodes(profile)))


def family_name_and_city(profile: Profile) -> Iterator[str]:
    """A family name in one town, for records without street or postcode; finer by initial."""
    for name, city in product(_family_sounds(profile), _cities(profile)):
        yield f"fc:{name}|{city}"
        yield from (f"fc:{name}|{city}|{initial}" for initial in _initials(profile))


def given_name_and_city(profile: Profile) -> Iterator[str]:
    """A given name in one small town; finer by the family name's initial."""
    initials = _some(name.family[0] for name in profile.names if name.family)
    for name, city in product(_given_sounds(profile), _cities(profile)):
        yield f"gc:{name}|{city}"
        yield from (f"gc:{name}|{city}|{initial}" for initial in initials)


def same_house(profile: Profile) -> Iterator[str]:
    """One house; finer by initial for a large one."""
    for house in _houses(profile):
        yield f"ad:{house}"
        yield from (f"ad:{house}|{initial}" for initial in _initials(profile))


def house_and_family_name(profile: Profile) -> Iterator[str]:
    """A family name at one street number, when neither postcode nor town can tell which."""
    for address, name in product(profile.addresses[:MOST_VALUES], _family_sounds(profile)):
        if address.house and address.street:
            yield f"fh:{name}|{address.house}|{_street_head(address)}"


def company_and_name(profile: Profile) -> Iterator[str]:
    """One company, with either name."""
    names = {*_family_sounds(profile), *_given_sounds(profile)}
    return (
        f"cn:{company}|{name}" for company, name in product(profile.companies[:MOST_VALUES], sorted(names))
    )


RULES: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (
        same_email,
        same_mailbox_name,
        same_phone,
        same_phone_tail,
        same_external_id,
        same_handle,
        same_birth_date,
        full_name,
        family_name_and_postcode,
        given_name_and_postcode,
        family_name_and_city,
        given_name_and_city,
        same_house,
        house_and_family_name,
        company_and_name,
    )
}


def blocking_keys(profile: Profile) -> dict[str, tuple[str, ...]]:
    """Give every rule's keys for a profile, each key once; rules without a key are left out."""
    found = {name: tuple(dict.fromkeys(rule(profile))) for name, rule in RULES.items()}
    return {name: keys for name, keys in found.items() if keys}


def _initials(profile: Profile) -> list[str]:
    return _some(name.given[0] for name in profile.names if name.given)


def _given_sounds(profile: Profile) -> list[str]:
    return _some(_given_sound(name.given) for name in profile.names if name.given)


def _family_sounds(profile: Profile) -> list[str]:
    return _some(_family_sound(name.family) for name in profile.names if name.family)


@lru_cache(1 << 16)
def _given_sound(given: str) -> str:
    return sound_of(given.split()[0])


@lru_cache(1 << 16)
def _family_sound(family: str) -> str:
    return sound_of(core_family(family))


def _days(profile: Profile) -> list[str]:
    return _some(day_key(date) for date in profile.birth_dates)


def day_key(date: str) -> str:
    """Make one key of a date and of its day and month swapped."""
    year, month, day = date.split("-")
    return "".join((year, *sorted((month, day))))


def _years(profile: Profile) -> list[str]:
    return _some(date[:4] for date in profile.birth_dates)


def _postcodes(profile: Profile) -> list[str]:
    return _some(address.postcode for address in profile.addresses)


def _cities(profile: Profile) -> list[str]:
    return _some(address.city for address in profile.addresses)


def _houses(profile: Profile) -> list[str]:
    return _some(
        f"{address.house}|{_street_head(address)}|{address.postcode or address.city}"
        for address in profile.addresses
        if address.street and address.house and (address.postcode or address.city)
    )


def _street_head(address: Address) -> str:
    return sound_of(street_core(address.street).replace(" ", ""))[:5]


def _some(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(value for value in values if value))[:MOST_VALUES]
