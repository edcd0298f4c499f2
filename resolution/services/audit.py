"""The trail, and the one way to open a change.

    with change(actor) as trail:
        ...                                # lock, check, plan, apply
        trail.record("link", customer_id=…)

`change` is a transaction. What was recorded is chained and written at its end, so that the lock on the chain
is held only from there to the commit and always taken last, which rules out deadlocks over it.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from customers.ids import uuid7
from customers.services.copying import copy_rows
from resolution.errors import TrailBroken
from resolution.models import AuditEntry
from resolution.models.audit_entry import PERSONAL
from resolution.services import cache, events
from resolution.types import Actor

ERASE = "erase"
ACTIONS = {
    "create": "created the customer",
    "note": "wrote down the customer as it stood",
    "update": "changed the profile",
    "link": "linked an identifier",
    "unlink": "took an identifier off",
    "share": "noted an identifier another customer owns",
    "move": "moved an identifier to this customer",
    "lose": "lost an identifier to another customer",
    "resolve": "recognised the customer",
    "merge": "merged customers",
    "unmerge": "took a merge back",
    "split": "split the customer",
    "judge": "judged a pair",
    "propose": "proposed a merge",
    "approve": "approved a merge",
    "reject": "rejected a merge",
    "withdraw": "withdrew a proposal",
    "pass": "merged at once, as no rule wants a second person",
    "policy": "changed a rule on second persons",
    "conflict": "asked for a decision",
    "decide": "decided a conflict",
    "refuse": "refused a request",
    "rule": "set the rule of an identifier type",
    "block": "blocked a value",
    "unblock": "lifted a block",
    "import": "imported a file",
    "run": "ran duplicate finding",
    "model": "changed the match model",
    "key": "made or revoked an API key",
    ERASE: "erased the person",
}
GENESIS = "0" * 64
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)
_CHAIN_LOCK = 0x1D_DE5C  # any number no other advisory lock uses
_COLUMNS = (
    "id", "sequence", "customer_id", "channel_id", "identifier_type", "identifier_value", "action",
    "old_value", "resolver_id", "resolution_method", "confidence_score", "metadata", "actor_kind",
    "actor_name", "request_id", "created_at", "previous_hash", "hash", "salt",
)  # fmt: skip
_SALT_BYTES = 16
_TOLD_EVERY = 10_000  # entries of a walk
_COVERED = sorted(name for name in _COLUMNS if name != "hash")
_COVERED_UNSALTED = [name for name in _COVERED if name != "salt"]
# What stays of an entry whose person was erased, its hash as it was included.
_LEFT = sorted(set(_COLUMNS) - {*PERSONAL, "salt"})
_EMPTY = """
    UPDATE customer_identity_audit
    SET identifier_value = '', old_value = '', metadata = '{}', salt = NULL,
        erased_by = (SELECT max(sequence) FROM customer_identity_audit WHERE action = 'erase')
    WHERE sequence = ANY(%s)
"""


@dataclass(slots=True)
class Trail:
    """What one change did: audit entries and events to write, identifiers whose owner changes and types whose
    window does, and the sequences of earlier entries to empty, which the last `erase` entry seals."""

    actor: Actor
    entries: list[dict[str, Any]] = field(default_factory=list)
    events: list[events.Event] = field(default_factory=list)
    reowned: set[cache.IdentifierKey] = field(default_factory=set)
    rewindowed: set[str] = field(default_factory=set)
    emptied: list[int] = field(default_factory=list)

    def record(
        self,
        action: str,
        *,
        customer_id: uuid.UUID | None = None,
        channel_id: uuid.UUID | None = None,
        identifier_type: str = "",
        identifier_value: str = "",
        old_value: str = "",
        resolver_id: uuid.UUID | None = None,
        method: str = "",
        confidence: Decimal | None = None,
        **metadata: Any,
    ) -> None:
        """Note one audit row; `metadata` must be JSON-ready. Raises KeyError on an unregistered action."""
        ACTIONS[action]
        self.entries.append(
            {
                "customer_id": customer_id,
                "channel_id": channel_id,
                "identifier_type": identifier_type,
                "identifier_value": identifier_value,
                "action": action,
                "old_value": old_value,
                "resolver_id": resolver_id,
                "resolution_method": method,
                "confidence_score": confidence,
                "metadata": metadata,
            }
        )

    def tell(self, kind: str, *, customer_id: uuid.UUID | None = None, **payload: Any) -> None:
        """Note one event for other systems."""
        self.events.append(events.Event(kind, customer_id, payload))

    def reown(self, channel_id: uuid.UUID, identifier_type: str, normalised: str) -> None:
        """Note that an identifier's answer changes, so that no reader is served the old one after commit."""
        self.reowned.add((channel_id, identifier_type, normalised))

    def rewindow(self, identifier_type: str) -> None:
        """Note that a type's window changes, so that no reader is served by the old one after commit."""
        self.rewindowed.add(identifier_type)

    def erase(self, customer_id: uuid.UUID, sequences: Collection[int], **metadata: Any) -> None:
        """Note an erasure and empty what these earlier entries tell of a person; the chain stays whole.

        Raises TrailBroken when one of them is not as it was written: it would be sealed as it is.
        """
        self.record(ERASE, customer_id=customer_id, entries=len(sequences), seal=_seal(sequences), **metadata)
        self.emptied = sorted(sequences)


