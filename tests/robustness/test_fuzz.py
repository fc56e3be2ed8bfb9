"""The fuzzer: it sorts what becomes of a file as what it is, on a busy machine too, and goes on with a run."""

import json
import sys
from dataclasses import asdict

import pytest

from benchmarks.robustness import fuzz
from benchmarks.robustness.__main__ import Record
from benchmarks.robustness.fuzz import Door, Outcome
from benchmarks.robustness.worker import ANSWER, CRASH, HANG, MEMORY, READER

#: A process that answers the first file at once, and does something with the second one.
WORKER = """
import json, os, subprocess, sys, time
def say(*lines):
    sys.stdout.write("".join(json.dumps(line) + chr(10) for line in lines))
    sys.stdout.flush()
answer = {"outcome": "answer", "said": ""}
sys.stdin.readline()
say(answer)
sys.stdin.readline()
"""


def outcome_of(tmp_path, what, **limits):
    door = Door("a door", **limits)
    door.command = [sys.executable, "-c", WORKER + what]
    file = tmp_path / "file"
    try:
        return door.ask(7, file, "kind", file)
    finally:
        door.close()


def test_lines_that_come_together_are_both_read(tmp_path):
    found = outcome_of(tmp_path, "say({'phase': 'a reader'}, {'phase': ''}, answer); time.sleep(600)")
    assert (found.outcome, found.number) == (ANSWER, 7)


@pytest.mark.parametrize(
    "work", ["while True: pass", "subprocess.run([sys.executable, '-c', 'while True: pass'])"]
)
def test_work_without_end_is_a_hang_in_processes_of_the_process_too(tmp_path, work):
    found = outcome_of(tmp_path, work, seconds=0.5)
    assert (found.outcome, found.said[:10]) == (HANG, "worked for")
    assert found.seconds > 0.5


def test_a_wait_without_end_is_a_hang_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "IDLE", 0.5)
    found = outcome_of(tmp_path, "time.sleep(600)")
    assert (found.outcome, found.said[:11]) == (HANG, "did nothing")
    assert outcome_of(tmp_path, f"say({{'phase': {READER!r}}}); time.sleep(600)").outcome == READER


def test_memory_and_the_end_of_the_process_are_seen(tmp_path):
    found = outcome_of(
        tmp_path, "x = bytearray(1 << 28); x[::4096] = b'1' * len(x[::4096]); time.sleep(600)", gib=0.1
    )
    assert found.outcome == MEMORY
    found = outcome_of(tmp_path, "sys.stderr.write('too bad'); sys.stderr.flush(); os._exit(3)")
    assert (found.outcome, found.said) == (CRASH, "exit code 3: too bad")


def test_a_run_goes_on_where_it_was_stopped(tmp_path):
    path = tmp_path / "out" / "outcomes.jsonl"
    made = [Outcome(k, "map", f"{k}.xyz", "kind", ANSWER, 0.1, 0.0, "") for k in range(3)]
    first = Record(path, 5, go_on=False)
    for outcome in made[:2]:
        first.add(outcome)
    with path.open("a") as file:
        file.write(json.dumps(asdict(made[2]))[:20])
    second = Record(path, 5, go_on=True)
    assert second.found == made[:2]
    assert [second.has("map", k) for k in range(3)] == [True, True, False]
    assert not second.has("classify", 0)
    second.add(made[2])
    assert Record(path, 5, go_on=True).found == made
    with pytest.raises(ValueError, match="of another seed"):
        Record(path, 6, go_on=True)
    assert Record(path, 6, go_on=False).found == []
