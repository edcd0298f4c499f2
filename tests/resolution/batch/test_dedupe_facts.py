"""What a run tells of itself is true of what it wrote."""

from __future__ import annotations

from dataclasses import replace

import pytest

from resolution.batch.dedupe import Options, Outcome, dedupe_files
from resolution.batch.dedupe_facts import facts_of
from resolution.batch.run_facts import RunFacts
from tests.resolution.batch.files import ANNA, ANNA_AGAIN, BORIS, stranger, write


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Thirty people by themselves; two records of Anna; sixty copies of Boris and one that lacks a phone."""
    copies = [("b" + str(number), *BORIS[1:]) for number in range(60)]
    changed = ("b60", *BORIS[1:4], "", *BORIS[5:])
    path = tmp_path_factory.mktemp("facts") / "people.csv"
    write(path, ANNA, ANNA_AGAIN, *copies, changed, *(stranger(number) for number in range(30)))
    return dedupe_files(Options((path,)))


@pytest.fixture(scope="module")
def facts(outcome: Outcome) -> RunFacts:
    return facts_of(outcome, version="1", started="", options={}, timings={"load": 0.5}, peak=100)


class TestFacts:
    def test_counts_add_up(self, outcome: Outcome, facts: RunFacts) -> None:
        counts = facts.counts
        assert (counts.records, counts.clusters, counts.several) == (93, 32, 2)
        assert counts.largest_cluster == 61
        assert sum(size * number for size, number in facts.clusters.sizes) == counts.records
        assert sum(facts.histogram.counts) == len(outcome.kept)
        assert sum(rule.new_pairs for rule in facts.blocking.rules) == counts.candidate_pairs

    def test_copies_are_a_rule_of_their_own(self, facts: RunFacts) -> None:
        rule = facts.blocking.rules[-1]
        assert (rule.rule, rule.pairs, rule.blocks, rule.largest) == ("identical records", 59, 1, 60)

    def test_only_what_the_files_tell_has_weights_to_show(self, facts: RunFacts) -> None:
        shown = {entry.field for entry in facts.model.comparisons}
        assert {"given_name", "family_name", "email", "address"} <= shown
        assert not {"company", "handle", "external_id"} & shown

    def test_every_level_says_what_it_means(self, facts: RunFacts) -> None:
        assert not [level for entry in facts.model.comparisons for level in entry.levels if not level.what]

    def test_customers_are_told_by_a_name(self, facts: RunFacts) -> None:
        assert facts.clusters.largest[0].who == "boris okonkwo"

    def test_samples_add_up_from_the_prior(self, facts: RunFacts) -> None:
        for sample in facts.samples:
            total = facts.model.prior + sum(row.weight for row in sample.rows)
            assert total == pytest.approx(sample.weight, abs=0.01)

    def test_blocks_are_told_as_people_write_them(self, facts: RunFacts) -> None:
        keys = {block.rule: block.key for block in facts.blocking.largest_blocks}
        assert keys["same email"] == "anna.smithers@post.example"
        assert keys["full name"] == "anna smithers"
        assert keys["same birth date"] == "1980-02-13"

    def test_finer_keys_do_not_say_it_again(self, facts: RunFacts) -> None:
        said = [rule.what for rule in facts.blocking.rules if " + " in rule.rule]
        assert said
        assert not any(said)

    def test_no_sample_is_shown_twice(self, facts: RunFacts) -> None:
        pairs = [(sample.a, sample.b) for sample in facts.samples]
        assert len(pairs) == len(set(pairs))

    def test_reasons_name_records_by_their_ids(self, outcome: Outcome) -> None:
        told = replace(
            outcome.clusters, doubtful=(((0, 1), "Held back: it hangs on one pair, #00 and #01."),)
        )
        facts = facts_of(
            replace(outcome, clusters=told), version="1", started="", options={}, timings={}, peak=1
        )

        assert facts.clusters.doubtful[0].why == "it hangs on one pair, r1 and r2."
        assert facts.clusters.largest[1].why == facts.clusters.doubtful[0].why
