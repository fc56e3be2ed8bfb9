"""Model files from strangers: none of them runs anything, each is loaded or refused, through every door."""

import pickle
import shutil
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from ase.build import bulk
from torch import Tensor, nn

import arise_core as arise
from arise_core.errors import ModelError
from arise_core.model.contents import read_model, read_script
from arise_core.model.model import Model
from arise_core.model.network import build_network
from arise_core.settings import SamplingSettings
from arise_core.training.export import export
from ase_arise import AriseCalculator, annotate
from ase_arise.convert import as_model
from benchmarks.robustness import model_files
from benchmarks.robustness.model_files import archive_of, flip, members, mutated
from ovito_arise import AriseModifier, AriseRegions
from tests.cli.conftest import arise as command_line  # noqa: F401 - a fixture
from tests.model.small import SETTINGS, make_card, make_network


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("marker") / "ran"


@pytest.fixture
def marker(place):
    """File that hostile models write, if they are let."""
    place.unlink(missing_ok=True)
    return place


# --- archives that carry code ------------------------------------------------------------------------------------


class Setstate(nn.Module):
    """Writes a file when it is loaded."""

    def __init__(self, path: Path):
        super().__init__()
        self.path = str(path)
        self.value = torch.zeros(1)

    def forward(self, x: Tensor) -> Tensor:
        return x

    @torch.jit.export
    def __getstate__(self):
        return self.path

    @torch.jit.export
    def __setstate__(self, state: str):
        self.path = state
        self.value = torch.from_file(state, True, 4)
        self.training = False


class Forward(nn.Module):
    """Writes a file when it is asked, then never answers."""

    def __init__(self, path: Path):
        super().__init__()
        self.path = str(path)
        net = make_network()
        self.layers = net.layers
        self.register_buffer("mean", net.mean)
        self.register_buffer("transform", net.transform)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.from_file(self.path, True, 4)
        while bool(y.sum() < 1):
            y = y + 0
        return y

    @torch.jit.export
    def monte_carlo(self, features: Tensor, masks: list[Tensor], reference: Tensor) -> list[Tensor]:
        return [self.forward(features)]

    @torch.jit.export
    def activations(self, features: Tensor, layer: int) -> Tensor:
        return self.forward(features)


def hook(self, inputs: tuple[Tensor]) -> None:
    """Writes a file before the network is asked."""
    torch.from_file(self.path, True, 4)


class Pickled:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def scripted(module: nn.Module, tmp_path: Path) -> bytes:
    """A TorchScript file with a card, past the checks of `export`."""
    path = tmp_path / "scripted.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        card = make_card(make_network()).to_json()
        torch.jit.save(torch.jit.script(module.eval()), str(path), _extra_files={"card.json": card})
    return path.read_bytes()


def code_of(contents: dict[str, bytes]) -> str:
    """The member with the code of a network's class."""
    return max((n for n in contents if n.endswith(".py")), key=lambda n: b"__setstate__" in contents[n])


def renamed(content: bytes) -> bytes:
    """Its code in a member whose name ends in capitals."""
    inside = members(content)
    name = code_of(inside)
    return archive_of({(n[:-3] + ".PY" if n == name else n): c for n, c in inside.items()})


def broken_line(content: bytes) -> bytes:
    """Its `def __setstate__` over two lines."""
    inside = members(content)
    name = code_of(inside)
    assert b"def __setstate__" in inside[name]
    return archive_of({**inside, name: inside[name].replace(b"def __setstate__", b"def \\\n__setstate__")})


def hooked(path: Path, tmp_path: Path) -> bytes:
    net = make_network()
    net.path = str(path)
    net.register_forward_pre_hook(hook)
    return scripted(net, tmp_path)


def with_lines(contents: dict[str, bytes], name: str, lines: bytes) -> bytes:
    """An archive with some lines more before each `return` of its code."""
    assert b"    return" in contents[name]
    return archive_of({**contents, name: contents[name].replace(b"    return", lines + b"    return")})


def hostile(path: Path, tmp_path: Path, script: bytes) -> dict[str, bytes]:
    """Files that run code, which writes a file at `path`, if they are loaded by what runs code."""
    eager = scripted(Setstate(path), tmp_path)
    inside = members(script)
    pickled = b"\x80\x02" + pickle.dumps(Pickled(path), 2)[2:]
    torch.save(Pickled(path), tmp_path / "saved.pt")
    code = code_of(inside)
    return {
        "setstate": eager,
        "setstate in a member .PY": renamed(eager),
        "setstate over two lines": broken_line(eager),
        "a network that writes and hangs": scripted(Forward(path), tmp_path),
        "a network with a hook": hooked(path, tmp_path),
        "while True": with_lines(inside, code, b"    while True:\n      pass\n"),
        "raise": with_lines(inside, code, b'    ops.prim.RaiseException("x")\n'),
        "flatbuffer head, zip tail": b"\x18\x00\x00\x00PTMF" + bytes(56) + eager,
        "text head, zip tail": b"#!/bin/sh\n" + eager,
        "pickle": pickled,
        "pickle of torch": (tmp_path / "saved.pt").read_bytes(),
        "pickle as attributes": archive_of({**inside, "data.pkl": pickled}),
        "pickle as constants": archive_of({**inside, "constants.pkl": pickled}),
        "pickle beside the code": archive_of({**inside, f"{code}.debug_pkl": pickled}),
        "arrays larger than their records": archive_of({**inside, "data/1": inside["data/1"][:64]}),
        "a plain tensor more": scripted(_with_more(), tmp_path),
    }  # fmt: skip


