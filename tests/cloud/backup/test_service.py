from pathlib import Path

import psycopg

from cloud.backup import service
from cloud.backup.dump import NOT_KEPT
from cloud.evidence.files import EvidenceFiles
from tests.cloud.backup.conftest import Populated
from tests.cloud.populated import rows_of


def test_every_row_comes_back(populated: Populated, postgres_url: str, tmp_path: Path) -> None:
    made = service.back_up(populated.url, populated.files, tmp_path / "backup")
    files = EvidenceFiles((tmp_path / "restored").as_uri())
    restored = service.restore(postgres_url, files, tmp_path / "backup")
    assert restored.manifest == made.manifest
    with populated.connect() as before, psycopg.connect(postgres_url, options="-c timezone=UTC") as after:
        kept = rows_of(before)
        assert {name for name, rows in kept.items() if not rows} == set()
        assert rows_of(after) == kept | {name: [] for name in NOT_KEPT}
