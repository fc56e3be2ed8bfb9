"""AriseCalculator: an ASE calculator like any other, with ARISE beside the results of its base."""

import copy
import pickle

import ase.db
import ase.io
import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, fcc100
from ase.calculators.calculator import PropertyNotImplementedError, all_changes
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.constraints import FixAtoms
from ase.filters import FrechetCellFilter
from ase.io.jsonio import encode
from ase.md.langevin import Langevin
from ase.md.verlet import VelocityVerlet
from ase.mep import NEB
from ase.optimize import BFGS, FIRE

import ase_arise.calculator
from ase_arise import AriseCalculator, classify
from ase_arise.calculator import ATOM_PROPERTIES, STRUCTURE_PROPERTIES

PASSES = 10


def copper(repeats: int = 2, seed: int = 0) -> Atoms:
    atoms = bulk("Cu", cubic=True) * (repeats, repeats, repeats)
    atoms.rattle(0.05, seed=seed)
    return atoms


def argon() -> Atoms:
    atoms = bulk("Ar", cubic=True, a=5.3) * (2, 2, 2)
    atoms.rattle(0.05, seed=1)
    return atoms


def emt(**arguments) -> AriseCalculator:
    return AriseCalculator(EMT(), passes=PASSES, **arguments)


def heated(atoms: Atoms, temperature: float = 300.0) -> Atoms:
    spread = np.sqrt(units.kB * temperature * atoms.get_masses())[:, None]
    atoms.set_momenta(np.random.default_rng(0).normal(size=(len(atoms), 3)) * spread)
    return atoms


@pytest.fixture
def looks(monkeypatch) -> list[int]:
    """Grows by one with each recognition."""
    seen: list[int] = []
    real = ase_arise.calculator.recognise

    def counted(structure, *arguments):
        seen.append(len(structure))
        return real(structure, *arguments)

    monkeypatch.setattr(ase_arise.calculator, "recognise", counted)
    return seen


# --- the base ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("atoms", "base"), [(copper(), EMT), (argon(), LennardJones)])
@pytest.mark.parametrize("interval", [0, 1])
def test_results_of_the_base_pass_through_bit_for_bit(atoms, base, interval):
    plain, wrapped = atoms.copy(), atoms.copy()
    plain.calc = base()
    wrapped.calc = AriseCalculator(base(), interval=interval, passes=PASSES)
    assert wrapped.get_potential_energy() == plain.get_potential_energy()
    assert wrapped.get_potential_energy(force_consistent=True) == plain.get_potential_energy(
        force_consistent=True
    )
    assert (wrapped.get_forces() == plain.get_forces()).all()
    assert (wrapped.get_stress() == plain.get_stress()).all()
    assert (wrapped.get_potential_energies() == plain.get_potential_energies()).all()
    for name, value in plain.calc.results.items():
        assert np.array_equal(wrapped.calc.results[name], value)


def test_properties_are_the_base_s_and_arise_s():
    assert set(AriseCalculator().implemented_properties) == {*STRUCTURE_PROPERTIES, *ATOM_PROPERTIES}
    assert set(emt().implemented_properties) == {
        *EMT().implemented_properties,
        *STRUCTURE_PROPERTIES,
        *ATOM_PROPERTIES,
    }


@pytest.mark.parametrize("name", ["energy", "forces", "stress", "dipole"])
def test_without_a_base_energies_are_not_implemented(name):
    calculator = AriseCalculator(passes=PASSES)
    with pytest.raises(PropertyNotImplementedError, match=name):
        calculator.get_property(name, copper())
    with pytest.raises(PropertyNotImplementedError):
        calculator.calculate(copper(), [name])
    with pytest.raises(PropertyNotImplementedError):
        emt().get_property("dipole", copper())


def test_changes_of_the_base_are_noticed():
    atoms = argon()
    atoms.calc = AriseCalculator(LennardJones(), passes=PASSES)
    before = atoms.get_potential_energy()
    atoms.calc.base = LennardJones(epsilon=2.0)
    assert atoms.get_potential_energy() == pytest.approx(2 * before)


# --- what ARISE adds --------------------------------------------------------------------------------------


def test_results_join_those_of_the_base():
    atoms = copper()
    atoms.calc = emt(interval=1)
    atoms.get_forces()
    results = atoms.calc.results
    assert {"energy", "forces", "arise_label", "arise_probabilities", "arise_mutual_information"} <= set(
        results
    )
    prediction = classify(atoms, passes=PASSES)
    assert results["arise_class"] == prediction.labels[0]
    assert results["arise_label"] == "fcc"
    assert (results["arise_probabilities"] == prediction.probabilities[0]).all()
    assert results["arise_mutual_information"] == prediction.mutual_information[0]
    assert results["arise_rejection_uncertainty"] == prediction.rejection_uncertainty[0]
    assert "arise_labels" not in results


