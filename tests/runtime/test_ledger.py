"""Unfinished work: known by settings and version, never mixed, damaged notes and parts found out."""

import json

import pytest

from arise_core.runtime import ledger as module
from arise_core.runtime.ledger import NOTE, Ledger, differences, digest, facts, require_same

KNOWN = {"seed": 3, "samples": {"whole": 2, "sizes": (1, 2)}}


def test_facts_are_plain_and_carry_the_version():
    known = facts(**KNOWN)
    assert known == {
        "package_version": module.package_version(), "seed": 3, "samples": {"whole": 2, "sizes": [1, 2]},
    }  # fmt: skip
    assert json.loads(json.dumps(known)) == known
    assert digest(known) == digest(dict(reversed(known.items())))
    assert digest(known) != digest(facts(**KNOWN, more=1))
    with pytest.raises(TypeError):
        facts(seed=object())


def test_work_of_the_same_facts_goes_on(tmp_path):
    first = Ledger.open(tmp_path / "work", facts(**KNOWN), ["parts"])
    assert not first.done("parts/a.txt")
    first.write("parts/a.txt", lambda path: path.write_text("one"))
    written = (first.folder / NOTE).stat().st_mtime_ns
    again = Ledger.open(tmp_path / "work", facts(**KNOWN), ["parts"])
    assert again.done("parts/a.txt")
    assert again.read("parts/a.txt", lambda path: path.read_text()) == "one"
    assert again.digest == first.digest
    assert (first.folder / NOTE).stat().st_mtime_ns == written


def test_a_part_is_there_whole_or_not_at_all(tmp_path):
    work = Ledger.open(tmp_path, facts(**KNOWN))

    def half(path):
        path.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work.write("parts/a.txt", half)
    assert not work.done("parts/a.txt")
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == [NOTE]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 4}, "another seed (3, now 4)"),
        ({"samples": {"whole": 2, "sizes": [1, 3]}}, "another samples.sizes ([1, 2], now [1, 3])"),
        (
            {"samples": {"whole": 5, "more": "x"}},
            "another samples.whole (2, now 5), another samples.more (not set, now 'x'), "
            "another samples.sizes ([1, 2], now not set)",
        ),
        ({"seed": 4, "a": 1, "b": 2, "c": 3}, "another b (not set, now 2) and 1 more"),
    ],
)
def test_other_settings_are_refused_by_name(tmp_path, change, named):
    Ledger.open(tmp_path, facts(**KNOWN))
    before = (tmp_path / NOTE).read_bytes()
    with pytest.raises(
        ValueError, match=r"`out` '.*' was made with another .*; nothing was changed. Choose"
    ) as told:
        Ledger.open(tmp_path, facts(**{**KNOWN, **change}))
    assert named in str(told.value)
    assert (tmp_path / NOTE).read_bytes() == before


def test_another_version_is_refused(tmp_path, monkeypatch):
    Ledger.open(tmp_path, facts(**KNOWN))
    now = module.package_version()
    monkeypatch.setattr(module, "package_version", lambda: "99.1")
    with pytest.raises(
        ValueError, match=rf"made with another version of arise-core \('{now}', now '99.1'\); noth"
    ):
        Ledger.open(tmp_path, facts(**KNOWN))


def test_long_values_are_named_by_where_they_differ():
    labels = [f"class-{k}" for k in range(100)]
    assert differences({"classes": labels}, {"classes": labels[:-1]}) == [
        "classes.99 ('class-99', now not set)"
    ]
    (long,) = differences({"text": "a" * 500}, {"text": "b"})
    assert long == f"text ('{'a' * 58}…, now 'b')"
    assert differences({"x": [1, {"y": 1.0}]}, {"x": [1, {"y": 1.0}]}) == []


def test_work_without_a_note_is_refused(tmp_path):
    """Early versions wrote none."""
    (tmp_path / "samples").mkdir()
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(
        ValueError, match=r"`out` '.*' \(samples without ledger.json\) has other contents, or work of"
    ):
        Ledger.open(tmp_path, facts(**KNOWN), ["recipe.json", "samples"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.txt", "samples"]
    Ledger.open(tmp_path, facts(**KNOWN), ["parts"])  # other files are no work
    with pytest.raises(ValueError, match="`out` has other contents, .*; nothing was changed. Do this"):
        require_same(None, facts(**KNOWN), "`out`", "Do this")


def changed(text):
    content = json.loads(text)
    content["facts"]["seed"] = 4
    return json.dumps(content)


@pytest.mark.parametrize(
    "damage", [lambda t: t[: len(t) // 2], lambda t: "[]", lambda t: "{}", lambda t: "", changed]
)
def test_a_damaged_note_is_found_out(tmp_path, damage):
    note = Ledger.open(tmp_path, facts(**KNOWN)).folder / NOTE
    note.write_text(damage(note.read_text()))
    with pytest.raises(
        OSError, match=r"ledger.json' is damaged, so nobody knows what the folder holds .*Choose"
    ):
        Ledger.open(tmp_path, facts(**KNOWN))


def test_a_damaged_part_is_found_out(tmp_path):
    work = Ledger.open(tmp_path, facts(**KNOWN))
    work.write("a.json", lambda path: path.write_text('{"a": '))
    with pytest.raises(
        OSError, match=r"a.json' is damaged \(JSONDecodeError: .*; remove it, and it is made again"
    ):
        work.read("a.json", lambda path: json.loads(path.read_text()))


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError, match="is a file, not a folder"):
        Ledger.open(tmp_path / "file", facts(**KNOWN))
