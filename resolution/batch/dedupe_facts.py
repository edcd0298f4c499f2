"""What a run came to, as its report tells it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

import numpy as np

from resolution.batch.dedupe import Outcome, largest_clusters
from resolution.batch.outputs import bands_of
from resolution.batch.run_facts import (
    BlockFact,
    BlockingFacts,
    ClusterFact,
    ClusterFacts,
    ComparisonFact,
    Counts,
    CurvePoint,
    Histogram,
    LevelFact,
    ModelFacts,
    PairSample,
    RuleFact,
    RunFacts,
    SampleRow,
    ThresholdFacts,
    UnlinkablePoint,
)
from resolution.matching.candidates import Joined
from resolution.matching.comparisons import phrase_of
from resolution.matching.comparisons.answers import SILENT
from resolution.matching.groups import ROW
from resolution.matching.kernel import score_pairs, score_rows
from resolution.matching.reasons import PRIOR_DETAIL
from resolution.matching.table import PROFILE_COLUMNS, Rows
from resolution.matching.thresholds import expected_curve
from resolution.matching.tokens import TOKENS
from resolution.types import Address, Band, FieldEvidence, Name, PairScore, Profile

_BLOCKS_SHOWN = 12
_CLUSTERS_SHOWN = 12
_MEMBERS_SHOWN = 8
_SAMPLES = 10
_BINS = 48
_SELF_SCORED = 50_000
_FIELD_OF_PART = {"given_name": "name", "family_name": "name"}
# The register holds groups back for a person; of a file they are told.
_REASONS = {
    "Held back: ": "",
    "(mean weight -": "(mean weight −",
    "on the whole the members speak against it": "a link to others was refused, most pairs speak against it",
    "customers)": "records)",
}
_METHODS = {"believed": "shipped"}


def facts_of(
    outcome: Outcome,
    *,
    version: str,
    started: str,
    options: Mapping[str, str],
    timings: Mapping[str, float],
    peak: int,
) -> RunFacts:
    """Gather everything that the report of a run tells; `peak` is MiB."""
    loaded = outcome.loaded
    return RunFacts(
        version=version,
        engine=outcome.options.engine,
        started=started,
        inputs=loaded.inputs,
        options=options,
        columns=loaded.columns,
        counts=_counts(outcome),
        timings={name: round(seconds, 3) for name, seconds in timings.items()},
        peak_memory_mib=peak,
        blocking=_blocking(outcome),
        model=_model(outcome),
        threshold=_threshold(outcome),
        histogram=_histogram(outcome),
        samples=tuple(_samples(outcome)),
        clusters=_clusters(outcome),
        unlinkable=tuple(_unlinkable(outcome)),
        completeness=loaded.completeness,
        notes=(*loaded.notes, *outcome.trained.facts.get("notes", ())),
    )


def _counts(outcome: Outcome) -> Counts:
    kept, labels = outcome.kept, outcome.clusters.labels
    sizes = np.bincount(labels, minlength=1)
    bands = bands_of(kept.weight, outcome.threshold)
    usable = np.zeros(len(labels), dtype=np.bool_)
    for column in outcome.loaded.table.columns.values():
        usable |= column.counts > 0
    return Counts(
        records=len(labels),
        usable_records=int(usable.sum()),
        candidate_pairs=len(outcome.candidates.pairs),
        pairs_scored=outcome.scored,
        pairs_kept=int((kept.weight >= outcome.options.keep).sum()),
        linked_pairs=int((bands < 2).sum()),
        review_pairs=int((bands == 2).sum()),
        clusters=int((sizes > 0).sum()),
        several=int((sizes > 1).sum()),
        largest_cluster=int(sizes.max(initial=0)),
        cut_groups=outcome.clusters.cut,
    )


def _blocking(outcome: Outcome) -> BlockingFacts:
    joined, gains = outcome.candidates.joined, outcome.candidates.gains
    rules = tuple(
        RuleFact(
            rule=_title(entry),
            what="" if _is_finer(entry) else f"{entry.rule.what[0].upper()}{entry.rule.what[1:]}.",
            pairs=len(entry.pairs),
            new_pairs=gain,
            blocks=entry.blocks,
            largest=entry.largest,
            refined_blocks=entry.refined_blocks,
            refined_records=entry.refined_rows,
        )
        for entry, gain in zip(joined, gains, strict=True)
    )
    coarse = [entry for entry in joined if not _is_finer(entry) and entry.largest > 1]
    largest = sorted(coarse, key=lambda entry: -entry.largest)[:_BLOCKS_SHOWN]
    blocks = tuple(_block(outcome, entry) for entry in largest)
    return BlockingFacts((*rules, *_copies(outcome)), blocks, outcome.loaded.shared_values)


def _copies(outcome: Outcome) -> Iterator[RuleFact]:
    further = outcome.copies.further
    if len(further):
        _, sizes = np.unique(outcome.copies.first[further], return_counts=True)
        what = "All they say is the same; the others are compared with the first alone."
        yield RuleFact(
            "identical records", what, len(further), len(further), len(sizes), int(sizes.max()) + 1
        )


def _title(entry: Joined) -> str:
    finer = entry.tokens[len(entry.rule.tokens) :]
    name = entry.rule.name.replace("_", " ")
    return f"{name} + {', '.join(finer).replace('_', ' ')}" if finer else name


def _is_finer(entry: Joined) -> bool:
    return entry.tokens != entry.rule.tokens


def _block(outcome: Outcome, entry: Joined) -> BlockFact:
    profile = outcome.loaded.profile(entry.example)
    key = ", ".join(filter(None, (_as_known(token, profile) for token in entry.tokens)))
    treated = "refined" if entry.largest > entry.most else "compared"
    return BlockFact(_title(entry), key, entry.largest, treated)


def _as_known(shared: str, profile: Profile) -> str:
    """What a record shares by a token, as people write it: the name rather than its sound."""
    name = next(iter(profile.names), Name("", ""))
    where = next(iter(profile.addresses), Address("", "", "", "", ""))
    street = f"{where.house} {where.street}"
    match shared:
        case "given" | "initial":
            return name.given if shared == "given" else name.given[:1]
        case "family" | "family_initial":
            return name.family if shared == "family" else name.family[:1]
        case "both_names" | "either_name":
            return f"{name.given} {name.family}".strip()
        case "house" | "door":
            return street if shared == "door" else f"{street}, {where.postcode or where.city}"
        case "postcode" | "city":
            return where.postcode if shared == "postcode" else where.city
    values = getattr(profile, PROFILE_COLUMNS[TOKENS[shared].field])
    return str(values[0]) if values else ""


def _model(outcome: Outcome) -> ModelFacts:
    model, trained, kept = outcome.trained.model, outcome.trained, outcome.kept
    comparisons, told = [], {entry.field for entry in outcome.loaded.completeness}
    for field, levels in model.comparisons.items():
        if field not in kept.levels or _FIELD_OF_PART.get(field, field) not in told:
            continue
        said = kept.levels[field]
        counts = np.bincount(said[said != SILENT], minlength=len(levels))
        comparisons.append(
            ComparisonFact(
                field,
                tuple(
                    LevelFact(
                        level.name,
                        level.m,
                        level.u,
                        level.household,
                        level.weight,
                        int(count),
                        phrase_of(field, level.name),
                    )
                    for level, count in zip(levels, counts, strict=True)
                ),
            )
        )
    return ModelFacts(
        method=_METHODS.get(trained.method, trained.method),
        name=f"{model.name} {model.version}",
        prior=model.prior,
        rules=tuple(trained.facts.get("rules", ())),
        iterations=int(trained.facts.get("rounds", 0)),
        notes=tuple(trained.facts.get("notes", ())),
        comparisons=tuple(comparisons),
    )


def _threshold(outcome: Outcome) -> ThresholdFacts:
    expected = outcome.expected
    curve = tuple(
        CurvePoint(point.weight, point.precision, point.recall)
        for point in expected_curve(outcome.kept.weight)
    )
    review = min(max(outcome.options.keep, -3.0), outcome.threshold)
    if expected is None:
        return ThresholdFacts(outcome.threshold, review, curve=curve)
    return ThresholdFacts(outcome.threshold, review, expected.precision, expected.recall, expected.f1, curve)


def _histogram(outcome: Outcome) -> Histogram:
    weights = outcome.kept.weight
    if not len(weights):
        return Histogram()
    low, high = math.floor(weights.min()), math.ceil(weights.max() + 1e-9)
    counts, edges = np.histogram(weights, bins=_BINS, range=(low, max(high, low + 1)))
    return Histogram(tuple(edges.tolist()), tuple(counts.tolist()))


def _samples(outcome: Outcome) -> Iterator[PairSample]:
    """Pairs of every kind: of each band, those around the threshold, and two people of one home."""
    profile = outcome.loaded.profile
    places = _sample_places(outcome)
    pairs = [(profile(int(outcome.kept.left[at])), profile(int(outcome.kept.right[at]))) for at in places]
    for score in score_pairs(outcome.trained.model, pairs):
        yield sample_of(score, outcome.threshold)


def _sample_places(outcome: Outcome) -> list[int]:
    kept = outcome.kept
    if not len(kept):
        return []
    order = np.argsort(-kept.weight, kind="stable")
    linked = int((kept.weight >= outcome.threshold).sum())
    near = order[max(linked - 2, 0) : linked + 2]
    apart = order[linked:]
    home = apart[np.argsort(-kept.at_home[apart], kind="stable")][:2]
    spread = order[np.linspace(0, len(order) - 1, _SAMPLES - 6).astype(int)]
    bands = bands_of(kept.weight[order], outcome.threshold)
    middles = [
        order[places[len(places) // 2]] for band in range(4) if len(places := np.flatnonzero(bands == band))
    ]
    chosen = dict.fromkeys(np.concatenate((spread, near, home, middles)).tolist())
    return sorted(chosen, key=lambda place: -kept.weight[place])


def sample_of(score: PairScore, threshold: float) -> PairSample:
    """One scored pair as the report and the explanation show it; the prior stands apart from the fields."""
    band = list(Band)[int(bands_of(np.array([score.weight]), threshold)[0])].value
    rows = tuple(_row(entry) for entry in score.fields if entry.detail != PRIOR_DETAIL)
    return PairSample(score.left, score.right, score.weight, score.probability, band, rows)


def _row(entry: FieldEvidence) -> SampleRow:
    return SampleRow(entry.field, entry.left, entry.right, entry.level, entry.detail, entry.weight)


def _clusters(outcome: Outcome) -> ClusterFacts:
    labels = outcome.clusters.labels
    sizes = np.bincount(labels, minlength=1)
    found, counts = np.unique(sizes[sizes > 0], return_counts=True)
    why = {rows[0]: reason for rows, reason in outcome.clusters.doubtful}
    largest = [_cluster(outcome, rows, why) for rows in largest_clusters(labels, _CLUSTERS_SHOWN)]
    doubtful = [
        _cluster(outcome, np.array(rows), why) for rows, _ in outcome.clusters.doubtful[:_CLUSTERS_SHOWN]
    ]
    sized = tuple(zip(found.tolist(), counts.tolist(), strict=True))
    return ClusterFacts(sized, tuple(largest), len(outcome.clusters.doubtful), tuple(doubtful))


def _cluster(outcome: Outcome, rows: Rows, why: Mapping[int, str]) -> ClusterFact:
    members = tuple(describe(outcome, int(row)) for row in rows[:_MEMBERS_SHOWN])
    reason = _in_words(outcome, why.get(int(rows[0]), ""))
    return ClusterFact(str(outcome.loaded.ids[rows[0]]), len(rows), reason, members, _who(outcome, rows))


def _who(outcome: Outcome, rows: Rows) -> str:
    names = (name for row in rows[:_MEMBERS_SHOWN] for name in outcome.loaded.profile(int(row)).names)
    return next((f"{name.given} {name.family}".strip() for name in names), "")


def _in_words(outcome: Outcome, reason: str) -> str:
    """A reason with the records' ids in place of their rows; a file's clusters are not held back."""
    told = re.sub(rf"{ROW}(\d+)", lambda found: str(outcome.loaded.ids[int(found[1])]), reason)
    for held, said in _REASONS.items():
        told = told.replace(held, said)
    return told


def describe(outcome: Outcome, row: int) -> str:
    """One record in a line: its id and what it says."""
    profile = outcome.loaded.profile(row)
    names = [f"{name.given} {name.family}".strip() for name in profile.names]
    places = [f"{where.house} {where.street} {where.postcode} {where.city}" for where in profile.addresses]
    parts = [*names, *profile.birth_dates, *profile.emails, *profile.phones, *places]
    return " · ".join((str(outcome.loaded.ids[row]), *(" ".join(part.split()) for part in parts if part)))


def _unlinkable(outcome: Outcome) -> Iterator[UnlinkablePoint]:
    """How much each record could weigh against an exact copy of itself."""
    count = len(outcome.loaded.table)
    rows = np.linspace(0, count - 1, min(count, _SELF_SCORED)).astype(np.int64)
    parts = list(score_rows(outcome.trained.model, outcome.loaded.table, rows, rows))
    best = np.sort(np.concatenate([np.zeros(0), *(part.weight for part in parts)]))
    if not len(best):
        return
    for weight in np.linspace(min(best[0], outcome.threshold), max(best[-1], outcome.threshold), 41):
        yield UnlinkablePoint(float(weight), float(np.searchsorted(best, weight) / len(best)))
