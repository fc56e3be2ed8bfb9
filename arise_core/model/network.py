"""The network of every model: the one class that training fits, files are read into and predictions run."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from arise_core.geometry.arrays import Float32Array, IntArray
from arise_core.model import loops
from arise_core.model.card import Card

#: Dropout rate up to which the first layer is made by difference.
MUCH = 0.2
#: Rows, over passes, that go through the layers behind the first side by side: few calls, and still in the cache.
TOGETHER = 256


class LeftOut(NamedTuple):
    """What passes leave out of the first layer."""

    starts: IntArray  # (n_passes + 1,), where those of each pass begin
    inputs: IntArray  # (n_missing,), which ones, pass after pass
    weights: Float32Array  # (n_missing, width), minus what the layer makes of each

    def of(self, passes: slice) -> LeftOut:
        """That of some passes, one after the other."""
        return self._replace(starts=self.starts[passes.start : passes.stop + 1])


class DropoutMLP(nn.Module):
    """A linear map of the descriptor, then dropout + linear layers with ReLU between them.

    The architecture is that of Leitherer et al. (2021), Table 1. The map in front either standardises each
    number or whitens the descriptor; it is fixed before training. The last layer has one output a class and,
    with `reject`, one more: the logit of "none of these": disorder or another crystal.

    Written so that TorchScript can compile it too, for the `model.pt` of other programs.

    Args:
        n_features: length of the descriptor.
        n_inputs: numbers left by the linear map.
        hidden: widths of the hidden layers.
        n_classes: number of classes.
        dropout: rate, also on the input.
        reject: whether there is a reject output.
    """

    def __init__(
        self,
        n_features: int,
        n_inputs: int,
        hidden: tuple[int, ...],
        n_classes: int,
        dropout: float,
        reject: bool,
    ) -> None:
        super().__init__()
        self.n_classes = n_classes
        self.n_inputs = n_inputs
        self.dropout = dropout
        self.reject = reject
        # Rows, over passes, whose probabilities are looked at together: few calls on the CPU, where a block of
        # rows is small, and no more memory than a pass needs on a GPU, where it is large.
        self.rows_together = 512
        self.mean: Tensor
        self.transform: Tensor
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("transform", torch.zeros(n_features, n_inputs))
        widths = [n_inputs, *hidden, n_classes + int(reject)]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))

    def set_inputs(self, mean: Tensor, transform: Tensor) -> None:
        """Set the linear map x -> (x - mean) @ transform; mean (n_features,), transform (n_features, n_inputs)."""
        with torch.no_grad():
            self.mean.copy_(mean)
            self.transform.copy_(transform)

    def forward(self, features: Tensor) -> Tensor:
        """Outputs before softmax, (n, n_classes [+ 1]); dropout only in training mode, one mask a row."""
        return self.outputs(self.inputs(features))

    def inputs(self, features: Tensor) -> Tensor:
        """The linear map in front, (n, n_inputs)."""
        return torch.matmul(features - self.mean, self.transform)

    def outputs(self, inputs: Tensor) -> Tensor:
        """What the layers make of what the map in front gave them: see `forward`."""
        x = inputs
        for i, layer in enumerate(self.layers):
            if i > 0:
                x = torch.relu(x)
            x = layer(nn.functional.dropout(x, self.dropout, self.training))
        return x

    @torch.jit.export
    def activations(self, features: Tensor, layer: int) -> Tensor:
        """Activations of hidden layer 0, 1, ... before its ReLU, without dropout, (n, width)."""
        x = self.inputs(features)
        for i, linear in enumerate(self.layers):
            if i > 0:
                x = torch.relu(x)
            y: Tensor = linear(x)
            if i == layer:
                return y
            x = y
        raise ValueError("no such layer")

    @torch.jit.export
    def monte_carlo(self, features: Tensor, masks: list[Tensor], reference: Tensor) -> list[Tensor]:
        """`sums_over_passes` of features (n, n_features)."""
        return self.sums_over_passes(self.inputs(features), masks, reference)

    def sums_over_passes(self, inputs: Tensor, masks: list[Tensor], reference: Tensor) -> list[Tensor]:
        """Sums over forward passes; pass t uses row t of each mask for all rows of `inputs`.

        The passes are added one after the other, so that how many are looked at together changes no bit.

        Args:
            inputs: (n, n_inputs), what the map in front gave.
            masks: per layer (n_passes, width of its input), 0 or 1 / (1 - rate).
            reference: (n, n_classes), log2 of probabilities close to the mean.

        Returns:
            Sums over passes of p (n, n_classes), of p² (n, n_classes) and of the one-hot most probable class
            (n, n_classes); and moments (n, 7): entropy of p in bits, z = cross-entropy of p with the reference
            minus that entropy, z², probability r of "none of these", r² (0 without a reject output), margin m = ln p
            of the reference's most probable class minus ln p of the most probable other one, m².
        """
        n, n_classes = inputs.shape[0], self.n_classes
        sums = torch.zeros((n, 2 * n_classes + 7), dtype=inputs.dtype, device=inputs.device)
        votes = torch.zeros((n, n_classes), dtype=inputs.dtype, device=inputs.device)
        top = reference.argmax(dim=1, keepdim=True)
        together = max(1, self.rows_together // max(1, n))
        for first in range(0, masks[0].shape[0], together):
            outputs = self.passes(inputs, [mask[first : first + together] for mask in masks])
            log_p = torch.log_softmax(outputs[:, :, :n_classes], dim=2)
            p = torch.exp(log_p)
            entropy = (p * log_p).sum(dim=2) * -1.4426950408889634
            z = -(p * reference).sum(dim=2) - entropy
            r = torch.sigmoid(outputs[:, :, n_classes]) if self.reject else torch.zeros_like(z)
            tops = top.expand(outputs.shape[0], n, 1)
            m = log_p.gather(2, tops).sum(dim=2) - log_p.scatter_(2, tops, -1e9).amax(dim=2)
            moments = torch.stack([entropy, z, z * z, r, r * r, m, m * m], dim=2)
            for summand in torch.cat([p, p * p, moments], dim=2).unbind(0):
                sums.add_(summand)
            best = p.argmax(dim=2).t()
            votes.scatter_add_(1, best, torch.ones_like(best, dtype=votes.dtype))
        return [sums[:, :n_classes], sums[:, n_classes : 2 * n_classes], votes, sums[:, 2 * n_classes :]]

    @torch.jit.export
    def passes(self, inputs: Tensor, masks: list[Tensor]) -> Tensor:
        """Outputs of forward passes, (n_passes, n, n_outputs); inputs (n, n_inputs), masks as in `sums_over_passes`."""
        weights, biases = self._weights, self._biases
        rows = [mask.unbind(0) for mask in masks]
        out: list[Tensor] = []
        for t in range(len(rows[0])):
            x = nn.functional.linear(inputs * rows[0][t], weights[0], biases[0])
            for i in range(1, len(weights)):
                x = nn.functional.linear(x.relu_().mul_(rows[i][t]), weights[i], biases[i])
            out.append(x)
        return torch.stack(out)

    def left_out(self, mask: Tensor) -> LeftOut | None:
        """What each pass leaves out of the first layer.

        Args:
            mask: of the inputs, (n_passes, n_inputs).

        Returns:
            None where passes leave out much: then `by_difference` is no faster, and loses digits.
        """
        if self.dropout > MUCH:
            return None
        passes, index = np.nonzero(mask.numpy() == 0)
        weight = (self._weights[0].t() / (self.dropout - 1.0)).numpy()
        return LeftOut(np.searchsorted(passes, np.arange(len(mask) + 1)), index, weight.take(index, axis=0))

    def by_difference(
        self, inputs: Tensor, masks: list[Tensor], left_out: LeftOut | None, count: int
    ) -> Tensor:
        """As `passes`, up to rounding: the first layer is that of all inputs, less the few that a pass leaves out.

        Rows go through the layers behind the first side by side, pass after pass, in blocks of `TOGETHER`, the last of
        which is filled up: always of one size, since other sizes may have other last bits. What is no product of
        matrices is done by compiled loops: threads would wait for each other between many small steps.

        Args:
            inputs, masks: see `passes`.
            left_out: by these masks.
            count: rows of the inputs that count; the others fill up.

        Returns:
            (n_passes, count or more, n_outputs).
        """
        if left_out is None:
            return self.passes(inputs, masks)
        weights, biases = self._weights, self._biases
        whole = nn.functional.linear(inputs, weights[0] / (1.0 - self.dropout), biases[0])
        kept = [mask.numpy() for mask in masks]
        n_passes, total = len(masks[0]), len(masks[0]) * count
        out: list[Tensor] = []
        for begin in range(0, total, TOGETHER):
            n = min(TOGETHER, total - begin)
            x = whole.new_empty((TOGETHER, whole.shape[1]))
            x[n:] = 0.0
            loops.first_layer(whole.numpy(), inputs.numpy(), *left_out, begin, count, x[:n].numpy())
            for i in range(1, len(weights)):
                loops.rectify(x[:n].numpy(), kept[i], begin, count)
                x = nn.functional.linear(x, weights[i], biases[i])
            out.append(x[:n])
        return torch.cat(out).view(n_passes, count, -1)

    @property
    def _weights(self) -> list[Tensor]:
        return [layer.weight for layer in self.layers]  # type: ignore[misc]

    @property
    def _biases(self) -> list[Tensor]:
        return [layer.bias for layer in self.layers]  # type: ignore[misc]


def build_network(
    card: Card, weights: Mapping[str, Float32Array], n_classes: int | None = None
) -> DropoutMLP:
    """The network of a card with these weights, ready to predict; it draws no random numbers.

    Args:
        card: of the model.
        weights: arrays by name, as `expected_shapes` of the card has them.
        n_classes: another number of classes than the card's.
    """
    with torch.device("meta"):
        network = DropoutMLP(
            card.descriptor.n_features, card.n_inputs, card.hidden,
            len(card.classes) if n_classes is None else n_classes, card.dropout, card.reject.kind == "head",
        )  # fmt: skip
    # numpy copies them: torch would start threads, and a process forked afterwards would wait for them forever
    copies = {name: torch.from_numpy(np.array(array)) for name, array in weights.items()}
    network.load_state_dict(copies, assign=True)
    return network.eval()