def link_facts(mapping_id: uuid.UUID, value: str, normalised: str, *, verified: bool) -> dict[str, Any]:
    """Return what a row about an identifier link says of it beside its columns, the usual left out."""
    facts: dict[str, Any] = {"mapping": str(mapping_id)}
    if verified:
        facts["verified"] = True
    if value != normalised:
        facts["raw"] = value
    return facts


@contextmanager
def change(actor: Actor) -> Iterator[Trail]:
    """Open a transaction that leaves a trail. Nothing is written when the block raises.

    Raises CacheUnavailable when an identifier changes owner and the cache cannot be told beforehand.
    """
    with transaction.atomic():
        trail = Trail(actor)
        yield trail
        events.write(trail.events)
        _write(trail)
        _empty(trail.emptied)
        if trail.reowned or trail.rewindowed:
            _fence_until_commit(frozenset(trail.reowned), frozenset(trail.rewindowed))


@contextmanager
def attempt(trail: Trail) -> Iterator[None]:
    """Open a part of a change that can be taken back by itself: when it raises, its rows and notes go."""
    entries, told, emptied = len(trail.entries), len(trail.events), trail.emptied
    reowned, rewindowed = set(trail.reowned), set(trail.rewindowed)
    try:
        with transaction.atomic():
            yield
    except BaseException:
        del trail.entries[entries:], trail.events[told:]
        trail.reowned, trail.rewindowed, trail.emptied = reowned, rewindowed, emptied
        raise


def entry_hash(row: dict[str, Any]) -> str:
    """Return the SHA-256 (hex) of an audit row and its predecessor's hash; `row` is keyed by column."""
    covered = _COVERED_UNSALTED if row["salt"] is None else _COVERED
    return hashlib.sha256(_text_of(row, covered)).hexdigest()


@dataclass(frozen=True, slots=True)
class Anchor:
    """The trail's last entry as it once was, kept where whoever could cut the trail short cannot write."""

    sequence: int
    hash: str


def head() -> Anchor:
    """Return the trail's last entry, sequence 0 while it is empty."""
    last = AuditEntry.objects.order_by("-sequence").values_list("sequence", "hash").first()
    return Anchor(*(last or (0, GENESIS)))


def find_break(
    anchor: Anchor | None = None, *, note: Callable[[int], None] = lambda done: None
) -> tuple[int, str] | None:
    """Walk the whole chain; return the first sequence that does not fit and why, or None.

    With an `anchor` it also finds that the newest entries were cut off, or the chain rewritten up to there.
    Streams the table: memory stays flat. `note` is told now and then how many entries were looked at.
    """
    expected, previous, seals = 1, GENESIS, _Seals()
    for row in _read(AuditEntry.objects.order_by("sequence")):
        if row["sequence"] != expected:
            return expected, f"entry {expected} is missing"
        if row["previous_hash"] != previous:
            return expected, f"entry {expected} does not follow its predecessor"
        if why := seals.fault_of(row):
            return expected, why
        if anchor and anchor.sequence == expected and anchor.hash != row["hash"]:
            return expected, f"entry {expected} is not the one the anchor knows"
        if expected % _TOLD_EVERY == 0:
            note(expected)
        expected, previous = expected + 1, row["hash"]
    if anchor and anchor.sequence >= expected:
        return expected, f"entries {expected} to {anchor.sequence} were cut off"
    return seals.fault_left()


