"""E-mail address and its local part in one ordered comparison, since one contains the other."""

from __future__ import annotations

from rapidfuzz.distance import OSA

from resolution.matching.comparisons.outcome import LONG_WORD, Outcome, is_one_slip
from resolution.matching.normalise.email import is_relay, is_shared_mailbox

LEVELS = ("exact", "close", "local", "shared", "namelike", "alike", "different")

SAME = Outcome("exact", "same mailbox")
SHARED = Outcome("shared", "same mailbox, but one that several people read")
SLIP = Outcome("close", "one letter of the mailbox differs")
DOMAIN_SLIP = Outcome("close", "same mailbox, domain mistyped")
OTHER_PROVIDER = Outcome("local", "same mailbox name at another provider")
NAME_AT_PROVIDER = Outcome("namelike", "same name before the @, at another provider")
TYPED_TWICE = Outcome("alike", "a few letters of the address differ")
DIFFERENT = Outcome("different", "different mailbox")

SHORTEST_TELLING = 6
SHORTEST_ALIKE, MOST_SLIPS = 14, 3


def compare_emails(left: str, right: str) -> Outcome | None:
    """Compare two canonical addresses; None when one hides the mailbox behind a relay."""
    if left == right:
        return SHARED if is_shared_mailbox(left) else SAME
    if is_relay(left) or is_relay(right):
        return None
    local, _, domain = left.partition("@")
    other_local, _, other_domain = right.partition("@")
    if local == other_local:
        return _same_local(local, domain, other_domain)
    if domain == other_domain and _mistyped(local, other_local):
        return SLIP
    return TYPED_TWICE if _looks_alike(left, right) else DIFFERENT


def _looks_alike(left: str, right: str) -> bool:
    """A few slips in a long address of somebody's own, the same digits in it."""
    if min(len(left), len(right)) < SHORTEST_ALIKE or _digits(left) != _digits(right):
        return False
    if OSA.distance(left, right, score_cutoff=MOST_SLIPS) > MOST_SLIPS:
        return False
    return _locals_alike(left, right) and not (is_shared_mailbox(left) or is_shared_mailbox(right))


def _locals_alike(left: str, right: str) -> bool:
    """The mailbox itself must be recognisable: anna@ and bea@ of one domain are two people."""
    local, other = left.partition("@")[0], right.partition("@")[0]
    shorter = min(len(local), len(other))
    slips = 2 if shorter >= LONG_WORD else 1
    return shorter >= SHORTEST_TELLING and OSA.distance(local, other, score_cutoff=slips) <= slips


def _same_local(local: str, domain: str, other_domain: str) -> Outcome:
    if is_shared_mailbox(f"{local}@{domain}"):
        return DIFFERENT
    if OSA.distance(domain, other_domain, score_cutoff=2) <= 2 and domain[0] == other_domain[0]:
        return DOMAIN_SLIP
    telling = len(local) >= SHORTEST_TELLING and any(map(str.isdigit, local))
    return OTHER_PROVIDER if telling else NAME_AT_PROVIDER


def _mistyped(left: str, right: str) -> bool:
    """A slip among letters; mailboxes that differ in their number belong to different people."""
    if min(len(left), len(right)) < SHORTEST_TELLING or not is_one_slip(left, right):
        return False
    return _digits(left) == _digits(right)


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))
