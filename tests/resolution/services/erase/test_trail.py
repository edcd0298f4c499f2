"""The trail holds with entries emptied, and shows false ones."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, transaction

from customers.models import Customer
from resolution.errors import TrailBroken
from resolution.models import AuditEntry
from resolution.services import audit
from resolution.services.judge import judge_pair
from resolution.services.profiles import create_customer, update_profile
from tests.resolution.services.erase.scene import (
    ADA,
    check_as_a_commit_would,
    entry_of,
    erase,
    execute,
    planted_person,
)

pytestmark = pytest.mark.django_db


class TestTheTrail:
    def test_p5_holds_with_entries_of_both_kinds_emptied(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as before_salts:
            before_salts.setattr(audit, "_salts", lambda count: [None] * count)
            person = planted_person()
        update_profile(customer_id=person.pk, version=1, changes={"city": "Plumbost"}, actor=ADA)
        create_customer(fields={"name": "Bob"}, actor=ADA)
        hashes = dict(AuditEntry.objects.values_list("sequence", "hash"))
        erase(person)
        assert audit.find_break() is None
        first, second = AuditEntry.objects.filter(erased_by__isnull=False).order_by("sequence")
        assert (first.hash, second.hash) == (hashes[1], hashes[2])
        assert (second.salt, second.metadata, second.action) == (None, {}, "update")
        assert first.erased_by == entry_of("erase").sequence

    def test_p5_two_erasures_verify_beside_each_other(self) -> None:
        one, other = planted_person(), planted_person()
        judge_pair(left_id=one.pk, right_id=other.pk, verdict="related", reason="Q", actor=ADA)
        erase(one)
        erase(other)
        assert audit.find_break() is None

    def test_an_unsalted_hash_of_a_guess_is_not_the_entry_s(self) -> None:
        planted_person()
        [row] = AuditEntry.objects.values(*audit._COLUMNS)
        assert len(row["salt"]) == 16
        assert audit.entry_hash(row) == row["hash"]
        assert audit.entry_hash(row | {"salt": None}) != row["hash"]

    @pytest.mark.parametrize(
        ("tampering", "complaint"),
        [
            ("SET actor_name = 'eve' WHERE sequence = 1", "not as it left them"),
            ("SET created_at = now() WHERE sequence = 1", "not as it left them"),
            ("SET identifier_type = 'phone' WHERE sequence = 1", "not as it left them"),
            ("SET erased_by = NULL WHERE sequence = 1", "was altered"),
            ('SET metadata = \'{"name": "Eve"}\' WHERE sequence = 1', "holds something again"),
            ('SET metadata = metadata || \'{"seal": ""}\' WHERE sequence = 3', "was altered"),
            ("SET metadata = '{}', salt = NULL, erased_by = 3 WHERE sequence = 2", "not as it left them"),
            ("SET metadata = '{}', salt = NULL, erased_by = 9 WHERE sequence = 2", "no erasure after it"),
        ],
    )
    def test_p5_tampering_with_emptied_entries_and_false_ones_shows(
        self, tampering: str, complaint: str
    ) -> None:
        person = planted_person()
        create_customer(fields={"name": "Bob"}, actor=ADA)
        erase(person)
        assert audit.find_break() is None
        change_by_force(f"UPDATE customer_identity_audit {tampering}")
        broken = audit.find_break()
        assert broken is not None
        assert complaint in broken[1]

    def test_p5_an_altered_entry_is_not_sealed_as_it_is(self) -> None:
        person = planted_person()
        change_by_force("UPDATE customer_identity_audit SET actor_name = 'eve'")
        with pytest.raises(TrailBroken, match="Audit entry 1 is not as it was written"):
            erase(person)
        assert Customer.objects.get(pk=person.pk).status == "active"

    @pytest.mark.parametrize(
        "statement",
        [
            "SET metadata = '{}'",
            "SET metadata = '{}', salt = NULL",
            "SET metadata = '{}', salt = NULL, erased_by = sequence",
            "SET metadata = '{}', erased_by = 2",
            "SET metadata = '{}', salt = NULL, erased_by = 2, actor_name = 'eve'",
            "SET metadata = '{}', salt = NULL, erased_by = 2, hash = previous_hash",
            "SET metadata = '{}', salt = NULL, erased_by = 2, identifier_value = 'else'",
            "SET erased_by = 2",
        ],
    )
    def test_p5_the_database_lets_an_entry_be_emptied_and_nothing_else(self, statement: str) -> None:
        create_customer(fields={"name": "Bob"}, actor=ADA)
        with pytest.raises(DatabaseError, match="Cannot update"), transaction.atomic():
            execute(f"UPDATE customer_identity_audit {statement} WHERE sequence = 1")

    def test_p5_the_database_refuses_to_empty_one_that_no_erasure_speaks_of(self) -> None:
        create_customer(fields={"name": "Bob"}, actor=ADA)
        with pytest.raises(DatabaseError, match="names no erasure"), transaction.atomic():
            execute("UPDATE customer_identity_audit SET metadata = '{}', salt = NULL, erased_by = 2")
            check_as_a_commit_would()

    def test_p5_an_emptied_entry_and_an_erasure_s_own_stay_as_they_are(self) -> None:
        erase(planted_person())
        for sequence in (1, 2):
            with pytest.raises(DatabaseError, match="Cannot update"), transaction.atomic():
                execute(
                    "UPDATE customer_identity_audit SET metadata = '{}', salt = NULL, erased_by = 9"
                    f" WHERE sequence = {sequence}"
                )


def change_by_force(statement: str) -> None:
    """What only the database's superuser can do to the trail."""
    execute("SET LOCAL session_replication_role = replica")
    execute(statement)
    execute("SET LOCAL session_replication_role = origin")