class _Seals:
    """What is left of emptied entries, by the erasure each names, until that one's own entry is reached."""

    def __init__(self) -> None:
        self._open: dict[int, Any] = {}
        self._first: dict[int, int] = {}

    def fault_of(self, row: dict[str, Any]) -> str:
        """Return what is wrong with an entry, or with those that it emptied; nothing if all is well."""
        sequence, erasure = row["sequence"], row["erased_by"]
        if erasure is None and row["hash"] != entry_hash(row):
            return f"entry {sequence} was altered"
        if erasure is not None and (row["salt"] or any(row[name] for name in PERSONAL)):
            return f"entry {sequence} was emptied by entry {erasure} and holds something again"
        if erasure is not None:
            self._first.setdefault(erasure, sequence)
            self._open.setdefault(erasure, hashlib.sha256()).update(_text_of(row, _LEFT))
        if row["action"] == ERASE and self._close(sequence) != row["metadata"].get("seal", ""):
            return f"the entries that entry {sequence} emptied are not as it left them"
        return ""

    def fault_left(self) -> tuple[int, str] | None:
        """Return the first emptied entry that no erasure speaks of."""
        if not self._first:
            return None
        first = min(self._first.values())
        return first, f"entry {first} was emptied, and no erasure after it tells of that"

    def _close(self, erasure: int) -> str:
        self._first.pop(erasure, None)
        found = self._open.pop(erasure, None)
        return found.hexdigest() if found else ""


def _seal(sequences: Collection[int]) -> str:
    """Return one SHA-256 (hex) of what will be left of entries, in their order; nothing for none."""
    seal = hashlib.sha256()
    for row in _read(AuditEntry.objects.filter(sequence__in=sequences).order_by("sequence")):
        if row["hash"] != entry_hash(row):
            raise TrailBroken(row["sequence"])
        seal.update(_text_of(row, _LEFT))
    return seal.hexdigest() if sequences else ""


def _empty(sequences: Collection[int]) -> None:
    """Take from entries what tells of a person, in the name of the erasure written last."""
    if not sequences:
        return
    with connection.cursor() as cursor:
        cursor.execute(_EMPTY, [list(sequences)])


def _read(entries: QuerySet[AuditEntry]) -> Iterator[dict[str, Any]]:
    yield from entries.values(*_COLUMNS, "erased_by").iterator(chunk_size=5000)


def _fence_until_commit(reowned: frozenset[cache.IdentifierKey], rewindowed: frozenset[str]) -> None:
    """Last of all, so that a fence never has to outlast a wait for the chain."""
    token = cache.fence(reowned, rewindowed)
    transaction.on_commit(lambda: cache.release(reowned, token, rewindowed))


def _write(trail: Trail) -> None:
    if not trail.entries:
        return
    rows = ([row[name] for name in _COLUMNS] for row in _chained(trail, *_lock_head()))
    copy_rows("customer_identity_audit", _COLUMNS, rows)


def _chained(trail: Trail, sequence: int, previous: str, latest: datetime) -> Iterator[dict[str, Any]]:
    """Moments never go back along the chain, whatever the clock does: what was by one is its beginning."""
    now = max(timezone.now(), latest)
    for entry, salt in zip(trail.entries, _salts(len(trail.entries)), strict=True):
        sequence += 1
        row = entry | {
            "id": uuid7(),
            "sequence": sequence,
            "actor_kind": trail.actor.kind,
            "actor_name": trail.actor.name,
            "request_id": trail.actor.request_id,
            "created_at": now,
            "previous_hash": previous,
            "salt": salt,
        }
        previous = row["hash"] = entry_hash(row)
        yield row


def _salts(count: int) -> Iterator[bytes]:
    drawn = secrets.token_bytes(count * _SALT_BYTES)
    return (drawn[start : start + _SALT_BYTES] for start in range(0, len(drawn), _SALT_BYTES))


def _lock_head() -> tuple[int, str, datetime]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_CHAIN_LOCK])
        cursor.execute(
            "SELECT sequence, hash, created_at FROM customer_identity_audit ORDER BY sequence DESC LIMIT 1"
        )
        return cursor.fetchone() or (0, GENESIS, _BEFORE_ALL)


def _text_of(row: dict[str, Any], names: Iterable[str]) -> bytes:
    covered = ", ".join([f'"{name}": {_in_one_way(row[name])}' for name in names])
    return f"{{{covered}}}".encode()


def _in_one_way(value: Any) -> str:
    """Write a column value as JSON in exactly one way, whether it was just made or read back."""
    return _WRITERS.get(type(value), _any_json)(value)


_any_json = json.JSONEncoder(sort_keys=True, ensure_ascii=False).encode
_WRITERS: dict[type, Callable[[Any], str]] = {
    str: json.encoder.encode_basestring,
    uuid.UUID: '"{}"'.format,
    bytes: lambda salt: f'"{salt.hex()}"',
    datetime: lambda moment: f'"{moment.astimezone(UTC).isoformat(timespec="microseconds")}"',
    Decimal: '"{:.2f}"'.format,
}
