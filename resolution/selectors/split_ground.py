"""What splitting a customer has to know: its identifiers, what came with each, what shows which value."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from django.db.models import Count

from customers.models import PROFILE_FIELDS, Customer, Message, SourceRecord, Ticket
from customers.models import Mapping as Link
from resolution.batch.records import SOURCE_ID
from resolution.models import Conflict, ConflictMember, Merge
from resolution.selectors.customers import fetch_customers
from resolution.selectors.judgements import ALWAYS, told_apart_since
from resolution.services.intake import lenient_fields
from resolution.services.profiles import CONTACT_FIELDS, contact_text
from resolution.services.split_plan import LinkKey, SplitGround, SplitLink, SplitQuestion, SplitRecord


def read_split_ground(customer_id: uuid.UUID) -> SplitGround:
    """Read all that bears on splitting a customer, in a constant number of queries.

    Raises UnknownCustomer.
    """
    customer = fetch_customers([customer_id])[customer_id]
    owned = Link.objects.filter(customer=customer, status=Link.Status.ACTIVE)
    rows = list(owned.select_related("channel").order_by("created_at", "pk"))
    links = tuple(_links(customer, rows))
    records = tuple(_records(customer, rows))
    return SplitGround(
        customer_id=customer.pk,
        name=customer.display_name,
        version=customer.version,
        values={name: _text(getattr(customer, name)) for name in PROFILE_FIELDS},
        shown_by=_shown_by(customer, rows, records),
        links=links,
        records=records,
        questions=tuple(_questions(customer, rows)),
        words=told_apart_since({customer.pk: ALWAYS}),
        blockers=tuple(_blockers(customer)),
    )


def _blockers(customer: Customer) -> Iterator[str]:
    if customer.status == Customer.Status.MERGED:
        yield f"{customer.display_name} was merged into {customer.canonical_id}; look at that one."
    if customer.status == Customer.Status.ERASED:
        yield f"Customer {customer.pk} was erased; only the id remains."
    standing = Merge.objects.filter(survivor=customer, undone_at__isnull=True).order_by("pk")
    for number in standing.values_list("pk", flat=True)[:1]:
        yield f"Merge {number} is part of this customer; take it back first, which parts them exactly."


def _links(customer: Customer, rows: Sequence[Link]) -> Iterator[SplitLink]:
    messages, tickets = _came_with(customer, Message), _came_with(customer, Ticket)
    for row in rows:
        yield SplitLink(
            id=row.pk,
            key=_key(row),
            type=row.identifier_type,
            value=row.channel_identifier,
            contact=_contact(row),
            channel=row.channel.name,
            verified=row.verified,
            confidence=float(row.confidence_score),
            messages=messages[_key(row)],
            tickets=tickets[_key(row)],
        )


def _came_with(customer: Customer, model: type[Message | Ticket]) -> Counter[LinkKey]:
    """Count what came with each identifier, by whichever of its links."""
    place = ("mapping__channel", "mapping__identifier_type", "mapping__normalised")
    rows = model._default_manager.filter(customer=customer, mapping__isnull=False).order_by()
    counted: Counter[LinkKey] = Counter()
    for channel, kind, value, number in rows.values_list(*place).annotate(Count("pk")):
        counted[channel, kind, value] = number
    return counted


def _records(customer: Customer, links: Sequence[Link]) -> Iterator[SplitRecord]:
    """Give the source records, the newest first, with the identifiers among what they say."""
    own = {(row.channel_id, row.normalised): row.pk for row in links if row.identifier_type == SOURCE_ID}
    by_text: defaultdict[tuple[uuid.UUID, str], set[uuid.UUID]] = defaultdict(set)
    for link in links:
        if link.identifier_type != SOURCE_ID:
            for text in (link.channel_identifier, link.normalised):
                by_text[link.channel_id, text.strip().casefold()].add(link.pk)
    for row in customer.source_records.select_related("channel").order_by("-updated_at", "-pk"):
        texts = [str(value).strip().casefold() for value in (row.source_key, *row.data.values())]
        found = frozenset[uuid.UUID]().union(*(by_text.get((row.channel_id, text), ()) for text in texts))
        says = _said(row)
        key = own.get((row.channel_id, row.source_key))
        yield SplitRecord(row.pk, row.source_key, found, key, says)


def _shown_by(
    customer: Customer, links: Sequence[Link], records: Sequence[SplitRecord]
) -> Mapping[str, frozenset[uuid.UUID]]:
    shown: dict[str, frozenset[uuid.UUID]] = {}
    for name in PROFILE_FIELDS:
        value = _text(getattr(customer, name)).casefold()
        by_records = {row.id for row in records if row.says.get(name, "").casefold() == value}
        by_links = {link.pk for link in links if link.identifier_type == name and value in _texts(link)}
        shown[name] = frozenset(by_records | by_links)
    return shown


def _said(record: SourceRecord) -> dict[str, str]:
    """What a record says of profile fields, as they are stored; what cannot be is left out."""
    texts = {name: str(record.data[name]) for name in PROFILE_FIELDS if record.data.get(name)}
    texts |= {name: contact_text(name, texts[name], texts[name]) for name in CONTACT_FIELDS if name in texts}
    stored, _ = lenient_fields(texts, record.channel.default_region)
    return {name: str(value) for name, value in stored.items() if value}


def _contact(link: Link) -> str:
    if link.identifier_type not in CONTACT_FIELDS:
        return ""
    return contact_text(link.identifier_type, link.channel_identifier, link.normalised)


def _texts(link: Link) -> set[str]:
    """The ways in which a link's value is written, folded."""
    return {text.casefold() for text in (link.channel_identifier, link.normalised, _contact(link)) if text}


def _questions(customer: Customer, links: Sequence[Link]) -> Iterator[SplitQuestion]:
    """Give the open conflicts that name the customer, with the identifier that tells whom they are about."""
    by_key = {_key(link): link.pk for link in links}
    named = ConflictMember.objects.filter(customer=customer).exclude(conflict__state=Conflict.State.DONE)
    for member in named.select_related("conflict__message__mapping").order_by("conflict"):
        row = member.conflict
        key: LinkKey | None = None
        if row.channel_id and member.role == ConflictMember.Role.OWNER:
            key = (row.channel_id, row.identifier_type, row.identifier_value)
        elif row.message and row.message.mapping:
            key = _key(row.message.mapping)
        shown = frozenset(_shown_in(row, str(customer.pk), links))
        yield SplitQuestion(row.pk, row.reason, by_key.get(key) if key else None, shown)


def _shown_in(conflict: Conflict, customer: str, links: Sequence[Link]) -> Iterator[uuid.UUID]:
    """Give the links whose value a conflict is about, or its evidence shows of the customer."""
    shown = {conflict.identifier_value.casefold()}
    for pair in conflict.evidence:
        sides = [side for side in ("left", "right") if pair[side] == customer]
        shown |= {part[side].casefold() for side in sides for part in pair["fields"]}
    yield from (link.pk for link in links if _texts(link) & shown)


def _key(link: Link) -> LinkKey:
    return (link.channel_id, link.identifier_type, link.normalised)


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()
