"""`arise screen`: it goes on, starts again, and tells of failures."""

import ase.db
import ase.io
from ase.build import bulk

from tests.cli import FAST


def test_screen_goes_on_and_starts_again(arise, crystals, tmp_path):
    results = tmp_path / "results.db"
    command = ("screen", crystals, "--out", results, "--workers", "1", *FAST)
    code, out, _ = arise(*command)
    assert code == 0
    assert "3 recognised, 0 failed, 0 from before" in out
    assert "0 recognised, 0 failed, 3 from before" in arise(*command)[1]
    assert "3 recognised, 0 failed, 0 from before" in arise(*command, "--overwrite")[1]
    with ase.db.connect(results) as database:
        assert [row.arise_label for row in database.select("arise_mi<0.5")] == ["fcc", "bcc", "hcp"]


def test_screen_strict_reports_failures(arise, crystals, tmp_path):
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "bad.cif").write_text("no")
    ase.io.write(tmp_path / "all" / "good.cif", bulk("Cu"))
    command = ("screen", tmp_path / "all", "--out", tmp_path / "r.db", "--workers", "1", *FAST)
    code, out, _ = arise(*command, "--strict")
    assert code == 3
    assert "1 recognised, 1 failed" in out
    assert arise(*command)[0] == 0
