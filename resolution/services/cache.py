"""Who owns an identifier, remembered in Redis or Valkey without ever telling of an old owner (P10).

One entry an identifier, in one of four states:

    nothing            whoever looks first takes the lease, then reads the database
    lease of a reader  that reader alone may fill the entry; others read the database and fill nothing
    owner              the answer, for `cache_seconds`
    fence of a writer  an owner change is about to commit: readers use the database, nobody fills

Whether an owner answers hangs on the window of its type too. One more entry a type names the window by which
owners were read, or is the fence of a writer who sets another: entries read by another window answer nothing.

A fence replaces what stood there, so a reader that began before the commit has lost its lease and cannot
fill afterwards. A fence whose writer died goes away by itself. That an identifier is unknown is never
remembered, so new links need no fence. Without a cache every function is a no-op and every look-up misses.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, islice
from typing import Any, TypeAlias

import structlog
from django.core.cache import caches
from django_redis import get_redis_connection
from django_redis.cache import RedisCache
from redis.exceptions import RedisError

from resolution.conf import policy
from resolution.errors import CacheUnavailable

# channel id, identifier type, normalised value
IdentifierKey: TypeAlias = tuple[uuid.UUID, str, str]

LEASE_SECONDS = 10
_BATCH = 5_000
_LEASE, _OWNER, _FENCE = "lease ", "owner ", "fence "

# Return the owner's entry, or take the lease and return it, or return nothing. Both end in the window's name.
_LOOK_UP = """
local window = redis.call('GET', KEYS[2])
if not window then
    window = ARGV[3]
    redis.call('SET', KEYS[2], window)
end
if string.sub(window, 1, 6) == 'fence ' then
    return ''
end
local entry = redis.call('GET', KEYS[1])
local owned = entry and string.sub(entry, 1, 6) == 'owner '
if owned and string.sub(entry, -#window) == window then
    return entry
end
if entry and not owned then
    return ''
end
local lease = ARGV[1] .. ' ' .. window
redis.call('SET', KEYS[1], lease, 'EX', ARGV[2])
return lease
"""
# Replace what is still ours.
_FILL = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
    redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
    return 1
end
return 0
"""
# Remove the entry unless another writer's fence stands there.
_RELEASE = """
local entry = redis.call('GET', KEYS[1])
if entry and (entry == ARGV[1] or string.sub(entry, 1, 6) ~= 'fence ') then
    redis.call('DEL', KEYS[1])
end
"""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Hit:
    """The remembered owner, and how sure the link was when it was read; it may be surer by now."""

    customer_id: uuid.UUID
    confidence: Decimal


@dataclass(frozen=True, slots=True)
class Miss:
    """Nothing remembered; `lease` is empty when this reader may not fill the entry."""

    lease: str = ""


def look_up(key: IdentifierKey) -> Hit | Miss:
    """Return the remembered owner, or a lease to take along to the database. One round trip.

    A cache that cannot be reached is a miss without a lease.
    """
    client = _client()
    if client is None:
        return Miss()
    lease, window = _LEASE + secrets.token_hex(8), secrets.token_hex(8)
    names = _entry_name(key), _window_name(key[1])
    try:
        entry = client.eval(_LOOK_UP, 2, *names, lease, LEASE_SECONDS, window).decode()
    except RedisError as error:
        log.warning("cache_unreachable", doing="look_up", error=type(error).__name__)
        return Miss()
    if entry.startswith(_OWNER):
        _, customer_id, confidence, _ = entry.split()
        return Hit(uuid.UUID(customer_id), Decimal(confidence))
    return Miss(lease=entry)


def fill(
    key: IdentifierKey, customer_id: uuid.UUID, lease: str, confidence: Decimal = Decimal("1.00")
) -> bool:
    """Remember an owner read from the database after `lease` was taken; False when that stands no more."""
    client = _client()
    if client is None or not lease:
        return False
    try:
        window = lease.rpartition(" ")[2]
        owner = f"{_OWNER}{customer_id} {confidence} {window}"
        filled = client.eval(_FILL, 1, _entry_name(key), lease, owner, policy().cache_seconds)
    except RedisError as error:
        log.warning("cache_unreachable", doing="fill", error=type(error).__name__)
        return False
    return bool(filled)


def fence(keys: frozenset[IdentifierKey], types: frozenset[str] = frozenset()) -> str:
    """Shut the entries before an owner change commits, and all of `types`; return the fence for `release`.

    Raises CacheUnavailable: the change must then not commit.
    """
    client = _client()
    token = _FENCE + secrets.token_hex(8)
    if client is None:
        return token
    try:
        for names in _batches(keys, types):
            pipe = client.pipeline(transaction=False)
            for name in names:
                pipe.set(name, token, ex=policy().fence_seconds)
            pipe.execute()
    except RedisError as error:
        raise CacheUnavailable from error
    return token


def release(keys: frozenset[IdentifierKey], token: str, types: frozenset[str] = frozenset()) -> None:
    """Open the entries again after the commit, but not those another writer has fenced since.

    Without a cache to reach, the fence ends by itself after `fence_seconds`.
    """
    client = _client()
    if client is None:
        return
    try:
        for names in _batches(keys, types):
            pipe = client.pipeline(transaction=False)
            for name in names:
                pipe.eval(_RELEASE, 1, name, token)
            pipe.execute()
    except RedisError as error:
        log.warning("cache_unreachable", doing="release", error=type(error).__name__)


def _client() -> Any:
    """The raw client, or None where no cache is configured."""
    return get_redis_connection("default") if isinstance(caches["default"], RedisCache) else None


def _entry_name(key: IdentifierKey) -> str:
    """Name an entry without personal data in it."""
    text = "\0".join(map(str, key))
    digest = hashlib.blake2b(text.encode(), digest_size=20).hexdigest()
    return f"{caches['default'].key_prefix}:owner:{digest}"


def _window_name(identifier_type: str) -> str:
    return f"{caches['default'].key_prefix}:window:{identifier_type}"


def _batches(keys: Iterable[IdentifierKey], types: Iterable[str]) -> Iterator[list[str]]:
    names = chain(map(_window_name, types), map(_entry_name, keys))
    while batch := list(islice(names, _BATCH)):
        yield batch
