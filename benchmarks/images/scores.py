"""How well columns are found in an image, and whether the answer is right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree
from skimage.feature import peak_local_max

from arise_core.errors import InputError
from arise_core.geometry.arrays import FloatArray
from arise_core.geometry.structure import Structure
from arise_core.model.model import Model
from arise_core.settings import RecognitionSettings
from arise_images import find_atoms, recognise_layer, simulate_image, tell_elements
from arise_images.settings import ColumnSettings
from benchmarks.images.samples import Sample, block, columns_of

#: Counts in a pixel of `PIXEL` on top of the brightest atom.
DOSES = (30.0, 10.0, 3.0)
#: Other sizes of a pixel, Å, at the first of these doses: columns of graphene are 4 to 47 pixels apart.
PIXELS = (0.03, 0.05, 0.1, 0.3, 0.4)
#: Å: of a pixel, of an image, of the shift of scan lines, of the blur over the image.
PIXEL, EDGE, JITTER, BLUR = 0.2, 40.0, 0.06, 0.15
#: A column is found if one is closer than this share of the distance of nearest columns.
NEAR = 0.3
#: Of the network, fewer than by default: names and doubts of such images do not need more.
PASSES = 200
SETTINGS = RecognitionSettings.of({"mode": "local", "stride": 16.0, "passes": PASSES})


@dataclass(frozen=True)
class Found:
    """How well columns were found, means over images."""

    recall: float
    precision: float
    rms: float  # Å, of a coordinate of the columns that were found


@dataclass(frozen=True)
class Score:
    """A sample at a dose: columns by this package and by the naive way, and answers, means over images."""

    sample: str
    dose: float
    pixel: float  # Å
    columns: Found
    said: float  # error that is said of a coordinate, root mean square, Å
    naive: Found
    label: tuple[str, ...]  # of each image
    right: float  # share of images whose pattern and label are right
    doubt: float  # bit; NaN without a name
    naive_right: float  # share of images whose pattern is right by the naive columns
    spacing: float  # distance of nearest columns, pixels
    elements: float  # share of columns whose element is right, among those that are there; NaN with one


def image_and_truth(
    sample: Sample, dose: float, seed: int, pixel: float = PIXEL
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """An image, places of the columns that show (rows and columns, pixels), and their brightness.

    Args:
        dose: counts where a pixel has the size `PIXEL`; other pixels share the same electrons.
    """
    rng = np.random.default_rng(seed)
    structure = block(sample, EDGE, rng)
    image, pixels = simulate_image(
        structure, pixel_size=pixel, margin=0.0, dose=dose * (pixel / PIXEL) ** 2, jitter=JITTER, blur=BLUR, rng=rng
    )  # fmt: skip
    _, bright, group = columns_of(structure)
    places = np.column_stack([np.bincount(group, pixels[:, k]) / np.bincount(group) for k in (0, 1)])
    shows = bright > ColumnSettings.faintest * bright.max()
    return image, places[shows], bright[shows]


def spacing(truth: FloatArray) -> float:
    """Median distance of nearest columns, in the unit of their places."""
    return float(np.median(cKDTree(truth).query(truth, k=2)[0][:, 1]))


def compared(places: FloatArray, truth: FloatArray, pixel: float = PIXEL) -> Found:
    """Found places against true ones, one to one; columns cut by the rim of the image count neither way."""
    near = NEAR * spacing(truth)
    high = truth.max(axis=0)
    rim = 0.5 / pixel
    inner = ((truth > rim) & (truth < high - rim)).all(axis=1)
    distance, nearest = cKDTree(truth).query(places)
    whole = inner[nearest]
    hit = distance < near
    taken = np.unique(nearest[hit & whole])
    rms = float(np.sqrt((distance[hit & whole] ** 2).mean() / 2)) * pixel if (hit & whole).any() else np.nan
    return Found(len(taken) / inner.sum(), len(taken) / max(int(whole.sum()), 1), rms)


def naive_places(image: FloatArray, truth: FloatArray) -> FloatArray:
    """Maxima of the raw image, told how far columns are from each other and how bright a faint one is."""
    near = spacing(truth)
    threshold = 0.3 * float(np.quantile(image, 0.99))
    found = peak_local_max(image, min_distance=max(round(0.5 * near), 1), threshold_abs=threshold)
    return np.asarray(found, dtype=np.float64)


def score(sample: Sample, dose: float, images: int, model: Model, pixel: float = PIXEL) -> Score:
    """A sample at a dose and a size of a pixel (Å), over some images."""
    ours, said, naive, labels, right, doubts, naive_right, elements = [], [], [], [], [], [], [], []
    apart = []
    for k in range(images):
        image, truth, bright = image_and_truth(sample, dose, 100 + k, pixel)
        apart.append(spacing(truth))
        peaks = naive_places(image, truth)
        naive.append(compared(peaks, truth, pixel))
        naive_right.append(_naive_answer(peaks, image, sample, model, pixel) == sample.pattern)
        try:
            columns = tell_elements(find_atoms(image, pixel), list(sample.elements))
        except InputError:
            ours.append(Found(0.0, np.nan, np.nan))
            labels.append("nothing found")
            right.append(False)
            continue
        ours.append(compared(columns.pixels, truth, pixel))
        said.append(np.sqrt((columns.errors**2).mean()))
        answer = recognise_layer(columns, model, settings=SETTINGS)
        labels.append(answer.label)
        right.append(answer.pattern == sample.pattern and answer.label == sample.label)
        doubts.append(answer.doubt)
        if len(sample.elements) > 1:
            distance, nearest = cKDTree(truth).query(columns.pixels)
            hit = distance < NEAR * columns.spacing / pixel
            elements.append(((bright[nearest] > bright.mean()) == (columns.kinds == 1))[hit].mean())
    return Score(
        sample.name, dose, pixel, _mean(ours), _of(said), _mean(naive), tuple(labels), _of(right), _of(doubts),
        _of(naive_right), _of(apart), _of(elements),
    )  # fmt: skip


def _naive_answer(peaks: FloatArray, image: FloatArray, sample: Sample, model: Model, pixel: float) -> str:
    """What the model says of naive columns; elements by the brightness of their pixels, halved at the middle."""
    from arise_core.recognition.result import recognise

    if len(peaks) < 2:
        return "none"
    value = image[tuple(peaks.astype(int).T)]
    bright = value > 0.5 * (value.min() + value.max())
    numbers = np.where(bright & (len(sample.elements) > 1), 18, 6)
    positions = np.column_stack([peaks[:, ::-1] * pixel, np.zeros(len(peaks))])
    whole = RecognitionSettings.of({"mode": "whole", "passes": PASSES})
    return recognise(Structure(positions, numbers), model, whole).label


def _mean(found: list[Found]) -> Found:
    return Found(
        _of([f.recall for f in found]), _of([f.precision for f in found]), _of([f.rms for f in found])
    )


def _of(values: list[float]) -> float:
    good = [float(v) for v in values if not np.isnan(v)]
    return float(np.mean(good)) if good else float("nan")
