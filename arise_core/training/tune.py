"""Search for the best architecture and optimiser, as the paper does: TPE, then a ranking by robustness.

Leitherer et al. (2021), Methods and Supplementary Methods, "Hyperparameter optimization": the tree-structured
Parzen estimator maximises the accuracy on the validation split; the best of what it found are ranked by their
accuracy on pristine and slightly defective structures. The learning rate is drawn on a logarithmic scale here.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from arise_core.errors import InputError, WorkError
from arise_core.geometry.arrays import Float32Array, IntArray
from arise_core.model.classes import ClassTable
from arise_core.model.zoo import load_model
from arise_core.progress import Job, Progress, Step, part, run, silent
from arise_core.runtime.files import write_atomically
from arise_core.runtime.ledger import ANOTHER_FOLDER, Ledger, facts, require_same
from arise_core.runtime.packages import package
from arise_core.runtime.tables import markdown, write_csv
from arise_core.settings import SamplingSettings
from arise_core.training.export import FILES, export
from arise_core.training.fit import fit_steps
from arise_core.training.recipe import Recipe, to_toml
from arise_core.training.samples.defects import MILD, STRONG, DefectSamples
from arise_core.training.train import (
    SAMPLES,
    SamplePlan,
    class_table,
    collect_steps,
    gather_steps,
    make_card,
    reject_rule,
    targets_of,
)

NEEDS = "the search for hyperparameters needs Optuna"
STUDY = "study.db"
TRIALS = "trials"
DEFECTS = "defects"
#: What a search leaves to resume from.
WORK = (STUDY, SAMPLES, TRIALS)
#: Attribute of the study that holds the facts of the search.
FACTS = "arise"
PART_SIZE = 8
RANKING_COLUMNS = (
    "rank", "trial", "defects", "strong_defects", "validation_accuracy", "hidden", "batch_size",
    "learning_rate", "dropout", "epoch",
)  # fmt: skip
TRIAL_COLUMNS = (
    "trial", "state", "validation_accuracy", "hidden", "batch_size", "learning_rate", "dropout", "epochs", "seconds",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TuneSettings:
    """Search space (Leitherer et al. 2021, Supplementary Methods) and how it is searched.

    Args:
        trials: networks tried, those stopped early included.
        epochs: of each; 0: those of the recipe.
        layers: numbers of hidden layers.
        widths: neurons of a hidden layer, chosen for each.
        batch_sizes: samples a step.
        learning_rate: range, drawn on a logarithmic scale.
        dropout: range of the rate.
        random_trials: trials drawn at random before the estimator is used, and before any is stopped early.
        warmup: share of the epochs before which no trial is stopped.
        top: how many of the best are ranked by robustness.
        draws: defective structures a class and level for the ranking.
        passes: forward passes with dropout for the ranking.
        seed: of the search.
    """

    trials: int = 50
    epochs: int = 0
    layers: tuple[int, ...] = (2, 3, 4, 5)
    widths: tuple[int, ...] = (256, 512)
    batch_sizes: tuple[int, ...] = (64, 128)
    learning_rate: tuple[float, float] = (1e-4, 1e-2)
    dropout: tuple[float, float] = (0.01, 0.05)
    random_trials: int = 10
    warmup: float = 0.2
    top: int = 15
    draws: int = 1
    passes: int = 200
    seed: int = 42

    def __post_init__(self) -> None:
        for name in ("trials", "top", "draws", "passes"):
            if getattr(self, name) < 1:
                raise InputError(f"`{name}` must be at least 1, got {getattr(self, name)}")
        for name in ("epochs", "random_trials", "seed"):
            if getattr(self, name) < 0:
                raise InputError(f"`{name}` must not be negative, got {getattr(self, name)}")
        for name in ("layers", "widths", "batch_sizes"):
            values = getattr(self, name)
            if not values or min(values) < 1:
                raise InputError(f"`{name}` must be positive numbers, got {values}")
        low, high = self.learning_rate
        if not 0 < low <= high:
            raise InputError(f"`learning_rate` must be a range of positive numbers, got {self.learning_rate}")
        low, high = self.dropout
        if not 0 <= low <= high < 1:
            raise InputError(f"`dropout` must be a range in [0, 1), got {self.dropout}")
        if not 0 <= self.warmup <= 1:
            raise InputError(f"`warmup` must be in [0, 1], got {self.warmup}")

    def space(self) -> dict[str, Any]:
        """All that the trials of a study share, plain types."""
        same = {k: v for k, v in asdict(self).items() if k not in ("trials", "top", "draws", "passes")}
        plain: dict[str, Any] = json.loads(json.dumps(same))
        return plain


def tune(
    recipe: Recipe, out: Path, settings: TuneSettings | None = None, progress: Progress = silent
) -> list[dict[str, Any]]:
    """Search around a recipe; rank the best. Interrupted, or with more trials, it goes on where it stopped.

    Writes into `out`: `study.db` (Optuna), `samples/`, `trials/NNN/` (models of the best), `trials.csv`,
    `ranking.csv`, `report.md`, `plots/*.png`, and of the winner `model.safetensors`, `model.pt`,
    `card.json` and `recipe.toml`. What is found does not depend on interrupts: a trial that was interrupted is made
    again.

    Args:
        recipe: samples, descriptor and everything that is not searched; a further training in it is left out.
        out: folder for the results.
        settings: search space and effort.
        progress: called with the share of the work done.

    Returns:
        The ranking, best first, with the columns `RANKING_COLUMNS`.

    Raises:
        MissingPackageError: without Optuna.
        ValueError: `out` holds a search around another recipe, over another space, or of another version.
        RuntimeError: no trial came to its end.
    """
    return run(tune_steps(recipe, out, settings), progress)


def tune_steps(recipe: Recipe, out: Path, settings: TuneSettings | None = None) -> Job[list[dict[str, Any]]]:
    """`tune` as a job; closed, it leaves what the next one goes on with."""
    settings = settings or TuneSettings()
    recipe = replace(recipe, further=None)
    optuna = package("optuna", NEEDS)
    ledger = Ledger.open(out, facts(recipe=recipe.to_dict(), space=settings.space()), WORK)
    features, labels = yield from part(gather_steps(recipe, ledger), 0, 0.3)
    with _storage(optuna, out / STUDY) as storage:
        search = Search(recipe, ledger, settings, optuna, _study(optuna, recipe, ledger, storage, settings))
        yield from part(search.trials_steps(features, labels), 0.3, 0.9)
        ranking = yield from part(search.rank_steps(), 0.9, 0.98)
        search.write(ranking)
    yield Step(1.0, f"results in {out}")
    return ranking


@contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    """Without Optuna's lines for every trial and its remarks on experimental parts; set back at the end."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


