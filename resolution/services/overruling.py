"""Words “different” that a proposed merge overrules: they stand until it is carried out."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from resolution.models import Judgement, MergeProposal
from resolution.selectors.merge_facts import load_differences
from resolution.services import judge
from resolution.services.audit import Trail


def words_against(ids: Collection[uuid.UUID]) -> tuple[int, ...]:
    """Return the numbers of the live words that two of these customers' groups are not one."""
    return tuple(fact.judgement for fact in load_differences(ids))


def withdraw_overruled(trail: Trail, proposal: MergeProposal, members: Collection[uuid.UUID]) -> None:
    """Let “same” stand in place of each word a proposal overrules, as part of carrying it out.

    The members are locked, and its merge was planned anew: no other word stands against it.
    """
    if not proposal.overruled:
        return
    overruled = {(uuid.UUID(fact.left), uuid.UUID(fact.right)) for fact in load_differences(members)}
    judge.write_judgements(
        trail,
        dict.fromkeys(sorted(overruled), proposal.comment),
        verdict=Judgement.Verdict.SAME,
        conflict=proposal.conflict,
    )
