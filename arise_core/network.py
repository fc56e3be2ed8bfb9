"""Load a model file, check that it is one and what it can execute, and run it with Monte Carlo dropout.

This is the one place where TorchScript is read (`training/export.py` is the one where it is written).
"""

from __future__ import annotations

import io
import itertools
import re
import warnings
import zipfile
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch

from arise_core import threads
from arise_core.card import Card, ClassInfo, weights_digest
from arise_core.prediction import Prediction, check_threshold
from arise_core.sampling import dropout_masks, sample
from arise_core.settings import DescriptorSettings, SamplingSettings
from arise_core.structure import Float32Array, FloatArray, IntArray, Reals
from arise_core.zoo import zoo_root

#: Rows that go through the network together. Fixed, and filled up with zeros, so that the floating-point
#: result of a row does not depend on how many others there are.
ROWS = 64
#: The same on a GPU, to begin with: halved, down to `ROWS`, where its memory is not enough.
GPU_ROWS = 65536
#: Operations that a model may consist of: those of `training/mlp.py`. None reaches beyond tensors.
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


class ModelError(ValueError):
    """A file that is no ARISE model, is damaged, or does not fit this package."""


def known_models() -> list[str]:
    """Names of the models in the zoo."""
    return sorted(p.parent.name for p in zoo_root().glob("*/model.pt"))


def load_model(name_or_path: str | Path, device: str = "cpu") -> Model:
    """Load a model from the zoo or a file.

    Args:
        name_or_path: a name that `known_models()` lists, a `.pt` file, or a folder that holds `model.pt`.
        device: "cpu" or "cuda" (any torch device); a missing GPU falls back to the CPU with a warning.

    Raises:
        ModelError: no model of this name; or a file that is damaged, no ARISE model, of a descriptor that
            this package does not know, or that could execute more than a network needs.
    """
    path = _find(name_or_path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"model {str(path)!r} cannot be read: {error}") from error
    try:
        card_text = _look_inside(content)
        card = Card.from_json(card_text)
        module = load_script(content)
        _check_operations(module)
        _check_contract(module, card)
    except ModelError as error:
        raise ModelError(f"model {str(path)!r}: {error}") from error
    except ValueError as error:
        raise ModelError(f"model {str(path)!r}: {error}") from error
    return Model(module, card, _usable_device(device), path)


