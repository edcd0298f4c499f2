"""Facts of runs for the report: a busy one that looks like a million real records, and runs with nothing."""

from __future__ import annotations

import math

from resolution.batch.run_facts import (
    BlockFact,
    BlockingFacts,
    ClusterFact,
    ClusterFacts,
    ColumnFact,
    ComparisonFact,
    CompletenessFact,
    Counts,
    CurvePoint,
    Histogram,
    InputFact,
    LevelFact,
    ModelFacts,
    PairSample,
    RuleFact,
    RunFacts,
    SampleRow,
    SharedValueFact,
    ThresholdFacts,
    UnlinkablePoint,
)
from resolution.matching.model import load_model

PRIOR = -19.2
THRESHOLD, REVIEW = 6.0, -3.0


def empty_run() -> RunFacts:
    """A run over files without a single record."""
    return RunFacts(version="1.0.0", engine="duckdb", started="2026-11-23T06:50:52+00:00")


def run_of_one_record() -> RunFacts:
    return RunFacts(
        version="1.0.0",
        engine="duckdb",
        started="2026-11-23T06:50:52+00:00",
        inputs=(InputFact("one.csv", 1, "csv"),),
        counts=Counts(records=1, usable_records=1, clusters=1, largest_cluster=1),
        clusters=ClusterFacts(sizes=((1, 1),)),
    )


def busy_run() -> RunFacts:
    """A million records of two sources."""
    return RunFacts(
        version="1.0.0",
        engine="duckdb",
        started="2026-11-23T06:50:52+00:00",
        inputs=(
            InputFact("exports/2026-11/shop_customers.parquet", 612_004, "parquet"),
            InputFact("exports/2026-11/loyalty cards (final).csv", 387_996, "csv"),
        ),
        options={"--out": "var/dedupe", "--threshold": "6.0", "--threads": "2", "--train": "yes"},
        columns=_columns(),
        counts=Counts(
            records=1_000_000,
            usable_records=998_797,
            candidate_pairs=9_412_880,
            pairs_scored=9_412_880,
            pairs_kept=1_104_377,
            linked_pairs=871_902,
            review_pairs=12_004,
            clusters=431_210,
            several=288_431,
            largest_cluster=214,
            cut_groups=38,
        ),
        timings={
            "read": 6.1,
            "prepare": 41.7,
            "block": 18.4,
            "train": 22.9,
            "score": 96.3,
            "cluster": 5.2,
            "write": 3.9,
        },
        peak_memory_mib=3_871,
        blocking=_blocking(),
        model=_model(),
        threshold=_threshold(),
        histogram=_histogram(),
        samples=_samples(),
        clusters=_clusters(),
        unlinkable=tuple(
            UnlinkablePoint(float(weight), _rise(weight, middle=16, width=4) * 0.9)
            for weight in range(-10, 31)
        ),
        completeness=(
            CompletenessFact("given_name", 0.991, 31_022, 412),
            CompletenessFact("family_name", 0.987, 118_440, 905),
            CompletenessFact("email", 0.812, 540_118, 8_204),
            CompletenessFact("phone", 0.644, 401_377, 15_993),
            CompletenessFact("birth_date", 0.391, 22_871, 31_560),
            CompletenessFact("address", 0.877, 390_212, 120),
            CompletenessFact("company", 0.062, 9_313, 0),
        ),
        notes=("4,112 rows of loyalty cards (final).csv were refused; they are in rejects.csv.",),
    )


def _columns() -> tuple[ColumnFact, ...]:
    return (
        ColumnFact("cust_no", "record_id", "name", "0004711", 1.0, 1_000_000),
        ColumnFact("first", "given_name", "name", "Anna", 0.991, 31_022),
        ColumnFact("surname", "family_name", "name", "Smithers", 0.987, 118_440),
        ColumnFact("contact", "email", "content", "anna.smithers@post.example", 0.812, 540_118),
        ColumnFact("tel", "phone", "name", "+49 30 901820001", 0.644, 401_377),
        ColumnFact("dob", "birth_date", "given", "1980-02-13", 0.391, 22_871),
        ColumnFact("street", "address", "name", "Torstraße 4", 0.877, 390_212),
        ColumnFact("segment", "", "not used", "B2C", 1.0, 4),
    )


def _blocking() -> BlockingFacts:
    return BlockingFacts(
        rules=(
            RuleFact("email", "Same e-mail address.", 1_204_331, 1_204_331, 201_430, 1_932, 2, 3_110),
            RuleFact("phone", "Same telephone number.", 1_530_912, 902_115, 176_020, 640, 1, 640),
            RuleFact("name_birth", "Same family name and birth date.", 611_300, 188_042, 150_222, 41),
            RuleFact(
                "name_place", "Similar name, same postcode.", 6_804_120, 6_511_004, 260_118, 498, 14, 6_120
            ),
            RuleFact(
                "swapped", "Given and family name swapped, same postcode.", 640_771, 607_388, 90_221, 77
            ),
        ),
        largest_blocks=(
            BlockFact("email", "info@example.com", 1_932, "refined"),
            BlockFact("email", "noreply@marketplace.example", 1_178, "refined"),
            BlockFact("phone", "+49 30 5550000", 640, "refined"),
            BlockFact("name_place", "muller, 10115", 498, "compared"),
            BlockFact("name_place", "smith, LS1 4AP", 431, "compared"),
        ),
        shared_values=(
            SharedValueFact("email", "info@example.com", 1_932),
            SharedValueFact("phone", "+49 30 5550000", 640),
        ),
    )


