"""`arise info`."""

import json
from importlib.metadata import version

import arise_core


def test_what_a_report_needs(arise):
    code, out, _ = arise("info", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["arise-core"] == arise_core.version.VERSION
    assert found["packages"]["numpy"] == version("numpy")
    assert found["models"]["arise-108"] == arise_core.load_model("arise-108").card.weights_sha256[:12]
    assert found["threads"] >= 1
    assert next(iter(found["devices"])) == "cpu"


def test_as_a_table(arise, monkeypatch):
    monkeypatch.setattr("arise_cli.info.PACKAGES", ("numpy", "no-such-package"))
    code, out, _ = arise("info")
    assert code == 0
    assert "no-such-package not installed" in out
    assert "arise-108 " in out
    assert "devices" in out
