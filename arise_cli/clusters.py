"""Who does the work of a long command: processes of this machine, or a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Annotated, Any

import typer

Workers = Annotated[int | None, typer.Option(help="Processes; default: as many as cores.")]
Dask = Annotated[
    str, typer.Option(help="Let Dask do the work: address of its scheduler (tcp://...), or 'local'.")
]


@contextmanager
def cluster(address: str, workers: int | None) -> Iterator[Executor | None]:
    """The executor of a Dask cluster; None for "".

    Args:
        address: of its scheduler, or "local": one worker a core is started here.
        workers: processes that were asked for.

    Raises:
        typer.BadParameter: a cluster, and a number of processes.
        MissingPackageError: Dask is not installed.
        WorkError: nobody answers at the address.
    """
    if not address:
        yield None
        return
    if workers is not None:
        raise typer.BadParameter("is for processes of this one; Dask has its own", param_hint="--workers")
    from arise_core.errors import WorkError
    from arise_core.runtime import threads
    from arise_core.runtime.packages import package

    distributed = package("dask.distributed", "`--dask` needs Dask")
    make: Any = distributed.Client
    try:
        if address == "local":
            client = make(n_workers=threads.count(), threads_per_worker=1, set_as_default=False)
        else:
            # not the default: one that finds no scheduler would stay that, and xarray would ask it for its locks
            client = make(address, timeout="20s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise WorkError(f"`--dask` {address!r}: no scheduler answers there ({error})") from error
    with client:
        yield client.get_executor()
