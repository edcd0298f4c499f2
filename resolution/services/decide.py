"""A steward's word on a conflict, and what it does."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import combinations

from django.utils import timezone

from customers.models import Customer
from customers.models import Mapping as Link
from resolution.errors import InvalidInput, NotFound, Refused, StaleVersion
from resolution.models import Conflict, ConflictMember, Judgement
from resolution.selectors.judgements import Pair, verdicts_on_pairs
from resolution.selectors.judgements import Verdict as Said
from resolution.services import approve, audit, claims, judge, keys, locks
from resolution.services.audit import Trail
from resolution.services.conflict_states import check_transition
from resolution.services.decisions import ACCEPT, decisions_for
from resolution.services.merge import refuse_stale
from resolution.services.merge_plan import Picks
from resolution.services.overruling import words_against
from resolution.services.queue import account_of, lock_claimed
from resolution.types import Actor

Outcome, Role, Verdict = Conflict.Outcome, ConflictMember.Role, Judgement.Verdict
_MOST_TOLD = 3


@dataclass(frozen=True, slots=True)
class Word:
    """What the steward said: the reason, and for "same" the form of the merge."""

    reason: str
    relation: str
    member_ids: Collection[uuid.UUID]
    survivor_id: uuid.UUID | None
    picks: Picks | None


@dataclass(frozen=True, slots=True)
class Case:
    """A claimed conflict with its members, all locked."""

    trail: Trail
    conflict: Conflict
    members: Mapping[uuid.UUID, Customer]
    roles: Mapping[str, uuid.UUID]


@locks.again_after_deadlock
def decide_conflict(
    *,
    conflict_id: int,
    decision: str,
    version: int,
    reason: str = "",
    relation: str = "",
    actor: Actor,
    member_ids: Collection[uuid.UUID] = (),
    survivor_id: uuid.UUID | None = None,
    picks: Picks | None = None,
    seen_versions: Mapping[uuid.UUID, int] | None = None,
) -> Conflict:
    """Decide a conflict one holds.

    "same" proposes a merge of the members and waits for a second person; what was said against it is
    overruled, and withdrawn when the merge is carried out. `member_ids` (all, when empty), `survivor_id` and
    `picks` are its form. The other words settle the conflict now; `relation` says how
    "related" ones are. `version` is the conflict's as the steward saw it, `seen_versions` the members'.
    Raises NotFound, NotPermitted, InvalidInput, ClaimLost, StaleVersion, IllegalTransition, MergeBlocked,
    Refused.
    """
    with audit.change(actor) as trail:
        case = _open_case(trail, conflict_id, version, actor)
        refuse_stale(case.members, seen_versions or {})
        settle = _settler(decision, case.conflict)
        settle(case, Word(reason, relation, member_ids, survivor_id, picks))
        return case.conflict


def _open_case(trail: Trail, conflict_id: int, version: int, actor: Actor) -> Case:
    """Lock the identifier, the customers, then the conflict; its version tells if they are still its own."""
    question = _read(conflict_id)
    if question.identifier_type:
        locks.lock_identifiers([(question.identifier_type, question.identifier_value)])
    asked = dict(question.members.values_list("customer", "role"))
    members = locks.lock_with_absorbed(asked)
    conflict = lock_claimed(conflict_id, actor)
    if version != conflict.version:
        raise StaleVersion(
            f"Conflict {conflict_id} has changed since you opened it (version {version}, now"
            f" {conflict.version}). Look at it again.",
            conflict=conflict_id,
            version=conflict.version,
        )
    return Case(trail, conflict, members, {role: customer for customer, role in asked.items()})


def _read(conflict_id: int) -> Conflict:
    conflict = Conflict.objects.filter(pk=conflict_id).first()
    if conflict is None:
        raise NotFound(f"There is no conflict {conflict_id}. Check the number.", conflict=conflict_id)
    return conflict


def _settler(decision: str, conflict: Conflict) -> Callable[[Case, Word], None]:
    allowed = decisions_for(conflict.kind, conflict.identifier_type)
    if decision not in allowed:
        raise InvalidInput(
            f"“{decision[:40]}” does not decide conflict {conflict.pk}; use one of: {', '.join(allowed)}.",
            decision=decision[:40],
        )
    return _SETTLERS[decision]


def _propose(case: Case, word: Word) -> None:
    chosen = set(word.member_ids) or set(case.members)
    strangers = sorted(chosen - set(case.members))
    if strangers:
        raise InvalidInput(f"Conflict {case.conflict.pk} does not ask about {strangers[0]}.")
    approve.propose_locked(
        case.trail,
        {key: case.members[key] for key in chosen},
        conflict=case.conflict,
        survivor_id=word.survivor_id,
        picks=word.picks,
        comment=word.reason,
        # The steward has seen them: a word said after the conflict was opened makes the form stale.
        overruled=words_against(chosen),
    )


def _judge(verdict: str, outcome: str) -> Callable[[Case, Word], None]:
    """Return what writes this verdict on every pair of the members and closes the conflict."""

    def settle(case: Case, word: Word) -> None:
        standing = _standing(case, verdict)
        pairs = combinations(sorted(case.members), 2)
        judge.write_judgements(
            case.trail,
            {pair: word.reason for pair in pairs if frozenset(pair) not in standing},
            verdict=verdict,
            relation=word.relation,
            conflict=case.conflict,
        )
        _close(case, outcome, word, standing)

    return settle


def _standing(case: Case, verdict: str) -> Mapping[Pair, Said]:
    """The words on pairs of a larger group that a word on the whole of it leaves as they are.

    Of two customers the word is about just them. What was said on other data than today's is overwritten, but
    never that two are the same.
    """
    if len(case.members) == 2:
        return {}
    return {
        pair: said
        for pair, said in verdicts_on_pairs(case.members.keys()).items()
        if said.word not in (verdict, Verdict.UNSURE) and (said.fresh or said.word == Verdict.SAME)
    }


def _tell_standing(case: Case, standing: Mapping[Pair, Said]) -> str:
    told = [
        f"{' and '.join(case.members[key].display_name for key in sorted(pair))}"
        f" ({said.who}: {Verdict(said.word).label.lower()})"
        for pair, said in standing.items()
    ]
    more = f" and {len(told) - _MOST_TOLD} more" if len(told) > _MOST_TOLD else ""
    return f"Left as judged before: {', '.join(told[:_MOST_TOLD])}{more}. "


def _keep_owner(case: Case, word: Word) -> None:
    _close(case, Outcome.KEPT, word)


def _accept(case: Case, word: Word) -> None:
    """Let a value, or what it holds together, be right as it is: it is not asked again."""
    _close(case, Outcome.ACCEPTED, word)


def _move_identifier(case: Case, word: Word) -> None:
    mapping = _contested_link(case)
    claims.move_identifier(case.trail, mapping, case.members[case.roles[Role.CLAIMANT]], reason=word.reason)
    keys.rebuild_keys(set(case.members))
    _close(case, Outcome.MOVED, word)


def _contested_link(case: Case) -> Link:
    """Return the owner's link the conflict is about."""
    conflict = case.conflict
    mapping = Link.objects.owned().filter(
        channel=conflict.channel,
        identifier_type=conflict.identifier_type,
        normalised=conflict.identifier_value,
        customer=case.roles.get(Role.OWNER),
    )
    found = mapping.select_related("channel").first()
    if found is None or Role.CLAIMANT not in case.roles:
        raise Refused(
            f"{conflict.identifier_value} no longer belongs to the owner this conflict names; keep it so.",
            conflict=conflict.pk,
        )
    return found


