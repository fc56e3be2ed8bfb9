"""How commands end when memory or disk give out, or somebody stops them: by a line and a code, never by a traceback."""

import errno
import signal
import threading
from collections.abc import Iterator

import pytest
import typer

from arise_cli.console import bar
from arise_cli.ends import ends_cleanly
from arise_core.errors import MemoryLimitError
from arise_core.progress import Job, Step, run


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """SIGINT as in a terminal: shells ignore it in what they start in the background, and tests may run there."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before if before is not None else signal.default_int_handler)


def ended(error: BaseException | signal.Signals, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code and what is said."""

    def work() -> None:
        if isinstance(error, signal.Signals):
            signal.raise_signal(error)
        raise error

    with pytest.raises(typer.Exit) as end, ends_cleanly():
        work()
    return end.value.exit_code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (signal.SIGINT, 130, "interrupted\n"),
        (signal.SIGTERM, 143, "terminated\n"),
        (MemoryError(), 1, "arise: not enough memory\n"),
        (MemoryError("Unable to allocate 5 TiB"), 1, "arise: not enough memory: Unable to allocate 5 TiB\n"),
        (MemoryLimitError("`memory_limit`"), 1, "arise: `memory_limit`\n"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate 9 bytes"),
            1,
            "arise: not enough memory: DefaultCPUAllocator: can't allocate 9 bytes\n",
        ),
        (OSError(errno.ENOSPC, "No space left", "a.nc"), 1, "arise: No space left: a.nc\n"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), 1, "arise: Disk quota exceeded: the disk is full\n"),
    ],
)
def test_ends_without_a_traceback(error, code, said, capsys):
    assert ended(error, capsys) == (code, said)


@pytest.mark.parametrize("error", [OSError(errno.EIO, "a bug"), RuntimeError("a bug"), KeyError("a bug")])
def test_bugs_show_where_they_are(error):
    with pytest.raises(type(error)) as caught, ends_cleanly():
        raise error
    assert caught.value is error


def test_who_handles_the_signal_already_goes_on_doing_so():
    seen = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    try:
        with ends_cleanly():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == [signal.SIGTERM]
    with ends_cleanly():
        assert signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    codes = []

    def elsewhere():
        with ends_cleanly():  # only the first thread may look after signals
            codes.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert codes == [signal.SIG_DFL]


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_that_a_library_loses_ends_the_work_at_its_next_step(how, code):
    done = []

    def library():
        try:
            signal.raise_signal(how)
        except BaseException:
            return

    def job() -> Job[None]:
        for step in range(3):
            yield Step(step / 3)
            done.append(step)
            library()

    for _ in range(2):  # what was lost is of one command, not of the next
        with pytest.raises(typer.Exit) as end, ends_cleanly(), bar("work") as progress:
            run(job(), progress)
        assert end.value.exit_code == code
    assert done == [0, 0]
    with ends_cleanly(), bar("work") as progress:
        progress(Step(1.0))
