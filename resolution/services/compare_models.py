"""A model tried in shadow: the whole register compared by it and by the live one, and nothing written (P11).

What a search for duplicates would do is worked out twice over the same profiles. The difference is kept on
the model by customer id, so that a person can look at who would merge and who would split before promoting.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from django.utils import timezone

from customers.models import Customer
from resolution.batch.collector import seldom_collecting
from resolution.batch.pipeline import (
    PAIRS_A_CHUNK,
    Comparison,
    Findings,
    ProfileShelf,
    candidates_of_register,
    chunks,
    count_outcomes,
    merges,
)
from resolution.errors import IllegalTransition
from resolution.matching.clusters import group_customers
from resolution.matching.decide import Policy
from resolution.matching.kernel import score_pairs
from resolution.matching.model import MatchModel
from resolution.models import MatchRun, StoredModel
from resolution.selectors.match_model import find_model, live_model, live_policy, stored_model
from resolution.selectors.profiles import load_profiles
from resolution.selectors.records import count_merged, load_records, walk_merged_by_machine
from resolution.services import audit, conflicts, match_models, runs
from resolution.services.questions import questions_of, reason_of
from resolution.services.runs import Watch
from resolution.types import Actor, PairScore, Profile

KIND = "compare_model"
MOST_NAMED = 200
COMPARABLE = frozenset({StoredModel.State.DRAFT, StoredModel.State.SHADOW})
_BUSY = "A model is being compared already; see Runs for how far it is, and start again later."

IdSet = tuple[str, ...]


def compare_in_shadow(
    *, version: str, actor: Actor, watch: Watch = lambda stage, done, total: None
) -> StoredModel:
    """Work out what a model would change, keep it on the model, and return that: it can be promoted then.

    Raises NotFound, IllegalTransition for a model that is live or retired, Refused while another is compared.
    """
    with runs.one_at_a_time(KIND, _BUSY, MatchRun(kind=KIND, model_version=version, actor_name=actor.name)):
        row = check_comparable(version)
        live, candidate = live_model(), stored_model(row.pk, row.digest)
        run = runs.begin(KIND, version, actor)
        counts: dict[str, int] = {}
        walk = runs.Walk(run, watch, {}, lambda: counts)
        with runs.closing(run), seldom_collecting():
            comparison = _Shadow(live, candidate, live_policy(), walk, counts).compare()
            return _keep(run, walk, comparison, version, actor)


def check_comparable(version: str) -> StoredModel:
    """Return a model that can be compared. Raises NotFound, IllegalTransition."""
    row = find_model(version)
    if row.pk is None or row.state not in COMPARABLE:
        state = row.get_state_display().lower() if row.pk else "the shipped one"
        raise IllegalTransition(f"Model {version}", state, "compared")
    return row


def _keep(
    run: MatchRun, walk: runs.Walk, comparison: dict[str, Any], version: str, actor: Actor
) -> StoredModel:
    with audit.change(actor) as trail:
        runs.finish(run, comparison["counts"], walk.timings)
        return match_models.keep_comparison(
            trail, version=version, comparison=comparison | {"run": run.pk, "by": actor.name}
        )


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What one model makes of the register: pairs that become one, and questions by their members."""

    merges: int
    merged: int
    pairs: frozenset[IdSet]
    questions: frozenset[IdSet]


