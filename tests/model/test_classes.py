"""The class table: names, look-ups, and what they cost for a thousand classes."""

import sys
from collections import Counter

import numpy as np
import pytest

from arise_core.crystals.naming import ClassInfo
from arise_core.model.classes import ClassTable
from arise_core.model.prediction import Prediction, Rule
from arise_core.recognition.maps import PointValues
from arise_core.recognition.result import Recognition


def classes(n):
    """A table of n classes."""
    return ClassTable(
        ClassInfo(f"label_{k}", f"class {k}", f"CLASS_{k}", (k / n, 0.5, 0.5), None, "bulk, elemental")
        for k in range(n)
    )


def recognition(n_classes, n_atoms=200):
    """What a model of so many classes might say of a structure, as a whole."""
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(n_classes), 1).astype(np.float32)
    one = np.array([0.1])
    prediction = Prediction(classes(n_classes), p, one, one, one, one, 0.5, np.array([10]), one, one)
    found = Recognition.of_whole(prediction, 0, n_atoms)
    zeros = np.zeros(n_atoms)
    atoms = PointValues(
        index=rng.integers(-1, n_classes, n_atoms), confidence=zeros, mutual_information=zeros,
        predictive_entropy=zeros, variation_ratio=zeros, reject_score=rng.random(n_atoms), reject_deviation=zeros,
        probabilities=np.empty((n_atoms, 0), dtype=np.float32),
    )  # fmt: skip
    return Recognition("whole", found.classes, atoms, found.rule, whole=prediction)


def test_a_table_is_a_tuple_of_classes(model):
    table = model.class_info
    assert isinstance(table, tuple)
    assert ClassTable.of(table) is table
    assert tuple(c.label for c in table) == model.classes
    assert table.colours.shape == (108, 3)
    index = np.array([0, -1, 107])
    assert list(table.labels_of(index)) == [table[0].label, None, table[107].label]
    assert list(table.names_of(index)) == [table[0].name, None, table[107].name]
    assert list(table.short_of(index)) == [table.short[0], "none", table.short[107]]


def test_all_names_find_their_class(model):
    table = model.class_info
    for k, c in enumerate(table):
        for word in (c.label, c.identifier, table.short[k]):
            assert table.find(word) == table.find(f" {word.upper()} ") == k
    assert table.find_all(["HCP", "fcc", "FCC"], "x") == tuple(sorted({table.find("fcc"), table.find("hcp")}))
    assert table.find_all(["all"], "x") == tuple(range(108))
    assert table.find_all([], "x") == ()
    with pytest.raises(ValueError, match=r"`x` must be a class of the model, got 'fccc'; close: .*fcc"):
        table.find_all(["fccc"], "x")
    with pytest.raises(ValueError, match="close: FCC"):
        table.find("fccc", "x", table.identifiers)


def test_the_first_class_of_a_name_wins():
    twice = ClassTable(
        [ClassInfo("a", "b", "A", (0, 0, 0), None, ""), ClassInfo("b", "c", "B", (0, 0, 0), None, "")]
    )
    assert (twice.find("a"), twice.find("b"), twice.find("c")) == (0, 0, 1)


def steps(n_classes):
    """Python operations of labelling one entry, once the table's names are made."""
    found = recognition(n_classes)
    found.record()
    found.classes.find("class 3")  # names are made once a table
    counts: Counter = Counter()

    def trace(frame, event, argument):
        counts[event] += 1
        return trace

    entry = recognition(n_classes)
    object.__setattr__(entry, "classes", found.classes)
    sys.settrace(trace)
    try:
        entry.record()
        entry.top(5)
        _ = entry.fractions, entry.atom_labels, entry.atom_class
        for name in ("class 3", "CLASS_7", "label_90"):
            entry.classes.find(name)
    finally:
        sys.settrace(None)
    return sum(counts.values())


def test_labelling_grows_no_faster_than_linearly():
    """Work is counted in lines of Python, which do not depend on the machine. 0.1: 3.8 ms for 1,000 classes."""
    few, many = steps(100), steps(1000)
    assert many < 3 * few  # 200 atoms in 1,000 classes have more names than in 100
    assert many < 2000  # so many lines of Python take well under a millisecond (measured: 0.16 ms)


def test_making_the_names_grows_linearly():
    def lines(n):
        counts: Counter = Counter()

        def trace(frame, event, argument):
            counts[event] += 1
            return trace

        table = classes(n)
        sys.settrace(trace)
        try:
            _ = table.short, table.identifiers, table.find("class 3"), table.colours
        finally:
            sys.settrace(None)
        return sum(counts.values())

    assert lines(2000) < 2.2 * lines(1000)


def test_rules_judge_predictions_and_points_alike():
    found = recognition(10)
    rule = Rule(reject_threshold=0.5, considered=(1, 2, 3))
    index = rule.index(found.atoms)
    kept = index != -1
    assert set(index[kept]) == {1, 2, 3}
    assert (found.atoms.reject_score[kept] < 0.5).all()
    assert (found.with_rule(rule).atom_class == index).all()
    whole = rule.index(found.whole)
    assert whole.shape == (1,)
    assert whole[0] == (found.index if found.index in (1, 2, 3) else -1)
    sure = Rule(min_confidence=0.5)
    assert (sure.index(found.atoms) == -1).all()
    never = Rule()
    assert not never.rejected(found.atoms).any()
    assert (never.index(found.atoms) == found.atoms.index).all()


def test_what_has_no_name_is_rejected_everywhere():
    found = recognition(10)
    nothing = found.with_rule(Rule(considered=()))
    assert (nothing.atom_class == -1).all()
    assert set(nothing.atom_labels) == {"rejected", "none"}
    assert set(nothing.fractions) == {"rejected", "none"}
    assert nothing.label == "rejected"
    for bad in ({"reject_threshold": 2.0}, {"reject_threshold": "card"}, {"min_confidence": float("nan")}):
        with pytest.raises(ValueError, match=f"`{next(iter(bad))}` must be"):
            Rule(**bad)
