"""Screening: sources, what is kept of each entry, workers, going on after an interrupt."""

import multiprocessing
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ase.db
import ase.io
import numpy as np
import pytest
import threadpoolctl  # noqa: F401 - sets a variable of its own in the environment when it is imported
from ase import Atoms
from ase.build import bulk, fcc111, graphene
from ase.db.row import AtomsRow

from arise_core.crystals.ideal import build
from arise_core.crystals.symmetry import space_group
from arise_core.crystals.table import prototypes as all_prototypes
from arise_core.errors import FileError
from arise_core.runtime import ledger
from arise_core.runtime.tasks import Hands, Task
from arise_core.settings import RecognitionSettings
from ase_arise import classify, screen
from ase_arise.batches import Found
from ase_arise.reading import Reader
from ase_arise.screening import run as screening
from ase_arise.screening import sources
from ase_arise.screening.job import ScreeningOrder, _outcome, recognise_task
from ase_arise.screening.results import Results
from ase_arise.screening.sources import BATCH, Entry, frame_entries, open_source

FAST = {"passes": 10, "workers": 1}


def crystals() -> list[Atoms]:
    return [bulk("Cu"), bulk("Fe"), bulk("Mg"), bulk("Si"), bulk("NaCl", "rocksalt", a=5.64)]


LABELS = ["fcc", "bcc", "hcp", "diamond", "rock_salt"]


def rows(path: Path, selection: str = "") -> list[AtomsRow]:
    with ase.db.connect(path) as database:
        return list(database.select(selection))


def contents(path: Path) -> list[tuple]:
    """All that a screening keeps but the time it took."""
    out = []
    for row in rows(path):
        pairs = {k: v for k, v in row.key_value_pairs.items() if k != "arise_time"}
        data = row.data
        top = (
            [list(data["arise_top"]["labels"]), data["arise_top"]["probabilities"].tolist()] if data else None
        )
        out.append((row.id, row.unique_id, row.formula, pairs, top))
    return out


@pytest.fixture
def source(tmp_path) -> Path:
    """Five frames."""
    ase.io.write(tmp_path / "source.xyz", crystals())
    return tmp_path / "source.xyz"


def many(count: int) -> list[Atoms]:
    rng = np.random.default_rng(5)
    images = []
    for k in range(count):
        atoms = crystals()[k % 5]
        atoms.set_cell(atoms.cell * rng.uniform(0.9, 1.1), scale_atoms=True)
        images.append(atoms)
    return images


# --- what is kept -----------------------------------------------------------------------------------------


