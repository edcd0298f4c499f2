"""What is to be said of a newcomer, found by reading alone: known by an identifier, alike, or new."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from customers.models import Customer
from customers.models import Mapping as Link
from customers.selectors import find_owners
from resolution.conf import policy
from resolution.matching.decide import band_of, decide
from resolution.selectors.candidates import score_candidates
from resolution.selectors.identifier_rules import is_valid, load_rules
from resolution.selectors.match_model import live_policy
from resolution.selectors.merge_facts import load_differences
from resolution.services.cache import IdentifierKey
from resolution.services.intake import Intake
from resolution.types import Band, Decision, DifferenceFact, Identifier, PairScore, Profile, Resolution

LINKING = (Band.AUTO, Band.SAMPLE)
NOBODY = Decision(band=Band.NONE, best=None, reason="Nobody alike is known.")
MOST_CANDIDATES = 10

_STATUS = {Band.AUTO: "linked", Band.SAMPLE: "linked", Band.REVIEW: "review", Band.NONE: "created"}


@dataclass(frozen=True, slots=True)
class Answer:
    """Who a newcomer is, before anything is written.

    `owners` are the links that own its explicit identifiers, `known` the customers sure enough to answer by,
    most trusted identifier first; `decision` is made only when there are none.
    """

    intake: Intake
    owners: Mapping[IdentifierKey, Link]
    known: tuple[uuid.UUID, ...]
    decision: Decision

    @property
    def status(self) -> str:
        """matched, linked, review or created, as `Resolution` has it."""
        if self.known:
            return "matched" if len(self.known) == 1 else "review"
        return _STATUS[self.decision.band]

    @property
    def target(self) -> uuid.UUID | None:
        """The customer this newcomer is taken for."""
        if self.known:
            return self.known[0]
        best = self.decision.best
        return uuid.UUID(best.right) if best and self.decision.band in LINKING else None

    @property
    def candidates(self) -> tuple[PairScore, ...]:
        best = (self.decision.best,) if self.decision.best else ()
        return (*best, *self.decision.rivals)[:MOST_CANDIDATES]

    @property
    def confidence(self) -> float:
        if self.known:
            return float(
                max(row.confidence_score for row in self.owners.values() if row.customer_id == self.target)
            )
        return self.decision.best.probability if self.decision.best else 1.0

    @property
    def weight(self) -> float | None:
        return self.decision.best.weight if self.decision.best else None

    @property
    def reason(self) -> str:
        if not self.known:
            return self.decision.reason
        by = [entry for entry in self.intake.explicit if self._owner(entry) in self.known]
        if len(self.known) == 1:
            return known_by(by[0])
        values = ", ".join(entry.value for entry in by)
        return f"Its identifiers belong to {len(self.known)} customers: {values}."

    def touched(self) -> Collection[uuid.UUID]:
        owners = {row.customer_id for row in self.owners.values()}
        asked = self.candidates if self.status == "review" else _fitting(self.decision)
        alike = {uuid.UUID(score.right) for score in asked}
        return owners | alike | ({self.target} if self.target else set())

    def holds(self, locked: Mapping[uuid.UUID, Customer]) -> bool:
        everyone_lives = all(row.status == Customer.Status.ACTIVE for row in locked.values())
        same_owners = _customers_of(owners_of(self.intake)) == _customers_of(self.owners)
        return everyone_lives and same_owners and not _told_apart(self.decision)

    def as_resolution(self, customer_id: uuid.UUID | None) -> Resolution:
        bands = {"matched": Band.AUTO, "review": Band.REVIEW}
        return Resolution(
            status=self.status,
            customer_id=str(customer_id) if customer_id else None,
            confidence=self.confidence,
            band=bands.get(self.status, self.decision.band),
            reasons=(self.reason, *self.intake.notes),
            weight=self.weight,
            candidates=self.candidates,
        )

    def _owner(self, identifier: Identifier) -> uuid.UUID | None:
        link = self.owners.get(self.intake.key_of(identifier))
        return link.customer_id if link else None


def find_answer(intake: Intake) -> Answer:
    """Look the newcomer's identifiers up, and only if nobody is known by them compare it with those alike."""
    owners = owners_of(intake)
    rules = load_rules() if owners else {}
    sure = {
        key: row
        for key, row in owners.items()
        if row.confidence_score >= policy().lookup_confidence and is_valid(row, rules)
    }
    by_trust = (sure.get(intake.key_of(entry)) for entry in intake.explicit)
    known = tuple(dict.fromkeys(row.customer_id for row in by_trust if row))
    return Answer(intake, owners, known, NOBODY if known else _decide(intake))


def owners_of(intake: Intake) -> dict[IdentifierKey, Link]:
    """Return the links that own a newcomer's explicit identifiers."""
    return find_owners([intake.key_of(entry) for entry in intake.explicit])


def nobody(intake: Intake) -> Resolution:
    """Answer for somebody who left nothing to be known by."""
    return Resolution("unknown", None, 0.0, Band.NONE, ("Nothing here tells who it is.", *intake.notes))


def known_by(identifier: Identifier) -> str:
    return f"Known by {identifier.type} {identifier.value}."


def _customers_of(owners: Mapping[IdentifierKey, Link]) -> dict[IdentifierKey, uuid.UUID]:
    return {key: row.customer_id for key, row in owners.items()}


def _decide(intake: Intake) -> Decision:
    """Decide by all that is known; to fit two customers a person told apart is a contradiction."""
    decision = _decide_by_text(intake)
    if told_apart := _told_apart(decision):
        who = told_apart[0].who
        return replace(decision, band=Band.REVIEW, reason=f"It fits two customers that {who} told apart.")
    return decision


def _told_apart(decision: Decision) -> list[DifferenceFact]:
    """What people said of the best candidate and others that fit as well; no query where none do."""
    fitting = _fitting(decision)
    if not fitting or decision.best is None:
        return []
    best = decision.best.right
    facts = load_differences({uuid.UUID(score.right) for score in (decision.best, *fitting)})
    return [fact for fact in facts if best in (fact.left, fact.right)]


def _fitting(decision: Decision) -> tuple[PairScore, ...]:
    """The rivals of a link that would be linked themselves, were the best not there."""
    if decision.band not in LINKING:
        return ()
    return tuple(score for score in decision.rivals if band_of(live_policy(), score) in LINKING)


def _decide_by_text(intake: Intake) -> Decision:
    """A link that stands on words in a text alone is a question instead."""
    decision = _decide_by(intake.profile)
    if decision.band not in LINKING or not intake.mentioned:
        return decision
    certain = _decide_by(intake.certain_profile)
    if certain.band in LINKING:
        return certain
    return replace(
        decision, band=Band.REVIEW, reason=f"Only what the text mentions says so. {decision.reason}"
    )


def _decide_by(profile: Profile) -> Decision:
    scores = score_candidates(profile, floor=policy().review_weight)
    return decide(live_policy(), scores)