def _with_more() -> nn.Module:
    net = make_network()
    net.more = torch.zeros(3)
    return net


HOSTILE = (
    "setstate", "setstate in a member .PY", "setstate over two lines", "a network that writes and hangs",
    "a network with a hook", "while True", "raise", "flatbuffer head, zip tail", "text head, zip tail", "pickle",
    "pickle of torch", "pickle as attributes", "pickle as constants", "pickle beside the code",
    "arrays larger than their records", "a plain tensor more",
)  # fmt: skip


@pytest.fixture(scope="module")
def files(place, tmp_path_factory, script):
    found = hostile(place, tmp_path_factory.mktemp("hostile"), script)
    assert tuple(found) == HOSTILE
    return found


def test_the_files_would_run_code(files, tmp_path, marker):
    """What the others are worth: torch and Python run them."""
    (tmp_path / "model.pt").write_bytes(files["setstate"])
    with pytest.warns((DeprecationWarning, FutureWarning), match="torch.jit.load"):
        torch.jit.load(str(tmp_path / "model.pt"))
    assert marker.exists()
    marker.unlink()
    pickle.loads(files["pickle"]).close()
    assert marker.exists()


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
def test_nothing_in_a_file_is_run(files, tmp_path, marker, name, ending):
    path = tmp_path / f"model{ending}"
    path.write_bytes(files[name])
    for given in (path, tmp_path):
        with pytest.raises(ModelError, match="model"):
            arise.load_model(given)
    assert not marker.exists()


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_is_run_where_somebody_vouches_for_it(files, tmp_path, marker, name):
    """`arise convert` reads the weights of an older file. Those that have any predict as themselves."""
    path = tmp_path / "model.pt"
    path.write_bytes(files[name])
    try:
        found = read_script(path)
    except ModelError:
        assert name not in ("while True", "raise", "a network with a hook", "pickle as constants")
    else:
        x = np.full((1, SETTINGS.n_features), 0.05)
        model = Model(build_network(found.card, found.weights), found.card, torch.device("cpu"), path)
        own = Model(make_network(), found.card, torch.device("cpu"), path)
        assert np.array_equal(model.predict(x).probabilities, own.predict(x).probabilities)
    assert not marker.exists()


# --- through every door --------------------------------------------------------------------------------------------

CASES = ("setstate", "a network that writes and hangs", "pickle of torch", "flipped", "forged")


