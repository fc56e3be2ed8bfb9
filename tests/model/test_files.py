"""Model files: what is in them, what is loaded, what is refused."""

import hashlib
import json
import os
import shutil
from dataclasses import fields, replace

import numpy as np
import pytest
import safetensors
import torch
from safetensors.numpy import load_file

import arise_core as arise
from arise_core.errors import FileError, InputError, ModelError, WorkError
from arise_core.model import archive, contents, exchange, zoo
from arise_core.model.card import Card, Reject
from arise_core.model.contents import SHIPPED, read_model, read_script
from arise_core.model.network import build_network
from arise_core.model.zoo import load_model, shared_model
from arise_core.runtime.files import zoo_root
from arise_core.settings import SamplingSettings
from arise_core.training import export as export_module
from arise_core.training import ship
from arise_core.training.export import export, replace_card
from benchmarks.robustness.model_files import archive_of, joined, members, parts, with_card, with_weights

from .small import N_CLASSES, SETTINGS, make_card, make_network


def refused(tmp_path, content, message, name="model.safetensors"):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=message):
        load_model(tmp_path / name)


# --- what is written ------------------------------------------------------------------------------------------


def test_card_inside_and_beside_are_the_same(folder):
    model = load_model(folder)
    assert Card.from_json((folder / "card.json").read_text()) == model.card
    assert model.classes == tuple(f"class {k}" for k in range(N_CLASSES))


def test_path_folder_and_name(folder):
    for given in (folder, str(folder), folder / "model.safetensors", folder / "model.pt"):
        assert load_model(given).name == "small"
    assert "arise-108" in arise.known_models()


def test_other_programs_can_read_it(folder):
    """The library of the format finds weights and card; torch runs the other file, which gives the same numbers."""
    file = folder / "model.safetensors"
    net = make_network()
    found = load_file(file)
    assert {k: v.tolist() for k, v in found.items()} == {k: v.tolist() for k, v in net.state_dict().items()}
    with safetensors.safe_open(file, "np") as opened:
        assert json.loads(opened.metadata()["card"])["format"] == "arise-model"
    x = torch.rand(7, SETTINGS.n_features)
    with pytest.warns((DeprecationWarning, FutureWarning), match="torch.jit.load"):
        script = torch.jit.load(folder / "model.pt")
    with torch.inference_mode():
        assert torch.equal(script(x), net(x))
        masks = [(torch.rand(40, w) > 0.2).float() / 0.8 for w in (40, 32, 48)]
        reference = torch.log_softmax(net(x)[:, :N_CLASSES], 1)
        for ours, theirs in zip(
            net.monte_carlo(x, masks, reference), script.monte_carlo(x, masks, reference), strict=True
        ):
            assert torch.equal(ours, theirs)
        assert torch.equal(script.activations(x, 1), net.activations(x, 1))


