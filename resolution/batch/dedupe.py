"""Files to clusters, for analysts: stages in order, on arrays, without a database.

load      files to a table of canonical values               batch/load.py
block     copies; pairs that share a key few enough have     batch/copies.py, matching/candidates.py
train     a model learnt from the records themselves         matching/training.py
score     match weights, levels and bits of every pair       batch/scoring.py, matching/kernel.py
cluster   groups that hold together                          matching/groups.py
write     pairs, clusters, model and report                  batch/outputs.py, batch/dedupe_facts.py

The stages know no engine. `duckdb` runs them in this process and its forks on the processors of one machine.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from resolution.batch.collector import seldom_collecting
from resolution.batch.copies import Copies, clusters_with_copies, copies_of, no_copies, rows_of, with_copies
from resolution.batch.facts import identity_of
from resolution.batch.given_labels import Labels, read_labels
from resolution.batch.load import Loaded, load_files
from resolution.batch.scoring import Kept, score_candidates, together
from resolution.batch.spread import FEWEST_SPREAD, in_forks, in_threads
from resolution.batch.within import pairs_not_met
from resolution.errors import InvalidInput, NotFound
from resolution.matching.candidates import Candidates, candidate_pairs
from resolution.matching.comparisons.many import work_out_facts
from resolution.matching.groups import Clusters, Links, cluster_rows
from resolution.matching.model import MatchModel, ModelRefused, load_model
from resolution.matching.normalise.bulk import in_process
from resolution.matching.table import Rows
from resolution.matching.thresholds import EVEN_ODDS, Expected, choose_threshold, expected_at
from resolution.matching.training import Trained, train

# The lowest match weight that is written unless told otherwise, in log2 odds.
KEEP = -4.0
ENGINES = ("duckdb",)
_LONGEST_NAME = 80

# Told (stage, how far, of how many; 0 while unknown).
Watch = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What an analyst asked for. Weights are log2 odds; None leaves the choice to the tool."""

    inputs: tuple[Path, ...]
    id_column: str = ""
    mapping: tuple[tuple[str, str], ...] = ()
    link_only: bool = False
    model: Path | None = None
    labels: Path | None = None
    threshold: float | None = None
    keep: float = KEEP
    engine: str = "duckdb"
    seed: int = 1
    explain: str = ""
    delimiter: str = ""
    encoding: str = ""


def _watch_nothing(stage: str, done: int, total: int) -> None:
    """Tell nobody."""


@dataclass(slots=True)
class Stages:
    """Seconds a stage, in order; `watch` is told of each as it goes on."""

    watch: Watch = _watch_nothing
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, total: int = 0) -> Iterator[Callable[[int], None]]:
        begun = time.perf_counter()
        self.watch(name, 0, total)
        yield lambda done: self.watch(name, done, total)
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun


@dataclass(frozen=True, eq=False)
class Outcome:
    """All that came of a run; rows are those of `loaded.table`.

    `kept` are the pairs at or above any weight of interest of all that were `scored`: the candidates, and
    those that clusters brought together. `copies` are the records that say exactly what an earlier one says.
    """

    options: Options
    loaded: Loaded
    copies: Copies
    candidates: Candidates
    trained: Trained
    kept: Kept
    scored: int
    threshold: float
    expected: Expected | None
    clusters: Clusters


def dedupe_files(options: Options, *, watch: Watch = _watch_nothing) -> Outcome:
    """Find the records that are one customer in some files; writes nothing.

    Raises NotFound or InvalidInput when the files, the columns, the model or the labels cannot be used.
    """
    stages = Stages(watch)
    return dedupe_loaded(options, load_inputs(options, stages), stages)


def load_inputs(options: Options, stages: Stages) -> Loaded:
    """Check what was asked for and read the files."""
    check_options(options)
    with stages.stage("load"):
        loaded = load_files(
            options.inputs,
            id_column=options.id_column,
            mapping=options.mapping,
            delimiter=options.delimiter,
            encoding=options.encoding,
        )
    if options.explain:
        rows_to_explain(loaded, options.explain)
    return loaded


def dedupe_loaded(options: Options, loaded: Loaded, stages: Stages) -> Outcome:
    """Take records through every stage after loading."""
    with seldom_collecting():
        return _through_stages(options, loaded, stages)


def _through_stages(options: Options, loaded: Loaded, stages: Stages) -> Outcome:
    with stages.stage("block"):
        copies = no_copies(loaded.table) if options.link_only else copies_of(loaded.table)
        candidates = _candidates(loaded, copies, options)
    with stages.stage("train"):
        work_out_facts(loaded.table, mapper=in_threads)
        trained = _model(loaded, copies, candidates, options)
    left, right = candidates.rows()
    with stages.stage("score", len(left)) as note:
        kept = score_candidates(trained.model, loaded.table, left, right, floor=_floor(options), watch=note)
    with stages.stage("cluster"):
        threshold, expected = _threshold(kept, options)
        clusters = _clusters(loaded, copies, trained.model, kept, threshold, options)
        left, right = _not_met(loaded, clusters, kept, options)
        met = score_candidates(trained.model, loaded.table, left, right, floor=_floor(options))
        kept = together([kept, met], trained.model)
    scored = len(candidates.pairs) + len(left)
    return Outcome(options, loaded, copies, candidates, trained, kept, scored, threshold, expected, clusters)


