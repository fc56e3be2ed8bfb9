"""What was explored: representations, clusters and the plane, with the predictions, of boxes or structures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from arise_core.engine.grid import box_grid
from arise_core.errors import FileError, InputError
from arise_core.explore import page
from arise_core.explore.clusters import OUTLIER, Clusters, Trial
from arise_core.explore.embedding import Embedding
from arise_core.explore.storage import check_array, read_arrays, write_arrays
from arise_core.geometry.arrays import Float32Array, FloatArray, IntArray
from arise_core.geometry.material import Material
from arise_core.geometry.structure import Structure
from arise_core.model.card import class_of
from arise_core.model.classes import ClassTable
from arise_core.model.prediction import ROWS, Prediction
from arise_core.recognition.maps import StridedMap
from arise_core.runtime.notebooks import html_table
from arise_core.settings import ExploreSettings, MapSettings, check_number, check_threshold

if TYPE_CHECKING:
    import pandas

KIND = "exploration"
#: Classes named of each cluster.
MAIN = 3
#: By which a probability that was read may be above 1.
ROUNDING = 1e-3


@dataclass(frozen=True)
class Group:
    """One cluster, or the outliers (cluster -1), in a few numbers."""

    cluster: int
    size: int  # boxes or structures
    share: float  # of those with a representation
    classes: tuple[
        tuple[str, float], ...
    ]  # most frequent classes by short name and their share, rejected ones too
    mutual_information: float  # mean, bit
    persistence: float  # NaN for outliers


@dataclass(frozen=True, repr=False)
class Exploration:
    """What the representations of boxes of a map, or of several structures, show. A row a box or structure."""

    prediction: Prediction
    vectors: Float32Array  # (n, width), of the layer; NaN for boxes without a prediction
    layer: int  # 0 is the first hidden layer
    clusters: Clusters
    embedding: Embedding | None  # None if it was not asked for
    settings: ExploreSettings
    model_name: str
    field: StridedMap | None = None  # whose boxes the rows are; None for several structures

    def __len__(self) -> int:
        return len(self.prediction)

    def __repr__(self) -> str:
        rows = "boxes" if self.field is not None else "structures"
        return f"<Exploration of {len(self)} {rows} by layer {self.layer} of {self.model_name!r}: {self.clusters!r}>"

    def _repr_html_(self) -> str:
        kind = "boxes" if self.field is not None else "structures"
        groups = self.groups()
        rows = [
            (
                "outliers" if g.cluster < 0 else g.cluster, g.size, f"{g.share:.1%}",
                ", ".join(f"{name} {share:.0%}" for name, share in g.classes), g.mutual_information, g.persistence,
            )
            for g in groups
        ]  # fmt: skip
        columns = ("Cluster", kind.capitalize(), "Share", "Main classes", "MI (bit)", "Persistence")
        title = f"Exploration of {len(self)} {kind} by layer {self.layer} of {self.model_name}"
        notes = [note for note in (self.clusters.note,) if note]
        return html_table(title, columns, rows, count=len(groups), notes=notes)

    @property
    def labels(self) -> IntArray:
        """Cluster of each row, 0 the largest, (n,); -1 for outliers and rows without a representation."""
        return self.clusters.labels

    @property
    def points(self) -> Float32Array:
        """Places on the plane, (n, 2), without unit; NaN where there is none."""
        return (
            np.full((len(self), 2), np.nan, np.float32) if self.embedding is None else self.embedding.points
        )

    def groups(self) -> list[Group]:
        """Each cluster, the largest first, and the outliers last if there are any."""
        known = max(1, int(self.clusters.valid.sum()))
        numbers = [*range(self.clusters.n_clusters), *([OUTLIER] if self.clusters.outliers.any() else [])]
        return [self._group(k, known) for k in numbers]

    def _group(self, cluster: int, known: int) -> Group:
        rows = np.flatnonzero(self.clusters.valid & (self.labels == cluster))
        p = self.prediction
        index = p.index[rows]
        counts = np.bincount(index[index >= 0], minlength=len(p.classes))
        first = np.argsort(-counts, kind="stable")[:MAIN]
        named = tuple((p.classes.short[k], float(counts[k] / len(rows))) for k in first if counts[k])
        doubt = p.mutual_information[rows]
        doubt = doubt[np.isfinite(doubt)]
        return Group(
            cluster=cluster,
            size=len(rows),
            share=len(rows) / known,
            classes=named,
            mutual_information=float(doubt.mean()) if len(doubt) else float("nan"),
            persistence=float(self.clusters.persistence[cluster]) if cluster >= 0 else float("nan"),
        )

    # --- in space ---------------------------------------------------------------------------------------------

    def _map(self) -> StridedMap:
        if self.field is None:
            raise InputError("`field` is None: several structures were explored, which have no boxes")
        return self.field

    def labels_at_atoms(self) -> IntArray:
        """Cluster at each atom, (n_atoms,); -1 for outliers and atoms without boxes.

        Read off as classes are: linear between the centres of boxes, the cluster with the largest share; outliers are
        one more. Of atoms between two clusters none is an outlier.

        Raises:
            InputError: several structures were explored.
        """
        return self._shares_at_atoms()[0]

    def strength_at_atoms(self) -> FloatArray:
        """Share of the boxes around each atom that are of its cluster (or outliers, as it), (n_atoms,), 0 to 1; NaN
        without boxes.
        """
        return self._shares_at_atoms()[1]

    def _shares_at_atoms(self) -> tuple[IntArray, FloatArray]:
        field = self._map()
        n = self.clusters.n_clusters
        of_boxes = np.full((len(self), n + 1), np.nan, dtype=np.float32)
        of_boxes[self.clusters.valid] = 0.0
        rows = np.flatnonzero(self.clusters.valid)
        of_boxes[rows, self.labels[rows] % (n + 1)] = 1.0  # the last column is of outliers
        shares = field.means_at_atoms(of_boxes)
        there = np.isfinite(shares[:, 0])
        best = np.nan_to_num(shares, nan=-1.0).argmax(axis=1)
        labels = np.where(there & (best < n), best, OUTLIER)
        return labels, np.where(there, shares[np.arange(len(best)), best], np.nan)

    def box_of_atoms(self) -> IntArray:
        """Index of the box whose centre is nearest to each atom, (n_atoms,); -1 for atoms far from all boxes.

        Raises:
            InputError: several structures were explored.
        """
        return self._map().nearest_to_atoms()

    def to_dataframe(self) -> pandas.DataFrame:
        """A row each: cluster and strength, class, doubt, place on the plane and, of boxes, place in space.

        Columns: `cluster` (-1 outliers), `strength`, `label` (short name), `rejected`, `mutual_information` (bit),
        `umap_1`, `umap_2` and, of boxes, `x`, `y`, `z` (Å, of their centres) and `n_atoms`. NaN without a prediction.
        """
        import pandas

        p = self.prediction
        columns = {
            "cluster": self.labels,
            "strength": self.clusters.strength,
            "label": p.classes.short_of(p.index),
            "rejected": p.rejected,
            "mutual_information": p.mutual_information,
            "umap_1": self.points[:, 0],
            "umap_2": self.points[:, 1],
        }
        if self.field is not None:
            columns |= dict(zip("xyz", self.field.centers.T, strict=True)) | {"n_atoms": self.field.n_atoms}
        return pandas.DataFrame(columns)

    # --- to look at ---------------------------------------------------------------------------------------------

    def show(
        self,
        *,
        structures: Sequence[Structure | Material] | None = None,
        most_boxes: int = page.NOTEBOOK_BOXES,
    ) -> Any:
        """The plane linked to the atoms of each row, as a widget of chemiscope that a notebook shows.

        Args:
            structures: what was explored, if it was several structures.
            most_boxes: rows shown at most; of more, so many are chosen at random.

        Raises:
            InputError: no plane, or `structures` are missing or of another number.
            MissingPackageError: chemiscope is not installed.
        """
        return page.show(self, structures=structures, most_boxes=most_boxes)

    # --- files --------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write all of it to a .npz file, in one step: plain arrays and JSON, no pickle.

        Raises:
            FileError: another end than .npz, or the system does not let it.
        """
        p, c = self.prediction, self.clusters
        arrays: dict[str, Any] = {"vectors": self.vectors, **{f"prediction_{k}": getattr(p, k) for k in ROWS}}
        arrays.update({f"clusters_{k}": getattr(c, k) for k in CLUSTER_ARRAYS})
        facts: dict[str, Any] = {
            "kind": KIND,
            "model": self.model_name,
            "layer": self.layer,
            "settings": asdict(self.settings),
            "classes": [{**vars(info), "colour": list(info.colour)} for info in p.classes],
            "reject_threshold": p.reject_threshold,
            "min_cluster_size": c.min_cluster_size,
            "soft": c.soft,
            "trials": [asdict(t) for t in c.trials],
            "note": c.note,
        }
        if self.embedding is not None:
            arrays["points"] = self.embedding.points
            facts["embedding_note"] = self.embedding.note
        if self.field is not None:
            arrays.update(_map_arrays(self.field))
            facts["map"] = asdict(self.field.grid.settings)
            facts["origin"] = self.field.grid.material.structure.origin.tolist()
            facts["notes"] = list(self.field.grid.material.given_notes)
        write_arrays(Path(path), arrays, facts)

    @classmethod
    def load(cls, path: str | Path) -> Exploration:
        """Read what `save` wrote.

        Raises:
            FileError: no such file, damaged, or none of an exploration.
        """
        arrays, facts = read_arrays(Path(path), KIND)
        try:
            return _exploration(arrays, facts)
        except (KeyError, TypeError, IndexError, ValueError) as error:
            raise FileError(f"file {str(path)!r} holds no whole exploration: {error}") from error