def test_the_same_model_is_the_same_file(folder, tmp_path, safe):
    net = make_network()
    export(net, make_card(net), tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == safe


def test_the_hash_is_that_of_the_whole_file(safe):
    """Computed here from its definition: sha256 of the file with zeros in its place."""
    stated = parts(safe)[0]["__metadata__"]["sha256"]
    assert safe.count(stated.encode()) == 1
    assert hashlib.sha256(safe.replace(stated.encode(), b"0" * 64)).hexdigest() == stated


def test_loading_leaves_random_numbers_alone(folder):
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
    load_model(folder)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.random.get_state()[1].tolist() == numpy_before  # noqa: NPY002


@pytest.mark.parametrize("together", [1, 64, 200, 10_000])
def test_passes_looked_at_together_change_no_bit(together):
    net = make_network()
    x, masks = torch.rand(64, SETTINGS.n_features), [(torch.rand(9, w) > 0.2).float() for w in (40, 32, 48)]
    with torch.inference_mode():
        reference = torch.log_softmax(net(x)[:, :N_CLASSES], 1)
        expected = net.monte_carlo(x, masks, reference)
        net.rows_together = together
        assert all(
            torch.equal(a, b) for a, b in zip(expected, net.monte_carlo(x, masks, reference), strict=True)
        )


def test_other_weights_or_another_card_are_not_written(tmp_path):
    net = make_network()
    with pytest.raises(InputError, match="not the hash"):
        export(net, make_card(net, weights_sha256="0" * 64), tmp_path)
    with pytest.raises(InputError, match="`network.dropout` must be a number from 0 to 0.99"):
        export(net, make_card(net, dropout=1.5), tmp_path)
    with torch.no_grad():
        net.layers[0].weight[0, 0] = torch.nan
    with pytest.raises(InputError, match="not finite"):
        export(net, make_card(net), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_new_card_comes_with_a_new_hash(folder, tmp_path):
    copy = tmp_path / "model"
    shutil.copytree(folder, copy)
    model = load_model(copy)
    card = replace(model.card, accuracy={"defects": 0.5}, reject=Reject("head", 0.25))
    replace_card(model, card)
    for path in (copy, copy / "model.pt"):
        assert load_model(path).card == card
    assert json.loads((copy / "card.json").read_text()) == json.loads(card.to_json())
    assert {k: v.tolist() for k, v in load_model(copy).weights().items()} == {
        k: v.tolist() for k, v in model.weights().items()
    }
    with pytest.raises(InputError, match="not the hash of the model's weights"):
        replace_card(model, replace(card, weights_sha256="0" * 64))


# --- what is refused --------------------------------------------------------------------------------------------


def test_unknown_name_lists_the_zoo():
    with pytest.raises(ModelError, match=r"'arise-109'. The zoo has: .*arise-108"):
        load_model("arise-109")


def test_a_name_that_is_no_path():
    with pytest.raises(FileError, match="too long"):
        load_model("a" * 300)


@pytest.mark.parametrize("name", ["model.safetensors", "model.pt"])
def test_not_a_model(tmp_path, name):
    refused(tmp_path, b"", "not a model file, or a damaged one", name)
    refused(tmp_path, b"hello", "not a model file, or a damaged one", name)
    refused(tmp_path, archive_of({"a.txt": b"hello"}), "carries no ARISE model card", name)
    refused(tmp_path, archive_of({"extra/card.json": b"{}"}), "not a TorchScript archive", name)
    torch.save(make_network().state_dict(), tmp_path / name)
    with pytest.raises(ModelError, match="carries no ARISE model card"):
        load_model(tmp_path)


def test_safetensors_of_others(tmp_path):
    safetensors.numpy.save_file({"a": np.zeros(3)}, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match="carries no ARISE model card"):
        load_model(tmp_path)


def test_too_large_files_are_not_read(tmp_path, monkeypatch):
    with (tmp_path / "model.safetensors").open("wb") as stream:
        stream.truncate(10 * 2**30)  # all of it a hole
    with pytest.raises(ModelError, match="the file has 10737418240 bytes, models have at most"):
        load_model(tmp_path)
    monkeypatch.setattr(exchange, "MAX_FILE", 1000)
    net = make_network()
    with pytest.raises(InputError, match="the model is too large"):
        export(net, make_card(net), tmp_path / "other")


CARD_CHANGES = {
    "order of classes": lambda d: d["classes"].reverse(),
    "σ": lambda d: d["descriptor"].update(sigma=0.3),
    "cut-off": lambda d: d["descriptor"].update(r_cut=5.0),
    "dropout": lambda d: d["network"].update(dropout=0.4),
    "threshold": lambda d: d["reject"].update(threshold=None),
    "a figure": lambda d: d["accuracy"].update(training_split=1.0),
}


@pytest.mark.parametrize("change", CARD_CHANGES)
def test_another_card_has_another_hash(tmp_path, safe, script, change):
    """As it was: the file of before with another card, its old hash, and with the hash that it should have."""
    edited = with_card(safe, CARD_CHANGES[change])
    (tmp_path / "model.safetensors").write_bytes(edited)
    assert (
        load_model(tmp_path).card != read_model_of(safe, tmp_path).card
    )  # with a new hash it is another model
    old, new = (parts(content)[0]["__metadata__"]["sha256"].encode() for content in (safe, edited))
    refused(tmp_path, edited.replace(new, old), "does not have the hash that it states")
    inside = members(script)
    card = json.loads(inside["extra/card.json"])
    CARD_CHANGES[change](card)
    inside["extra/card.json"] = json.dumps(card).encode()
    (tmp_path / "model.safetensors").write_bytes(safe)
    refused(tmp_path, archive_of(inside), "another model than 'model.safetensors' beside it", "model.pt")


def read_model_of(content, tmp_path):
    path = tmp_path / "other.safetensors"
    path.write_bytes(content)
    return read_model(path)


ODD_CARDS = [
    (lambda d: d.update(format="x"), "carries no ARISE model card"),
    (lambda d: d.update(format_version=9), "format version 9"),
    (lambda d: d.update(uncertainty_unit="nat"), "'nat', not in bit"),
    (lambda d: d.pop("classes"), "incomplete: there is no 'classes'"),
    (lambda d: d["classes"].pop(), "does not fit its card"),
    (lambda d: d["classes"][0].update(label="class 1"), "different labels"),
    (lambda d: d["classes"][0].update(label="\x1b[2J"), "must be printable"),
    (lambda d: d["classes"][0].update(space_group=231), "a whole number from 1 to 230, got 231"),
    (lambda d: d["classes"][0].update(colour=[2, 0, 0]), "from 0 to 1, got 2"),
    (lambda d: d["classes"][0].update(more=1), "incomplete or wrong"),
    (lambda d: d.update(classes="x"), "`classes` must be a list"),
    (lambda d: d["descriptor"].update(n_max=8), "does not fit its card"),
    (lambda d: d["descriptor"].update(n_max=9.0), "descriptor settings: `n_max` must be a whole number"),
    (lambda d: d["descriptor"].update(n_max=10**9), "`descriptor.n_max` must be a whole number"),
    (lambda d: d["descriptor"].update(sigma=float("nan")), "`sigma` > 0"),
    (lambda d: d["descriptor"].update(r_cut=1e300), "`descriptor.r_cut` must be a number from 1 to 50"),
    (lambda d: d["descriptor"].update(window="yes"), "descriptor settings: `window` must be True or False"),
    (lambda d: d["descriptor"].update(rcut=3), "unknown descriptor settings"),
    (lambda d: d["descriptor"].update(length_scale="median"), "`length_scale` must be"),
    (lambda d: d.update(descriptor=[1]), "`descriptor` must be an object"),
    (lambda d: d["reject"].update(kind="magic"), "unknown way to reject"),
    (lambda d: d["reject"].update(threshold=-0.1), "`reject.threshold` must be a number from 0 to 1"),
    (lambda d: d["reject"].update(threshold="x"), "`reject.threshold` must be a number"),
    (lambda d: d["network"].update(n_inputs="x"), "`network.n_inputs` must be a whole number"),
    (lambda d: d["network"].update(hidden=[10**9]), "whole number from 1 to 65536, got 1000000000"),
    (lambda d: d["network"].update(hidden=[10**400]), "one of more than 20 digits"),
    (lambda d: d["network"].update(hidden=[-32, 48]), "`network.hidden` must be a whole number"),
    (lambda d: d["network"].update(hidden=[]), "`network.hidden` must be a list of 1 to 32"),
    (lambda d: d["network"].update(dropout=1), "`network.dropout` must be a number from 0 to 0.99"),
    (lambda d: d["network"].update(dropout=True), "`network.dropout` must be a number"),
    (lambda d: d.update(name=7), "`name` must be text"),
    (lambda d: d.update(name="a" * 300), "`name` must be text of at most 200"),
    (lambda d: d.update(name="\ud800"), "`name` must be printable"),
    (lambda d: d.update(training="x"), "`training` must be an object"),
    (lambda d: d["training"].update(steps=3), "`training.steps` must be a list"),
    (lambda d: d.update(weights_sha256="0" * 64), "do not have the hash that the card states"),
    (lambda d: "no JSON", "not JSON"),
    (lambda d: json.dumps(d)[:-1] + ',"name":"twice"}', "a name stands twice"),
    (lambda d: "[" * 100_000, "not JSON"),
    (lambda d: d["training"].update(x=json.loads("[" * 60 + "]" * 60)), "nested more than 50 deep"),
    (lambda d: d["descriptor"].update({"a\x1b[2J" + "b" * 10_000: 1}), "^[ -~]{1,2200}$"),
    (lambda d: "[1]", "carries no ARISE model card"),
]


@pytest.mark.parametrize("case", range(len(ODD_CARDS)))
def test_cards_that_do_not_fit(tmp_path, safe, case):
    """With the hash that they should have: anybody can make one."""
    change, message = ODD_CARDS[case]
    refused(tmp_path, with_card(safe, change), message)


def test_headers_that_do_not_fit(tmp_path, safe):
    header, arrays = parts(safe)

    def changed(**entry):
        return joined({**header, "mean": {**header["mean"], **entry}}, arrays)

    n = SETTINGS.n_features
    begin = header["mean"]["data_offsets"][0]
    damaged = "not a model file, or a damaged one"
    refused(tmp_path, changed(dtype="F64"), damaged)
    refused(tmp_path, changed(dtype="I32"), damaged)
    refused(tmp_path, changed(shape=[2 * n]), damaged)
    refused(tmp_path, changed(shape=[10**12]), damaged)
    refused(tmp_path, changed(shape=[-n]), damaged)
    refused(tmp_path, changed(shape=[0, n]), damaged)
    refused(tmp_path, changed(shape=[1, n]), "does not fit its card")
    refused(tmp_path, changed(shape=n), damaged)
    refused(tmp_path, changed(data_offsets=[begin, begin]), damaged)
    refused(tmp_path, changed(data_offsets=[0, 4 * n]), damaged)  # over another one
    refused(tmp_path, changed(data_offsets=[begin, 2**62]), damaged)
    refused(tmp_path, changed(more=1), damaged)
    refused(tmp_path, joined(header, arrays + b"0000"), damaged)
    refused(tmp_path, joined(header, arrays[:-4]), damaged)
    text = json.dumps(header, separators=(",", ":"))
    refused(tmp_path, joined(text[:-1] + f',"mean":{json.dumps(header["mean"])}}}', arrays), "stands twice")
    refused(tmp_path, joined(text[:-1] + ',"x":' + "[" * 10**5 + "]" * 10**5 + "}", arrays), damaged)
    refused(tmp_path, joined(text.encode()[:-1] + b',"\xff":0}', arrays), damaged)
    refused(tmp_path, joined(text + " " * 5 * 2**20, arrays), damaged)
    refused(tmp_path, joined(text[:-1] + ',"x":{"sha256":"' + "0" * 64 + '"}}', arrays), "with one hash")
    plain = json.dumps(
        {**header, "__metadata__": {**header["__metadata__"], "more": "x"}}, separators=(",", ":")
    )
    refused(tmp_path, joined(plain, arrays), "carries no ARISE model card")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite(tmp_path, safe, value):
    def change(arrays):
        arrays["layers.0.bias"][3] = value

    refused(tmp_path, with_weights(safe, change), "not finite")


def test_more_or_fewer_weights(tmp_path, safe):
    refused(tmp_path, with_weights(safe, lambda a: a.pop("layers.0.bias")), "'layers.0.bias' is None, not")
    refused(tmp_path, with_weights(safe, lambda a: a.update(more=a["mean"])), "'more' is .*, not None")


# --- TorchScript -----------------------------------------------------------------------------------------------


def test_torchscript_of_the_zoo_is_known_by_its_hash(tmp_path):
    shutil.copy(zoo_root() / "arise-108-ideal" / "model.pt", tmp_path / "copy.pt")
    model = load_model(tmp_path / "copy.pt")
    assert model.card == load_model("arise-108-ideal").card
    assert model.path == tmp_path / "copy.pt"


def test_torchscript_from_elsewhere_is_not_loaded(tmp_path, script):
    refused(tmp_path, script, r"does not ship with this package.*`arise convert .*model.pt`", "model.pt")
    assert read_script(tmp_path / "model.pt").card.name == "small"


def test_of_a_folder_the_exchange_format_is_read(folder):
    assert load_model(folder).path == folder / "model.safetensors"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.pop("data.pkl"), "not a TorchScript archive"),
        (lambda m: m.pop("extra/card.json"), "carries no ARISE model card"),
        (lambda m: m.update({"extra/card.json": b"\xff"}), "its card"),
        (lambda m: m.update({"data/0": m["data/0"][:-4]}), "does not fit its record"),
        (lambda m: m.update({"data/0": m["data/0"] + b"0000"}), "does not fit its record"),
        (lambda m: m.pop("data/0"), "no member"),
        (lambda m: m.update(byteorder=b"big"), "largest byte first"),
        (lambda m: m.update({"data.pkl": m["data.pkl"].replace(b"FloatStorage", b"LongStorage")}), "float32"),
        (lambda m: m.update({"data.pkl": b"\x80\x02X\x01\x00\x00\x00a."}), "no network"),
        (lambda m: m.update({"data.pkl": b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R."}), "no network"),
        (lambda m: m.update({"data.pkl": b"\x80\x02)" + b"2\x86" * 60 + b"."}), "operation DUP"),
        (lambda m: m.update({"data.pkl": b"\x80\x02}r\xff\xff\xff\x7f."}), "no network"),
        (lambda m: m.update({"data.pkl": b"\x80\x02" + b")0" * 100_000 + b"."}), "operation POP"),
        (lambda m: m.update({"data.pkl": b"\x80\x02" + b")" * 100_000 + b"."}), "too many"),
        (lambda m: m.update({"data.pkl": b"\x80\x02b."}), "too little on the stack"),
        (lambda m: m.update({f"x{k}": b"" for k in range(1001)}), "more members"),
    ],
    ids=range(16),
)
def test_archives_that_are_no_models(tmp_path, script, change, message):
    inside = members(script)
    change(inside)
    (tmp_path / "model.pt").write_bytes(archive_of(inside))
    with pytest.raises(ModelError, match=message):
        read_script(tmp_path / "model.pt")


def test_members_that_would_inflate(tmp_path, script):
    inside = members(script)
    inside["data.pkl"] = bytes(300_000_000)
    (tmp_path / "model.pt").write_bytes(archive_of(inside, compressed=("data.pkl",)))
    with pytest.raises(ModelError, match="is compressed"):
        read_script(tmp_path / "model.pt")


def test_objects_that_are_in_each_other(tmp_path, script):
    """The same object twice: as attributes of attributes they would be millions."""
    inside = members(script)
    inner = b"c__torch__.A\nA\n)\x81}bq\x01"
    outer = b"c__torch__.A\nA\n)\x81}(X\x01\x00\x00\x00a" + inner + b"X\x01\x00\x00\x00bh\x01ub"
    inside["data.pkl"] = b"\x80\x02" + outer + b"."
    (tmp_path / "model.pt").write_bytes(archive_of(inside))
    with pytest.raises(ModelError, match="objects inside objects"):
        read_script(tmp_path / "model.pt")


# --- the zoo ----------------------------------------------------------------------------------------------------


def test_the_list_of_hashes_is_that_of_the_zoo():
    """`python dev.py zoo` writes it."""
    assert SHIPPED.read_text(encoding="utf-8") == ship.listing(zoo_root())
    assert len(contents.shipped()) == 3 * len(arise.known_models())


@pytest.mark.parametrize("name", arise.known_models())
def test_both_files_of_the_zoo_say_the_same(name):
    """Bit for bit: the numbers of the network by this package, and by torch alone from the TorchScript file."""
    of_safe, of_script = (load_model(zoo_root() / name / file) for file in ("model.safetensors", "model.pt"))
    x = np.random.default_rng(5).random((6, of_safe.descriptor.n_features), dtype=np.float32)
    ours, theirs = (m.predict(x, SamplingSettings(passes=30)) for m in (of_safe, of_script))
    for field in fields(ours):
        a, b = (getattr(p, field.name) for p in (ours, theirs))
        assert a.tobytes() == b.tobytes() if isinstance(a, np.ndarray) else a == b, field.name
    with pytest.warns((DeprecationWarning, FutureWarning), match="torch.jit.load"):
        script = torch.jit.load(zoo_root() / name / "model.pt")
    content = read_model(zoo_root() / name / "model.safetensors")
    with torch.inference_mode():
        net = build_network(content.card, content.weights)
        assert torch.equal(script(torch.from_numpy(x)), net(torch.from_numpy(x)))


@pytest.mark.parametrize("name", arise.known_models())
def test_both_files_of_the_zoo_hold_the_same(name):
    safe, script = (read_model(zoo_root() / name / file) for file in ("model.safetensors", "model.pt"))
    assert safe.card == script.card
    assert {k: v.tobytes() for k, v in safe.weights.items()} == {
        k: v.tobytes() for k, v in script.weights.items()
    }


def test_without_torchscript_a_model_has_no_file_of_it(folder, tmp_path, monkeypatch):
    """As with Python 3.14."""
    monkeypatch.setattr(export_module, "NO_SCRIPT", (3, 0))
    net = make_network()
    with pytest.warns(UserWarning, match=r"model.pt' is not written: torch .* does not support TorchScript"):
        export(net, make_card(net), tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["card.json", "model.safetensors"]
    assert (tmp_path / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    with pytest.raises(WorkError, match="does not support TorchScript"):
        ship.complete(tmp_path)


def test_missing_files_of_the_zoo_are_written(folder, tmp_path):
    for name in ("model.safetensors", "model.pt"):
        copy = tmp_path / name
        shutil.copytree(folder, copy)
        (copy / name).unlink()
        ship.complete(copy)
        assert load_model(copy / name).card == load_model(folder).card
    shutil.copy(zoo_root() / "arise-108-ideal" / "model.pt", copy / "model.pt")
    with pytest.raises(InputError, match="are different models"):
        ship.complete(copy)


# --- kept in memory ------------------------------------------------------------------------------------------------


def test_a_model_is_loaded_once_and_anew_when_its_file_changed(folder, tmp_path, monkeypatch):
    copy = tmp_path / "model"
    shutil.copytree(folder, copy)
    first = shared_model(copy)
    assert shared_model(copy) is first
    reads = []
    monkeypatch.setattr(zoo, "read_model", lambda path: reads.append(path) or read_model(path))
    assert shared_model(copy) is first
    assert reads == []
    replace_card(first, replace(first.card, description="another one"))
    second = shared_model(copy)
    assert (second.card.description, first.card.description) == ("another one", "for tests")
    assert second.sha256 == first.sha256  # says what answers depend on
    other = replace(first.card, classes=first.card.classes[::-1])
    assert arise.Model(make_network(), other, first.device, copy).sha256 != first.sha256
    # the same size and time of change, as on disks that know seconds only
    file = copy / "model.safetensors"
    times = (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    replace_card(second, replace(first.card, description="yet another"))
    os.utime(file, ns=times)
    assert shared_model(copy).card.description == "yet another"


def test_predictions_of_what_was_read_are_those_of_what_was_written(folder):
    net = make_network()
    model = load_model(folder)
    x = np.random.default_rng(3).random((10, SETTINGS.n_features), dtype=np.float32)
    unsaved = arise.Model(net, model.card, torch.device("cpu"), folder)
    ours, theirs = (m.predict(x, SamplingSettings(passes=40)) for m in (model, unsaved))
    assert np.array_equal(ours.probabilities, theirs.probabilities)
    assert np.array_equal(ours.mutual_information, theirs.mutual_information)


def test_what_archives_hold_is_not_looked_at_beyond_the_network(script):
    """Code and constants of an archive are members that nobody reads."""
    read = []

    class Watched(archive._Members):
        def read(self, name, *arguments):
            read.append(name)
            return super().read(name, *arguments)

    with pytest.MonkeyPatch.context() as monkey:
        monkey.setattr(archive, "_Members", Watched)
        archive.unpack(script)
    assert {name.partition("/")[0] for name in read} == {"extra", "data.pkl", "byteorder", "data"}
