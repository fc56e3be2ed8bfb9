"""The network as a torch module, in the form that is exported: everything inference needs is a method of it."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn


class DropoutMLP(nn.Module):
    """A linear map of the descriptor, then dropout + linear layers with ReLU between them.

    The architecture is that of Leitherer et al. (2021), Table 1. The map in front either standardises each
    number or whitens the descriptor; it is fixed before training. The last layer has one output a class and,
    with `reject`, one more: the logit of "none of these": disorder or another crystal.

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
        """Sums over forward passes; pass t uses row t of each mask for all rows of `features`.

        Args:
            features: (n, n_features).
            masks: per layer (n_passes, width of its input), 0 or 1 / (1 - rate).
            reference: (n, n_classes), log2 of probabilities close to the mean.

        Returns:
            Sums over passes of p (n, n_classes), of p² (n, n_classes) and of the one-hot most probable class
            (n, n_classes); and moments (n, 7): entropy of p in bits, z = cross-entropy of p with the reference
            minus that entropy, z², probability r of "none of these", r² (0 without a reject output), margin m = ln p
            of the reference's most probable class minus ln p of the most probable other one, m².
        """
        x0 = self.inputs(features)
        p_sum = torch.zeros((features.shape[0], self.n_classes), dtype=features.dtype, device=features.device)
        p_square = torch.zeros_like(p_sum)
        votes = torch.zeros_like(p_sum)
        moments = torch.zeros((features.shape[0], 7), dtype=features.dtype, device=features.device)
        one = torch.ones_like(p_sum[:, :1])
        top = reference.argmax(dim=1, keepdim=True)
        for t in range(masks[0].shape[0]):
            x = x0
            for i, layer in enumerate(self.layers):
                if i > 0:
                    x = torch.relu(x)
                x = layer(x * masks[i][t])
            log_p = torch.log_softmax(x[:, : self.n_classes], dim=1)
            p = torch.exp(log_p)
            entropy = (p * log_p).sum(dim=1) * -1.4426950408889634
            z = -(p * reference).sum(dim=1) - entropy
            p_sum += p
            p_square += p * p
            votes.scatter_add_(1, p.argmax(dim=1, keepdim=True), one)
            r = torch.sigmoid(x[:, self.n_classes]) if self.reject else torch.zeros_like(z)
            m = log_p.gather(1, top).sum(dim=1) - log_p.scatter(1, top, -1e9).amax(dim=1)
            moments += torch.stack([entropy, z, z * z, r, r * r, m, m * m], dim=1)
        return [p_sum, p_square, votes, moments]