@contextmanager
def _storage(optuna: Any, file: Path) -> Iterator[Any]:
    """The SQLite file of a study, made or found; its connections are closed at the end."""
    with _quiet(optuna):
        storage = optuna.storages.RDBStorage(f"sqlite:///{file.resolve()}")
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _study(optuna: Any, recipe: Recipe, ledger: Ledger, storage: Any, settings: TuneSettings) -> Any:
    """The study in a storage, made or found; trials that an interrupt left open are closed.

    Raises:
        InputError: the study is of another search.
    """
    with _quiet(optuna):
        study = optuna.create_study(
            storage=storage,
            study_name="arise",
            direction="maximize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(
                n_startup_trials=settings.random_trials,
                n_warmup_steps=round(settings.warmup * _epochs(recipe, settings)),
            ),
        )
    if study.trials or study.user_attrs:
        place = f"the study in {str(ledger.part(STUDY))!r}"
        require_same(study.user_attrs.get(FACTS), ledger.facts, place, ANOTHER_FOLDER)
    study.set_user_attr(FACTS, ledger.facts)
    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    return study


def _epochs(recipe: Recipe, settings: TuneSettings) -> int:
    return settings.epochs or recipe.fit.epochs


def _suggest(trial: Any, settings: TuneSettings) -> dict[str, Any]:
    """Draw the hyperparameters of a trial."""
    n = trial.suggest_categorical("layers", settings.layers)
    for k in range(n):
        trial.suggest_categorical(f"width_{k + 1}", settings.widths)
    trial.suggest_categorical("batch_size", settings.batch_sizes)
    trial.suggest_float("learning_rate", *settings.learning_rate, log=True)
    trial.suggest_float("dropout", *settings.dropout)
    params: dict[str, Any] = trial.params
    return params


def _hidden(params: dict[str, Any]) -> tuple[int, ...]:
    return tuple(int(params[f"width_{k + 1}"]) for k in range(params["layers"]))


def _trial_recipe(recipe: Recipe, settings: TuneSettings, params: dict[str, Any]) -> Recipe:
    """The recipe with the hyperparameters of a trial."""
    return replace(
        recipe,
        network=replace(recipe.network, hidden=_hidden(params), dropout=float(params["dropout"])),
        fit=replace(
            recipe.fit,
            epochs=_epochs(recipe, settings),
            batch_size=int(params["batch_size"]),
            learning_rate=float(params["learning_rate"]),
        ),
    )