@dataclass(slots=True)
class _Shadow:
    """Two models over one register."""

    live: MatchModel
    candidate: MatchModel
    policy: Policy
    walk: runs.Walk
    counts: dict[str, int]

    def compare(self) -> dict[str, Any]:
        """Walk the register once, scoring each pair by both models; JSON-ready."""
        before, after = self._outcomes()
        split = self._fallen_apart()
        changes = {
            "would_merge": after.pairs - before.pairs,
            "would_not_merge": before.pairs - after.pairs,
            "questions_gained": after.questions - before.questions,
            "questions_lost": before.questions - after.questions,
        }
        self.counts |= {name: len(found) for name, found in changes.items()} | {"would_split": len(split)}
        with self.walk.stage("naming"):
            named = {name: self._named(sorted(found)[:MOST_NAMED]) for name, found in changes.items()}
        return {
            "live": self.live.version,
            "at": timezone.now().isoformat(),
            "counts": self.counts,
            "outcomes": {
                side: {"merges": entry.merges, "merged": entry.merged, "questions": len(entry.questions)}
                for side, entry in (("live", before), ("candidate", after))
            },
            "would_split": split[:MOST_NAMED],
            **named,
        }

    def _outcomes(self) -> tuple[_Outcome, _Outcome]:
        shelf = ProfileShelf()
        sides = [Comparison(shelf, self.live), Comparison(shelf, self.candidate)]
        scores: list[list[PairScore]] = [[], []]
        with self.walk.stage("comparing") as note, candidates_of_register() as pairs:
            for chunk in chunks(pairs, PAIRS_A_CHUNK):
                for side, kept in zip(sides, scores, strict=True):
                    kept += side.score(chunk)
                note(sides[0].counts.pairs)
        self.counts |= {"customers": Customer.objects.active().count(), "pairs": sides[0].counts.pairs}
        with self.walk.stage("grouping"):
            before, after = (_outcome_of(side.group(kept)) for side, kept in zip(sides, scores, strict=True))
        return before, after

    def _fallen_apart(self) -> list[dict[str, Any]]:
        """Customers merged by the machine that the live model would join again and the other would not."""
        found: list[dict[str, Any]] = []
        looked_at = held = 0
        with self.walk.stage("looking at merges", count_merged()) as note:
            for merged in walk_merged_by_machine():
                records = load_records([key for members in merged.values() for key in members])
                for survivor, members in merged.items():
                    known = [records[key] for key in members if key in records]
                    if len(self._parts(self.live, known)) > 1:
                        continue
                    held += 1
                    if len(parts := self._parts(self.candidate, known)) > 1:
                        found.append({"customer": str(survivor), "parts": parts})
                looked_at += len(merged)
                note(looked_at)
        self.counts |= {"merged_by_machine": looked_at, "held_by_live": held}
        return found

    def _parts(self, model: MatchModel, records: Sequence[Profile]) -> list[list[str]]:
        """The groups a model would make of some records."""
        by_key = {record.key: record for record in records}
        scores = score_pairs(model, combinations(records, 2), floor=self.policy.review)
        groups = group_customers(
            scores,
            policy=self.policy,
            score=lambda pairs: score_pairs(model, ((by_key[left], by_key[right]) for left, right in pairs)),
            different=frozenset(),
        )
        parts = [list(group.members) for group in groups if merges(group)]
        alone = by_key.keys() - {key for part in parts for key in part}
        return sorted([*parts, *([key] for key in alone)], key=lambda part: (-len(part), part))

    def _named(self, sets: Sequence[IdSet]) -> list[dict[str, Any]]:
        """Each set of customers with the weight of its strongest pair under both models, and why."""
        profiles = load_profiles({uuid.UUID(key) for members in sets for key in members})
        by_key = {str(key): profile for key, profile in profiles.items()}
        known = [members for members in sets if all(key in by_key for key in members)]
        return [self._entry(members, [by_key[key] for key in members]) for members in known]

    def _entry(self, members: IdSet, profiles: Sequence[Profile]) -> dict[str, Any]:
        pairs = list(combinations(profiles, 2))
        now = max(score_pairs(self.candidate, pairs), key=lambda score: score.weight)
        before = max(score.weight for score in score_pairs(self.live, pairs))
        return {
            "customers": list(members),
            "before": round(before, 2),
            "after": round(now.weight, 2),
            "why": reason_of(now),
        }


def _outcome_of(findings: Findings) -> _Outcome:
    counts = count_outcomes(findings.groups)
    holding = [group.members for group in findings.groups if merges(group)]
    questions = conflicts.leave_out_answered(questions_of(findings.groups))
    return _Outcome(
        merges=counts["merges"],
        merged=counts["merged"],
        pairs=frozenset(pair for members in holding for pair in combinations(members, 2)),
        questions=frozenset(tuple(sorted(map(str, question.members))) for question in questions),
    )
