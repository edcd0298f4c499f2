"""Whole labelled sets through import, duplicate finding, queue, merge and undo, back to the first row.

The generated set is made here; with BENCH_DATA naming a folder, FEBRL 3 is taken from it too.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.ground import find_set
from resolution.models import Conflict, Merge
from resolution.services import audit
from resolution.services.approve import approve_proposal, propose_merge
from resolution.services.find_duplicates import find_duplicates
from resolution.services.importing import import_file, open_file
from resolution.services.queue import claim_next
from resolution.services.unmerge import undo_merge
from resolution.types import Actor
from tests.factories import ChannelFactory, actor_for, lead, steward
from tests.resolution.services.register_state import register_state

SETS = ("customers_10k", *(("febrl3",) if "BENCH_DATA" in os.environ else ()))
DECIDED = 50
MACHINE = Actor.machine("proof")


def take_in(path: Path) -> None:
    channel = ChannelFactory(default_region="AU" if "febrl" in path.name else "US")
    import_file(open_file(path=path, channel=channel), actor=MACHINE, resolve=False)


def propose_and_approve(conflict: Conflict, proposer: Actor, approver: Actor) -> None:
    members = list(conflict.members.values_list("customer_id", flat=True))
    proposal = propose_merge(conflict_id=conflict.pk, member_ids=members, actor=proposer)
    approve_proposal(proposal_id=proposal.pk, actor=approver)


def undo_everything(actor: Actor) -> None:
    for merge_id in Merge.objects.filter(undone_at=None).order_by("-pk").values_list("pk", flat=True):
        undo_merge(merge_id=merge_id, actor=actor, judge_different=False)


@pytest.mark.soak
@pytest.mark.django_db(transaction=True)
class TestLabelledSets:
    @pytest.mark.parametrize("name", SETS)
    def test_p4_every_merge_made_is_taken_back_row_for_row(self, name: str) -> None:
        path = find_set(name)
        assert path is not None
        take_in(path)
        proposer, approver = actor_for(steward()), actor_for(lead())
        before = register_state()

        find_duplicates(actor=MACHINE)
        claimed = claim_next(actor=proposer, size=DECIDED)
        for conflict in claimed:
            conflict.refresh_from_db()
            if conflict.state == Conflict.State.CLAIMED:
                propose_and_approve(conflict, proposer, approver)
        assert Merge.objects.filter(method=Merge.Method.MANUAL).exists()
        assert Merge.objects.filter(method=Merge.Method.AUTO).exists()
        undo_everything(approver)

        assert register_state() == before
        assert audit.find_break() is None
