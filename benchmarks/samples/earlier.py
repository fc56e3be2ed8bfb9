"""Figures of an earlier run, such as of another model, beside those of this one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from arise_core.errors import FileError, InputError
from benchmarks.samples.figures import KEYS, WAYS, WHOLE
from benchmarks.samples.hosts import Sample

COLUMN = "before"
DOUBT, WRONG = " doubt when wrong", " wrong"


def read(files: Sequence[Path]) -> pd.DataFrame:
    """Figures that `python -m benchmarks.samples` wrote, of the last model in each file.

    Returns:
        `KEYS`, `answers`, "before", "before doubt when wrong", "before wrong", see `benchmarks.samples.figures.shares`.

    Raises:
        InputError: a file is no such table, or two have figures of the same samples.
        FileError: a file cannot be read.
    """
    found = pd.concat([read_one(file) for file in files], ignore_index=True)
    twice = found[found.duplicated(KEYS)]
    if len(twice):
        raise InputError(f"`--before` has two rows of {row_of(twice.iloc[0])}")
    return found


def read_one(file: Path) -> pd.DataFrame:
    """The figures in one file."""
    try:
        table = pd.read_csv(file, dtype=dict.fromkeys(KEYS, str), keep_default_na=False, na_values=[""])
    except OSError as error:
        raise FileError(f"`--before`: {error}") from error
    except ValueError as error:  # no table, or no text
        raise InputError(f"`--before`: {file} is no table of figures: {error}") from error
    models = [c for c in table if {f"{c}{DOUBT}", f"{c}{WRONG}"} <= set(table)]
    lacking = [c for c in (*KEYS, "answers") if c not in table]
    if lacking or not models:
        wanted = lacking or ["of a model: M, M doubt when wrong, M wrong"]
        raise InputError(f"`--before`: {file} lacks the columns {', '.join(wanted)}")
    own = [models[-1] + end for end in ("", DOUBT, WRONG)]
    table = table[[*KEYS, "answers", *own]].set_axis(
        [*KEYS, "answers", COLUMN, COLUMN + DOUBT, COLUMN + WRONG], axis=1
    )
    table[[*KEYS, COLUMN + WRONG]] = table[[*KEYS, COLUMN + WRONG]].astype(object).fillna("")
    numbers = table[["answers", COLUMN, COLUMN + DOUBT]].apply(pd.to_numeric, errors="coerce")
    table[numbers.columns] = numbers
    bad = table[~((numbers["answers"] >= 1) & (numbers["answers"] % 1 == 0) & numbers[COLUMN].between(0, 1))]
    if len(bad):
        raise InputError(
            f"`--before`: {file} has no number of answers and share in the row of {row_of(bad.iloc[0])}"
        )
    return table


def row_of(row: Mapping[str, object] | pd.Series) -> str:
    """What a row is about, for messages."""
    return repr(tuple(row[k] for k in KEYS))


def of_samples(earlier: pd.DataFrame, samples: Mapping[str, Sequence[Sample]]) -> pd.DataFrame:
    """The earlier figures of the kinds that are asked, checked as far as it goes before a model is asked.

    Raises:
        InputError: the figures are of other samples.
    """
    asked = [
        (dict(zip(KEYS, (kind, s.group, s.lattice, s.detail, WAYS[way]), strict=True)), way in WHOLE)
        for kind, some in samples.items() for s in some for way in s.ways
    ]  # fmt: skip
    expected = pd.DataFrame([key | {"whole": whole} for key, whole in asked])
    count = expected.groupby(KEYS, sort=False)["whole"].sum().rename("expected").reset_index()
    kept = earlier[earlier["kind"].isin(list(samples))]
    both = count.merge(kept, on=KEYS, how="outer", validate="1:1")
    unknown, absent = both["expected"].isna(), both["answers"].isna() & (both["expected"] > 0)
    other = (both["expected"] > 0) & (both["answers"] != both["expected"])
    for bad, what in ((unknown, "samples that are not asked"), (absent, "no row"), (other, "another number")):
        if bad.any():
            raise InputError(
                f"`--before` has {what} of {row_of(both[bad].iloc[0])}: other samples, or another form"
            )
    return kept


def with_earlier(answers: pd.DataFrame, earlier: pd.DataFrame) -> pd.DataFrame:
    """Answers to which those of the earlier run are added, as "before"; what was wrong is not told apart.

    Args:
        answers: from `find`, of one model.
        earlier: from `of_samples`.

    Raises:
        InputError: the earlier run had another number of answers.
    """
    now = answers.groupby(KEYS, sort=False)["n"].sum().rename("now").reset_index()
    compared = now.merge(earlier, on=KEYS, how="outer").fillna({"now": 0, "answers": 0})
    other = compared[compared["now"] != compared["answers"]]
    if len(other):
        first = other.iloc[0]
        raise InputError(
            f"`--before` has {first['answers']:g} answers for {row_of(first)}, now {first['now']:g}"
        )
    both = now.merge(earlier, on=KEYS)
    right = (both["answers"] * both[COLUMN]).round()
    wrong = both["answers"] - right
    common = both[KEYS].assign(model=COLUMN)
    parts = [
        common.assign(said="", right=True, n=right, bits=0.0),
        common.assign(said="other", right=False, n=wrong, bits=wrong * both[COLUMN + DOUBT].fillna(0.0)),
    ]
    added = pd.concat(parts).astype({"n": int})
    return pd.concat([added[added["n"] > 0].sort_index(kind="stable"), answers], ignore_index=True)


def with_words(figures: pd.DataFrame, earlier: pd.DataFrame) -> pd.DataFrame:
    """Figures with the wrong answers as the earlier run told them.

    Args:
        figures: from `shares` by `KEYS`, of what `with_earlier` gives.
        earlier: from `of_samples`.
    """
    words = figures[KEYS].merge(earlier, on=KEYS, how="left")[COLUMN + WRONG]
    return figures.assign(**{COLUMN + WRONG: np.asarray(words, dtype=object)})
