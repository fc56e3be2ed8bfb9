"""The one reader of TorchScript: looks into a model file, checks what it can execute, loads it."""

from __future__ import annotations

import io
import itertools
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

import torch

from arise_core.errors import InputError
from arise_core.model.card import Card, weights_digest

#: Operations that a model may consist of: those of `training/network.py`. None reaches beyond tensors.
ALLOWED_OPERATIONS = frozenset(
    [
        "prim::Constant",
        "prim::GetAttr",
        "prim::If",
        "prim::ListConstruct",
        "prim::Loop",
        "prim::RaiseException",
        "prim::Uninitialized",
        "prim::device",
        "prim::dtype",
        "aten::__getitem__",
        "aten::add_",
        "aten::amax",
        "aten::argmax",
        "aten::dropout",
        "aten::dropout_",
        "aten::eq",
        "aten::exp",
        "aten::format",
        "aten::gather",
        "aten::gt",
        "aten::linear",
        "aten::log_softmax",
        "aten::lt",
        "aten::matmul",
        "aten::mul",
        "aten::neg",
        "aten::ones_like",
        "aten::relu",
        "aten::scatter",
        "aten::scatter_add_",
        "aten::select",
        "aten::sigmoid",
        "aten::size",
        "aten::slice",
        "aten::stack",
        "aten::sub",
        "aten::sum",
        "aten::zeros",
        "aten::zeros_like",
    ]
)
CARD_FILE = "card.json"


class ModelError(InputError):
    """A file that is no ARISE model, is damaged, or does not fit this package."""


def _look_inside(content: bytes) -> str:
    """Card text of a model archive, after checking what loading it would execute.

    `torch.jit.load` runs the `__setstate__` of every class in the archive; a network has none.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        names = archive.namelist()
        sources = [archive.read(n).decode("utf-8", "replace") for n in names if n.endswith(".py")]
        cards = [n for n in names if n.endswith(f"extra/{CARD_FILE}")]
        card = archive.read(cards[0]).decode("utf-8") if cards else None
    except (
        zipfile.BadZipFile,
        zlib.error,
        UnicodeDecodeError,
        NotImplementedError,
        RuntimeError,
        OSError,
        EOFError,
    ) as error:
        raise ModelError(f"not a model file, or a damaged one ({error})") from error
    if not any(n.endswith("constants.pkl") for n in names) or not sources:
        raise ModelError("not a TorchScript archive")
    if any(re.search(r"def\s+__setstate__", s) for s in sources):
        raise ModelError("the archive would execute code while it is loaded (`__setstate__`)")
    if card is None:
        raise ModelError("the file carries no ARISE model card")
    return card


def load_script(content: bytes) -> torch.jit.ScriptModule:
    """The network in the bytes of a model file, on the CPU. Look inside first: `load_model` does.

    Raises:
        ModelError: the file is damaged.
    """
    with warnings.catch_warnings():
        # torch deprecates TorchScript without a replacement that runs without Python source; see docs/models.md
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        try:
            script: torch.jit.ScriptModule = torch.jit.load(io.BytesIO(content), map_location="cpu")  # type: ignore[no-untyped-call]
            return script
        except (RuntimeError, ValueError, OSError) as error:
            raise ModelError(f"a damaged model file ({str(error).splitlines()[0]})") from error


def _check_operations(module: torch.jit.ScriptModule) -> None:
    """Refuse a module with operations that a network does not need (files, unknown extensions, ...)."""
    for name in module._c._method_names():
        for node in module._c._get_method(name).graph.findAllNodes("prim::PythonOp"):
            raise ModelError(f"method {name!r} calls Python ({node.kind()})")
    pending = [module._c._get_method(name).inlined_graph for name in module._c._method_names()]
    for graph in pending:
        for kind in _kinds(graph.nodes()):
            if kind not in ALLOWED_OPERATIONS:
                raise ModelError(f"the network contains the operation {kind!r}, which is not allowed")


def _kinds(nodes: Any) -> Iterator[str]:
    for node in nodes:
        yield node.kind()
        for block in node.blocks():
            yield from _kinds(block.nodes())


def _check_contract(module: torch.jit.ScriptModule, card: Card) -> None:
    """Refuse a module whose methods, shapes or weights are not those of its card."""
    missing = {"forward", "monte_carlo", "activations"} - set(module._c._method_names())
    if missing:
        raise ModelError(f"the network lacks the methods {sorted(missing)}")
    state = {k: v.detach().cpu().numpy() for k, v in module.state_dict().items()}
    if weights_digest(state) != card.weights_sha256:
        raise ModelError("the weights do not have the hash that the card states: the file was altered")
    n_out = len(card.classes) + (card.reject.kind == "head")
    widths = [card.n_inputs, *card.hidden, n_out]
    wanted: dict[str, tuple[int, ...]] = {
        f"layers.{k}.weight": (b, a) for k, (a, b) in enumerate(itertools.pairwise(widths))
    }
    wanted |= {f"layers.{k}.bias": (b,) for k, b in enumerate(widths[1:])}
    n_features = card.descriptor.n_features
    wanted |= {"mean": (n_features,), "transform": (n_features, card.n_inputs)}
    shapes = {name: tuple(array.shape) for name, array in state.items()}
    if shapes != wanted:
        raise ModelError(
            f"the network does not fit its card: a descriptor of {n_features} numbers and {len(card.classes)} "
            f"classes ask for {wanted}, the file has {shapes}"
        )