def test_maps_have_results_for_every_atom():
    atoms = copper(3)
    calculator = AriseCalculator(passes=PASSES, mode="local", stride=6.0, box_size=10.0)
    assert list(calculator.get_property("arise_labels", atoms)) == ["fcc"] * len(atoms)
    for name in ATOM_PROPERTIES:
        assert len(calculator.get_property(name, atoms)) == len(atoms)
    assert calculator.results["arise_mode"] == "local"
    assert calculator.recognition.field.shape == (2, 2, 2)
    whole = AriseCalculator(passes=PASSES)
    with pytest.raises(PropertyNotImplementedError, match=r"arise_labels.*mode 'whole'"):
        whole.get_property("arise_labels", atoms)


def test_arise_runs_only_when_asked_for(looks):
    atoms = copper()
    atoms.calc = emt()
    atoms.get_forces()
    atoms.get_stress()
    assert looks == []
    assert atoms.calc.get_property("arise_label", atoms) == "fcc"
    assert len(looks) == 1


def test_arise_runs_every_interval_configurations(looks):
    atoms = copper()
    atoms.calc = emt(interval=3)
    seen = []
    for k in range(7):
        atoms.positions[0, 0] += 0.01
        atoms.get_forces()
        atoms.get_potential_energy()  # the same configuration: not counted
        seen.append("arise_label" in atoms.calc.results)
        assert len(looks) == k // 3 + 1
    assert seen == [True, False, False, True, False, False, True]
    assert atoms.calc.configurations == 7


@pytest.mark.parametrize("change", ["positions", "numbers", "cell", "pbc", "celldisp"])
def test_results_are_kept_until_the_structure_changes(looks, change):
    atoms = copper()
    calculator = emt()
    for name in ("arise_label", "arise_mutual_information", "arise_label"):
        calculator.get_property(name, atoms)
    atoms.set_initial_charges(np.ones(len(atoms)))
    atoms.set_initial_magnetic_moments(np.ones(len(atoms)))
    calculator.get_property("arise_label", atoms)
    assert len(looks) == 1
    assert not calculator.calculation_required(atoms, ["arise_label"])
    if change == "positions":
        atoms.positions[0, 0] += 1e-6
    elif change == "numbers":
        atoms.numbers[0] = 47
    elif change == "cell":
        atoms.cell[0, 0] += 1e-3
    elif change == "celldisp":
        atoms.set_celldisp([0.5, 0.0, 0.0])
    else:
        atoms.pbc[0] = False
    assert calculator.calculation_required(atoms, ["arise_label"])
    assert calculator.get_property("arise_label", atoms, allow_calculation=False) is None
    calculator.get_property("arise_label", atoms)
    assert len(looks) == 2


def test_what_must_not_be_calculated_is_not(looks):
    atoms = copper()
    calculator = emt()
    assert calculator.get_property("arise_label", atoms, allow_calculation=False) is None
    assert calculator.get_property("energy", atoms, allow_calculation=False) is None
    assert calculator.calculation_required(atoms, ["energy"])
    atoms.calc = calculator
    energy = atoms.get_potential_energy()
    assert calculator.get_property("energy", atoms, allow_calculation=False) == energy
    assert not calculator.calculation_required(atoms, ["energy", "forces"])
    assert calculator.calculation_required(atoms, ["energy", "arise_label"])
    assert looks == []


def test_results_handed_out_are_copies():
    atoms = copper()
    calculator = emt()
    calculator.get_property("arise_probabilities", atoms)[:] = 0
    assert calculator.get_property("arise_probabilities", atoms).sum() == pytest.approx(1)
    calculator.get_property("forces", atoms)[:] = 0
    assert np.abs(calculator.get_property("forces", atoms)).max() > 0


def test_calculate_can_be_called_directly():
    atoms = copper()
    calculator = emt()
    calculator.calculate(atoms, ["energy", "arise_label"], all_changes)
    assert calculator.results["arise_label"] == "fcc"
    assert calculator.results["energy"] == calculator.get_property("energy")
    assert calculator.export_properties()["energy"] == calculator.results["energy"]
    calculator.reset()
    assert calculator.results == {}
    with pytest.raises(ValueError, match="`atoms` must be given"):
        calculator.get_property("energy")


def test_new_parameters_make_old_results_void(looks):
    atoms = copper()
    calculator = emt()
    calculator.get_property("arise_label", atoms)
    assert calculator.set(passes=PASSES) == {}
    assert calculator.set(interval=2) == {"interval": 2}
    calculator.get_property("arise_label", atoms)
    assert len(looks) == 1
    assert calculator.set(passes=20) == {"passes": 20}
    calculator.get_property("arise_label", atoms)
    assert len(looks) == 2


