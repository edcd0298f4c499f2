"""What is looked at before anything is imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from customers.models import Channel
from resolution.errors import InvalidInput, UnknownChannel
from resolution.models import ImportRun
from resolution.services import importing
from resolution.services.importing import open_file, preview_import
from tests.resolution.batch.files import ANNA, BORIS, CLARA, write
from tests.resolution.services.importing.scene import everything, take_in

pytestmark = pytest.mark.django_db


class TestOpenFile:
    def test_an_unknown_channel_is_refused_with_the_known_ones(
        self, channel: Channel, tmp_path: Path
    ) -> None:
        with pytest.raises(UnknownChannel, match=r"no channel “fax”.*crm"):
            open_file(path=write(tmp_path / "a.csv", ANNA), channel="fax")

    def test_a_header_without_rows_is_refused(self, channel: Channel, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match="a header and no rows"):
            open_file(path=write(tmp_path / "a.csv"), channel="crm")


class TestPreview:
    def test_counts_and_writes_nothing(self, channel: Channel, tmp_path: Path) -> None:
        take_in(write(tmp_path / "a.csv", BORIS, CLARA))
        before, runs = everything(), ImportRun.objects.count()
        changed = (*CLARA[:6], "Leiden", *CLARA[7:])
        path = write(tmp_path / "b.csv", ANNA, BORIS, changed, ("ragged",), ("r7", "xxx", *[""] * 7))

        summary = preview_import(open_file(path=path, channel="crm"), batch=importing.BATCH)

        assert dict(summary.rows) == {"created": 1, "updated": 1, "unchanged": 1, "refused": 2}
        assert everything() == before
        assert (ImportRun.objects.count(), summary.rejects) == (runs, None)