def _close(case: Case, outcome: str, word: Word, standing: Mapping[Pair, Said] | None = None) -> None:
    conflict = case.conflict
    check_transition(conflict, Conflict.State.DONE)
    conflict.state = Conflict.State.DONE
    conflict.outcome = outcome
    conflict.leased_until = None
    conflict.comment = f"{_tell_standing(case, standing) if standing else ''}{word.reason}"[:500]
    conflict.decided_by_id = account_of(case.trail.actor)
    conflict.decided_at = timezone.now()
    conflict.version += 1
    conflict.save()
    case.trail.record(
        "decide",
        customer_id=min(case.members, default=None),
        channel_id=conflict.channel_id,
        identifier_type=conflict.identifier_type,
        identifier_value=conflict.identifier_value,
        method=outcome,
        conflict=conflict.pk,
        members=sorted(map(str, case.members)),
        reason=word.reason[:500],
        left_standing=[sorted(map(str, pair)) for pair in standing or ()],
    )


_SETTLERS: Mapping[str, Callable[[Case, Word], None]] = {
    "same": _propose,
    "different": _judge(Verdict.DIFFERENT, Outcome.DIFFERENT),
    "related": _judge(Verdict.RELATED, Outcome.RELATED),
    "unsure": _judge(Verdict.UNSURE, Outcome.UNSURE),
    "keep_owner": _keep_owner,
    "move_identifier": _move_identifier,
    ACCEPT: _accept,
}
