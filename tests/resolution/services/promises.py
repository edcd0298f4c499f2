"""The promises P1 to P6 and P10, asked of the tables as they stand. Each function returns what is broken.

`broken_promises` asks them all; `untold_changes` compares two states of the register with the trail between.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import product
from typing import Any, TypeAlias

from django.db import connection

from customers.models import Channel, Customer
from customers.models import Mapping as Link
from resolution.matching.identifiers import IDENTIFIER_TYPES
from resolution.matching.key_numbers import number_keys
from resolution.models import AuditEntry, BlockingKey
from resolution.relations import MOVED
from resolution.selectors.profiles import load_profiles
from resolution.services import audit
from resolution.services.audit import Anchor
from resolution.services.cache import IdentifierKey
from resolution.services.resolve import resolve_customer_identity

# Table → its rows, as `register_state` returns them.
State: TypeAlias = Mapping[str, Sequence[Mapping[str, Any]]]
Row: TypeAlias = Mapping[str, Any]

NO_CONFIDENCE = Decimal(0)
LINK_ACTIONS = frozenset({"link", "share", "move"})
END_ACTIONS = frozenset({"unlink", "lose"})
MERGE_ACTIONS = frozenset({"merge", "unmerge"})
PROFILE_ACTIONS = frozenset({"update"}) | MERGE_ACTIONS
# Columns of a customer that tell when it was heard of, or that have a row of the trail of their own.
NOT_THE_PROFILE = frozenset({"last_interaction_at", "status", "merged_into_id"})

_TWO_OWNERS = """
    SELECT identifier_type || ' ' || normalised || ' has ' || count(*) || ' owners'
    FROM customer_identity_mapping WHERE status = 'active'
    GROUP BY channel_id, identifier_type, normalised HAVING count(*) > 1
"""
_TWO_OWNERS_ONCE = """
    SELECT one.identifier_type || ' ' || one.normalised || ' had two owners at one moment'
    FROM customer_identity_mapping AS one JOIN customer_identity_mapping AS other
        USING (channel_id, identifier_type, normalised)
    WHERE one.id < other.id
      AND one.status IN ('active', 'ended') AND other.status IN ('active', 'ended')
      AND tstzrange(one.valid_from, one.valid_to) && tstzrange(other.valid_from, other.valid_to)
"""
_LINKED_TWICE = """
    SELECT customer_id || ' has ' || identifier_type || ' ' || normalised || ' twice'
    FROM customer_identity_mapping WHERE status IN ('active', 'shared')
    GROUP BY customer_id, channel_id, identifier_type, normalised HAVING count(*) > 1
"""
_BROKEN_REDIRECTS = """
    SELECT me.id || ' is ' || me.status || ' and points at ' || coalesce(target.status, 'nobody')
    FROM customers AS me LEFT JOIN customers AS target ON target.id = me.merged_into_id
    WHERE (me.status = 'merged' AND target.status <> 'active')
       OR (me.status = 'merged') <> (target.id IS NOT NULL)
"""
_JUDGED_APART_AND_ONE = """
    SELECT j.left_id || ' and ' || j.right_id || ' are judged different and one'
    FROM judgements AS j
    JOIN customers AS l ON l.id = j.left_id
    JOIN customers AS r ON r.id = j.right_id
    WHERE j.verdict = 'different' AND j.superseded_at IS NULL
      AND coalesce(l.merged_into_id, l.id) = coalesce(r.merged_into_id, r.id)
"""
_LEFT_BEHIND = """
    SELECT '{table} ' || record.id || ' belongs to the merged customer ' || customer.id
    FROM {table} AS record JOIN customers AS customer ON customer.id = record.customer_id
    WHERE customer.status = 'merged'
      AND coalesce(to_jsonb(record) ->> 'status', '') NOT IN ('collapsed', 'ended')
"""
_HALF_IN_THE_LEDGER = """
    SELECT customer.id || ' is ' || customer.status || ' with ' || count(member.id) || ' live memberships'
    FROM customers AS customer
    LEFT JOIN merge_members AS member ON member.customer_id = customer.id AND member.live
    WHERE customer.status <> 'erased'
    GROUP BY customer.id
    HAVING count(member.id) <> CASE customer.status WHEN 'merged' THEN 1 ELSE 0 END
