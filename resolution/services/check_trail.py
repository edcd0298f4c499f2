"""The whole audit trail walked as a run, which tells how far it is and keeps what it found."""

from __future__ import annotations

from resolution.models import MatchRun
from resolution.services import audit, runs
from resolution.services.runs import Watch
from resolution.types import Actor

KIND = "check_trail"
_BUSY = "The audit trail is being checked already; its page shows what comes of it."


def check_trail(*, actor: Actor, watch: Watch = lambda stage, done, total: None) -> MatchRun:
    """Walk the chain from its first entry and return the run: failed, and why, where the chain breaks.

    Raises Refused while another check is at work.
    """
    with runs.one_at_a_time(KIND, _BUSY, MatchRun(kind=KIND, actor_name=actor.name)):
        run = runs.begin(KIND, "", actor)
        counts = {"entries": 0}
        walk = runs.Walk(run, watch, {}, lambda: counts)
        with runs.closing(run):
            counts["entries"] = audit.head().sequence
            with walk.stage("checking", counts["entries"]) as note:
                found = audit.find_break(note=note)
            if found:
                sequence, why = found
                runs.fail(run, f"The chain breaks at entry {sequence}: {why}. Tell an administrator at once.")
            else:
                runs.finish(run, counts, walk.timings)
    run.refresh_from_db()
    return run