def _model() -> ModelFacts:
    comparisons = [
        ComparisonFact(
            field,
            tuple(
                LevelFact(level.name, level.m, level.u, level.household, level.weight, round(4e5 * level.m))
                for level in levels
            ),
        )
        for field, levels in load_model().comparisons.items()
    ]
    return ModelFacts(
        method="trained",
        name="run of 23 November",
        prior=PRIOR,
        rules=("email", "name_birth"),
        iterations=14,
        notes=(
            "The household class was rejected because it explained no more pairs than chance;"
            " the shipped shares stand.",
            "The level “swapped” of birth date had 31 pairs only and keeps its shipped weight.",
        ),
        comparisons=tuple(comparisons),
    )


def _rise(weight: float, *, middle: float, width: float) -> float:
    return 1 / (1 + math.exp(-(weight - middle) / width))


def _threshold() -> ThresholdFacts:
    curve = tuple(
        CurvePoint(float(weight), _rise(weight, middle=-6, width=2.6), 1 - _rise(weight, middle=14, width=3))
        for weight in range(-15, 31)
    )
    return ThresholdFacts(THRESHOLD, REVIEW, 0.9941, 0.9352, 0.9637, curve)


def _histogram() -> Histogram:
    edges = tuple(float(weight) for weight in range(-30, 46))
    counts = tuple(
        round(
            1.9e6 * math.exp(-((weight + 19) ** 2) / 30)
            + 1.2e5 * math.exp(-((weight - 19) ** 2) / 60)
            + 900 * math.exp(-((weight - 1) ** 2) / 90)
        )
        for weight in edges[:-1]
    )
    return Histogram(edges, counts)


def _samples() -> tuple[PairSample, ...]:
    return (
        _pair(
            "shop:0004711",
            "loyalty:88120",
            "auto",
            SampleRow("given_name", "Anna", "Ana", "close", "one letter apart", 5.4),
            SampleRow("family_name", "Smithers", "Smithers", "exact", "a rare name", 12.1),
            SampleRow("birth_date", "1980-02-13", "1980-13-02", "swapped", "day and month swapped", 9.0),
            SampleRow(
                "email", "anna.smithers@post.example", "a.smithers@work.example", "different", "", -1.2
            ),
            SampleRow(
                "address", "Torstraße 4, 10115 Berlin", "Torstr. 4, Berlin", "street", "same street", 6.3
            ),
        ),
        _pair(
            "shop:0120033",
            "shop:0120034",
            "review",
            SampleRow("given_name", "Paul", "Paula", "near", "begins alike", 0.7),
            SampleRow("family_name", "Okonkwo", "Okonkwo", "exact", "", 9.5),
            SampleRow("phone", "+44 20 79460018", "+44 20 79460018", "exact", "", 11.2),
            SampleRow("birth_date", "1955-11-30", "1982-04-02", "different", "27 years apart", -4.8),
            together=1.1,
        ),
        _pair(
            "shop:0300001",
            "loyalty:10002",
            "none",
            SampleRow("given_name", "<b>Maria</b>", "Marius", "different", "", -5.0),
            SampleRow("family_name", "Garcia & Sons", "Garcia", "part", "one name is part of the other", 4.6),
            SampleRow("email", "", "maria@garcia.example", "missing", "not filled in on one side", 0.0),
        ),
    )


def _pair(a: str, b: str, band: str, *rows: SampleRow, together: float = 0.0) -> PairSample:
    weight = PRIOR + sum(row.weight for row in rows) + together
    return PairSample(a, b, weight, 1 / (1 + 2**-weight), band, rows)


def _clusters() -> ClusterFacts:
    sizes = {
        1: 142_779,
        2: 171_204,
        3: 71_880,
        4: 26_311,
        5: 11_020,
        6: 4_388,
        8: 2_950,
        14: 540,
        31: 120,
        77: 17,
        214: 1,
    }
    return ClusterFacts(
        sizes=tuple(sizes.items()),
        largest=(
            ClusterFact(
                "c-000017",
                214,
                "held back: two birth dates",
                (
                    "Test Kunde, info@example.com",
                    "Max Mustermann, info@example.com",
                    "T. Test, +49 30 5550000",
                ),
            ),
            ClusterFact(
                "c-004112", 77, "", ("Anna Smithers, anna.smithers@post.example", "A. Smithers, Torstraße 4")
            ),
            ClusterFact("c-000901", 31),
        ),
        held_back=52,
    )
