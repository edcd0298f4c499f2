"""What a message or a request says of a person: identifiers, profile fields, and what was unusable."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cached_property
from types import NoneType
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from customers.models import PROFILE_FIELDS, Channel
from resolution.birth_dates import is_unread, read_birth_date, unread_sentence
from resolution.errors import InvalidInput
from resolution.matching.blocked import NOTHING_BLOCKED, Blocklist
from resolution.matching.identifiers import IDENTIFIER_TYPES, normalise_identifier
from resolution.matching.normalise.extract import (
    FIELD_TYPES,
    TEXT_FIELDS,
    extract_identifiers_from_message,
    sender_type,
)
from resolution.matching.normalise.profile import build_profile
from resolution.matching.normalise.text import clean_text
from resolution.selectors.identifier_rules import Rule
from resolution.selectors.profiles import RECORD_COLUMNS, identifier_record, record_of
from resolution.services.cache import IdentifierKey
from resolution.services.profiles import CONTACT_FIELDS, Stored, check_field, check_fields, contact_text
from resolution.types import Identifier, Profile

NEWCOMER = "new"  # the key of a profile nobody has an id for yet
LONGEST_EXTERNAL_ID = 255
_DEEPEST = 12
_SENDERS = "an e-mail address, a phone number or a handle such as @anna"

_PROFILE_TEXTS = tuple(name for name in PROFILE_FIELDS if name not in CONTACT_FIELDS)
# Every field of a message that is read; others are kept as they come.
READ_FIELDS = (
    "sender_id", "sender_name", "message_id", "external_message_id", "received_at", *TEXT_FIELDS,
    *dict(FIELD_TYPES), *_PROFILE_TEXTS, *(f"customer_{name}" for name in _PROFILE_TEXTS),
)  # fmt: skip


@dataclass(frozen=True)
class Intake:
    """Who somebody says they are.

    `explicit` identifiers come from fields that name the sender, most trusted type first. `mentioned` ones
    were found in free text, which may speak of somebody else: they bring candidates, but link nobody alone.
    """

    channel: Channel
    explicit: tuple[Identifier, ...]
    mentioned: tuple[Identifier, ...] = ()
    fields: Mapping[str, Stored] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    blocklist: Blocklist = NOTHING_BLOCKED

    @cached_property
    def profile(self) -> Profile:
        return self._profile_with(*self.explicit, *self.mentioned)

    @cached_property
    def certain_profile(self) -> Profile:
        """The profile without what was only mentioned."""
        return self._profile_with(*self.explicit)

    @property
    def tells_who(self) -> bool:
        return bool(self.explicit or self.mentioned or self.profile.names or self.profile.companies)

    def key_of(self, identifier: Identifier) -> IdentifierKey:
        return self.channel.pk, identifier.type, identifier.normalised

    def _profile_with(self, *identifiers: Identifier) -> Profile:
        known = {name: self.fields.get(name) for name in RECORD_COLUMNS}
        records = [
            identifier_record(entry.type, entry.normalised, self.channel.code) for entry in identifiers
        ]
        profile = build_profile(NEWCOMER, [record_of(known), *records], region=self.channel.default_region)
        return self.blocklist.strip(profile)


def read_message(channel: Channel, message: Mapping[str, object]) -> Intake:
    """Read a message's identifiers and profile fields. Refuses no text; what cannot be used is noted.

    Raises InvalidInput for a field that is read and holds something else than text or a number.
    """
    _refuse_other_types(message)
    found = extract_identifiers_from_message(message, region=channel.default_region)
    explicit = [entry for entry in found if "[" not in entry.found_in]
    fields, notes = lenient_fields(_profile_texts(message), channel.default_region)
    return Intake(
        channel=channel,
        explicit=_by_trust(explicit),
        mentioned=tuple(entry for entry in found if "[" in entry.found_in),
        fields=fields | _contacts(explicit),
        notes=(*notes, *_unusable_identifiers(channel, message)),
    )


def read_request(channel: Channel, identifiers: Iterable[Identifier], fields: Mapping[str, object]) -> Intake:
    """Read a request of typed identifiers and profile fields. Raises InvalidInput naming the field."""
    given = list(identifiers)
    usable = [entry for entry in given if entry.usable]
    notes = [
        f"{entry.type} “{entry.value[:60]}” was not used: {entry.unusable}"
        for entry in given
        if not entry.usable
    ]
    return Intake(
        channel=channel,
        explicit=_by_trust({(entry.type, entry.normalised): entry for entry in usable}.values()),
        fields=_contacts(usable) | check_fields(fields),
        notes=tuple(notes),
    )


def obey_rules(newcomer: Intake, blocklist: Blocklist, rules: Mapping[str, Rule]) -> Intake:
    """Return a newcomer without what is blocked, which is noted, its types in the order of the rules."""
    given = [*newcomer.explicit, *newcomer.mentioned]
    blocked = [(entry, found) for entry in given if (found := blocklist.find(entry.type, entry.normalised))]
    left_out = {(entry.type, entry.normalised) for entry, _ in blocked}
    explicit = [entry for entry in newcomer.explicit if (entry.type, entry.normalised) not in left_out]
    return replace(
        newcomer,
        explicit=tuple(sorted(explicit, key=lambda entry: rules[entry.type].rank)),
        mentioned=tuple(
            entry for entry in newcomer.mentioned if (entry.type, entry.normalised) not in left_out
        ),
        fields=_without_blocked(newcomer.fields, {entry.type for entry, _ in blocked}, explicit),
        notes=(
            *newcomer.notes,
            *(f"{entry.type} “{entry.value[:60]}” was not used: {found.why}" for entry, found in blocked),
        ),
        blocklist=blocklist,
    )


def _without_blocked(
    fields: Mapping[str, Stored], types: Collection[str], explicit: Iterable[Identifier]
) -> dict[str, Stored]:
    """Contacts that came from blocked identifiers give way to those of the others."""
    kept = {name: value for name, value in fields.items() if name not in types or name not in CONTACT_FIELDS}
    return kept | {name: value for name, value in _contacts(explicit).items() if name in types}


def external_message_id(message: Mapping[str, object]) -> str:
    """Return the channel's own id of a message, empty when it has none. Raises InvalidInput if too long."""
    given = message.get("message_id") or message.get("external_message_id") or ""
    text = clean_text(str(given))
    if len(text) > LONGEST_EXTERNAL_ID:
        raise InvalidInput(
            f"message_id has {len(text)} characters; at most {LONGEST_EXTERNAL_ID} fit.", field="message_id"
        )
    return text


