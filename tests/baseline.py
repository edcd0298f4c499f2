"""What the migrations put into the database, kept aside so that emptied tables can have it back.

A test with real transactions is followed by a flush. The audit's triggers refuse TRUNCATE, so the flush
runs as a replica would, where triggers rest; then groups, permissions and channels are copied back.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

_TABLES = """
    SELECT relname FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'django_migrations'
    ORDER BY relname
"""
_STORED_COLUMNS = """
    SELECT attname FROM pg_attribute
    WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
    ORDER BY attnum
"""
_SEQUENCES = """
    SELECT sequence.oid::regclass::text, coalesce(pg_sequence_last_value(sequence.oid), 0)
    FROM pg_class AS sequence
    WHERE sequence.relkind = 'S' AND sequence.relnamespace = 'public'::regnamespace
"""


@dataclass(slots=True)
class Baseline:
    """The rows each table had after the migrations, in a schema of their own."""

    tables: list[str] = field(default_factory=list)
    filled: dict[str, list[str]] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)

    def keep(self) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("CREATE SCHEMA baseline")
            self.tables = _column(cursor, _TABLES)
            for table in self.tables:
                self._keep_table(cursor, table)
            cursor.execute(_SEQUENCES)
            self.sequences = dict(cursor.fetchall())

    def restore(self) -> None:
        """Empty every table, whatever its triggers say, and put the kept rows back.

        It stands in for Django's own statements, which leave out unmanaged tables.
        """
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(f"TRUNCATE {', '.join(map(_quoted, self.tables))}")
            for table, columns in self.filled.items():
                names = ", ".join(map(_quoted, columns))
                cursor.execute(
                    f"INSERT INTO {_quoted(table)} ({names}) SELECT {names} FROM baseline.{_quoted(table)}"
                )
            for sequence, last in self.sequences.items():
                cursor.execute("SELECT setval(%s, greatest(%s, 1), %s)", [sequence, last, last > 0])

    def _keep_table(self, cursor: CursorWrapper, table: str) -> None:
        cursor.execute(f"SELECT EXISTS (SELECT FROM {_quoted(table)})")
        if not cursor.fetchone()[0]:
            return
        columns = _column(cursor, _STORED_COLUMNS, [_quoted(table)])
        names = ", ".join(map(_quoted, columns))
        cursor.execute(f"CREATE TABLE baseline.{_quoted(table)} AS SELECT {names} FROM {_quoted(table)}")
        self.filled[table] = columns


def _column(cursor: CursorWrapper, query: str, values: list[str] | None = None) -> list[str]:
    cursor.execute(query, values)
    return [row[0] for row in cursor.fetchall()]


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)
