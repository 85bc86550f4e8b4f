"""The sets of labelled pictures that training and evaluation know: what each labels, and what a teacher may add.

A set labels only its own classes. For a class it does not label, its pictures say nothing: neither that the thing is there nor
that it is not, unless a teacher can tell (a network that was trained on it). Where nobody knows, the loss is masked.
"""

from dataclasses import dataclass
from typing import Final

from models.datasets.labels import Label

_VEHICLES: Final = (Label.TWO_WHEELER, Label.CAR, Label.TRUCK, Label.BUS)
_RUBBISH: Final = (Label.LITTER, Label.BIN, Label.BIN_OVERFLOW)
"""Taken to be absent from the streets, halls and wards of the sets that don't label it: of 60 pictures of each of these five sets, looked
at by hand, one shows a bin and none shows litter or an overflowing bin. Else the network would never learn that a kerb is no litter.
"""


@dataclass(frozen=True, slots=True)
class PictureSet:
    """One folder of pictures. `labelled` are the classes that its labels tell of, `absent` those that are known not to be there
    beside the labelled ones, `taught` those that a teacher labels. `complete` says that no box of a labelled class is missing: else
    what a teacher finds beside the labels is no mistake of the network. `site` is a pattern whose first group names the camera in a
    picture's original file name, where names tell.
    """

    name: str
    licence: str
    labelled: tuple[Label, ...]
    absent: tuple[Label, ...] = ()
    taught: tuple[Label, ...] = ()
    complete: bool = True
    site: str | None = None


SETS: Final[dict[str, PictureSet]] = {
    one.name: one
    for one in (
        PictureSet(
            name="garbage_bins_atanu",
            licence="CC BY 4.0",
            labelled=_RUBBISH,
            absent=(Label.FALLEN_PERSON,),
            taught=(Label.PERSON, *_VEHICLES),
        ),
        PictureSet(
            name="highway_objects_tidar",
            licence="CC BY 4.0",
            labelled=(Label.PERSON, *_VEHICLES),
            absent=(Label.FALLEN_PERSON, *_RUBBISH),
        ),
        PictureSet(
            name="modes_of_transport",
            licence="CC BY 4.0",
            labelled=(Label.TWO_WHEELER, Label.CAR, Label.BUS),
            absent=(Label.FALLEN_PERSON, *_RUBBISH),
            taught=(Label.PERSON, Label.TRUCK),
            complete=False,
            site=r"()",  # one street within 25 minutes, 344 photographs and their copies
        ),
        PictureSet(
            name="openimages_vehicles",
            licence="CC BY 2.0 (pictures), CC BY 4.0 (labels)",
            labelled=_VEHICLES,
            absent=(Label.FALLEN_PERSON, *_RUBBISH),
            taught=(Label.PERSON,),
            complete=False,
        ),
        PictureSet(
            name="persons_capston2",
            licence="CC BY 4.0",
            labelled=(Label.PERSON,),
            absent=(Label.FALLEN_PERSON, *_RUBBISH),
            taught=_VEHICLES,
        ),
        PictureSet(
            name="fall_ward_cctv",
            licence="CC BY 4.0",
            labelled=(Label.PERSON, Label.FALLEN_PERSON),
            absent=(*_VEHICLES, *_RUBBISH),
            site=r"(cam_\d+|k?\d+)_",
        ),
        PictureSet(
            name="trash_taco_rf",
            licence="CC BY 4.0",
            labelled=(Label.LITTER,),
            absent=(Label.FALLEN_PERSON,),
            taught=(Label.PERSON, *_VEHICLES),
        ),
    )
}
"""The set of fires and smoke is left out on purpose: its licence is an uploader's word only."""