class Search:
    """A study with what its trials need."""

    def __init__(
        self, recipe: Recipe, ledger: Ledger, settings: TuneSettings, optuna: Any, study: Any
    ) -> None:
        self.recipe = recipe
        self.ledger = ledger
        self.settings = settings
        self.optuna = optuna
        self.study = study
        self.models = ledger.part(TRIALS)

    def model(self, number: int) -> Path:
        """Folder of the model of a trial."""
        return self.models / f"{number:03d}"

    def _trials(self, *states: str) -> list[Any]:
        kinds = tuple(self.optuna.trial.TrialState[s] for s in states)
        found: list[Any] = self.study.get_trials(deepcopy=False, states=kinds)
        return found

    def finished(self) -> int:
        """Number of trials that came to their end or were stopped early."""
        return len(self._trials("COMPLETE", "PRUNED"))

    def best(self) -> list[Any]:
        """The best completed trials by validation accuracy."""
        return sorted(self._trials("COMPLETE"), key=lambda t: (-t.value, t.number))[: self.settings.top]

    def trials_steps(self, features: Float32Array, labels: list[str]) -> Job[None]:
        """Make trials until there are enough, and keep the models of the best."""
        classes = class_table(self.recipe.crystals())
        targets = targets_of(labels, classes)
        while (done := self.finished()) < self.settings.trials:
            job = self._trial_steps(features, targets, classes, done)
            yield from part(job, done / self.settings.trials, (done + 1) / self.settings.trials)
            kept = {self.model(t.number) for t in self.best()}
            for folder in set(self.models.glob("[0-9]*")) - kept:
                shutil.rmtree(folder)

    def _trial_steps(
        self, features: Float32Array, targets: IntArray, classes: ClassTable, done: int
    ) -> Job[None]:
        """One trial; its outcome goes into the study however it ends."""
        # The stream depends on the trials that count alone: one that was interrupted comes again.
        self.study.sampler = self.optuna.samplers.TPESampler(
            n_startup_trials=self.settings.random_trials, seed=self.settings.seed + done
        )
        trial = self.study.ask()
        states = self.optuna.trial.TrialState

        def after_epoch(epoch: int, accuracy: float) -> None:
            trial.report(accuracy, epoch)
            if trial.should_prune():
                raise self.optuna.TrialPruned

        try:
            plan = _trial_recipe(self.recipe, self.settings, _suggest(trial, self.settings))
            job = fit_steps(features, targets, len(classes), plan, after_epoch=after_epoch)
            fitted = yield from part(job, 0, 1, name=f"trial {trial.number}")
            trial.set_user_attr("epoch", fitted.epoch)
            reject = reject_rule(fitted.network, plan.network, features, targets)
            card = make_card(plan, fitted, classes, reject, targets)
            export(fitted.network, card, self.model(trial.number))
            self.study.tell(trial, fitted.validation_accuracy)
        except self.optuna.TrialPruned:
            self.study.tell(trial, state=states.PRUNED)
        except BaseException:
            self.study.tell(trial, state=states.FAIL)
            raise

    def rank_steps(self) -> Job[list[dict[str, Any]]]:
        """The best trials by accuracy on pristine and slightly defective structures, then on worse ones.

        Raises:
            WorkError: no trial came to its end.
        """
        best = [t for t in self.best() if self.model(t.number).is_dir()]
        if not best:
            raise WorkError(f"none of the {len(self.study.trials)} trials came to its end; run more")
        classes, draws = self.recipe.crystals(), self.settings.draws
        plan = SamplePlan(
            samples=DefectSamples(draws=draws), settings=self.recipe.settings, seed=self.settings.seed,
            crystals=classes if self.recipe.classes else None,
        )  # fmt: skip
        job = collect_steps([plan], PART_SIZE, self.ledger, f"{DEFECTS}-{draws}")
        features, labels = yield from part(job, 0, 0.7)
        level = np.tile(np.repeat(np.arange(len(MILD + STRONG)), draws), len(classes))
        mild = level < len(MILD)
        rows = []
        for k, trial in enumerate(best):
            model = load_model(self.model(trial.number))
            steps = model.predict_steps(features, SamplingSettings(passes=self.settings.passes))
            start, stop = (0.7 + 0.3 * j / len(best) for j in (k, k + 1))
            prediction = yield from part(steps, start, stop, f"robustness of trial {trial.number}")
            right = (prediction.labels == np.array(labels, dtype=object)) & ~prediction.rejected
            rows.append(
                {
                    "rank": 0,
                    "trial": trial.number,
                    "defects": float(right[mild].mean()),
                    "strong_defects": float(right[~mild].mean()),
                    "validation_accuracy": trial.value,
                    **_described(trial),
                    "epoch": trial.user_attrs["epoch"],
                }
            )
        rows.sort(key=lambda r: (-r["defects"], -r["strong_defects"], -r["validation_accuracy"], r["trial"]))
        return [{**row, "rank": k + 1} for k, row in enumerate(rows)]

    def write(self, ranking: list[dict[str, Any]]) -> None:
        """Tables, plots, and the model and recipe of the winner."""
        out = self.ledger.folder
        _write_tables(self.study, out, ranking)
        with _quiet(self.optuna):
            _plots(self.optuna, self.study, out / "plots")
        number = ranking[0]["trial"]
        toml = to_toml(_trial_recipe(self.recipe, self.settings, self.study.trials[number].params))
        for name in FILES:
            write_atomically(out / name, partial(shutil.copyfile, self.model(number) / name))
        write_atomically(out / "recipe.toml", lambda path: path.write_text(toml, encoding="utf-8"))


