import subprocess
import sys

import ase.build
import ase.io


def test_a_file_is_read_where_nothing_else_imported_ase_io(tmp_path):
    ase.io.write(tmp_path / "salt.xyz", ase.build.bulk("NaCl", "rocksalt", a=5.64))
    code = (
        "import sys; from pathlib import Path; from arise_core.crystals.standard import read_structure; "
        "print(read_structure(Path(sys.argv[1])).numbers.tolist())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "salt.xyz"], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[11, 17]"