class Model:
    """A loaded network with its card. Create with `load_model`."""

    def __init__(self, module: torch.jit.ScriptModule, card: Card, device: torch.device, path: Path) -> None:
        self.card = card
        self.device = device
        self.path = path
        self._module = module.to(device).eval()
        self._widths = (card.n_inputs, *card.hidden)

    def __repr__(self) -> str:
        return f"<Model {self.name!r}: {len(self.classes)} classes, {self.device}>"

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.card.name

    @property
    def classes(self) -> tuple[str, ...]:
        """Labels of the classes, in the order of the probabilities."""
        return tuple(c.label for c in self.card.classes)

    @property
    def class_info(self) -> tuple[ClassInfo, ...]:
        """Display names, colours and space groups of the classes."""
        return self.card.classes

    @property
    def descriptor(self) -> DescriptorSettings:
        """Descriptor settings that the model was trained with."""
        return self.card.descriptor

    @property
    def n_layers(self) -> int:
        """Number of hidden layers."""
        return len(self.card.hidden)

    def weights(self) -> dict[str, Float32Array]:
        """Copies of the weights and of the input map, by name, to train on from."""
        return {k: v.detach().cpu().numpy().copy() for k, v in self._module.state_dict().items()}

    def representations(self, features: Reals, layer: int) -> Float32Array:
        """Activations of a hidden layer before its ReLU, without dropout, (n, width).

        Args:
            features: (n, n_features) from `describe` or `describe_boxes`; rows with NaN stay NaN.
            layer: 0 for the first hidden layer, negative numbers count from the last.
        """
        if not -self.n_layers <= layer < self.n_layers:
            raise ValueError(f"`layer` must be in [{-self.n_layers}, {self.n_layers - 1}], got {layer}")
        layer %= self.n_layers
        checked = self._checked(features)
        good = np.isfinite(checked).all(axis=1)
        out = np.full((len(checked), self.card.hidden[layer]), np.nan, dtype=np.float32)
        x = checked[good]
        with threads.one_torch_thread(), torch.inference_mode():
            parts = [
                self._module.activations(self._tensor(x[k : k + 4096]), layer).cpu().numpy()
                for k in range(0, len(x), 4096)
            ]
        if parts:
            out[good] = np.concatenate(parts)
        return out

    def predict(
        self,
        features: Reals,
        sampling: SamplingSettings | None = None,
        *,
        reject_threshold: float | str | None = "card",
        progress: Callable[[float], None] = lambda fraction: None,
    ) -> Prediction:
        """Class probabilities and uncertainty of descriptors.

        Equal features give equal numbers, whatever stands beside them in the batch.

        Args:
            features: (n, n_features); rows with NaN give NaN.
            sampling: passes, tolerance and seed.
            reject_threshold: score from which a row is rejected; "card": the model's own; None: none is.
            progress: called with the share of the work done.

        Raises:
            ValueError: features of another length than the model's.
            MemoryError: the GPU has no room even for small batches.
        """
        steps = self.predict_steps(features, sampling, reject_threshold=reject_threshold)
        prediction: Prediction = drain(steps, progress)
        return prediction

    def predict_steps(
        self,
        features: Reals,
        sampling: SamplingSettings | None = None,
        *,
        reject_threshold: float | str | None = "card",
    ) -> Generator[float, None, Prediction]:
        """`predict` as a generator: yields the share of the work done, returns the prediction.

        Closing the generator stops the work; no thread is left running.
        """
        sampling = sampling or SamplingSettings()
        threshold = self.card.reject.threshold if reject_threshold == "card" else reject_threshold
        assert not isinstance(threshold, str), "only 'card' is a word"
        check_threshold(threshold)
        checked = self._checked(features)
        good = np.flatnonzero(np.isfinite(checked).all(axis=1))
        n, n_classes = len(checked), len(self.card.classes)
        x = checked[good]
        by_head = self.card.reject.kind == "head"
        with _Runner(self, x) as runner:
            statistics = yield from sample(
                len(x),
                n_classes,
                runner.evaluate,
                runner.log_probabilities(),
                lambda block: dropout_masks(sampling.seed, block, self._widths, self.card.dropout),
                sampling.passes,
                sampling.tolerance,
                threshold if by_head else None,
            )
        entropy = statistics.predictive_entropy()
        score = statistics.reject_mean() if by_head else entropy / np.log2(n_classes)
        return Prediction(
            classes=self.card.classes,
            probabilities=_spread(statistics.mean.astype(np.float32), good, n),
            mutual_information=_spread(statistics.mutual_information(), good, n),
            predictive_entropy=_spread(entropy, good, n),
            variation_ratio=_spread(statistics.variation_ratio(), good, n),
            reject_score=_spread(score, good, n),
            reject_threshold=threshold,
            passes=_spread(statistics.passes, good, n, 0),
            standard_error=_spread(statistics.standard_error(), good, n),
        )

    def _checked(self, given: Reals) -> Float32Array:
        features = np.asarray(given, dtype=np.float32)
        wanted = self.card.descriptor.n_features
        if features.ndim != 2 or features.shape[1] != wanted:
            raise ValueError(
                f"`features` must have shape (n, {wanted}) for model {self.name!r}, got {features.shape}"
            )
        return features

    def _tensor(self, array: Any) -> torch.Tensor:
        contiguous = np.ascontiguousarray(array, dtype=np.float32)
        if not contiguous.flags.writeable:
            contiguous = contiguous.copy()  # torch has no read-only tensors
        return torch.from_numpy(contiguous).to(self.device)


def drain(steps: Generator[float, None, Any], progress: Callable[[float], None]) -> Any:
    """What a generator of steps returns; it is closed, and its threads with it, whatever `progress` raises."""
    with closing(steps):
        while True:
            try:
                fraction = next(steps)
            except StopIteration as stop:
                return stop.value
            progress(fraction)


def batch_rows(device: torch.device) -> int:
    """Rows that go through the network together on a device, to begin with."""
    return ROWS if device.type == "cpu" else GPU_ROWS