CLUSTER_ARRAYS = ("labels", "valid", "strength", "membership", "persistence", "nodes", "tree")


def _map_arrays(field: StridedMap) -> dict[str, Any]:
    structure, kept = field.grid.material.structure, field.grid.material.kept
    return {
        "positions": structure.positions,
        "numbers": structure.numbers,
        "cell": structure.cell,
        "pbc": structure.pbc,
        "offset": field.grid.offset,
        "kept": np.ones(len(structure), dtype=bool) if kept is None else kept,
        "n_atoms": field.n_atoms,
    }


def _exploration(arrays: dict[str, Any], facts: dict[str, Any]) -> Exploration:
    """What was read, if it fits together.

    :raises KeyError, TypeError, IndexError, ValueError: it does not.
    """
    _check_facts(facts)
    settings = ExploreSettings(**facts["settings"])
    classes = ClassTable(class_of(row, f"classes {k}") for k, row in enumerate(facts["classes"]))
    _check_arrays(arrays, len(classes))
    prediction = Prediction(
        classes=classes,
        reject_threshold=facts["reject_threshold"],
        **{k: arrays[f"prediction_{k}"] for k in ROWS},
    )
    clusters = Clusters(
        **{k: arrays[f"clusters_{k}"] for k in CLUSTER_ARRAYS},
        min_cluster_size=facts["min_cluster_size"],
        soft=facts["soft"],
        trials=tuple(Trial(**row) for row in facts["trials"]),
        note=facts["note"],
    )
    vectors, embedding, field = arrays["vectors"], None, None
    if "points" in arrays:
        embedding = Embedding(arrays["points"], vectors, settings, facts["embedding_note"])
    if "map" in facts:
        origin = facts.get("origin", np.zeros(3))  # missing in files from before cells could begin elsewhere
        structure = Structure(arrays["positions"], arrays["numbers"], arrays["cell"], arrays["pbc"], origin)
        kept = None if arrays["kept"].all() else arrays["kept"]
        material = Material(structure, [str(note) for note in facts["notes"]], kept)
        grid = replace(box_grid(material, MapSettings(**facts["map"])), offset=arrays["offset"])
        field = StridedMap(grid, prediction, arrays["n_atoms"], facts["model"])
        if len(field.grid) != len(vectors):
            raise ValueError(f"its grid has {len(field.grid)} boxes, its arrays {len(vectors)} rows")
    return Exploration(
        prediction, vectors, facts["layer"], clusters, embedding, settings, facts["model"], field
    )