"""
_MERGES_WITHOUT_TRAIL = """
    WITH told AS (
        SELECT merge.id AS merge_id, entry.action, count(DISTINCT entry.customer_id) AS customers
        FROM customer_identity_audit AS entry
        JOIN merges AS merge ON merge.id = (entry.metadata ->> 'merge')::bigint
        WHERE entry.action IN ('merge', 'unmerge') AND entry.customer_id IN (
            SELECT merge.survivor_id UNION SELECT customer_id FROM merge_members WHERE merge_id = merge.id
        )
        GROUP BY merge.id, entry.action
    )
    SELECT 'merge ' || merge.id || ' absorbed ' || count(member.id) || ' and the trail tells otherwise'
    FROM merges AS merge
    JOIN merge_members AS member ON member.merge_id = merge.id
    LEFT JOIN told AS made ON made.merge_id = merge.id AND made.action = 'merge'
    LEFT JOIN told AS undone ON undone.merge_id = merge.id AND undone.action = 'unmerge'
    WHERE NOT EXISTS (  -- of what was emptied by an erasure only the ids are left
        SELECT FROM customer_identity_audit AS entry
        WHERE entry.erased_by IS NOT NULL AND entry.action IN ('merge', 'unmerge') AND entry.customer_id IN (
            SELECT merge.survivor_id UNION SELECT customer_id FROM merge_members WHERE merge_id = merge.id
        )
    )
    GROUP BY merge.id
    HAVING coalesce(max(made.customers), 0) <> count(member.id) + 1
        OR (merge.undone_at IS NOT NULL AND coalesce(max(undone.customers), 0) <> count(member.id) + 1)
"""
_ASKED_OF_THE_WHOLE = """
    SELECT conflict.id || ' asks to part ' || member.customer_id || ', who has nothing to part'
    FROM conflicts AS conflict JOIN conflict_members AS member ON member.conflict_id = conflict.id
    WHERE conflict.kind = 'over_merge' AND conflict.state <> 'done'
      AND NOT EXISTS (SELECT FROM customers WHERE merged_into_id = member.customer_id)
      AND 2 > (
          SELECT count(DISTINCT (identifier_type, normalised)) FROM customer_identity_mapping
          WHERE customer_id = member.customer_id AND normalised <> conflict.identifier_value
      )
"""
_ASKED_OF_THE_GONE = """
    SELECT conflict.kind || ' ' || conflict.id || ' names ' || customer.id || ', who is ' || customer.status
    FROM conflicts AS conflict
    JOIN conflict_members AS member ON member.conflict_id = conflict.id
    JOIN customers AS customer ON customer.id = member.customer_id
    WHERE conflict.state <> 'done' AND customer.status <> 'active'
"""


def broken_promises() -> list[str]:
    """Return every broken promise as a sentence, none when all hold."""
    return [*faults_of_the_register(), *breaks_of_the_trail()]


def faults_of_the_register() -> list[str]:
    """All promises but the chain of the whole trail, which takes as long as the trail is."""
    return [*faults_of_the_tables(), *keys_out_of_date(), *lies_of_the_cache()]


def faults_of_the_tables() -> list[str]:
    """P1: one owner an identifier at any moment, and a customer holds one once. P2: every id stands for a
    living customer in one hop. P3: no live *different* spans the members of one customer. P4: a merged
    customer keeps no rows but links folded or ended there, the ledger and the trail know of each merge as a
    whole unless somebody of it was erased, and nobody is asked to be parted who is merged with none and has
    not two identifiers to part. P6: a live conflict names only active customers. One query.
    """
    left = (_LEFT_BEHIND.format(table=relation.table) for relation in MOVED)
    asked = (
        _TWO_OWNERS, _TWO_OWNERS_ONCE, _LINKED_TWICE, _BROKEN_REDIRECTS, _JUDGED_APART_AND_ONE, *left,
        _HALF_IN_THE_LEDGER, _MERGES_WITHOUT_TRAIL, _ASKED_OF_THE_WHOLE, _ASKED_OF_THE_GONE,
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(f"({query})" for query in asked))
        return [line for (line,) in cursor.fetchall()]


def breaks_of_the_trail() -> list[str]:
    """P5: the chain is whole."""
    broken = audit.find_break()
    return [broken[1]] if broken else []


def keys_out_of_date() -> list[str]:
    """The blocking keys are those that today's profiles give."""
    active = Customer.objects.active().values_list("pk", flat=True)
    fresh = {(key, owner) for owner, profile in load_profiles(active).items() for key in number_keys(profile)}
    stored = set(BlockingKey.objects.values_list("key", "customer_id"))
    return [f"key {key} of {owner} is out of date" for key, owner in sorted(fresh ^ stored)]


