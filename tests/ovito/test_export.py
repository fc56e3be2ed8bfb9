"""Every property, table and attribute through OVITO's writers, read back."""

from __future__ import annotations

import numpy as np
import pytest
from ovito.io import export_file, import_file
from ovito.pipeline import Pipeline

from ovito_arise import AriseModifier
from tests.ovito.helpers import FAST, crystal_and_melt, pipeline_of

PROPERTIES = [
    "ARISE Confidence", "ARISE Mutual Information", "ARISE Reject Score", "ARISE Rejection Uncertainty",
]  # fmt: skip


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    structure, _ = crystal_and_melt(5, 6)
    return pipeline_of(structure, AriseModifier(**FAST, probabilities=["FCC", "HCP"], box_table=True))


def columns(pipeline: Pipeline) -> list[str]:
    extra = ["ARISE Probability.FCC", "ARISE Probability.HCP"]
    return ["Particle Type", "Position.X", "Position.Y", "Position.Z", "Structure Type", *PROPERTIES, *extra]


def test_xyz_keeps_every_property(pipeline, tmp_path):
    export_file(pipeline, str(tmp_path / "a.xyz"), "xyz", columns=columns(pipeline))
    data, back = pipeline.compute(), import_file(str(tmp_path / "a.xyz")).compute()
    for name in PROPERTIES:
        read = next(back.particles[p] for p in back.particles if p.replace(" ", "") == name.replace(" ", ""))
        assert np.asarray(read) == pytest.approx(np.asarray(data.particles[name]), abs=1e-6)
    names = {t.id: t.name for t in data.particles["Structure Type"].types}
    read = {t.id: t.name for t in back.particles["Structure Type"].types}
    found = [read[k] for k in np.asarray(back.particles["Structure Type"])]
    assert found == [names[k] for k in np.asarray(data.particles["Structure Type"])]
    probability = [p for p in back.particles if "Probability" in p]
    values = np.column_stack([np.asarray(back.particles[p]) for p in probability])
    assert values == pytest.approx(np.asarray(data.particles["ARISE Probability"]), abs=1e-6)


def test_lammps_dump_keeps_every_property(pipeline, tmp_path):
    export_file(pipeline, str(tmp_path / "a.dump"), "lammps/dump", columns=columns(pipeline))
    lines = (tmp_path / "a.dump").read_text().splitlines()
    start = next(k for k, line in enumerate(lines) if line.startswith("ITEM: ATOMS"))
    assert len(lines[start].split()) - 2 == len(columns(pipeline))
    table = np.loadtxt(lines[start + 1 :])
    data = pipeline.compute()
    assert (table[:, 4] == np.asarray(data.particles["Structure Type"])).all()
    for k, name in enumerate(PROPERTIES, 5):
        assert table[:, k] == pytest.approx(np.asarray(data.particles[name]), abs=1e-6)
    assert table[:, 5 + len(PROPERTIES) :] == pytest.approx(
        np.asarray(data.particles["ARISE Probability"]), abs=1e-6
    )
    assert import_file(str(tmp_path / "a.dump")).compute().particles.count == len(table)


def test_every_attribute_goes_to_text(pipeline, tmp_path):
    data = pipeline.compute()
    names = [n for n in data.attributes if n.startswith("ARISE.")]
    assert len(names) > 200
    export_file(pipeline, str(tmp_path / "a.txt"), "txt/attr", columns=names)
    head, row = (tmp_path / "a.txt").read_text().splitlines()
    assert head.count('"') == 2 * len(names)
    for name, text in zip(names, row.split(), strict=True):
        value = data.attributes[name]
        assert text == value if isinstance(value, str) else float(text) == pytest.approx(value), name


@pytest.mark.parametrize("name", ["arise-structures", "arise-boxes"])
def test_every_table_goes_to_text(pipeline, tmp_path, name):
    export_file(pipeline, str(tmp_path / "a.txt"), "txt/table", key=name)
    rows = [line for line in (tmp_path / "a.txt").read_text().splitlines() if not line.startswith("#")]
    table = pipeline.compute().tables[name]
    assert len(rows) == table.count
    if name == "arise-structures":
        names = [t.name for t in table["Structure"].types]
        assert [r.split()[:2] for r in rows] == [
            [n, str(c)] for n, c in zip(names, np.asarray(table["Count"]), strict=True)
        ]
    else:
        last = np.array([float(v) for v in rows[-1].split()[-7:-1]])
        names = (
            "Confidence",
            "Mutual Information",
            "Predictive Entropy",
            "Variation Ratio",
            "Reject Score",
            "Rejection Uncertainty",
        )
        assert last == pytest.approx([table[n][-1] for n in names], abs=1e-6)


def test_the_demo_s_netcdf_route_keeps_the_map(pipeline, tmp_path):
    import xarray

    pipeline.compute()
    field = pipeline.modifiers[0].delegate.strided_map
    field.to_netcdf(tmp_path / "map.nc")
    with xarray.open_dataset(tmp_path / "map.nc") as read:
        assert read["mutual_information"].values.ravel() == pytest.approx(field.prediction.mutual_information)
        assert read["probability"].shape == (*field.shape, 5)