class _Runner:
    """Sends rows through a model in blocks of fixed size, several blocks side by side on the CPU."""

    def __init__(self, model: Model, features: Float32Array) -> None:
        self.model = model
        self.features = features
        self.pool: ThreadPoolExecutor | None = None
        self.rows = batch_rows(model.device)

    def __enter__(self) -> _Runner:
        count = threads.count()
        if self.model.device.type == "cpu" and count > 1 and len(self.features) > ROWS:
            self.pool = ThreadPoolExecutor(count, thread_name_prefix="arise-network")
        return self

    def __exit__(self, *error: object) -> None:
        if self.pool is not None:
            self.pool.shutdown(wait=True, cancel_futures=True)

    def log_probabilities(self) -> FloatArray:
        """log2 of the class probabilities without dropout, (n, n_classes)."""
        n_classes = len(self.model.card.classes)

        def one(first: int, rows: int) -> list[FloatArray]:
            x = self.model._tensor(_filled(self.features[first : first + rows], rows))
            logits = self.model._module(x)[:, :n_classes].double()
            return [torch.log_softmax(logits, dim=1).cpu().numpy() / np.log(2)]

        (log_p,) = self._in_blocks(len(self.features), one) or [np.empty((0, n_classes))]
        return np.asarray(np.maximum(log_p, np.log2(1e-12)))

    def evaluate(self, rows: IntArray, masks: list[Float32Array], reference: FloatArray) -> list[FloatArray]:
        """Sums over passes for these rows, as `DropoutMLP.monte_carlo` gives them."""
        tensors = [self.model._tensor(m) for m in masks]

        def one(first: int, count: int) -> list[FloatArray]:
            x = self.model._tensor(_filled(self.features[rows[first : first + count]], count))
            log2_p = self.model._tensor(_filled(reference[first : first + count], count))
            return [s.double().cpu().numpy() for s in self.model._module.monte_carlo(x, tensors, log2_p)]

        return self._in_blocks(len(rows), one)

    def _in_blocks(self, n: int, one: Callable[[int, int], list[FloatArray]]) -> list[FloatArray]:
        """Arrays of n rows from `one(first, rows)`, block after block; smaller blocks if memory is not enough.

        Raises:
            MemoryError: not even the smallest blocks fit on the GPU.
        """

        def block(first: int, rows: int) -> list[FloatArray]:
            with torch.inference_mode():
                return [a[: n - first] for a in one(first, rows)]

        while True:
            starts, rows = range(0, n, self.rows), self.rows
            try:
                with threads.one_torch_thread():
                    run = self.pool.map if self.pool else map
                    parts = list(run(lambda first, rows=rows: block(first, rows), starts))  # type: ignore[misc]
                return [np.concatenate(p) for p in zip(*parts, strict=True)]
            except RuntimeError as error:
                if not _out_of_memory(error):
                    raise
                shortage = " ".join(str(error).split())
            torch.cuda.empty_cache()
            if self.rows <= ROWS:
                raise MemoryError(
                    f"`device` {str(self.model.device)!r} has no memory left for batches of {ROWS} rows: free "
                    f"some, or load the model with device='cpu' ({shortage[:200]})"
                )
            self.rows = max(self.rows // 2, ROWS)


def _out_of_memory(error: RuntimeError) -> bool:
    """Whether a GPU ran out of memory; TorchScript wraps the error in one that has but its text."""
    return isinstance(error, torch.OutOfMemoryError) or any(
        text in str(error) for text in ("out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
    )


def _filled(array: Any, rows: int) -> Any:
    """The array with zero rows added up to `rows`."""
    if len(array) == rows:
        return array
    return np.concatenate([array, np.zeros((rows - len(array), *array.shape[1:]), dtype=array.dtype)])


def _spread(values: Any, good: IntArray, n: int, empty: Any = np.nan) -> Any:
    """Values of the good rows among n, the others `empty`."""
    out = np.full((n, *values.shape[1:]), empty, dtype=values.dtype)
    out[good] = values
    return out


def _find(name_or_path: str | Path) -> Path:
    path = Path(name_or_path)
    if path.is_dir() and (path / "model.pt").is_file():
        return path / "model.pt"
    if path.is_file():
        return path
    name = str(name_or_path)
    zoo = known_models()
    if name in zoo:
        return zoo_root() / name / "model.pt"
    raise ModelError(
        f"`name_or_path` is no model of the zoo and no file: {name!r}. The zoo has: {', '.join(zoo)}"
    )


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


def _usable_device(device: str) -> torch.device:
    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f"`device` must be a torch device such as 'cpu' or 'cuda', got {device!r}"
        ) from error
    if wanted.type == "cuda" and not torch.cuda.is_available():
        warnings.warn("`device` 'cuda' is not available here, the model runs on the CPU", stacklevel=3)
        return torch.device("cpu")
    return wanted