def lies_of_the_cache(asked: Collection[IdentifierKey] | None = None) -> list[str]:
    """P10: whoever asks hears whom the table names, from the cache or not; asks of all or of those told."""
    if asked is not None and not asked:
        return []
    owners = {
        (link.channel_id, link.identifier_type, link.normalised): link.customer_id
        for link in Link.objects.owned()
    }
    channels = Channel.objects.in_bulk()
    return [
        f"{kind} {value} is answered {told}, and belongs to {owners.get((channel, kind, value))}"
        for channel, kind, value in (_all_identifiers() if asked is None else asked)
        if (told := _answer(channels[channel], kind, value)) != owners.get((channel, kind, value))
    ]


def _all_identifiers() -> set[IdentifierKey]:
    links = Link.objects.filter(identifier_type__in=IDENTIFIER_TYPES)
    return set(links.values_list("channel", "identifier_type", "normalised"))


def _answer(channel: Channel, kind: str, value: str) -> uuid.UUID | None:
    return resolve_customer_identity(
        channel=channel, identifier_type=kind, value=value, min_confidence=NO_CONFIDENCE
    )


# --- between two states ---


def rows_of_the_trail(since: Anchor) -> list[Row]:
    """Return what was written to the trail since it ended in `since`, in order."""
    return list(AuditEntry.objects.filter(sequence__gt=since.sequence).order_by("sequence").values())


def is_chained(told: Sequence[Row], since: Anchor) -> bool:
    """P5: whether rows of the trail follow `since` and each other."""
    hashes = [since.hash, *(row["hash"] for row in told)]
    numbers = range(since.sequence + 1, since.sequence + 1 + len(told))
    return all(
        (row["previous_hash"], row["sequence"], row["hash"])
        == (previous, number, audit.entry_hash(dict(row)))
        for row, previous, number in zip(told, hashes[:-1], numbers, strict=True)
    )


def untold_changes(before: State, after: State, told: Sequence[Row]) -> list[str]:
    """P5: return the identity changes between two states that none of the rows of the trail tells of."""
    return [*_untold_of_customers(before, after, told), *_untold_of_links(before, after, told)]


def _untold_of_customers(before: State, after: State, told: Sequence[Row]) -> Iterator[str]:
    acts = {(entry["customer_id"], entry["action"]) for entry in told}
    old = _by_id(before["Customer"])
    for row in after["Customer"]:
        was = old.get(row["id"])
        whose = {row["id"]}
        if was is None:
            wanted, what = {"create"}, "made"
        elif was["status"] != row["status"] == "erased":
            wanted, what = {"erase"}, "erased"
        elif was["merged_into_id"] != row["merged_into_id"]:
            wanted, what = set(MERGE_ACTIONS), "merged or parted"
            whose.add(was["merged_into_id"])  # an earlier redirect follows the one it pointed at
        elif any(was[name] != row[name] for name in row if name not in NOT_THE_PROFILE):
            wanted, what = set(PROFILE_ACTIONS), "changed"
        else:
            continue
        if not acts & set(product(whose, wanted)):
            yield f"customer {row['id']} was {what} without a word"


def _untold_of_links(before: State, after: State, told: Sequence[Row]) -> Iterator[str]:
    old = _by_id(before["Mapping"])
    merging = any(entry["action"] in MERGE_ACTIONS for entry in told)
    acts = {(entry["customer_id"], entry["identifier_value"], entry["action"]) for entry in told}
    for row in after["Mapping"]:
        was = old.get(row["id"], {"status": "", "customer_id": row["customer_id"]})
        if (was["status"], was["customer_id"]) == (row["status"], row["customer_id"]):
            continue
        place = (row["customer_id"], row["normalised"])
        took = any((*place, action) in acts for action in LINK_ACTIONS)
        ended = any((*place, action) in acts for action in END_ACTIONS)
        known = ended if row["status"] == "ended" else took
        if not known and not merging:
            yield f"{row['normalised']} of {row['customer_id']} became {row['status']} without a word"


def _by_id(rows: Sequence[Row]) -> dict[uuid.UUID, Row]:
    return {row["id"]: row for row in rows}