def _check_facts(facts: dict[str, Any]) -> None:
    """Raise unless each fact is of its kind.

    :raises KeyError, ValueError: one is missing, or another.
    """
    kinds = {"model": str, "layer": int, "min_cluster_size": int, "soft": bool, "note": str, "classes": list,
             "trials": list, "settings": dict}  # fmt: skip
    for name, kind in kinds.items():
        if not isinstance(facts[name], kind) or isinstance(facts[name], bool) != (kind is bool):
            raise ValueError(f"{name!r} is {facts[name]!r:.40}")
    check_number("layer", facts["layer"], whole=True, low=0)
    check_number("min_cluster_size", facts["min_cluster_size"], whole=True, low=1)
    for trial in facts["trials"]:
        if not isinstance(trial, dict) or not all(isinstance(value, int | float) for value in trial.values()):
            raise ValueError(f"a trial is {trial!r:.40}")
    if not isinstance(facts.get("embedding_note", ""), str) or not isinstance(facts.get("notes", []), list):
        raise ValueError("its notes are no texts")
    check_threshold(facts["reject_threshold"])


def _check_arrays(arrays: dict[str, Any], n_classes: int) -> None:
    """Raise unless the arrays of an exploration have the kinds and lengths that belong together, and tell the same.

    :raises KeyError, ValueError: they do not.
    """
    n, k, n_atoms = len(arrays["vectors"]), len(arrays["clusters_nodes"]), len(arrays.get("positions", ()))
    wanted: dict[str, tuple[str, tuple[int, ...]]] = {
        "vectors": ("f", (n, -1)),
        **{f"prediction_{name}": ("f", (n,)) for name in ROWS},
        "prediction_probabilities": ("f", (n, n_classes)),
        "prediction_passes": ("i", (n,)),
        "clusters_labels": ("i", (n,)),
        "clusters_valid": ("b", (n,)),
        "clusters_strength": ("f", (n,)),
        "clusters_membership": ("f", (n, k)),
        "clusters_persistence": ("f", (k,)),
        "clusters_nodes": ("i", (k,)),
        "clusters_tree": ("f", (-1, 4)),
        **({"points": ("f", (n, 2))} if "points" in arrays else {}),
    }
    if "positions" in arrays:
        wanted |= {
            "positions": ("f", (n_atoms, 3)), "numbers": ("i", (n_atoms,)), "cell": ("f", (3, 3)), "pbc": ("b", (3,)),
            "offset": ("f", (3,)), "kept": ("b", (-1,)), "n_atoms": ("i", (n,)),
        }  # fmt: skip
    for name, (kind, shape) in wanted.items():
        check_array(name, arrays[name], kind, shape)
    if "positions" in arrays and arrays["kept"].sum() != n_atoms:
        raise ValueError(f"'kept' names {arrays['kept'].sum()} atoms, there are {n_atoms}")
    labels, valid = arrays["clusters_labels"], arrays["clusters_valid"]
    if not ((labels >= OUTLIER) & (labels < k)).all() or (labels[~valid] != OUTLIER).any():
        raise ValueError("a label is no cluster")
    if not np.array_equal(np.isfinite(arrays["vectors"]).all(axis=1), valid):
        raise ValueError("other rows have numbers in 'vectors' than in 'clusters_valid'")
    shares = arrays["prediction_probabilities"][np.isfinite(arrays["prediction_mutual_information"])]
    if not ((shares >= 0) & (shares <= 1 + ROUNDING)).all():
        raise ValueError("a probability is none")
    if not np.isfinite(arrays.get("offset", np.zeros(3))).all():
        raise ValueError("'offset' is not finite")
