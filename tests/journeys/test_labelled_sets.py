"""Whole labelled sets through import, duplicate finding, queue, merge and undo, back to the first row.

The generated sets are made here; FEBRL 3 is taken from the folder that BENCH_DATA names, and wanted there.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.ground import SetMissing, find_set
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

SETS = ("customers_10k", "customers_100k", "febrl3")
DECIDED = 50
MACHINE = Actor.machine("proof")


def _set(name: str) -> Path:
    try:
        return find_set(name)
    except SetMissing as missing:
        pytest.fail(str(missing), pytrace=False)


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
        take_in(_set(name))
        proposer, approver = actor_for(steward()), actor_for(lead())
        before = register_state()

        find_duplicates(actor=MACHINE)
        claimed = claim_next(actor=proposer, size=DECIDED)
        for conflict in claimed:
            conflict.refresh_from_db()
            if (conflict.kind, conflict.state) == (Conflict.Kind.LIKELY_DUPLICATE, Conflict.State.CLAIMED):
                propose_and_approve(conflict, proposer, approver)
        assert Merge.objects.filter(method=Merge.Method.MANUAL).exists()
        assert Merge.objects.filter(method=Merge.Method.AUTO).exists()
        undo_everything(approver)

        assert register_state() == before
        assert audit.find_break() is None
