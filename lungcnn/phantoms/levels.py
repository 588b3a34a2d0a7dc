"""The build of a thorax at six heights, in mm, as the phantoms draw it."""

from dataclasses import dataclass

from lungcnn.phantoms.canvas import BLOOD, FAT, LIVER, MUSCLE


@dataclass(frozen=True)
class Level:
    """The build of a thorax at one height; lengths in mm.

    Attributes:
        body: half width and half depth of the outline. wall: depth of fat under the skin and of muscle.
        cavity: half width and half depth of the rib cage's inside, and how far its centre lies in front.
        mediastinum: half width in front, in the middle and at the back.
        organs: `(hu, x, y, half width, half depth)` of ellipses painted in order into the mediastinum and cavity.
        airways: `(x, y, half width, half depth)` of trachea or bronchi.
        hila: height `y` of the lungs' roots, from which the vessels grow; calibre of the first one.
        shoulders: how much scapula and clavicle there is, 0 to 1.
    """

    body: tuple[float, float]
    wall: tuple[float, float]
    cavity: tuple[float, float, float]
    mediastinum: tuple[float, float, float]
    organs: tuple[tuple[float, ...], ...]
    airways: tuple[tuple[float, ...], ...]
    hila: tuple[float, float]
    shoulders: float = 0.0


LEVELS = {
    "apex": Level(
        body=(168, 88),
        wall=(9, 38),
        cavity=(88, 58, 4),
        mediastinum=(34, 34, 24),
        organs=(
            (BLOOD, -20, -18, 9, 8),
            (BLOOD, -26, -34, 9, 7),
            (BLOOD, 22, -16, 6, 7),
            (BLOOD, 25, -34, 9, 7),
            (BLOOD, 12, -28, 6, 6),
            (MUSCLE, 6, 10, 7, 5),
        ),
        airways=((-1, -6, 9, 9),),
        hila=(-2, 1.4),
        shoulders=1.0,
    ),
    "arch": Level(
        body=(163, 98),
        wall=(11, 24),
        cavity=(112, 76, 3),
        mediastinum=(20, 32, 24),
        organs=(
            (BLOOD, -19, -24, 9, 10),
            (BLOOD, 4, -30, 17, 12),
            (BLOOD, 19, -10, 13, 22),
            (MUSCLE, 6, 14, 7, 5),
        ),
        airways=((-3, -6, 9, 10),),
        hila=(2, 1.9),
        shoulders=0.8,
    ),
    "carina": Level(
        body=(157, 103),
        wall=(12, 17),
        cavity=(122, 83, 2),
        mediastinum=(16, 34, 24),
        organs=(
            (BLOOD, -20, -24, 9, 10),
            (BLOOD, -4, -36, 16, 15),
            (BLOOD, 17, -22, 14, 11),
            (BLOOD, 20, 27, 12, 12),
            (MUSCLE, 3, 19, 7, 5),
        ),
        airways=((-13, -1, 9, 7), (10, 0, 8, 6)),
        hila=(2, 2.6),
        shoulders=0.45,
    ),
    "hilum": Level(
        body=(154, 106),
        wall=(12, 14),
        cavity=(125, 88, 2),
        mediastinum=(18, 38, 22),
        organs=(
            (BLOOD, -24, -18, 10, 11),
            (BLOOD, -4, -34, 17, 16),
            (BLOOD, 20, -30, 15, 14),
            (BLOOD, -20, -4, 26, 8),
            (BLOOD, 26, -6, 20, 9),
            (BLOOD, 21, 31, 12, 12),
            (MUSCLE, 5, 23, 7, 5),
        ),
        airways=((-27, 9, 7, 6), (22, 11, 7, 6)),
        hila=(6, 3.2),
        shoulders=0.25,
    ),
    "heart": Level(
        body=(152, 108),
        wall=(13, 12),
        cavity=(127, 91, 2),
        mediastinum=(20, 30, 20),
        organs=(
            (BLOOD, 14, -24, 54, 42),
            (BLOOD, -20, -12, 34, 34),
            (FAT, 48, -56, 14, 8),
            (BLOOD, 19, 33, 11, 11),
            (MUSCLE, 2, 27, 8, 5),
        ),
        airways=(),
        hila=(12, 2.6),
    ),
    "base": Level(
        body=(153, 110),
        wall=(14, 12),
        cavity=(127, 93, 2),
        mediastinum=(24, 26, 22),
        organs=(
            (BLOOD, 26, -36, 52, 32),
            (LIVER, -58, -16, 60, 55),
            (LIVER, 78, 22, 34, 32),
            (BLOOD, -14, 8, 13, 11),
            (BLOOD, 17, 36, 11, 11),
            (MUSCLE, 6, 24, 8, 6),
        ),
        airways=(),
        hila=(30, 1.6),
    ),
}
