"""Files of a small model."""

import pytest

from arise_core.training.export import export
from tests.model.small import make_card, make_network


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("model")
    net = make_network()
    export(net, make_card(net), path)
    return path


@pytest.fixture(scope="module")
def safe(folder):
    return (folder / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def script(folder):
    return (folder / "model.pt").read_bytes()