def _described(trial: Any) -> dict[str, Any]:
    params = trial.params
    return {
        "hidden": "-".join(map(str, _hidden(params))) if "layers" in params else "",
        "batch_size": params.get("batch_size"),
        "learning_rate": params.get("learning_rate"),
        "dropout": params.get("dropout"),
    }


def _write_tables(study: Any, out: Path, ranking: list[dict[str, Any]]) -> None:
    trials = []
    for t in study.trials:
        reported = t.intermediate_values
        trials.append(
            {
                "trial": t.number,
                "state": t.state.name.lower(),
                "validation_accuracy": max(reported.values(), default=None),
                **_described(t),
                "epochs": max(reported, default=0),
                "seconds": round(t.duration.total_seconds(), 1) if t.duration else None,
            }
        )
    for name, columns, rows in (
        ("trials.csv", TRIAL_COLUMNS, trials), ("ranking.csv", RANKING_COLUMNS, ranking)
    ):  # fmt: skip
        write_csv(out / name, columns, [[row[c] for c in columns] for row in rows])
    text = "\n".join(_report([t["state"] for t in trials], ranking)) + "\n"
    write_atomically(out / "report.md", lambda path: path.write_text(text, encoding="utf-8"))


def _report(states: list[str], ranking: list[dict[str, Any]]) -> list[str]:
    counts = ", ".join(f"{states.count(s)} {s}" for s in sorted(set(states)))
    columns = (
        "rank", "trial", "pristine and mild", "strong", "validation", "hidden layers", "batch", "learning rate",
        "dropout", "epoch",
    )  # fmt: skip
    rows = [
        (
            r["rank"], r["trial"], f"{r['defects']:.2%}", f"{r['strong_defects']:.2%}",
            f"{r['validation_accuracy']:.2%}", r["hidden"], r["batch_size"], f"{r['learning_rate']:.2e}",
            f"{r['dropout']:.2%}", r["epoch"],
        )
        for r in ranking
    ]  # fmt: skip
    return [
        "# Hyperparameters",
        "",
        f"{len(states)} trials: {counts}. The best by validation accuracy, ranked by the share of right answers on "
        f"pristine structures and {_levels(MILD[1:])} (missing atoms, displacement), then on {_levels(STRONG)}:",
        "",
        *markdown(columns, rows),
    ]


def _levels(levels: tuple[tuple[float, float], ...]) -> str:
    return ", ".join(f"({missing:.0%}, {delta:.1%})" for missing, delta in levels)


def _plots(optuna: Any, study: Any, folder: Path) -> None:
    """Optuna's plots as pictures; those that need more trials than there are stay away."""
    import matplotlib
    from matplotlib.figure import Figure

    folder.mkdir(exist_ok=True)
    common = ["layers", "width_1", "width_2", "batch_size", "learning_rate", "dropout"]
    draw = package("optuna.visualization.matplotlib", NEEDS)
    named = {"target_name": "validation accuracy"}
    forest = optuna.importance.FanovaImportanceEvaluator(seed=0)
    plots: dict[str, Callable[[], Any]] = {
        "history": lambda: draw.plot_optimization_history(study, **named),
        "learning_curves": lambda: draw.plot_intermediate_values(study),
        "slices": lambda: draw.plot_slice(study, params=common, **named),
        "parallel": lambda: draw.plot_parallel_coordinate(study, params=common, **named),
        "importance": lambda: draw.plot_param_importances(study, evaluator=forest, **named),
    }
    from matplotlib import pyplot

    backend = matplotlib.get_backend()
    pyplot.switch_backend("agg")
    try:
        for name, make in plots.items():
            try:
                with warnings.catch_warnings():  # axes of a value that no trial differs in
                    warnings.simplefilter("ignore", UserWarning)
                    first = np.atleast_1d(make()).ravel()[0]
            except (ValueError, RuntimeError):  # such as the importance of parameters with a single trial
                continue
            figure: Figure = first.figure
            if name == "learning_curves":
                first.set(title="Learning curves", xlabel="epoch", ylabel="validation accuracy")
                first.get_legend().remove()  # a line for each of 50 trials
            elif name == "parallel":
                figure.set_size_inches(11, 6)
            write_atomically(folder / f"{name}.png", partial(figure.savefig, dpi=120, bbox_inches="tight"))
            pyplot.close(figure)
    finally:
        pyplot.switch_backend(backend)