def message_columns(message: Mapping[str, object]) -> dict[str, Any]:
    """Return what the message table keeps of a message, apart from what became of it."""
    return {
        "external_id": external_message_id(message),
        "sender": clean_text(_text(message, "sender_id"))[:255],
        "subject": clean_text(_text(message, "subject"))[:255],
        "content": storable(_text(message, "content")),
        "received_at": _received_at(message),
    }


def storable(value: object, depth: int = 0) -> Any:
    """Return a value as a JSON column can hold it: no NUL, no lone surrogates, no NaN, no endless depth."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case Mapping() if depth < _DEEPEST:
            return {str(storable(str(name))): storable(entry, depth + 1) for name, entry in value.items()}
        case list() | tuple() if depth < _DEEPEST:
            return [storable(entry, depth + 1) for entry in value]
        case _:
            return str(value).replace("\0", "").encode("utf-8", "replace").decode()


def _by_trust(identifiers: Iterable[Identifier]) -> tuple[Identifier, ...]:
    return tuple(sorted(identifiers, key=lambda entry: IDENTIFIER_TYPES[entry.type].trust))


def _profile_texts(message: Mapping[str, object]) -> dict[str, str]:
    """Find profile fields under their own names or as the customer's ("customer_city")."""
    texts = {name: _text(message, name) or _text(message, f"customer_{name}") for name in _PROFILE_TEXTS}
    texts["name"] = texts["name"] or _text(message, "sender_name")
    return {name: text for name, text in texts.items() if text.strip()}


def lenient_fields(texts: Mapping[str, str], region: str) -> tuple[dict[str, Stored], list[str]]:
    """Return profile fields as they are stored, and in sentences those that cannot be."""
    fields: dict[str, Stored] = {}
    notes = []
    for name, text in texts.items():
        try:
            fields[name] = check_field(name, read_birth_date(text, region) if name == "birth_date" else text)
        except InvalidInput as error:
            notes.append(str(error))
    born = texts.get("birth_date", "")
    if born and is_unread(born, str(fields["birth_date"] or "")):
        notes.append(unread_sentence(born))
    return fields, notes


def _contacts(identifiers: Iterable[Identifier]) -> dict[str, Stored]:
    """Profile fields from identifiers, the first of each type."""
    contacts: dict[str, Stored] = {}
    for entry in identifiers:
        if entry.type in CONTACT_FIELDS:
            contacts.setdefault(entry.type, contact_text(entry.type, entry.value, entry.normalised))
    return contacts


def _refuse_other_types(message: Mapping[str, object]) -> None:
    for name in READ_FIELDS:
        value = message.get(name)
        if isinstance(value, bool) or not isinstance(value, (str, int, date, NoneType)):
            raise InvalidInput(
                f"{name} is {type(value).__name__} ({str(storable(value))[:60]}); text or a whole number is"
                " wanted.",
                field=name,
            )


def _unusable_identifiers(channel: Channel, message: Mapping[str, object]) -> list[str]:
    given = _text(message, "sender_id").strip()
    sender = sender_type(given)
    typed = [*FIELD_TYPES, *([("sender_id", sender)] if sender else [])]
    notes = [] if sender or not given else [_unknown_sender(clean_text(given))]
    for name, kind in typed:
        text = _text(message, name)
        found = normalise_identifier(kind, text, region=channel.default_region)
        if text.strip() and not found.usable:
            notes.append(f"{name} “{found.value[:60]}” was not used: {found.unusable}")
    return notes


def _unknown_sender(given: str) -> str:
    return f"sender_id “{given[:60]}” ({len(given)} characters) was not used: {_SENDERS} is wanted"


def _received_at(message: Mapping[str, object]) -> datetime:
    try:
        found = parse_datetime(_text(message, "received_at"))
    except ValueError:
        found = None  # well formed, but no such day: the time of arrival stands in
    if found is None:
        return timezone.now()
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _text(message: Mapping[str, object], name: str) -> str:
    value = message.get(name)
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