def test_results_can_be_queried_as_ase_does(source, tmp_path):
    out = tmp_path / "results.db"
    counts = screen(source, out, **FAST)
    assert (counts.recognised, counts.failed, counts.kept) == (5, 0, 0)
    assert [r.arise_label for r in rows(out)] == LABELS
    done = subprocess.run(
        [sys.executable, "-m", "ase", "db", out, "arise_label=fcc,arise_mi<0.1", "-c", "formula,arise_label"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "1 row" in done.stdout.replace("Rows: 1", "1 row")
    assert "fcc" in done.stdout
    assert "bcc" not in done.stdout
    assert len(rows(out, "arise_rejected=False,arise_spacegroup=225")) == 2


def test_a_row_has_everything(source, tmp_path):
    out = tmp_path / "results.db"
    screen(source, out, top=3, **FAST)
    prediction = classify(ase.io.read(source, index=":"), passes=10)
    for k, row in enumerate(rows(out)):
        assert row.arise_class == prediction.labels[k]
        assert row.arise_confidence == pytest.approx(prediction.confidence[k])
        assert row.arise_mi == pytest.approx(prediction.mutual_information[k])
        assert row.arise_entropy == pytest.approx(prediction.predictive_entropy[k])
        assert row.arise_reject_score == pytest.approx(prediction.reject_score[k])
        assert row.arise_rejection_uncertainty == pytest.approx(prediction.rejection_uncertainty[k])
        assert row.arise_rejected == prediction.rejected[k]
        assert (row.arise_status, row.arise_mode, row.arise_source, row.arise_entry) == (
            "ok",
            "whole",
            "source.xyz",
            k,
        )
        assert 0 < row.arise_time < 60
        assert list(row.data.arise_top["labels"]) == [label for label, _ in prediction.top(k, 3)]
        assert row.data.arise_top["probabilities"] == pytest.approx([p for _, p in prediction.top(k, 3)])
        assert row.arise_top.startswith(f"{row.arise_label}:")
        assert (row.numbers == crystals()[k].numbers).all()
        assert np.allclose(row.positions, crystals()[k].positions, atol=1e-7)
    assert [row.arise_spacegroup for row in rows(out)] == [225, 229, 194, 227, 225]


@pytest.mark.parametrize(("atoms", "group"), [(bulk("Cu"), 225), (graphene(), None), (Atoms("Cu"), None)])
def test_space_groups_are_those_of_bulk_crystals(atoms, group):
    from ase_arise import from_atoms

    assert space_group(from_atoms(atoms)) == group


def test_large_structures_are_mapped(tmp_path):
    atoms = bulk("Cu", cubic=True) * (3, 3, 3)
    atoms.rattle(0.05, seed=1)
    ase.io.write(tmp_path / "a.xyz", [atoms, bulk("Cu")])
    screen(tmp_path / "a.xyz", tmp_path / "whole.db", **FAST)
    screen(tmp_path / "a.xyz", tmp_path / "local.db", mode="local", stride=6.0, box_size=10.0, **FAST)
    assert [r.arise_mode for r in rows(tmp_path / "whole.db")] == ["whole"] * 2
    local = rows(tmp_path / "local.db")
    assert [r.arise_mode for r in local] == ["local"] * 2
    assert local[0].data.arise_fractions == {"fcc": 1.0}
    assert "arise_spacegroup" not in local[0]


# --- sources ----------------------------------------------------------------------------------------------


def test_a_database_keeps_its_own_keys_and_energies(tmp_path):
    from ase.calculators.emt import EMT

    atoms = bulk("Cu")
    atoms.calc = EMT()
    atoms.get_potential_energy()
    with ase.db.connect(tmp_path / "source.db") as database:
        for k, image in enumerate([atoms, bulk("Ag"), bulk("Fe")]):
            database.write(image, mine=k, arise_label="old")
        del database[2]
    screen(tmp_path / "source.db", tmp_path / "results.db", **FAST)
    found = rows(tmp_path / "results.db")
    assert [(r.mine, r.arise_label, r.arise_entry, r.formula) for r in found] == [
        (0, "fcc", 1, "Cu"), (2, "bcc", 3, "Fe"),
    ]  # fmt: skip
    assert found[0].energy == atoms.get_potential_energy()
    assert [r.unique_id for r in found] == [r.unique_id for r in rows(tmp_path / "source.db")]


def test_a_folder_is_read_with_its_folders(tmp_path):
    folder = tmp_path / "all"
    (folder / "sub").mkdir(parents=True)
    ase.io.write(folder / "b.cif", bulk("Cu"))
    ase.io.write(folder / "sub" / "POSCAR", bulk("Fe"), format="vasp")
    ase.io.write(folder / "sub" / "two.xyz", crystals()[2:4])
    (folder / "notes.txt").write_text("nothing to see")
    (folder / ".hidden.cif").write_text("")
    out = folder / "results.db"
    counts = screen(folder, out, **FAST)
    assert (counts.recognised, counts.failed) == (4, 1)
    found = [(r.arise_source, r.arise_entry, r.get("arise_label")) for r in rows(out)]
    assert found == [
        ("all/b.cif", 0, "fcc"), ("all/notes.txt", 0, None), ("all/sub/POSCAR", 0, "bcc"),
        ("all/sub/two.xyz", 0, "hcp"), ("all/sub/two.xyz", 1, "diamond"),
    ]  # fmt: skip
    assert "cannot be read" in rows(out, "arise_status=failed")[0].arise_error
    again = screen(folder, out, **FAST)
    assert (again.recognised, again.failed, again.kept) == (0, 0, 5)
    some = screen(folder, tmp_path / "cif.db", pattern="*.cif", **FAST)
    assert (some.recognised, some.failed) == (1, 0)


def test_frames_of_a_file_can_be_picked(source, tmp_path):
    screen(f"{source}@-2:", tmp_path / "results.db", **FAST)
    assert [(r.arise_entry, r.arise_label) for r in rows(tmp_path / "results.db")] == [
        (0, "diamond"),
        (1, "rock_salt"),
    ]


@pytest.mark.parametrize("bad", [[0], [2], [4], [1, 2]])
def test_a_bad_frame_does_not_hide_those_behind_it(source, tmp_path, bad):
    lines = source.read_text().splitlines()
    starts = [k for k, line in enumerate(lines) if line.strip().isdigit()]
    for k in bad:
        lines[starts[k] + 2] = "Cu zero zero zero"
    source.write_text("\n".join(lines) + "\n")
    counts = screen(source, tmp_path / "results.db", **FAST)
    assert (counts.recognised, counts.failed) == (5 - len(bad), len(bad))
    found = rows(tmp_path / "results.db")
    assert [r.arise_entry for r in found] == list(range(5))
    for k, row in enumerate(found):
        assert row.get("arise_label") == (None if k in bad else LABELS[k])


def test_a_file_that_breaks_off_is_recorded_once(source, tmp_path):
    text = source.read_text()
    source.write_text(text + "what is this\n")
    entries = list(frame_entries(source, "source.xyz"))
    assert len([e for e in entries if e.error]) == 1
    assert entries[-1].error.startswith("cannot be read: ")


def test_a_bug_of_ours_does_not_end_the_run_nor_pass_unseen(tmp_path, monkeypatch):
    from ase_arise import batches

    def describe(material, settings):
        if material.structure.numbers[0] == 26:
            raise IndexError("a bug")
        return original(material, settings)

    original = batches.describe
    monkeypatch.setattr(batches, "describe", describe)
    ase.io.write(tmp_path / "a.xyz", [bulk("Cu"), bulk("Fe"), bulk("Mg")])
    with pytest.warns(UserWarning, match=r"a.xyz, entry 1: a bug of this package.* \(IndexError: a bug\)"):
        counts = screen(tmp_path / "a.xyz", tmp_path / "results.db", **FAST)
    assert (counts.recognised, counts.failed) == (2, 1)
    assert [r.arise_status for r in rows(tmp_path / "results.db")] == ["ok", "failed", "ok"]
    assert rows(tmp_path / "results.db")[1].arise_error == "IndexError: a bug"


def test_places_that_the_system_refuses(source, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileError, match="`out` .* cannot be written"):
        screen(source, tmp_path / "file" / "r.db", **FAST)
    with pytest.raises(FileError, match="`source` .* cannot be read: File name too long"):
        screen("a" * 300, tmp_path / "r.db", **FAST)


def test_entries_have_the_same_identifier_every_time(source):
    first, second = (list(frame_entries(source, "source.xyz")) for _ in range(2))
    assert [e.unique_id for e in first] == [e.unique_id for e in second]
    assert len({e.unique_id for e in first}) == 5
    assert first[0].unique_id != next(frame_entries(source, "other.xyz")).unique_id


def test_names_that_read_as_numbers_are_kept(tmp_path):
    (tmp_path / "12").mkdir()
    ase.io.write(tmp_path / "7", bulk("Cu"), format="extxyz")
    screen(tmp_path / "7", tmp_path / "results.db", **FAST)
    screen(tmp_path / "7", tmp_path / "results.db", **FAST)
    assert [r.arise_source for r in rows(tmp_path / "results.db")] == ["./7"]


def test_batches_do_not_depend_on_what_is_done(tmp_path):
    with ase.db.connect(tmp_path / "source.db") as database:
        for atoms in many(BATCH + 3):
            database.write(atoms)
    source = open_source(tmp_path / "source.db")
    assert [len(task) for task in source.tasks(set())] == [BATCH, 3]
    done = {("source.db", k) for k in range(1, 11)}
    numbers = [e.number for task in source.tasks(done) for e in task]
    assert numbers == list(range(11, BATCH + 4))


def test_large_structures_are_tasks_of_their_own(tmp_path):
    """Large: more than 20,000 atoms with those before, or a megabyte of a file."""
    small, large = bulk("Cu"), bulk("Cu") * (24, 24, 24)
    order = [small, small, large, large, small]
    with ase.db.connect(tmp_path / "source.db") as database:
        for atoms in order:
            database.write(atoms)
    ase.io.write(tmp_path / "a.xyz", order)
    for name in ("source.db", "a.xyz"):
        assert [len(task) for task in open_source(tmp_path / name).tasks(set())] == [3, 2]
    (tmp_path / "many").mkdir()
    for k, size in enumerate((10, 20, 2_000_000, 999_000, 10)):
        (tmp_path / "many" / f"{k}.xyz").write_bytes(b"0" * size)
    names = [task.names for task in open_source(tmp_path / "many").tasks(set())]
    assert names == [("0.xyz", "1.xyz"), ("2.xyz",), ("3.xyz", "4.xyz")]


# --- workers and interrupts -------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch) -> int:
    """Entries of a batch, few, so that several batches are little work."""
    monkeypatch.setattr(sources, "BATCH", 12)
    return 12


def test_results_do_not_depend_on_the_number_of_workers(tmp_path, small):
    images = many(2 * small + 10)
    images[3] = Atoms("Cu2", [[0, 0, 0], [0, 0, 0.01]], cell=[4, 4, 4], pbc=True)
    ase.io.write(tmp_path / "a.xyz", images)
    before = dict(os.environ)
    for workers in (1, 2):
        screen(tmp_path / "a.xyz", tmp_path / f"{workers}.db", workers=workers, passes=10)
    assert contents(tmp_path / "1.db") == contents(tmp_path / "2.db")
    assert len(contents(tmp_path / "1.db")) == len(images)
    assert dict(os.environ) == before
    with ThreadPoolExecutor(2) as pool:
        screen(tmp_path / "a.xyz", tmp_path / "3.db", executor=pool, passes=10)
    assert contents(tmp_path / "1.db") == contents(tmp_path / "3.db")


def test_a_run_goes_on_where_it_stopped(tmp_path, small):
    images = many(3 * small)
    ase.io.write(tmp_path / "a.xyz", images)
    screen(tmp_path / "a.xyz", tmp_path / "whole.db", **FAST)

    class Interrupt(Exception):
        pass

    def stop(step):
        raise Interrupt  # after the first batch

    with pytest.raises(Interrupt):
        screen(tmp_path / "a.xyz", tmp_path / "parts.db", progress=stop, **FAST)
    assert len(rows(tmp_path / "parts.db")) == small
    counts = screen(tmp_path / "a.xyz", tmp_path / "parts.db", **FAST)
    assert (counts.recognised, counts.kept) == (2 * small, small)
    assert contents(tmp_path / "parts.db") == contents(tmp_path / "whole.db")


def test_progress_where_files_have_gone_and_others_come(tmp_path):
    folder, seen = tmp_path / "files", []
    folder.mkdir()
    for name in "abcd":
        ase.io.write(folder / f"{name}.xyz", bulk("Cu", cubic=True))
    screen(folder, tmp_path / "out.db", **FAST)
    for name in "abc":
        (folder / f"{name}.xyz").unlink()
    ase.io.write(folder / "e.xyz", bulk("Cu", cubic=True))
    counts = screen(folder, tmp_path / "out.db", progress=seen.append, **FAST)
    assert (counts.recognised, counts.kept) == (1, 4)
    assert all(0 <= step <= 1 for step in seen)
    assert seen[-1] == 1


def test_a_closed_screening_leaves_no_process_and_goes_on(tmp_path, small):
    """Closed at its first step, with two processes at work."""
    ase.io.write(tmp_path / "a.xyz", many(3 * small))
    screen(tmp_path / "a.xyz", tmp_path / "whole.db", **FAST)
    before = set(multiprocessing.active_children())  # one may be kept for OVITO's reader
    job = screening.screen_steps(tmp_path / "a.xyz", tmp_path / "parts.db", passes=10, workers=2)
    step = next(job)
    assert step.message == f"{small} recognised, 0 failed"
    assert len(set(multiprocessing.active_children()) - before) == 2
    job.close()
    assert set(multiprocessing.active_children()) <= before
    assert len(rows(tmp_path / "parts.db")) == small
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.xyz", "parts.db", "whole.db"]
    counts = screen(tmp_path / "a.xyz", tmp_path / "parts.db", **FAST)
    assert (counts.recognised, counts.kept) == (2 * small, small)
    assert contents(tmp_path / "parts.db") == contents(tmp_path / "whole.db")


def test_another_version_is_not_mixed_in(source, tmp_path, monkeypatch):
    screen(source, tmp_path / "results.db", **FAST)
    monkeypatch.setattr(ledger, "package_version", lambda: "99.1")
    with pytest.raises(
        ValueError, match=r"another version of arise-core \('.*', now '99.1'\); nothing .*`--overwrite`"
    ):
        screen(source, tmp_path / "results.db", **FAST)
    assert screen(source, tmp_path / "results.db", overwrite=True, **FAST).recognised == 5


def test_a_batch_is_written_whole_or_not_at_all(source, tmp_path):
    out = tmp_path / "results.db"
    results = Results.open(str(out), {"source": "x"}, overwrite=False)
    job = ScreeningOrder("arise-108", RecognitionSettings())
    good = _outcome(Entry("x", 0, "0" * 32, None), Found(None, error="reason"), job)
    twin = _outcome(Entry("x", 1, "0" * 32, None), Found(None, error="the same identifier"), job)
    with pytest.raises(FileError, match="another screening has written entries of this batch"):
        results.write([good, twin])
    assert rows(out) == []
    results.write([good])
    assert len(rows(out)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"passes": 20}, {"seed": 1}, {"mode": "local"}, {"symprec": 0.1}, {"top": 2}, {"draw": True},
        {"format": Reader(format="extxyz")}, {"reader": Reader(only_other=True)},
    ],
)  # fmt: skip
def test_other_settings_are_not_mixed_in(source, tmp_path, change):
    out = tmp_path / "results.db"
    screen(source, out, **FAST)
    before = contents(out)
    with pytest.raises(ValueError, match=rf"made with another {next(iter(change))} .*nothing was changed"):
        screen(source, out, **{**FAST, **{"reader" if k == "format" else k: v for k, v in change.items()}})
    assert contents(out) == before


