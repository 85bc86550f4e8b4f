"""Record the present schema for the tests of upgrades: `python -m tests.cloud.db.release DIRECTORY`, once for each release."""

import sys
import tempfile
from pathlib import Path

from cloud.backup.service import back_up
from cloud.db.migrate import known, migrate
from cloud.embedded.postgres import EmbeddedPostgres
from cloud.evidence.files import EvidenceFiles
from tests.cloud.populated import populate


def main() -> None:
    """Fill a cloud and back it up to DIRECTORY/<last migration>."""
    target = Path(sys.argv[1]) / known()[-1]
    with tempfile.TemporaryDirectory(prefix="gridward-release-") as made:
        place = Path(made)
        place.chmod(0o711)
        with EmbeddedPostgres(place / "postgres", durable=False) as server:
            url = server.create_database()
            migrate(url)
            store = (place / "store").as_uri()
            populate(url, store, place / "scratch")
            back_up(url, EvidenceFiles(store), target)
    sys.stdout.write(f"{target}\n")


if __name__ == "__main__":
    main()
