"""The registry of kinds of samples. A new kind is a file of its own and one more round here, at the end."""

from __future__ import annotations

from typing import Any

from arise_core.training.samples.alloys import ALLOYS, CLOSE_PACKED_ALLOYS
from arise_core.training.samples.antisites import ANTISITES
from arise_core.training.samples.axial import AXIAL
from arise_core.training.samples.boxes import BOXES
from arise_core.training.samples.disorder import DISORDER
from arise_core.training.samples.elastic import ELASTIC
from arise_core.training.samples.faults import FAULTS
from arise_core.training.samples.few_atoms import FEW_ATOMS, FEW_DISORDERED
from arise_core.training.samples.gas import GAS
from arise_core.training.samples.glassy_sheets import GLASSY_SHEETS
from arise_core.training.samples.hot import HOT
from arise_core.training.samples.impurities import IMPURITIES
from arise_core.training.samples.interfaces import INTERFACES
from arise_core.training.samples.ionic import IONIC
from arise_core.training.samples.kind import OfClass, OfNone
from arise_core.training.samples.ordering import ORDERING
from arise_core.training.samples.other_crystals import OTHERS
from arise_core.training.samples.other_tubes import OTHER_TUBES
from arise_core.training.samples.relatives import RELATIVES
from arise_core.training.samples.sheets import SHEETS
from arise_core.training.samples.slabs import SLABS
from arise_core.training.samples.solutions import SOLUTIONS
from arise_core.training.samples.whole import WHOLE

AnyKind = OfClass[Any] | OfNone[Any]

#: Rounds over the classes; in a round each class gets its samples of all kinds of the round. Seeds hang on the order,
#: so nothing may be put in between: a new kind is a round of its own after the last.
ROUNDS: tuple[tuple[AnyKind, ...], ...] = (
    (WHOLE, BOXES, ALLOYS, CLOSE_PACKED_ALLOYS),
    (DISORDER,),
    (ANTISITES, ORDERING, FAULTS),
    (AXIAL,),
    (OTHERS,),
    (IMPURITIES, SOLUTIONS, SLABS, ELASTIC, FEW_ATOMS, INTERFACES, HOT),
    (RELATIVES,),
    (FEW_DISORDERED,),
    (SHEETS,),
    (OTHER_TUBES,),
    (IONIC,),
    (GAS,),
    (GLASSY_SHEETS,),
)


def kinds() -> dict[str, AnyKind]:
    """All kinds by name."""
    return {kind.name: kind for one_round in ROUNDS for kind in one_round}


def without_class() -> tuple[str, ...]:
    """Names of the kinds whose samples are of no class."""
    return tuple(name for name, kind in kinds().items() if isinstance(kind, OfNone))