# --- copies and files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))])
def test_copies_work_by_themselves(duplicate, model):
    atoms = argon()
    calculator = AriseCalculator(LennardJones(), model=model, passes=PASSES)
    wanted = calculator.get_property("arise_probabilities", atoms)
    energy = calculator.get_property("energy", atoms)
    other = duplicate(calculator)
    assert other.get_property("energy", atoms) == energy
    assert (other.get_property("arise_probabilities", atoms) == wanted).all()
    other.reset()
    assert (other.get_property("arise_probabilities", atoms) == wanted).all()
    assert other.todict() == calculator.todict()


def test_parameters_are_written_with_the_base_s():
    calculator = AriseCalculator(LennardJones(epsilon=2.0), interval=5, passes=PASSES)
    written = calculator.todict()
    assert written["base"]["name"] == "lennardjones"
    assert written["base"]["epsilon"] == 2.0
    assert {k: v for k, v in written.items() if k != "base"} == {"interval": 5, "passes": PASSES}
    assert "arise-108" in encode(calculator.todict(skip_default=False))
    assert emt().name == "arise"


@pytest.mark.parametrize("suffix", ["traj", "xyz", "db"])
def test_energies_reach_files(tmp_path, suffix):
    atoms = copper()
    atoms.calc = emt(interval=1)
    forces = atoms.get_forces()
    path = tmp_path / f"a.{suffix}"
    ase.io.write(path, atoms)
    found = ase.io.read(path)
    assert found.get_potential_energy() == pytest.approx(atoms.get_potential_energy(), abs=1e-8)
    assert np.allclose(found.get_forces(), forces, atol=1e-7)
    if suffix == "db":
        row = ase.db.connect(path).get(1)
        assert (row.calculator, row.calculator_parameters["interval"]) == ("arise", 1)


# --- ASE's drivers ----------------------------------------------------------------------------------------


def run_both(drive, atoms, base=EMT):
    """The same run with the base alone and wrapped; both sets of atoms."""
    plain, wrapped = atoms.copy(), atoms.copy()
    plain.calc, wrapped.calc = base(), AriseCalculator(base(), interval=2, passes=PASSES)
    for a in (plain, wrapped):
        drive(a)
    return plain, wrapped


@pytest.mark.parametrize("optimiser", [BFGS, FIRE])
def test_optimisers_take_the_same_way(optimiser):
    plain, wrapped = run_both(lambda a: optimiser(a, logfile=None).run(fmax=0.01, steps=6), copper())
    assert (plain.positions == wrapped.positions).all()
    assert wrapped.calc.get_property("arise_label", wrapped) == "fcc"


def test_cells_relax_the_same_way():
    strained = copper()
    strained.set_cell(strained.cell * 1.02, scale_atoms=True)
    plain, wrapped = run_both(lambda a: BFGS(FrechetCellFilter(a), logfile=None).run(steps=3), strained)
    assert (plain.cell[:] == wrapped.cell[:]).all()


@pytest.mark.parametrize(("atoms", "base"), [(copper(), EMT), (argon(), LennardJones)])
def test_dynamics_take_the_same_way(atoms, base):
    plain, wrapped = run_both(lambda a: VelocityVerlet(a, 2 * units.fs).run(5), heated(atoms), base)
    assert (plain.positions == wrapped.positions).all()
    assert (plain.get_momenta() == wrapped.get_momenta()).all()


def test_langevin_draws_the_same_numbers():
    def drive(a):
        Langevin(
            a, 2 * units.fs, temperature_K=300, friction=0.02 / units.fs, fixcm=False,
            rng=np.random.RandomState(1),
        ).run(5)  # fmt: skip

    plain, wrapped = run_both(drive, heated(copper()))
    assert (plain.positions == wrapped.positions).all()


def test_fixed_atoms_stay():
    atoms = copper()
    atoms.set_constraint(FixAtoms([0, 1]))
    plain, wrapped = run_both(lambda a: BFGS(a, logfile=None).run(steps=4), atoms)
    assert (wrapped.positions[:2] == atoms.positions[:2]).all()
    assert (plain.positions == wrapped.positions).all()


def test_images_of_a_band_have_their_own():
    def band(make):
        first = fcc100("Cu", (2, 2, 2), vacuum=6.0)
        first.pbc = True
        images = [first.copy() for _ in range(4)]
        images[-1].positions[-1, 0] += 1.0
        for image in images:
            image.calc = make()
        neb = NEB(images, method="improvedtangent")
        neb.interpolate()
        return neb, images

    plain, plain_images = band(EMT)
    wrapped, images = band(lambda: AriseCalculator(EMT(), interval=1, passes=PASSES, min_atoms=1))
    assert (plain.get_forces() == wrapped.get_forces()).all()
    BFGS(plain, logfile=None).run(steps=2)
    BFGS(wrapped, logfile=None).run(steps=2)
    for a, b in zip(plain_images, images, strict=True):
        assert (a.positions == b.positions).all()
    assert len({id(a.calc) for a in images}) == 4
    assert all("arise_label" in a.calc.results for a in images[1:-1])
