"""What layers are called, and that projected crystals are not called layers."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from arise_core import build, prototype
from arise_core.errors import InputTypeError
from arise_core.geometry.builders import repeat
from arise_core.geometry.sheets import stone_wales
from arise_core.geometry.structure import Structure
from arise_core.settings import RecognitionSettings
from arise_images import find_atoms, find_rings, recognise_layer, tell_elements
from arise_images.layers import EITHER, UNDECIDED, patterns
from benchmarks.images.samples import SAMPLES
from tests.images.made import PIXEL, columns_in, flat, image_of

QUICK = RecognitionSettings.of({"passes": 100, "stride": 8.0})


@pytest.fixture(scope="module")
def found(model):
    return {
        sample.name: recognise_layer(columns_in(sample.name), model, settings=QUICK) for sample in SAMPLES
    }


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.name)
def test_answers(found, sample):
    one = found[sample.name]
    assert one.pattern == sample.pattern
    assert one.label == sample.label


def test_layers_of_short_bonds_are_named(found):
    for name in ("graphene", "BN"):
        assert found[name].doubt < 0.05
        assert found[name].projection_doubt == 0
        assert found[name].defective.mean() < 0.05


def test_projected_crystals_are_never_named_with_low_doubt(found):
    for name in ("SrTiO3 [001]", "Cu [110]"):
        one = found[name]
        assert one.label in (UNDECIDED, "rejected")
        assert np.isnan(one.doubt) or one.doubt >= EITHER
    titanate = found["SrTiO3 [001]"]
    assert (
        titanate.whole.mutual_information < 0.05
    )  # the network is sure of the pattern: the points are the same
    assert any("along" in p for p in titanate.projections)
    assert "projected crystal" in " ".join(titanate.notes)


def test_without_a_pixel_size_a_pattern_may_be_a_projection(found):
    columns = replace(columns_in("graphene"), assumed_pixel_size=True)
    unknown = replace(found["graphene"], columns=columns)
    assert unknown.pattern == "graphene"
    assert unknown.label == UNDECIDED
    assert unknown.doubt >= EITHER
    known = replace(unknown, one_layer=True)
    assert known.label == "graphene"
    assert known.doubt < 0.05


def test_a_user_who_knows_that_it_is_one_layer_gets_the_layers_that_fit(found):
    one = replace(found["MoS2"], one_layer=True)
    assert one.projection_doubt == 0
    assert "MoS2_monolayer" in one.layers
    assert "MoS2_monolayer" in one.label
    assert "hexagonal_BN_monolayer" not in one.layers  # its columns are 1.45 Å apart
    titanate = replace(found["SrTiO3 [001]"], one_layer=True)
    assert titanate.label == UNDECIDED  # no layer of this pattern has columns 2.76 Å apart
    assert "no layer" in " ".join(titanate.notes)


def test_a_pixel_size_that_is_wrong_names_no_other_layer(found):
    wrong = replace(columns_in("graphene"), spacing=1.424 * 1.2)
    assert replace(found["graphene"], columns=wrong, one_layer=True).label == UNDECIDED


def test_what_has_no_name_is_in_doubt(found):
    titanate = replace(found["SrTiO3 [001]"], one_layer=True)
    assert (titanate.label, titanate.projection_doubt) == (UNDECIDED, EITHER)


def test_a_short_distance_names_short_layers_only(found):
    """SiC along [001] is a chequerboard with columns 1.54 Å apart, within 5 % of those of FeOCl."""
    short = replace(columns_in("SrTiO3 [001]"), spacing=1.515)
    silicon_carbide = replace(found["SrTiO3 [001]"], columns=short)
    assert silicon_carbide.layers
    assert (silicon_carbide.label, silicon_carbide.projection_doubt) == (UNDECIDED, EITHER)


def test_named_elements_that_are_never_so_close_are_in_doubt(found):
    heavy = tell_elements(columns_in("BN"), "S,Mo")
    wrong = replace(found["BN"], columns=heavy)
    assert (wrong.label, wrong.projection_doubt) == (UNDECIDED, EITHER)
    assert "pixel_size" in " ".join(wrong.notes)
    light = replace(found["BN"], columns=tell_elements(columns_in("BN"), "B,N"))
    assert light.label == "hexagonal_BN_monolayer"
    few = Structure(heavy.structure.positions, np.where(np.arange(len(heavy)) < 5, 14, 6))
    doped = replace(found["graphene"], columns=replace(heavy, structure=few))
    assert doped.projection_doubt == 0


def test_two_kinds_that_noise_hides_are_in_doubt(found):
    blind = replace(columns_in("BN", 3.0), kinds=np.zeros(len(columns_in("BN", 3.0)), dtype=np.int64))
    hidden = replace(found["graphene"], columns=blind)
    assert hidden.brightness_doubt == EITHER
    assert hidden.label == UNDECIDED
    assert "alternate" in " ".join(hidden.notes)
    told = tell_elements(blind, "B")
    assert replace(hidden, columns=told).brightness_doubt == 0
    for dose in (60.0, 10.0):
        one_kind = replace(found["graphene"], columns=columns_in("graphene", dose))
        assert one_kind.brightness_doubt == 0


def test_records_are_plain(found):
    record = found["BN"].record()
    assert record["label"] == "hexagonal_BN_monolayer"
    assert record["kinds"] == 2
    assert record["pixel_size_known"]
    assert record["n_columns"] == len(columns_in("BN"))
    assert record["spacing"] == pytest.approx(1.45, rel=0.02)
    kinds = {type(v) for v in record.values()}
    assert kinds <= {str, int, float, bool, list, dict}


def test_the_table_of_patterns():
    """Rows that are known without it; `benchmarks/images/projections.py` makes it."""
    known = {(p.pattern, p.seen, p.axis) for p in patterns()}
    assert {("graphene", "graphene", ""), ("graphene", "hcp", "[001]")} <= known
    assert ("hexagonal_BN_monolayer", "MoS2_monolayer", "") in known
    assert ("PbSe_monolayer", "CsCl_B2", "[100]") in known
    flat_ones = {p.seen: p.distance for p in patterns() if p.layer and p.pattern == p.seen}
    assert flat_ones["graphene"] == pytest.approx(1.424, abs=0.01)
    assert flat_ones["PbSe_monolayer"] == pytest.approx(2.986, abs=0.01)


@pytest.mark.parametrize("argument", ["columns", "settings", "one_layer"])
def test_wrong_types_are_refused(model, argument):
    given = {"columns": columns_in("graphene"), argument: 5}
    with pytest.raises(InputTypeError, match=argument):
        recognise_layer(model=model, **given)


# --- rings ----------------------------------------------------------------------------------------------------------


def test_rings_of_a_perfect_honeycomb():
    rings = find_rings(flat("graphene"))
    assert set(rings.counts) == {6}
    assert len(rings) > 100
    corners = flat("graphene").positions[list(rings.members[0])]
    np.testing.assert_allclose(np.linalg.norm(corners - rings.centers[0], axis=1), 1.424, atol=0.01)


def test_columns_without_a_ring(found):
    """As of a quasiperiodic tiling whose bonds cross no polygon; it warned of a mean of nothing."""
    rings = find_rings(flat("graphene"), reach=0.5)
    assert len(rings) == 0
    one = replace(found["graphene"])
    one.__dict__["rings"] = rings
    assert len(one.odd_rings) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for n in (1, 2):
            assert len(find_rings(Structure(np.eye(3)[:n], [6] * n))) == 0


def test_rings_of_turned_bonds():
    rng = np.random.default_rng(5)  # no turned bond at the border
    sheet = stone_wales(repeat(build(prototype("C")), (14, 14, 1)), 2, 200, rng)
    rings = find_rings(Structure(sheet.positions, sheet.numbers))
    assert set(rings.counts) == {5, 6, 7}
    assert rings.counts[5] == rings.counts[7] == 4


def test_rings_in_an_image():
    rings = find_rings(columns_in("graphene").structure)
    assert rings.counts[6] / len(rings) > 0.98


def test_kinds_do_not_change_where_columns_are():
    plain = find_atoms(image_of("BN"), PIXEL)
    np.testing.assert_array_equal(plain.structure.positions, tell_elements(plain, "B,N").structure.positions)