def test_another_source_is_not_mixed_in(source, tmp_path):
    screen(source, tmp_path / "results.db", **FAST)
    ase.io.write(tmp_path / "other.xyz", bulk("Ag"))
    with pytest.raises(ValueError, match="made with another source"):
        screen(tmp_path / "other.xyz", tmp_path / "results.db", **FAST)
    counts = screen(tmp_path / "other.xyz", tmp_path / "results.db", overwrite=True, **FAST)
    assert (counts.recognised, counts.kept) == (1, 0)


SCRIPT = """
import sys
from ase_arise import screen
if __name__ == "__main__":
    screen(sys.argv[1], sys.argv[2], workers=2, passes=10, progress=lambda step: print(step.message, flush=True))
"""


def children(parent: int) -> list[int]:
    """Processes whose parent is this one, with theirs."""
    out = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            child = int(stat.parent.name)
            out += [child, *children(child)]
    return out


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_kill_9_loses_and_doubles_nothing(tmp_path):
    images = many(10 * BATCH)
    ase.io.write(tmp_path / "a.xyz", images)
    (tmp_path / "run.py").write_text(SCRIPT)
    out = tmp_path / "results.db"
    command = [sys.executable, str(tmp_path / "run.py"), str(tmp_path / "a.xyz"), str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline()  # the first batch is written
        workers = children(process.pid)
        process.kill()
        process.wait(60)
    written = len(rows(out))
    assert 0 < written < len(images)
    assert written % BATCH == 0
    deadline = time.monotonic() + 60
    while any(alive(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(alive(pid) for pid in workers), "workers outlive the first process"
    subprocess.run(command, check=True, timeout=300, stdout=subprocess.DEVNULL)
    found = rows(out)
    assert [r.arise_entry for r in found] == list(range(len(images)))
    assert [r.arise_label for r in found] == [LABELS[k % 5] for k in range(len(images))]
    assert all(np.allclose(r.cell, a.cell[:], atol=1e-6) for r, a in zip(found, images, strict=True))


def test_a_worker_that_dies_is_reported():
    job = ScreeningOrder("arise-108", RecognitionSettings())
    with pytest.raises(OSError, match=r"a worker process died .* what is written is kept"):
        list(Hands.of(2, None).do([Task("entries", "0", recognise_task, (Deadly(), job))]))


class Deadly(list):
    """A task that ends the process that unpacks it."""

    def __reduce__(self):
        return os._exit, (1,)


# --- does it recognise what it should ---------------------------------------------------------------------

#: Elements that take the place of those of a prototype; the descriptor sees which sites share an element.
ELEMENTS = [
    "Li",
    "Be",
    "Na",
    "Al",
    "K",
    "Ti",
    "V",
    "Ni",
    "Zn",
    "Ga",
    "Rb",
    "Zr",
    "Pd",
    "In",
    "Te",
    "Cs",
    "Hf",
]
#: Strain per component, standard deviation.
STRAIN = 0.01


def variants(count: int) -> list[tuple[str, Atoms]]:
    """Prototypes with other elements, another unit of length, strain, as supercells, turned and shuffled."""
    rng = np.random.default_rng(2021)
    crystalline = [p for p in all_prototypes() if p.dimension > 1]
    out = []
    for k in range(count):
        kind = crystalline[k % len(crystalline)]
        unit = build(kind)
        species = list(dict.fromkeys(unit.numbers.tolist()))
        new = dict(zip(species, rng.permutation(ELEMENTS)[: len(species)], strict=True))
        atoms = Atoms([new[n] for n in unit.numbers.tolist()], unit.positions, cell=unit.cell, pbc=unit.pbc)
        strain = rng.normal(0, STRAIN, (3, 3))
        scale = rng.uniform(0.85, 1.2)
        atoms.set_cell(atoms.cell[:] @ (np.eye(3) + (strain + strain.T) / 2) * scale, scale_atoms=True)
        repeats = rng.permutation([1, 1, 2]) if len(atoms) < 30 else (1, 1, 1)
        atoms = atoms.repeat(np.where(unit.pbc, repeats, 1))
        atoms.rotate(rng.uniform(0, 360), rng.normal(size=3), rotate_cell=True)
        atoms = atoms[rng.permutation(len(atoms))]
        atoms.positions += rng.uniform(-5, 5, 3)
        out.append((kind.label, atoms))
    return out


@pytest.mark.slow
def test_500_changed_prototypes_are_recognised(tmp_path):
    found = variants(576)
    with ase.db.connect(tmp_path / "source.db") as database:
        for label, atoms in found:
            database.write(atoms, wanted=label)
    screen(tmp_path / "source.db", tmp_path / "results.db", passes=50)
    results = rows(tmp_path / "results.db")
    assert len(results) == len(found)
    wrong = [
        (r.wanted, r.get("arise_class"), r.arise_entry) for r in results if r.get("arise_class") != r.wanted
    ]
    assert len(wrong) <= 0.01 * len(results), wrong


def test_changed_prototypes_are_recognised(tmp_path):
    """A quick look at what the slow test looks at thoroughly: each class of bulk and 2D materials once."""
    found = variants(96)
    prediction = classify([atoms for _, atoms in found], passes=10)
    wrong = [(a, b) for (a, _), b in zip(found, prediction.labels, strict=True) if a != b]
    assert len(wrong) <= 2, wrong


def test_slabs_are_entries_too(tmp_path):
    slab = fcc111("Cu", (3, 3, 6), vacuum=8, periodic=True)
    slab.info.clear()
    ase.io.write(tmp_path / "a.xyz", slab)
    screen(tmp_path / "a.xyz", tmp_path / "results.db", **FAST)
    assert rows(tmp_path / "results.db")[0].arise_label == "fcc"


def test_another_source_of_the_same_name_is_refused(tmp_path):
    for folder, images in (("a", [bulk("Al"), bulk("Cu")]), ("b", [bulk("Fe"), bulk("W"), bulk("Mg")])):
        (tmp_path / folder).mkdir()
        ase.io.write(tmp_path / folder / "s.xyz", images)
    screen(tmp_path / "a" / "s.xyz", tmp_path / "out.db", **FAST)
    with pytest.raises(ValueError, match="was made with another source_place"):
        screen(tmp_path / "b" / "s.xyz", tmp_path / "out.db", **FAST)
    assert [r.formula for r in rows(tmp_path / "out.db")] == ["Al", "Cu"]
    ase.io.write(tmp_path / "a" / "s.xyz", [bulk("W"), bulk("Mg"), bulk("Ag")])
    with pytest.raises(ValueError, match="was made with another source_place"):
        screen(tmp_path / "a" / "s.xyz", tmp_path / "out.db", **FAST)


def test_more_frames_and_less_memory_go_on(tmp_path):
    images = [bulk("Cu", cubic=True) * (3, 3, 3)] * 2
    ase.io.write(tmp_path / "s.xyz", images)
    first = screen(tmp_path / "s.xyz", tmp_path / "out.db", **FAST)
    ase.io.write(tmp_path / "s.xyz", images[:1], append=True)
    second = screen(tmp_path / "s.xyz", tmp_path / "out.db", memory_limit=1.0, **FAST)
    assert (first.recognised, second.kept, second.recognised) == (2, 2, 1)


def test_what_failed_before_is_counted(tmp_path):
    ase.io.write(
        tmp_path / "s.xyz", [bulk("Cu"), Atoms("Cu2", [[0, 0, 0], [0, 0, 0.01]], cell=[4, 4, 4], pbc=True)]
    )
    first = screen(tmp_path / "s.xyz", tmp_path / "out.db", **FAST)
    second = screen(tmp_path / "s.xyz", tmp_path / "out.db", **FAST)
    assert (first.failed, first.failed_before) == (1, 0)
    assert (second.failed, second.failed_before, second.kept) == (0, 1, 2)
