"""A new model learnt from the register, kept as a draft with what is known of how good it is."""

from __future__ import annotations

import csv
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from customers.models import Customer
from resolution.batch.collector import seldom_collecting
from resolution.batch.facts import unreadable
from resolution.errors import InvalidInput
from resolution.matching.clusters import LINKING
from resolution.matching.decide import band_of
from resolution.matching.evaluate import wilson_interval
from resolution.matching.kernel import score_pair
from resolution.matching.model import MatchModel
from resolution.matching.training import train_on_profiles
from resolution.models import Judgement, MatchRun, Merge, MergeMember, StoredModel
from resolution.selectors.match_model import live_model, live_policy
from resolution.selectors.records import load_records, walk_records
from resolution.services import audit, match_models, runs
from resolution.services.runs import Watch
from resolution.types import Actor, Band, Profile

KIND = "train_model"
DEFAULT_NAME = "trained on the register"
_BUSY = "A model is being trained already; see Runs for how far it is, and start again later."
_WORDS = {"same": True, "different": False}
_PAIRS_A_CHUNK = 2_000

# Customer id, customer id, whether they are one.
Label = tuple[str, str, bool]


def train_model(
    *,
    actor: Actor,
    labels: Iterable[Label] = (),
    name: str = DEFAULT_NAME,
    seed: int = 1,
    watch: Watch = lambda stage, done, total: None,
) -> StoredModel:
    """Learn from all customers as they first came, and from people's words; keep the model as a draft.

    The model begins from the live one. Raises Refused while another is trained, InvalidInput when what was
    learnt is no usable model.
    """
    with runs.one_at_a_time(KIND, _BUSY, MatchRun(kind=KIND, actor_name=actor.name)):
        base = live_model()
        version = _next_version()
        run = runs.begin(KIND, version, actor)
        counts: dict[str, int] = {}
        walk = runs.Walk(run, watch, {}, lambda: counts)
        with runs.closing(run), seldom_collecting():
            known = [*said_by_people(), *labels]
            counts["labels"] = len(known)
            with walk.stage("training", _customers().count()) as note:
                profiles = _profiles(counts, note)
                trained = train_on_profiles(profiles, base=base, seed=seed, labels=known)
            model = replace(trained.model, name=name, version=version, notes=_notes(trained.model, base))
            with walk.stage("measuring", len(known)) as note:
                measured = measure(model, known, note)
            metrics = {"training": {**trained.facts, "base": base.version, "seed": seed}, "labels": measured}
            with audit.change(actor):
                row = match_models.add_draft(model=model, metrics=metrics, actor=actor)
                runs.finish(run, counts, walk.timings)
            return row


def said_by_people() -> Iterator[Label]:
    """What people said of pairs: their live verdicts, and the merges they decided that still stand."""
    verdicts = Judgement.objects.filter(superseded_at__isnull=True, verdict__in=_WORDS).order_by("pk")
    for left, right, verdict in verdicts.values_list("left", "right", "verdict").iterator():
        yield str(left), str(right), _WORDS[verdict]
    merged = MergeMember.objects.filter(live=True, merge__method=Merge.Method.MANUAL).order_by("pk")
    for survivor, absorbed in merged.values_list("merge__survivor", "customer").iterator():
        yield str(survivor), str(absorbed), True


def read_labels(path: Path) -> list[Label]:
    """Read a CSV file of customer id, customer id, same or different; a heading is passed over.

    Raises InvalidInput naming the line at fault.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return list(_labels_in(csv.reader(file)))
    except OSError as error:
        raise unreadable(path, error) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"{path} cannot be read: {error}. Give a CSV file in UTF-8.") from error


def measure(
    model: MatchModel, labels: Iterable[Label], note: Callable[[int], None] = lambda done: None
) -> dict[str, Any]:
    """Count what a model does with labelled pairs, each share with its 95 % interval; {} without any.

    A pair counts as linked when policy would merge it without asking.
    """
    tally = _Tally()
    known = list(labels)
    for start in range(0, len(known), _PAIRS_A_CHUNK):
        some = known[start : start + _PAIRS_A_CHUNK]
        records = load_records({uuid.UUID(key) for left, right, _ in some for key in (left, right)})
        by_key = {str(key): record for key, record in records.items()}
        for left, right, same in some:
            if left in by_key and right in by_key and left != right:
                tally.add(_band(model, by_key[left], by_key[right]), same=same)
        note(start + len(some))
    return tally.told()


@dataclass(slots=True)
class _Tally:
    """Labelled pairs by what policy does with them."""

    same: int = 0
    different: int = 0
    same_linked: int = 0
    different_linked: int = 0
    same_asked: int = 0

    def add(self, band: Band, *, same: bool) -> None:
        linked = band in LINKING
        self.same += same
        self.different += not same
        self.same_linked += same and linked
        self.different_linked += not same and linked
        self.same_asked += same and band is Band.REVIEW

    def told(self) -> dict[str, Any]:
        if not self.same + self.different:
            return {}
        linked = self.same_linked + self.different_linked
        return {
            "same": self.same,
            "different": self.different,
            "linked_rightly": self.same_linked,
            "linked_wrongly": self.different_linked,
            "asked": self.same_asked,
            "precision": _share(self.same_linked, linked),
            "recall": _share(self.same_linked, self.same),
        }


def _share(part: int, whole: int) -> dict[str, float] | None:
    if not whole:
        return None
    low, high = wilson_interval(part, whole)
    return {"share": round(part / whole, 4), "low": round(low, 4), "high": round(high, 4)}


def _band(model: MatchModel, left: Profile, right: Profile) -> Band:
    return band_of(live_policy(), score_pair(model, left, right))


def _customers() -> QuerySet[Customer]:
    return Customer.objects.exclude(status=Customer.Status.ERASED)


def _profiles(counts: dict[str, int], note: Callable[[int], None]) -> Iterator[Profile]:
    for records in walk_records():
        yield from records.values()
        counts["records"] = counts.get("records", 0) + len(records)
        note(counts["records"])


def _notes(model: MatchModel, base: MatchModel) -> str:
    """What training wrote; where it wrote nothing, not what was said of the model it began from."""
    if model.notes != base.notes:
        return model.notes
    return f"Learnt from the register, beginning from model {base.version}."


def _next_version() -> str:
    """The day, and the number of the model trained on it."""
    day = f"{timezone.now():%Y-%m-%d}"
    taken = set(StoredModel.objects.filter(version__startswith=day).values_list("version", flat=True))
    return next(name for number in range(1, len(taken) + 2) if (name := f"{day}.{number}") not in taken)


def _labels_in(rows: Iterable[list[str]]) -> Iterator[Label]:
    for line, row in enumerate(rows, start=1):
        cells = [cell.strip() for cell in row]
        if not any(cells) or (line == 1 and not _is_id(cells[0])):
            continue
        if len(cells) != 3 or not (_is_id(cells[0]) and _is_id(cells[1])) or cells[2] not in _WORDS:
            raise InvalidInput(
                f"Line {line} is “{','.join(row)[:80]}”; two customer ids and same or different are wanted.",
                line=line,
            )
        yield str(uuid.UUID(cells[0])), str(uuid.UUID(cells[1])), _WORDS[cells[2]]


def _is_id(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
