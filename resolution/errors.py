"""Every refusal: a class with a code, the facts, and one sentence on what was given and what was wanted.

This module knows no HTTP; `api/errors.py` maps classes to status codes and the admin shows the message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class IdentityError(Exception):
    """Base of all refusals. `code` is stable for programs, `facts` is JSON-ready, str() is for people."""

    code = "identity_error"

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.facts = facts


class InvalidInput(IdentityError):
    """A value that cannot be used as given."""

    code = "invalid_input"


class NotFound(IdentityError):
    """Something named that does not exist."""

    code = "not_found"


class Refused(IdentityError):
    """A change that the present state of the register forbids."""

    code = "refused"


class StaleVersion(IdentityError):
    """The caller saw an older version than what stands now."""

    code = "stale_version"


class NotPermitted(IdentityError):
    """The actor may not do this."""

    code = "not_permitted"


class TryAgain(IdentityError):
    """A passing hindrance; the same request may succeed in a moment."""

    code = "try_again"


class UnknownChannel(NotFound):
    code = "unknown_channel"

    def __init__(self, given: str, known: Sequence[str]) -> None:
        shown = ", ".join(sorted(known)[:10]) or "none yet: add one under Channels"
        super().__init__(f"There is no channel “{given[:60]}”. Known channels: {shown}.", given=given[:60])


class UnknownCustomer(NotFound):
    code = "unknown_customer"

    def __init__(self, given: object) -> None:
        super().__init__(
            f"There is no customer {given}. Check the id; ids are never reused.", customer=str(given)
        )


class PastUnknown(NotFound):
    """A moment of which the trail does not tell what a customer was."""

    code = "past_unknown"


class CustomerErased(Refused):
    code = "customer_erased"

    def __init__(self, given: object) -> None:
        super().__init__(f"Customer {given} was erased; only the id remains.", customer=str(given))


class TrailBroken(Refused):
    """An audit entry that is not as it was written, where somebody was about to rely on it."""

    code = "trail_broken"

    def __init__(self, sequence: int) -> None:
        super().__init__(
            f"Audit entry {sequence} is not as it was written; nothing was done. Run verify_audit, and"
            " compare the trail with a backup.",
            sequence=sequence,
        )


class UnusableIdentifier(InvalidInput):
    code = "unusable_identifier"

    def __init__(self, kind: str, value: str, why: str) -> None:
        super().__init__(f"“{value[:60]}” cannot serve as {kind}: {why}.", type=kind, value=value[:255])


class BlockedIdentifier(UnusableIdentifier):
    """A value that people blocked."""

    code = "blocked_identifier"


class LimitReached(Refused):
    """A link past a hard limit; `facts` name the limit, what stands, and what was wanted."""

    code = "limit_reached"


class LimitBelowExisting(Refused):
    """A limit that some of the register is past already, which the caller has not said to have seen."""

    code = "limit_below_existing"


class MergeBlocked(Refused):
    """A merge with blockers, each a sentence; `judgements` are the words “different” among them."""

    code = "merge_blocked"

    def __init__(self, blockers: Sequence[str], judgements: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(
            "This merge is not possible: " + " ".join(blockers),
            blockers=list(blockers),
            judgements=list(judgements),
        )


class JudgedDifferent(Refused):
    code = "judged_different"

    def __init__(self, left: object, right: object, who: str) -> None:
        super().__init__(
            f"{who} judged {left} and {right} not the same. Withdraw that judgement before merging them.",
            left=str(left), right=str(right), judged_by=who,
        )  # fmt: skip


class FourEyes(NotPermitted):
    code = "four_eyes"

    def __init__(self) -> None:
        super().__init__("You proposed this merge; a second person has to approve or reject it.")


class MakerUndoes(NotPermitted):
    code = "maker_undoes"

    def __init__(self, merge: int) -> None:
        super().__init__(
            f"You proposed, approved or made merge {merge}; a rule wants another person to undo it.",
            merge=merge,
        )


class LinkerSplits(NotPermitted):
    code = "linker_splits"

    def __init__(self, customer: object) -> None:
        super().__init__(
            f"You linked what would leave customer {customer}; a rule wants another person to split it.",
            customer=str(customer),
        )


class MakerPromotes(NotPermitted):
    code = "maker_promotes"

    def __init__(self, version: str) -> None:
        super().__init__(f"You made model {version}; a second person has to promote it.", model=version)


class ModelUnusable(Refused):
    """A stored model this release cannot evaluate."""

    code = "model_unusable"

    def __init__(self, version: str, why: str) -> None:
        super().__init__(
            f"Model {version} cannot be used: {why} Roll back to another model, or train a new one.",
            model=version,
        )


class NotSeenInShadow(Refused):
    """A model whose effects nobody could have looked at."""

    code = "not_seen_in_shadow"

    def __init__(self, version: str, why: str) -> None:
        super().__init__(
            f"Model {version} {why}. Compare it in shadow and look at who would merge and who would split.",
            model=version,
        )


class IllegalTransition(Refused):
    code = "illegal_transition"

    def __init__(self, what: str, state: str, wanted: str) -> None:
        super().__init__(f"{what} is {state}; it cannot be {wanted} from there.", state=state, wanted=wanted)


class ClaimLost(Refused):
    code = "claim_lost"

    def __init__(self, conflict: int, holder: str) -> None:
        super().__init__(
            f"Conflict {conflict} is not yours (any more): {holder}. Claim it again to decide it.",
            conflict=conflict, holder=holder,
        )  # fmt: skip


class DuplicateCustomerError(Refused):
    """Several customers fit a message and the caller asked for an error rather than a queued question."""

    code = "several_candidates"

    def __init__(self, candidates: Sequence[str]) -> None:
        super().__init__(
            f"{len(candidates)} customers fit: {', '.join(candidates[:10])}. A person has to decide.",
            candidates=list(candidates),
        )  # fmt: skip


class KeyReused(InvalidInput):
    code = "idempotency_key_reused"

    def __init__(self, key: str) -> None:
        super().__init__(
            f"Idempotency-Key “{key[:60]}” came with another request; use a new key for a new request.",
            key=key,
        )


class RequestInFlight(Refused):
    code = "request_in_flight"

    def __init__(self, key: str) -> None:
        super().__init__(
            f"The request with Idempotency-Key “{key[:60]}” is still being worked on; ask again in a moment.",
            key=key,
        )


class CacheUnavailable(TryAgain):
    code = "cache_unavailable"

    def __init__(self) -> None:
        super().__init__(
            "The identity cache cannot be reached, so an identifier cannot change its owner without readers"
            " being served the old one. Nothing was changed; try again."
        )