@pytest.fixture(params=CASES)
def bad(request, files, safe, tmp_path):
    """A folder with a model that must be refused."""
    made = tmp_path / "model"
    made.mkdir()
    if request.param in files:
        (made / "model.pt").write_bytes(files[request.param])
    elif request.param == "flipped":
        (made / "model.safetensors").write_bytes(flip(safe, len(safe) // 2, 1))
    else:
        content = model_files.with_card(safe, lambda card: card["network"].update(hidden=[10**9, 48]))
        (made / "model.safetensors").write_bytes(content)
    return made


def test_core(bad, marker):
    with pytest.raises(ModelError):
        arise.load_model(bad)
    assert not marker.exists()


def test_ase(bad, marker):
    with pytest.raises(ModelError):
        annotate(bulk("Cu"), model=bad)
    with pytest.raises(ModelError):
        AriseCalculator(model=str(bad))
    assert not marker.exists()


def test_ovito(bad, marker):
    for modifier in (AriseModifier, AriseRegions):
        with pytest.raises(ModelError):
            modifier(model=str(bad))
    assert not marker.exists()


def test_command_line(command_line, bad, tmp_path, marker):  # noqa: F811
    bulk("Cu").write(tmp_path / "cu.xyz")
    for command in ("classify", "map", "similarity", "explore"):
        code, out, err = command_line(command, tmp_path / "cu.xyz", "--model", bad)
        assert (code, out) == (1, "")
        assert err.startswith("arise: model ")
        assert "Traceback" not in err
    code, _, err = command_line("remove-class", "class 1", "--model", bad, "--out", tmp_path / "new")
    assert (code, err.startswith("arise: model ")) == (1, True)
    assert not (tmp_path / "new").exists()
    assert not marker.exists()


def test_files_of_version_0_1_can_be_converted(command_line, script, folder, tmp_path):  # noqa: F811
    path = tmp_path / "model.pt"
    path.write_bytes(script)
    bulk("Cu").write(tmp_path / "cu.xyz")
    code, _, err = command_line("classify", tmp_path / "cu.xyz", "--model", path)
    assert (code, f"`arise convert {path}`" in " ".join(err.split())) == (1, True)
    code, out, _ = command_line("convert", path)
    assert (code, "small, 5 classes" in out) == (0, True)
    assert (tmp_path / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    for given in (path, tmp_path):
        assert arise.load_model(given).card == arise.load_model(folder).card
    code, _, err = command_line("convert", path)
    assert (code, "exists; nothing was changed" in err) == (1, True)
    code, _, _ = command_line("convert", path, "--overwrite")
    assert code == 0
    code, _, err = command_line("convert", tmp_path / "nowhere.pt")
    assert (code, "cannot be read" in err) == (1, True)


# --- every place of a file, and all that comes to mind ----------------------------------------------------------------


def refused(path: Path, content: bytes) -> bool:
    path.write_bytes(content)
    try:
        read_model(path)
    except ModelError:
        return True
    return False


@pytest.mark.parametrize("ending", [".safetensors", ".pt"])
def test_any_flipped_bit_is_noticed(safe, script, tmp_path, ending):
    """The length of the header, much of the header, places all over the arrays; of TorchScript all over the file."""
    content = safe if ending == ".safetensors" else script
    places = {*range(64), *range(64, 6000, 7), *np.linspace(0, len(content) - 1, 600).astype(int).tolist()}
    rng = np.random.default_rng(0)
    kept = [
        k for k in places if not refused(tmp_path / f"m{ending}", flip(content, k, 1 << int(rng.integers(8))))
    ]
    assert kept == []


@pytest.mark.parametrize("ending", [".safetensors", ".pt"])
def test_any_truncation_is_noticed(safe, script, tmp_path, ending):
    content = safe if ending == ".safetensors" else script
    lengths = {*range(40), *np.linspace(0, len(content) - 1, 300).astype(int).tolist()}
    assert [n for n in lengths if not refused(tmp_path / f"m{ending}", content[:n])] == []


def test_mutated_files_are_loaded_or_refused(safe, script, tmp_path):
    """All kinds of mutation, some times each; what is loaded answers."""
    x = np.random.default_rng(1).random((3, SETTINGS.n_features), dtype=np.float32)
    seen = set()
    for k, (name, ending, content, must) in enumerate(mutated(safe, script, np.random.default_rng(5))):
        if k == 500:
            break
        path = tmp_path / f"model-{k}{ending}"
        path.write_bytes(content)
        seen.add(name)
        try:
            model = arise.load_model(path)
        except ModelError:
            continue
        finally:
            path.unlink()
        assert not must, name
        assert len(model.predict(x, SamplingSettings(passes=8))) == 3
    assert len(seen) == 17


def forged(safe, script):
    """Files that announce much: name, ending, content."""
    header, arrays = model_files.parts(safe)
    far = {**header, "mean": {**header["mean"], "data_offsets": [0, 2**62], "shape": [2**60]}}
    inside = members(script)
    bomb = archive_of({**inside, "data.pkl": bytes(300_000_000)}, compressed=("data.pkl",))
    sizes = {"n_inputs": 65536, "hidden": [65536] * 32}
    return {
        "a card of a huge network": model_files.with_card(safe, lambda card: card["network"].update(sizes)),
        "a huge array": model_files.joined(far, arrays),
        "a huge header": (2**40).to_bytes(8, "little") + safe[8:],
        "a member that inflates": bomb,
        "many members": archive_of(inside)[:-22] + b"PK\x01\x02" * 200_000 + archive_of(inside)[-22:],
        "a memo of 2^31": archive_of({**inside, "data.pkl": b"\x80\x02}r\xff\xff\xff\x7f."}),
        "a hundred thousand marks": archive_of({**inside, "data.pkl": b"\x80\x02" + b"(" * 100_000 + b"."}),
    }


def test_nothing_is_allocated_for_what_a_file_announces(safe, script, tmp_path):
    """A few times the size of the file, and what 50,000 operations leave on a stack."""
    for name, content in forged(safe, script).items():
        tracemalloc.start()
        try:
            assert refused(tmp_path / "model.safetensors", content), name
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 5 * len(content) + 10_000_000, name


# --- files that change -----------------------------------------------------------------------------------------------


def test_a_folder_that_changed_is_loaded_anew_by_every_door(folder, tmp_path):
    """The same names of classes in another order: what was loaded before would answer with the old ones."""
    made = tmp_path / "model"
    shutil.copytree(folder, made)
    modifier = AriseModifier(model=str(made))
    first = as_model(made), modifier._model(), arise.load_model(made)
    net = make_network()
    turned = make_card(net, classes=first[0].class_info[::-1])
    export(net, turned, made)
    for model in (as_model(made), modifier._model(), arise.load_model(made)):
        assert model.classes == first[0].classes[::-1]
