"""Passes on the CPU: a first layer by difference and a compiled loop; the numbers of the network's own methods."""

import numpy as np
import pytest
import torch

from arise_core.model import loops
from arise_core.model.dropout import N_MOMENTS, dropout_masks
from arise_core.model.network import DropoutMLP
from arise_core.model.runner import ROWS, Runner

N_FEATURES, N_INPUTS, HIDDEN = 20, 40, (32, 48)


def made(n_classes=7, dropout=0.1, reject=True, scale=1.0):
    torch.manual_seed(0)
    net = DropoutMLP(N_FEATURES, N_INPUTS, HIDDEN, n_classes, dropout, reject)
    net.set_inputs(torch.zeros(N_FEATURES), torch.randn(N_FEATURES, N_INPUTS))
    with torch.no_grad():
        net.layers[-1].weight.mul_(scale)
    return net.eval()


def asked(net, n=ROWS, block=0, dropout=None):
    rng = np.random.default_rng(1)
    features = rng.normal(size=(n, N_FEATURES)).astype(np.float32)
    rate = net.dropout if dropout is None else dropout
    masks = [np.array(m) for m in dropout_masks(0, block, (N_INPUTS, *HIDDEN), rate)]
    with torch.inference_mode():
        inputs = net.inputs(torch.from_numpy(features))
        reference = torch.log_softmax(net.outputs(inputs)[:, : net.n_classes], 1) / np.log(2)
    return features, inputs, masks, reference.clamp(min=-40)


@pytest.mark.parametrize("dropout", [0.0317, 0.1, 0.5, 0.99])
def test_the_first_layer_is_that_of_all_inputs_less_those_left_out(dropout):
    net = made(dropout=dropout)
    _, inputs, masks, _ = asked(net)
    tensors = [torch.from_numpy(m) for m in masks]
    with torch.inference_mode():
        found = net.by_difference(inputs, tensors, net.left_out(tensors[0]), ROWS)
        expected = net.passes(inputs, tensors)
    assert found.shape == expected.shape == (32, ROWS, 8)
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()


def test_a_pass_may_leave_out_nothing_or_all():
    net = made(dropout=0.2)
    _, inputs, masks, _ = asked(net)
    tensors = [torch.from_numpy(m) for m in masks]
    tensors[0][0] = 1.25
    tensors[0][1] = 0.0
    with torch.inference_mode():
        found = net.by_difference(inputs, tensors, net.left_out(tensors[0]), ROWS)
        expected = net.passes(inputs, tensors)
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()


@pytest.mark.parametrize("scale", [1.0, 30.0])
@pytest.mark.parametrize(("n_classes", "reject"), [(7, True), (7, False), (2, True), (1, True), (108, True)])
def test_sums_are_those_of_the_network(n_classes, reject, scale):
    """Also where one class has all (scale 30) and where there is one class only."""
    net = made(n_classes, reject=reject, scale=scale)
    _, inputs, masks, reference = asked(net)
    tensors = [torch.from_numpy(m) for m in masks]
    with torch.inference_mode():
        expected = [s.numpy() for s in net.sums_over_passes(inputs, tensors, reference)]
        outputs = net.passes(inputs, tensors).numpy()
    sums = [np.zeros((ROWS, n)) for n in (*3 * (n_classes,), N_MOMENTS)]
    loops.add_passes(outputs, reference.numpy(), reject, *sums)
    assert np.array_equal(sums[2], expected[2])
    moments = slice(0, N_MOMENTS if n_classes > 1 else 5)  # one class alone has no margin
    for found, theirs in ((sums[0], expected[0]), (sums[1], expected[1])):
        assert found == pytest.approx(theirs, abs=1e-4)
    assert sums[3][:, moments] == pytest.approx(expected[3][:, moments], rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("passes", [32, 8, 5])
@pytest.mark.parametrize(
    "rows", [[7], [149, 3], [3, 149, 70], [*range(10, 30)], [*range(31)], [*range(33)], [*range(20, 90)]]
)
def test_every_row_has_the_numbers_that_it_has_alone(rows, passes):
    """Whatever else is asked, in blocks that are filled up with zeros, or with other passes of few rows."""
    net = made()
    features, _, masks, reference = asked(net, 150)
    masks = [m[:passes] for m in masks]
    found = []
    for some in (np.arange(150), np.array(rows)):
        with Runner(net, torch.device("cpu"), net.n_classes, features) as runner:
            found.append(runner.evaluate(some, masks, reference.numpy()[some].astype(np.float64)))
    for every, some in zip(*found, strict=True):
        assert np.array_equal(every[rows], some)


@pytest.mark.parametrize("count", [1, 5, 20, 40, ROWS])
def test_passes_of_few_rows_fill_a_block(count):
    net = made()
    _, inputs, masks, _ = asked(net)
    tensors = [torch.from_numpy(m) for m in masks]
    with torch.inference_mode():
        inputs[count:] = 0
        found = net.by_difference(inputs, tensors, net.left_out(tensors[0]), count)
        expected = net.passes(inputs, tensors)
    assert found.shape[0] == 32
    assert count <= found.shape[1] <= ROWS
    assert (found[:, :count] - expected[:, :count]).abs().max() < 1e-5 * expected.abs().max()
