"""Files are written whole or not at all."""

import pytest

from arise_core.runtime.files import fresh_folder, write_atomically


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("disk full")])
def test_an_interrupt_leaves_the_old_file_and_no_half(tmp_path, error):
    path = tmp_path / "map.nc"
    path.write_text("old")

    def write(place):
        place.write_text("half of the new")
        raise error

    with pytest.raises((KeyboardInterrupt, OSError)):
        write_atomically(path, write)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["map.nc"]
    write_atomically(tmp_path / "sub" / "map.nc", lambda place: place.write_text("new"))
    assert (tmp_path / "sub" / "map.nc").read_text() == "new"


def test_folders_with_results_are_kept(tmp_path):
    fresh_folder(tmp_path / "new", overwrite=False)
    (tmp_path / "new" / "a").write_text("mine")
    with pytest.raises(FileExistsError, match="nothing was changed. Use `--overwrite`"):
        fresh_folder(tmp_path / "new", overwrite=False)
    with pytest.raises(FileExistsError, match="is a file"):
        fresh_folder(tmp_path / "new" / "a", overwrite=True)
    fresh_folder(tmp_path / "new", overwrite=True)
    assert (tmp_path / "new" / "a").read_text() == "mine"
