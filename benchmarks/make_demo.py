"""Make the shipped demo company: one file a channel, as its systems would export them, without the truth.

    python -m benchmarks.make_demo

Writes resolution/demo/*.parquet from 10,000 generated records; the same run gives the same files.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.make_customers import make_customers

FOLDER = Path(__file__).resolve().parent.parent / "resolution" / "demo"
RECORDS, SEED = 10_000, 20_26
TRUTH = ("true_id", "household_id")


def main() -> None:
    """Write the files and say how large they are."""
    table = make_customers(RECORDS, seed=SEED, jobs=1).drop_columns(TRUTH)
    FOLDER.mkdir(exist_ok=True)
    for channel in sorted(table["channel"].unique().to_pylist()):
        path = FOLDER / f"{channel}.parquet"
        pq.write_table(_export_of(table, channel), path, compression="zstd", compression_level=19)
        print(f"{path.name}: {path.stat().st_size:,} bytes")


def _export_of(table: pa.Table, channel: str) -> pa.Table:
    """One system's own records, under its own ids; a loyalty card is known to all of them."""
    rows = table.filter(pc.equal(table["channel"], channel)).drop_columns(["customer_id", "channel"])
    cards = pc.binary_join_element_wise("loyalty", rows["external_id"], ":")
    rows = rows.set_column(rows.column_names.index("external_id"), "loyalty_card", cards)
    ids = [f"{channel[0].upper()}{number:06d}" for number in range(1, rows.num_rows + 1)]
    return rows.add_column(0, "record_id", pa.array(ids))


if __name__ == "__main__":
    main()
