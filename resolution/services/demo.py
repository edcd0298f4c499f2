"""The demo company into an empty register: channels, accounts, files, letters, claims, and its duplicates.

Every step can be taken again, so that a load which was cut short goes on.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from itertools import islice
from pathlib import Path

from django.db.models.functions import MD5
from django.utils import timezone

import resolution.demo
from customers.models import Channel, Customer, Mapping, Ticket
from resolution.demo.letters import LETTERS, STRANGERS, TICKETS
from resolution.errors import Refused
from resolution.models import Conflict, ImportRun, MatchRun
from resolution.services.demo_accounts import Secret, make_demo_accounts
from resolution.services.find_duplicates import find_duplicates
from resolution.services.importing import Summary, import_file, open_file
from resolution.services.link import link_customer_identifier
from resolution.services.resolve import create_or_resolve_customer
from resolution.types import Actor

ACTOR = Actor.machine(resolution.demo.ACTOR_NAME)
FILES = Path(resolution.demo.__file__).parent
# Code, name, kind, trust. A file of the same name is what that system exported.
CHANNELS = (
    ("app", "Mobile app", Channel.Kind.APP, 70),
    ("shop", "Shops", Channel.Kind.SHOP, 60),
    ("web", "Web shop", Channel.Kind.WEB, 60),
    ("phone", "Telephone orders", Channel.Kind.PHONE, 50),
    ("marketplace", "Marketplace", Channel.Kind.MARKETPLACE, 40),
    ("import", "Old customer list", Channel.Kind.IMPORT, 30),
    ("email", "Support mailbox", Channel.Kind.EMAIL, 50),
    ("whatsapp", "WhatsApp", Channel.Kind.WHATSAPP, 50),
)
WRITING_CHANNELS = ("app", "web")
LETTERS_A_CHANNEL, NEW_ADDRESSES, AMBIGUOUS, TICKETS_OPENED = 90, 60, 12, 150
VERIFIED_CLAIMS, CLAIMS = 6, 8
_SEED = 7
_DAYS = 180

Note = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class DemoSummary:
    """What the demo put in, and what opens its accounts.

    `newcomers` are customers that letters made: records and newcomers are the customers and the linked.
    """

    records: int
    customers: int
    linked: int
    newcomers: int
    queue: int
    accounts: list[Secret]


def load_demo(*, accounts_file: Path, note: Note = lambda what, done, total: None) -> DemoSummary:
    """Load the demo company, or go on with it. Raises Refused when the register holds anything else."""
    _refuse_unless_ours()
    channels = {code: _make_channel(code, name, kind, trust) for code, name, kind, trust in CHANNELS}
    accounts = make_demo_accounts(accounts_file, ACTOR)
    _import_files(note)
    _write_letters(channels, note)
    _make_claims(channels, note)
    find_duplicates(actor=ACTOR, watch=note)
    return summarise(accounts)


def is_loaded() -> bool:
    """Tell whether the demo company is in to its last step."""
    return MatchRun.objects.filter(actor_name=ACTOR.name, state=MatchRun.State.DONE).exists()


def summarise(accounts: list[Secret]) -> DemoSummary:
    """Count what is in the register."""
    imports = ImportRun.objects.filter(actor_name=ACTOR.name)
    return DemoSummary(
        records=sum(run.rows_done for run in imports),
        customers=Customer.objects.active().count(),
        linked=Customer.objects.filter(status=Customer.Status.MERGED).count(),
        newcomers=Customer.objects.count() - sum(run.counts.get("created", 0) for run in imports),
        queue=Conflict.objects.exclude(state=Conflict.State.DONE).count(),
        accounts=accounts,
    )


def _refuse_unless_ours() -> None:
    if Customer.objects.exists() and not ImportRun.objects.filter(actor_name=ACTOR.name).exists():
        raise Refused("The register holds customers already; the demo company goes into an empty one only.")


def _make_channel(code: str, name: str, kind: str, trust: int) -> Channel:
    facts = {"name": name, "kind": kind, "trust": trust}
    return Channel.objects.get_or_create(code=code, defaults=facts)[0]


def _import_files(note: Note) -> None:
    done = 0
    for path in sorted(FILES.glob("*.parquet")):
        opened = open_file(path=path, channel=path.stem)
        import_file(opened, actor=ACTOR, watch=partial(_note_records, note, done))
        done += opened.table.expected


def _note_records(note: Note, before: int, so_far: Summary) -> None:
    note("records", before + so_far.rows_read, 0)


def _write_letters(channels: dict[str, Channel], note: Note) -> None:
    """Let known customers, known ones from another address, strangers and unclear senders write."""
    dice = random.Random(_SEED)  # noqa: S311  # a story, no secret
    for number, (channel, message) in enumerate(_letters(channels, dice), 1):
        dated = {**message, "message_id": f"demo-{number}", "received_at": _some_day(dice)}
        create_or_resolve_customer(channel=channel, message=dated, actor=ACTOR)
        note("letters", number, 0)
    _open_tickets(channels["web"], dice)


def _letters(channels: dict[str, Channel], dice: random.Random) -> Iterator[tuple[Channel, dict[str, str]]]:
    for code in WRITING_CHANNELS:
        for owned in _some_links(channels[code], "email", LETTERS_A_CHANNEL):
            yield channels[code], {"sender_id": owned.channel_identifier, **_letter(dice)}
    for owned in islice(_some_links(channels["shop"], "email", 2 * NEW_ADDRESSES), NEW_ADDRESSES):
        yield (
            channels["email"],
            {"sender_id": owned.channel_identifier, **_named(owned.customer), **_letter(dice)},
        )
    for given, family in STRANGERS:
        sender = f"{given}.{family}@post.example.org".lower()
        yield channels["email"], {"sender_id": sender, "customer_name": f"{given} {family}", **_letter(dice)}
    emails = _some_links(channels["web"], "email", 3 * AMBIGUOUS)[-AMBIGUOUS:]
    phones = _some_links(channels["web"], "phone", AMBIGUOUS)
    for email, phone in zip(emails, phones, strict=False):
        both = {"sender_id": email.channel_identifier, "customer_phone": phone.normalised}
        yield channels["web"], {**both, **_letter(dice)}


def _letter(dice: random.Random) -> dict[str, str]:
    subject, text = dice.choice(LETTERS)
    return {"subject": subject, "content": text.format(number=dice.randrange(10_000, 99_999))}


def _named(customer: Customer) -> dict[str, str]:
    return {"customer_name": customer.display_name, "customer_city": customer.city}


def _some_day(dice: random.Random) -> str:
    ago = timedelta(days=dice.randrange(_DAYS), seconds=dice.randrange(86_400))
    return (timezone.now() - ago).isoformat()


def _open_tickets(channel: Channel, dice: random.Random) -> None:
    links = _some_links(channel, "email", TICKETS_OPENED)
    Ticket.objects.bulk_create(
        [
            Ticket(
                customer_id=owned.customer.canonical_id,
                channel=channel,
                mapping=owned,
                external_id=f"demo-{number}",
                subject=dice.choice(TICKETS),
                opened_at=timezone.now() - timedelta(days=dice.randrange(_DAYS)),
            )
            for number, owned in enumerate(links, 1)
        ],
        ignore_conflicts=True,
    )


def _make_claims(channels: dict[str, Channel], note: Note) -> None:
    """Somebody else turns up with an identifier: a verified one, and one that is only sure."""
    links = _some_links(channels["app"], "email", 2 * (VERIFIED_CLAIMS + CLAIMS))
    pairs = list(zip(links[::2], links[1::2], strict=True))
    for number, (owned, other) in enumerate(pairs):
        if number < VERIFIED_CLAIMS:
            _link(owned.customer, owned, verified=True)
        _link(other.customer, owned, verified=False)
        note("claims", number + 1, len(pairs))


def _link(customer: Customer, owned: Mapping, *, verified: bool) -> None:
    link_customer_identifier(
        customer_id=customer.canonical_id,
        channel=owned.channel,
        identifier_type=owned.identifier_type,
        value=owned.channel_identifier,
        actor=ACTOR,
        confidence=Decimal("1.00") if verified else Decimal("0.90"),
        verified=verified,
    )


def _some_links(channel: Channel, kind: str, count: int) -> Sequence[Mapping]:
    """The same links at every load, though not the first ones: in the order of their values' digests."""
    links = Mapping.objects.owned().filter(channel=channel, identifier_type=kind)
    return list(links.order_by(MD5("normalised")).select_related("customer", "channel")[:count])