def check_options(options: Options) -> None:
    """Refuse what no file could satisfy, before any is read. Raises NotFound or InvalidInput."""
    if options.engine not in ENGINES:
        raise InvalidInput(
            f"There is no engine {options.engine[:40]!r}; there is {', '.join(ENGINES)}.",
            engine=options.engine,
        )
    if options.link_only and len(options.inputs) < 2:
        raise InvalidInput("--link-only needs two files or more; one was given.")
    for name, weight in (("threshold", options.threshold), ("keep", options.keep)):
        if weight is not None and not math.isfinite(weight):
            raise InvalidInput(f"--{name} is {weight}; a match weight such as 2.5 or -4 is wanted.")
    if options.seed < 0:
        raise InvalidInput(f"--seed is {options.seed}; a whole number from 0 on is wanted.")
    if options.model and options.labels:
        raise InvalidInput("--labels teach a model and --model gives one: leave one of them out.")
    if options.model:
        _given_model(options.model)
    if options.labels:
        identity_of(options.labels)


def _given_model(path: Path) -> MatchModel:
    if not path.is_file():
        raise NotFound(f"There is no model file {path}; name the model.json of another run.", path=str(path))
    try:
        return load_model(path)
    except ModelRefused as refusal:
        raise InvalidInput(f"{path} is no model to use: {refusal}", path=str(path)) from refusal


def _floor(options: Options) -> float:
    """The lowest weight of interest: what is linked and what to expect does not hang on what is written."""
    return min(KEEP, options.keep, KEEP if options.threshold is None else options.threshold)


def _candidates(loaded: Loaded, copies: Copies, options: Options) -> Candidates:
    found = candidate_pairs(rows_of(loaded.table, copies.distinct), mapper=in_threads)
    if not options.link_only:
        return with_copies(found, copies)
    left, right = found.rows()
    return found.of(loaded.sources[left] != loaded.sources[right])


def _model(loaded: Loaded, copies: Copies, candidates: Candidates, options: Options) -> Trained:
    if options.model is not None:
        return Trained(_given_model(options.model), "given")
    trained = train(
        loaded.table,
        candidates,
        base=load_model(),
        seed=options.seed,
        labels=_labels(loaded, candidates, options),
        mapper=in_forks if len(loaded) >= FEWEST_SPREAD else in_process,
        distinct=rows_of(loaded.table, copies.distinct),
    )
    if trained.method == "believed":
        return trained
    files = ", ".join(path.stem for path in options.inputs)
    return replace(trained, model=replace(trained.model, name=f"learnt from {files}"[:_LONGEST_NAME]))


def _labels(loaded: Loaded, candidates: Candidates, options: Options) -> Labels:
    return read_labels(options.labels, loaded.table.keys, candidates.rows()) if options.labels else []


def _threshold(kept: Kept, options: Options) -> tuple[float, Expected | None]:
    weights = kept.weight[kept.weight >= KEEP]
    if options.threshold is not None:
        return options.threshold, expected_at(kept.weight, options.threshold)
    chosen = choose_threshold(weights)
    return (chosen.weight if chosen else EVEN_ODDS), chosen


def _clusters(
    loaded: Loaded, copies: Copies, model: MatchModel, kept: Kept, threshold: float, options: Options
) -> Clusters:
    between = copies.between(kept.right)
    links = Links(kept.left, kept.right, kept.weight).of(~between)
    sources = loaded.sources.astype(np.int64) if options.link_only else None
    clusters = cluster_rows(model, loaded.table, links, threshold, sources=sources, mapper=in_forks)
    return clusters_with_copies(clusters, copies, kept.right[between & (kept.weight >= threshold)])


def _not_met(loaded: Loaded, clusters: Clusters, kept: Kept, options: Options) -> tuple[Rows, Rows]:
    left, right = pairs_not_met(clusters.labels, kept.left, kept.right)
    apart = loaded.sources[left] != loaded.sources[right] if options.link_only else slice(None)
    return left[apart], right[apart]


def rows_to_explain(loaded: Loaded, text: str) -> tuple[int, int]:
    """Find the two records of "A,B"; their ids may have commas themselves. Raises InvalidInput."""
    places = {str(key): row for row, key in enumerate(loaded.ids)}
    commas = [place for place, sign in enumerate(text) if sign == ","]
    asked = [(text[:comma].strip(), text[comma + 1 :].strip()) for comma in commas]
    for left, right in asked:
        if left in places and right in places and left != right:
            return places[left], places[right]
    if not asked:
        raise InvalidInput(f"--explain {text[:80]!r} is not two ids with a comma between.")
    missing = [key for key in asked[0] if key not in places]
    if not missing:
        raise InvalidInput(f"--explain names the record {asked[0][0][:80]!r} twice; two records are wanted.")
    raise InvalidInput(
        f"There is no record {missing[0][:80]!r} to explain; ids are such as {next(iter(places))[:80]!r}."
    )


def largest_clusters(labels: Rows, most: int) -> list[Rows]:
    """The rows of the largest clusters of several, the largest first."""
    sizes = np.bincount(labels, minlength=1)
    several = np.flatnonzero(sizes > 1)
    largest = several[np.argsort(-sizes[several], kind="stable")[:most]]
    return [np.flatnonzero(labels == label) for label in largest]
