"""`python -m benchmarks.samples` on little, and whether the samples are what they are said to be."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from ase import Atoms

import arise_core as arise
from arise_core.crystals.symmetry import space_group
from arise_core.errors import FileError, InputError
from arise_core.geometry import builders
from arise_core.geometry.neighbors import PairFinder
from ase_arise import from_atoms
from benchmarks.samples import chemistry, earlier
from benchmarks.samples.__main__ import main
from benchmarks.samples.figures import KEYS, REJECTED, ask, shares, wrong_answers
from benchmarks.samples.hosts import CONSTANTS, Sample, holes, material_of, shaken, spacing, supercell, unit
from benchmarks.samples.kinds import KINDS, samples_of
from benchmarks.samples.strain import axial, deformed, like_indium, own_cells

GROUPS = {"fcc": 225, "bcc": 229, "hcp": 194, "diamond": 227, "rock salt": 225, "zinc blende": 216, "B2": 221,
          "L1_2": 221, "In": 139, "gamma-Pu": 70, "beta-Sn": 141, "L1_0": 123}  # fmt: skip


@cache
def made(kind: str) -> tuple[Sample, ...]:
    """Samples of a kind, made once for all tests, which change none."""
    return tuple(samples_of(kind, 1))


def every(kind: str, **wanted: str) -> list[Sample]:
    """Samples of a kind with these values, at least one."""
    found = [s for s in made(kind) if all(getattr(s, k) == v for k, v in wanted.items())]
    assert found
    return found


# --- samples ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_samples_are_the_same_each_time_and_have_a_class(kind):
    labels = {p.label for p in arise.prototypes()}
    once, again = made(kind), list(samples_of(kind, 1))
    assert len(once) == len(again) > 5
    for a, b in zip(once, again, strict=True):
        assert (a.group, a.lattice, a.detail, a.ways) == (b.group, b.lattice, b.detail, b.ways)
        np.testing.assert_array_equal(a.structure.positions, b.structure.positions)
        np.testing.assert_array_equal(a.structure.numbers, b.structure.numbers)
        assert a.label in labels or (kind == "tubes" and a.label is None)
        assert len(a.structure) <= 1500


def test_hosts_have_the_space_group_of_their_lattice():
    for lattice, materials in CONSTANTS.items():
        for material in materials:
            assert space_group(from_atoms(unit(lattice, material))) == GROUPS[lattice]


@pytest.mark.parametrize("name", own_cells())
def test_crystals_with_an_axial_ratio_of_their_own(name):
    label, cell = own_cells()[name]
    assert space_group(from_atoms(cell)) == GROUPS[label]


@pytest.mark.parametrize(("lattice", "radii", "octahedral"), [
    ("fcc", {0.5: 4, 0.433: 8}, 4), ("bcc", {0.559: 12, 0.5: 6}, 6), ("rock salt", {0.433: 8}, 8),
])  # fmt: skip
def test_holes_are_where_they_are_known_to_be(lattice, radii, octahedral):
    """Distance of the nearest host atom in lattice constants: fcc 1/2 and √3/4, bcc √5/4 and 1/2."""
    cell = unit(lattice, material_of(lattice, 0))
    places = holes(cell, lattice)
    around = supercell(cell, 3 * cell.cell.lengths()[0])
    middle = cell.cell.lengths().copy()
    distance = [np.linalg.norm(around.positions - p - middle, axis=1).min() for p in places]
    values, counts = np.unique(np.round(np.array(distance) / cell.cell[0, 0], 3), return_counts=True)
    assert dict(zip(values, counts, strict=True)) == radii
    assert len(holes(cell, lattice, octahedral=True)) == octahedral


def test_noise_has_the_size_that_is_said():
    atoms = supercell(unit("fcc", "Cu"))
    moved = shaken(atoms, spacing(atoms), np.random.default_rng(0))
    size = np.sqrt(((moved.positions - atoms.positions) ** 2).sum(axis=1).mean())
    assert size == pytest.approx(0.05 * 3.615 / np.sqrt(2), rel=0.05)  # 500 atoms: 2 %


@pytest.mark.parametrize("share", chemistry.SUBSTITUTED)
def test_share_of_foreign_atoms(share):
    for sample in every("substitution", group=f"{100 * share:g} %"):
        cell = unit(sample.lattice, material_of(sample.lattice, 0))
        foreign = int((~np.isin(sample.structure.numbers, cell.numbers)).sum())
        assert foreign == max(1, round(share * len(sample.structure)))
        assert len(sample.structure.species) <= len(set(cell.numbers)) + 3


@pytest.mark.parametrize("kind", ["interstitials", "surfaces"])
def test_added_atoms_keep_their_distance(kind):
    for sample in made(kind):
        s = sample.structure
        alike = arise.Structure(s.positions, np.ones(len(s)), s.cell, s.pbc)
        assert PairFinder(alike).nearest(1, 1).min() > 0.9


def test_interstitials_are_as_many_as_said():
    for sample in every("interstitials", group="5 %"):
        n_host = int(
            np.isin(
                sample.structure.numbers, unit(sample.lattice, material_of(sample.lattice, 0)).numbers
            ).sum()
        )
        assert len(sample.structure) - n_host == round(0.05 * n_host)


def test_surfaces_are_changed_at_one_to_three_places():
    for sample in samples_of("surfaces", 2):
        host = {n for m in CONSTANTS[sample.lattice] for n in Atoms(m).numbers}
        added = sample.structure.numbers[~np.isin(sample.structure.numbers, list(host | {6}))]
        assert len(added) <= 6  # three molecules
        if sample.group.startswith("clean"):
            assert len(sample.structure.species) == 1
        elif sample.lattice != "diamond":
            assert len(sample.structure.species) > 1


def test_one_sublattice_is_mixed_and_the_other_left():
    for sample in every("sublattices", group="(Ni,Co,Fe)3Al"):
        assert (sample.structure.numbers == 13).sum() == len(sample.structure) / 4
        assert set(sample.structure.species) == {13, 26, 27, 28}


def test_strain():
    atoms = unit("fcc", "Cu")
    direction = np.array([1.0, 1, 1])
    long = deformed(atoms, axial(direction, 0.05, 1 / np.sqrt(1.05) - 1))
    assert long.get_volume() == pytest.approx(atoms.get_volume(), rel=1e-12)
    diagonal = [a.cell.array.sum(axis=0) @ direction for a in (atoms, long)]
    assert diagonal[1] / diagonal[0] == pytest.approx(1.05)
    cubic, slanted = np.array([0.0, 0, 1]), np.array([0.0, 1, 1])
    at = 1 / np.sqrt(1.05) - 1
    assert like_indium("fcc", axial(cubic, 0.05, at))
    assert not like_indium("L1_2", axial(cubic, 0.05, at))
    assert not like_indium("fcc", axial(slanted, 0.05, at))
    assert not like_indium("fcc", axial(cubic, -0.05, 0.0))
    for sample in made("sheared"):  # shear keeps the volume
        at_rest = supercell(unit(sample.lattice, material_of(sample.lattice, 0)), 17.0)
        assert abs(np.linalg.det(sample.structure.cell)) == pytest.approx(at_rest.get_volume())


# --- figures ----------------------------------------------------------------------------------------------------


def test_asking(model):
    structure = from_atoms(supercell(unit("bcc", "Fe")))
    for way in ("whole", "open", "atoms", "16", "8"):
        labels, bits = ask(structure, model, way)
        assert set(labels) == {arise.prototype("bcc").label}
        assert (bits < 0.5).all()
        assert len(labels) == {"whole": 1, "open": 1, "atoms": len(structure)}.get(way, len(labels))
    assert len(labels) > 50
    positions, _, edge = builders.disordered(150, 0.5, [1.0], [1.0], 30, np.random.default_rng(0))
    liquid = arise.Structure(2.4 * positions, np.full(150, 26), np.eye(3) * 2.4 * edge, True)
    assert list(ask(liquid, model, "whole")[0]) == [REJECTED]


def test_shares_are_counted_by_answers():
    fcc, bcc = (arise.prototype(name).label for name in ("fcc", "bcc"))
    key = dict(zip(KEYS, ("alloys", "a", "fcc", "b", "16 Å"), strict=True))
    answers = pd.DataFrame(
        [
            key | {"said": said, "right": said == fcc, "n": n, "bits": bits, "model": model}
            for model, said, n, bits in [
                ("before", fcc, 1, 0.1), ("before", bcc, 2, 0.6), ("before", REJECTED, 1, 0.9), ("after", fcc, 4, 0.0)
            ]
        ]
    )  # fmt: skip
    (row,) = shares(answers, KEYS).to_dict("records")
    assert (row["answers"], row["before"], row["after"]) == (4, 0.25, 1.0)
    assert row["before doubt when wrong"] == pytest.approx(0.5)
    assert np.isnan(row["after doubt when wrong"])
    assert row["before wrong"] == "bcc 50, rejected 25"
    assert wrong_answers(answers[answers["model"] == "after"]) == ""


@pytest.mark.slow
def test_document(tmp_path, capsys):
    main(
        [
            "--baseline",
            "arise-108-ideal",
            "--only",
            "solutions",
            "own",
            "--samples",
            "3",
            "--out",
            str(tmp_path),
        ]
    )
    text = (tmp_path / "samples.md").read_text(encoding="utf-8")
    assert text in capsys.readouterr().out
    assert "before `arise-108-ideal`" in text
    assert "after `arise-108`" in text
    assert "## Chemistry\n\n### solutions\n" in text
    assert "## Strain\n\n### own\n" in text
    table = pd.read_csv(tmp_path / "samples.csv")
    assert list(table.columns[: len(KEYS)]) == KEYS
    assert set(table["kind"]) == {"solutions", "own"}
    assert table[["before", "after"]].stack().between(0, 1).all()
    assert (table[(table["kind"] == "own")]["after"] == 1).all()

    given = ["--only", "solutions", "own", "--samples", "3", "--out", str(tmp_path / "again")]
    main(
        [
            *given,
            "--model",
            "arise-108-ideal",
            "--before",
            str(tmp_path / "samples.csv"),
            "--before-name",
            "the last",
        ]
    )
    again = pd.read_csv(tmp_path / "again" / "samples.csv")
    figures = ["", " doubt when wrong", " wrong"]
    pd.testing.assert_frame_equal(
        again[[f"before{f}" for f in figures]],
        table[[f"after{f}" for f in figures]].set_axis([f"before{f}" for f in figures], axis=1),
    )
    pd.testing.assert_series_equal(again["after"], table["before"], check_names=False)
    assert "before the last, after `arise-108-ideal`" in (tmp_path / "again" / "samples.md").read_text(
        encoding="utf-8"
    )
    with pytest.raises(SystemExit):
        main([*given, "--samples", "4", "--before", str(tmp_path / "samples.csv")])
    assert "`--before` has" in capsys.readouterr().err


EARLIER = pd.DataFrame(
    [
        ("own", "CuAu", "L1_0", "", "whole", 4, 0.25, 0.4, "bcc 75"),
        ("own", "CuAu", "L1_0", "", "16 Å", 1296, 0.6667, 0.1, "rejected 33"),
        ("own", "In", "In", "", "16 Å", 4, 1.0, None, None),
    ],
    columns=[*KEYS, "answers", "old", "old doubt when wrong", "old wrong"],
)  # fmt: skip


@pytest.fixture
def samples():
    atoms = from_atoms(unit("fcc", "Cu"))
    gold = Sample(group="CuAu", lattice="L1_0", detail="", structure=atoms, ways=("whole", "16"))
    return {"own": [gold] * 4 + [Sample(group="In", lattice="In", detail="", structure=atoms, ways=("16",))]}


def written(folder, table=EARLIER, name="earlier.csv"):
    table.to_csv(folder / name, index=False)
    return folder / name


def test_earlier_figures_are_weighted_by_answers(tmp_path, samples):
    past = earlier.of_samples(earlier.read([written(tmp_path)]), samples)
    now = EARLIER[KEYS].assign(said="L1_0", right=True, n=EARLIER["answers"], bits=0.0, model="after")
    answers = earlier.with_earlier(now, past)
    whole, boxes = shares(answers, ["kind", "asked"]).to_dict("records")
    assert (whole["before"], whole["answers"], whole["after"]) == (0.25, 4, 1)
    assert (boxes["before"], boxes["answers"]) == ((864 + 4) / 1300, 1300)
    assert boxes["before doubt when wrong"] == pytest.approx(0.1)
    told = earlier.with_words(shares(answers, KEYS), past)
    assert told["before wrong"].tolist() == ["bcc 75", "rejected 33", ""]
    with pytest.raises(InputError, match=r"4 answers for \('own', 'In', 'In', '', '16 Å'\), now 5"):
        earlier.with_earlier(now.assign(n=[4, 1296, 5]), past)
    with pytest.raises(InputError, match="4 answers for .*, now 0"):
        earlier.with_earlier(now[:2], past)


def test_the_last_model_of_a_table_is_taken(tmp_path):
    later = EARLIER.assign(new=0.5, **{"new doubt when wrong": 0.2, "new wrong": "sc 50"})
    assert (earlier.read([written(tmp_path, later)])["before"] == 0.5).all()


@pytest.mark.parametrize(("change", "message"), [
    (lambda t: t.drop(columns="asked"), "lacks the columns asked"),
    (lambda t: t[[*KEYS, "answers"]], "lacks the columns of a model"),
    (lambda t: t.assign(old=[0.1, 3.0, 1.0]), "no number of answers and share in the row of .*'16 Å'"),
    (lambda t: t.assign(answers="many"), "no number of answers and share in the row of .*'whole'"),
    (lambda t: pd.concat([t, t[:1]]), "two rows of .*'whole'"),
    (lambda t: t.assign(group="CuPt"), "samples that are not asked"),
    (lambda t: t[1:], "no row of .*'whole'"),
    (lambda t: t.assign(answers=[3, 1296, 4]), "another number of .*'whole'"),
])  # fmt: skip
def test_wrong_earlier_figures_are_refused(tmp_path, samples, change, message):
    with pytest.raises(InputError, match=message):
        earlier.of_samples(earlier.read([written(tmp_path, change(EARLIER))]), samples)


def test_files_that_are_no_table_are_refused(tmp_path):
    with pytest.raises(FileError, match=r"none\.csv"):
        earlier.read([tmp_path / "none.csv"])
    for content in (b"", b"\xff\xfe\x00\xd8", b"a,b\n1,2,3\n1\n1,2,3,4\n"):
        (tmp_path / "bad.csv").write_bytes(content)
        with pytest.raises(InputError, match=r"bad\.csv"):
            earlier.read([tmp_path / "bad.csv"])


def test_an_unknown_kind_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["--only", "nothing"])
    assert "interstitials" in capsys.readouterr().err
