"""A small network with its card, for tests of files and of predictions."""

import torch

from arise_core.crystals.naming import ClassInfo
from arise_core.model.card import Card, Reject
from arise_core.model.network import DropoutMLP
from arise_core.settings import DescriptorSettings
from arise_core.training.export import network_digest

N_CLASSES = 5
SETTINGS = DescriptorSettings.corrected()


def make_network(seed=0, reject=True, n_classes=N_CLASSES):
    torch.manual_seed(seed)
    net = DropoutMLP(SETTINGS.n_features, 40, (32, 48), n_classes, 0.2, reject)
    net.set_inputs(torch.zeros(SETTINGS.n_features), torch.randn(SETTINGS.n_features, 40))
    with torch.no_grad():
        net.layers[-1].weight *= 30  # so that it is sure of some rows and in doubt about others
    return net.eval()


def make_card(net, **changes):
    values = {
        "name": "small",
        "description": "for tests",
        "classes": tuple(
            ClassInfo(f"class {k}", f"name {k}", f"ID_{k}", (0.1 * k, 0.5, 0.5), 1 + k, "bulk, elemental")
            for k in range(N_CLASSES)
        ),
        "descriptor": SETTINGS,
        "n_inputs": 40,
        "hidden": (32, 48),
        "dropout": 0.2,
        "reject": Reject("head", 0.5),
        "weights_sha256": network_digest(net),
        "package_version": "0",
    }
    return Card(**{**values, **changes})
