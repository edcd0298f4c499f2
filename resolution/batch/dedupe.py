"""Files to clusters, for analysts: stages in order, on arrays, without a database.

load      files to a table of canonical values               batch/load.py
block     pairs that share a key few enough have             matching/blocking.py
train     a model learnt from the records themselves         matching/training.py
score     match weights, levels and bits of every pair       batch/scoring.py, matching/kernel.py
cluster   groups that hold together                          matching/groups.py
write     pairs, clusters, model and report                  batch/outputs.py, batch/dedupe_facts.py

The stages know no engine. `duckdb` runs them in this process and its forks on the processors of one machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from resolution.batch.given_labels import Labels, read_labels
from resolution.batch.load import Loaded, load_files
from resolution.batch.scoring import Kept, score_candidates
from resolution.batch.spread import processors
from resolution.errors import InvalidInput
from resolution.matching.blocking import Candidates, candidate_pairs
from resolution.matching.groups import Clusters, Links, cluster_rows
from resolution.matching.model import ModelRefused, load_model
from resolution.matching.table import Rows
from resolution.matching.thresholds import EVEN_ODDS, Expected, choose_threshold, expected_at
from resolution.matching.training import Trained, train

# The lowest match weight that is written unless told otherwise, in log2 odds.
KEEP = -4.0
ENGINES = ("duckdb",)

# Told (stage, how far, of how many; 0 while unknown).
Watch = Callable[[str, int, int], None]


class LoadFiles(Protocol):
    """How an engine reads its inputs."""

    def __call__(
        self, paths: Sequence[Path], *, id_column: str, mapping: Sequence[tuple[str, str]]
    ) -> Loaded: ...


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


@dataclass(slots=True)
class Stages:
    """Seconds a stage, in order."""

    watch: Watch
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, total: int = 0) -> Iterator[Callable[[int], None]]:
        begun = time.perf_counter()
        self.watch(name, 0, total)
        yield lambda done: self.watch(name, done, total)
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun


@dataclass(frozen=True, eq=False)
class Outcome:
    """All that came of a run; rows are those of `loaded.table`."""

    options: Options
    loaded: Loaded
    candidates: Candidates
    trained: Trained
    kept: Kept
    threshold: float
    expected: Expected | None
    clusters: Clusters
    timings: Mapping[str, float]


def dedupe_files(options: Options, *, watch: Watch = lambda stage, done, total: None) -> Outcome:
    """Find the records that are one customer in some files; writes nothing.

    Raises InvalidInput when the files, the columns, the model or the labels cannot be used.
    """
    _check(options)
    stages = Stages(watch)
    with stages.stage("load"):
        loaded = load_files(options.inputs, id_column=options.id_column, mapping=options.mapping)
    with stages.stage("block"):
        candidates = _candidates(loaded, options)
    with stages.stage("train"):
        trained = _model(loaded, candidates, options)
    left, right = candidates.rows()
    with stages.stage("score", len(left)) as note:
        floor = min(options.keep, options.threshold) if options.threshold is not None else options.keep
        kept = score_candidates(trained.model, loaded.table, left, right, floor=floor, watch=note)
    with stages.stage("cluster"):
        threshold, expected = _threshold(kept, options)
        links = Links(kept.left, kept.right, kept.weight)
        sources = loaded.sources.astype(np.int64) if options.link_only else None
        clusters = cluster_rows(trained.model, loaded.table, links, threshold, sources=sources)
    return Outcome(options, loaded, candidates, trained, kept, threshold, expected, clusters, stages.seconds)


def _check(options: Options) -> None:
    if options.engine not in ENGINES:
        raise InvalidInput(
            f"There is no engine {options.engine[:40]!r}; there is {', '.join(ENGINES)}.",
            engine=options.engine,
        )
    if options.link_only and len(options.inputs) < 2:
        raise InvalidInput("Linking only needs two files or more; one was given.")


def _candidates(loaded: Loaded, options: Options) -> Candidates:
    with ThreadPoolExecutor(processors()) as pool:
        found = candidate_pairs(loaded.table, mapper=pool.map)
    if not options.link_only:
        return found
    left, right = found.rows()
    return found.of(loaded.sources[left] != loaded.sources[right])


def _model(loaded: Loaded, candidates: Candidates, options: Options) -> Trained:
    if options.model is not None:
        try:
            return Trained(load_model(options.model), "given")
        except ModelRefused as refusal:
            raise InvalidInput(str(refusal), path=str(options.model)) from refusal
    return train(
        loaded.table,
        candidates,
        base=load_model(),
        seed=options.seed,
        labels=_labels(loaded, candidates, options),
    )


def _labels(loaded: Loaded, candidates: Candidates, options: Options) -> Labels:
    return read_labels(options.labels, loaded.table.keys, candidates.rows()) if options.labels else []


def _threshold(kept: Kept, options: Options) -> tuple[float, Expected | None]:
    if options.threshold is not None:
        return options.threshold, expected_at(kept.weight, options.threshold)
    chosen = choose_threshold(kept.weight)
    return (chosen.weight if chosen else EVEN_ODDS), chosen


def rows_of_clusters(labels: Rows) -> list[Rows]:
    """The rows of every cluster of several, the largest first."""
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.append(True, labels[order][1:] != labels[order][:-1])) if len(order) else order
    parts = [part for part in np.split(order, starts[1:]) if len(part) > 1]
    return sorted(parts, key=lambda part: (-len(part), part[0]))
