"""Rows through a network in blocks of fixed size, side by side on the CPU, in large batches on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import closing
from functools import cached_property
from threading import Event
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from arise_core.errors import MemoryLimitError
from arise_core.geometry.arrays import Float32Array, FloatArray, IntArray
from arise_core.model import loops
from arise_core.model.dropout import N_MOMENTS
from arise_core.model.network import TOGETHER
from arise_core.progress import Job, Step, run
from arise_core.runtime import threads

#: Rows that go through the network together. Fixed, and filled up with zeros, so that the floating-point
#: result of a row does not depend on how many others there are.
ROWS = 64
#: Passes of a block of rows that are one piece of work on the CPU; fixed, for the same reason.
PASSES = 16
#: Rows that a thread asks for on the CPU by itself, at least and at most.
LEAST_ROWS, MOST_ROWS = 128, 512
#: Rows that go through together on a GPU, to begin with: halved, down to `ROWS`, where its memory is not enough.
GPU_ROWS = 65536


def batch_rows(device: torch.device) -> int:
    """Rows that go through the network together on a device, to begin with."""
    return ROWS if device.type == "cpu" else GPU_ROWS


class Runner:
    """Sends rows through a network in blocks of fixed size, several blocks side by side on the CPU.

    Args:
        network: with the methods of `DropoutMLP`.
        device: where it lies.
        n_classes: classes, without the output that rejects.
        features: (n, n_features).
    """

    def __init__(self, network: Any, device: torch.device, n_classes: int, features: Float32Array) -> None:
        self.network = network
        self.device = device
        self.n_classes = n_classes
        self.features = features
        self.pool: ThreadPoolExecutor | None = None
        self.rows = batch_rows(device)
        self.several = max(1, TOGETHER // self.rows)  # blocks that are looked at together

    def __enter__(self) -> Runner:
        count = threads.count()
        if self.device.type == "cpu" and count > 1:
            # its threads begin within `one_torch_thread`
            self.pool = ThreadPoolExecutor(count, "arise-network", initializer=threads.alone)
        return self

    def __exit__(self, *error: object) -> None:
        if self.pool is not None:
            self.pool.shutdown(wait=True, cancel_futures=True)

    def tensor(self, array: Any) -> torch.Tensor:
        """An array on the device, in single precision."""
        return tensor(array, self.device)

    @cached_property
    def inputs(self) -> Float32Array:
        """What the map in front makes of the features, once for all passes, (n, n_inputs)."""

        def one(first: int, rows: int) -> list[Any]:
            x = self.tensor(_filled(self.features[first : first + rows], rows))
            return [self.network.inputs(x).cpu().numpy()]

        (inputs,) = self._in_blocks(len(self.features), one) or [np.empty((0, 0), dtype=np.float32)]
        return np.asarray(inputs)

    def without_dropout(self) -> tuple[FloatArray, FloatArray]:
        """log2 of the class probabilities without dropout, (n, n_classes), and the reject output, 0 to 1, (n,).

        The reject output is NaN where the network has none.
        """
        inputs = self.inputs  # by this thread, not by those of the blocks

        def one(first: int, rows: int) -> list[FloatArray]:
            x = self.tensor(_filled(inputs[first : first + rows], rows))
            blocks = torch.split(x, self.rows)  # one by one: products of more rows may have other last bits
            outputs = torch.cat([self.network.outputs(block) for block in blocks]).double()
            log_p = torch.log_softmax(outputs[:, : self.n_classes], dim=1).cpu().numpy() / np.log(2)
            rejecting = torch.sigmoid(outputs[:, self.n_classes :]).cpu().numpy()
            return [log_p, rejecting[:, 0] if rejecting.shape[1] else np.full(rows, np.nan)]

        nothing = [np.empty((0, self.n_classes)), np.empty(0)]
        found = self._in_blocks(len(self.features), one, self.several) or nothing
        return np.asarray(np.maximum(found[0], np.log2(1e-12))), np.asarray(found[1])

    def evaluate(self, rows: IntArray, masks: list[Float32Array], reference: FloatArray) -> list[FloatArray]:
        """Sums over passes for these rows, as `DropoutMLP.sums_over_passes` gives them."""
        inputs, tensors = self.inputs, [self.tensor(m) for m in masks]
        if self.device.type == "cpu":
            return self._evaluate_on_cpu(rows, tensors, reference)

        def one(first: int, count: int) -> list[FloatArray]:
            x = self.tensor(_filled(inputs[rows[first : first + count]], count))
            log2_p = self.tensor(_filled(reference[first : first + count], count))
            return [s.double().cpu().numpy() for s in self.network.sums_over_passes(x, tensors, log2_p)]

        return self._in_blocks(len(rows), one)

    def _evaluate_on_cpu(
        self, rows: IntArray, masks: list[torch.Tensor], reference: FloatArray
    ) -> list[FloatArray]:
        """`evaluate` by a compiled loop, some passes of a block at once: threads share them where few rows are left."""
        inputs = self.inputs

        def one(first: int, begin: int, count: int) -> list[list[FloatArray]]:
            some = slice(begin, begin + count)
            here = rows[first : first + self.rows]
            with torch.inference_mode():
                x = self.tensor(_filled(inputs[here], self.rows))
                less = None if left_out is None else left_out.of(some)
                outputs = self.network.by_difference(x, [m[some] for m in masks], less, len(here))
            said = outputs.numpy()
            log2_p = reference[first : first + self.rows].astype(np.float32)
            found = []
            for k in range(0, len(said), PASSES):
                found.append(self._no_sums(len(here)))
                loops.add_passes(said[k : k + PASSES], log2_p, said.shape[2] > self.n_classes, *found[-1])
            return found

        n_passes = len(masks[0])
        work = []
        for first in range(0, len(rows), self.rows):
            # fewer rows than a block: as many passes as fill blocks of the network, if no thread waits for work
            few = len(rows) - first
            at_once = few < self.rows and (self.pool is None or few * PASSES < TOGETHER)
            count = n_passes if at_once else PASSES
            work += [(first, begin, count) for begin in range(0, n_passes, count)]
        firsts, begins, counts = zip(*work, strict=True) if work else ((), (), ())
        total = self._no_sums(len(rows))
        with threads.one_torch_thread():  # in a forked process several would wait for ever
            with torch.inference_mode():
                left_out = self.network.left_out(masks[0])
            run = self.pool.map if self.pool else map
            for first, pieces in zip(firsts, run(one, firsts, begins, counts), strict=True):
                for sums in pieces:
                    for out, part in zip(total, sums, strict=True):
                        out[first : first + len(part)] += part
        return total

    def _no_sums(self, n: int) -> list[FloatArray]:
        """Sums of n rows to which no pass has been added."""
        return [np.zeros((n, width)) for width in (*3 * (self.n_classes,), N_MOMENTS)]

    def _in_blocks(
        self, n: int, one: Callable[[int, int], list[FloatArray]], several: int = 1
    ) -> list[FloatArray]:
        """Arrays of n rows from `one(first, rows)`, block after block; smaller blocks if memory is not enough.

        Args:
            n: rows.
            one: the arrays of so many rows, of which those behind the last one do not count.
            several: blocks that are asked for together.

        Raises:
            MemoryError: not even the smallest blocks fit on the GPU.
        """

        def some(first: int, rows: int) -> list[FloatArray]:
            rows *= min(several, -(-(n - first) // rows))
            with torch.inference_mode():
                return [a[: n - first] for a in one(first, rows)]

        while True:
            starts, rows = range(0, n, self.rows * several), self.rows
            try:
                with threads.one_torch_thread():
                    run = self.pool.map if self.pool else map
                    parts = list(run(lambda first, rows=rows: some(first, rows), starts))  # type: ignore[misc]
                return [np.concatenate(p) for p in zip(*parts, strict=True)]
            except RuntimeError as error:
                if not _out_of_memory(error):
                    raise
                shortage = " ".join(str(error).split())
            torch.cuda.empty_cache()
            if self.rows <= ROWS:
                raise MemoryLimitError(
                    f"`device` {str(self.device)!r} has no memory left for batches of {ROWS} rows: free "
                    f"some, or load the model with device='cpu' ({shortage[:200]})"
                )
            self.rows = max(self.rows // 2, ROWS)


def ask_in_parts(
    ask: Callable[[Float32Array], Job[dict[str, NDArray[Any]]]], features: Float32Array
) -> Job[dict[str, NDArray[Any]]]:
    """What is said of rows, on the CPU: by several threads that each ask for some of them, where there are enough.

    Neighbouring rows go to different threads: those in doubt, which take long, often lie side by side.

    Args:
        ask: a job that returns columns by name, (n, ...), for features (n, n_features).
        features: of all rows.
    """
    n, count = len(features), threads.count()
    count = min(count, n // LEAST_ROWS)
    if count <= 1:
        return (yield from ask(features))
    count *= -(-n // (count * MOST_ROWS))
    stopped = Event()

    def go_on(step: Step) -> None:
        if stopped.is_set():
            raise CancelledError

    def one(first: int) -> dict[str, NDArray[Any]]:
        return run(ask(features[first::count]), go_on)

    parts: list[dict[str, NDArray[Any]]] = []
    several = threads.in_order(one, range(count), name="arise-network", stop=stopped)
    # this thread is the first inside and the last: else one of the others may take back what another has set
    with threads.one_torch_thread(), closing(several) as asked:
        for found in asked:
            parts.append(found)
            yield Step(len(parts) / count, "network")
    columns = {}
    for name, values in parts[0].items():
        columns[name] = np.empty((n, *values.shape[1:]), dtype=values.dtype)
        for first, found in enumerate(parts):
            columns[name][first::count] = found[name]
    return columns


def _out_of_memory(error: RuntimeError) -> bool:
    """Whether a GPU ran out of memory; its libraries have errors that are told by their text alone."""
    return isinstance(error, torch.OutOfMemoryError) or any(
        text in str(error) for text in ("out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
    )


def _filled(array: Any, rows: int) -> Any:
    """The array with zero rows added up to `rows`."""
    if len(array) == rows:
        return array
    return np.concatenate([array, np.zeros((rows - len(array), *array.shape[1:]), dtype=array.dtype)])


def tensor(array: Any, device: torch.device) -> torch.Tensor:
    """An array on a device, in single precision."""
    contiguous = np.ascontiguousarray(array, dtype=np.float32)
    if not contiguous.flags.writeable:
        contiguous = contiguous.copy()  # torch has no read-only tensors
    return torch.from_numpy(contiguous).to(device)
