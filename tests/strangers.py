"""Files that the gate must refuse or correct: drawn here, made from phantoms, or other libraries' own sample images.

Each is `(group, name, file as bytes)`. Groups in `CORRECTABLE` can be judged after correction.
"""

import io
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from conftest import dicom_bytes

from lungcnn.phantoms.abdomen import draw_abdomen
from lungcnn.phantoms.bundled import PHANTOMS, PhantomSpec, draw
from lungcnn.phantoms.levels import LEVELS
from lungcnn.windowing import Window, from_grey, to_grey

CORRECTABLE = {"other-window", "inverted", "rotated", "clipped"}
KEPT = {
    "lung -600/1500": Window(-600, 1500),
    "lung -400/2000": Window(-400, 2000),
    "lung -500/1400": Window(-500, 1400),
    "lung -550/1600": Window(-550, 1600),
    "lung -600/1600": Window(-600, 1600),
    "lung -700/1500": Window(-700, 1500),
    "wide -200/2400": Window(-200, 2400),
    "full 1023.5/4095": Window(1023.5, 4095),
    "full 0/2000": Window(0, 2000),
}
# So close to the dataset's window that reading them as such is off by no more than 100 HU.
NEAR = {name for name, w in KEPT.items() if abs(w.lower + 1250) <= 100 and abs(w.upper - 250) <= 100}
LOST = {
    "mediastinum 50/350": Window(50, 350),
    "abdomen 40/400": Window(40, 400),
    "brain 40/80": Window(40, 80),
    "bone 400/1800": Window(400, 1800),
    "bone 700/3000": Window(500, 2500),
    "tissue white -900/400": Window(-900, 400),
    "tissue white -800/600": Window(-800, 600),
}


def outcome(warnings) -> str:
    """ "ok" or "corrected": how a slice with these warnings was admitted; what is cut is told, which is enough."""
    codes = {warning.code for warning in warnings}
    return "corrected" if codes & {"window_corrected", "inverted_levels", "turned", "clipped", "one_lung"} else "ok"


def caught(group: str, name: str, found: str) -> bool:
    """Whether a file got what it should; `found` is "ok", "corrected", or the code of a refusal."""
    if found == "ok":
        return group == "other-window" and any(window in name for window in NEAR)
    return found != "corrected" or group in CORRECTABLE


def png(picture) -> bytes:
    """A picture as PNG; floats are taken as grey levels."""
    return cv2.imencode(".png", np.asarray(picture).clip(0, 255).astype(np.uint8))[1].tobytes()


def jpeg(picture, quality: int = 90) -> bytes:
    """A picture as JPEG."""
    picture = np.asarray(picture).clip(0, 255).astype(np.uint8)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def as_16_bit(hu) -> bytes:
    """HU + 1024 as a 16-bit PNG."""
    return cv2.imencode(".png", np.clip(np.asarray(hu) + 1024, 0, 65535).astype(np.uint16))[1].tobytes()


@cache
def chests() -> dict[str, np.ndarray]:
    """HU of chest phantoms: those bundled and as many others."""
    found = {name: draw(name).hu for name in PHANTOMS}
    for seed, level in enumerate(LEVELS):
        found[f"{level}-{seed}"] = draw(PhantomSpec("", "", level, 300 + seed, size=0.86 + 0.04 * seed)).hu
    return found


def drawn() -> Iterator:
    """Everything that needs no data but our own: a few hundred files."""
    yield from _noise()
    yield from _gradients_and_shapes()
    yield from _pages_and_screens()
    yield from abdomens()
    yield from _other_modalities(chests())
    yield from _volumes("phantom", phantom_volume(), 5.0 / 0.7)
    yield from of_slices("phantom", chests())


def of_slices(kind: str, slices: dict[str, np.ndarray]) -> Iterator:
    """What can go wrong with the export of good chest slices, HU `[rows, columns]` by name."""
    for name, hu in slices.items():
        label = f"{kind}/{name}"
        grey = to_grey(hu)
        for window_name, window in KEPT.items():
            yield "other-window", f"{label} {window_name}", png(to_grey(hu, window))
        yield "other-window", f"{label} -600/1500 jpeg", jpeg(to_grey(hu, Window(-600, 1500)))
        yield "other-window", f"{label} 16-bit full range", as_16_bit(hu)
        yield (
            "other-window",
            f"{label} DICOM without rescale",
            dicom_bytes((hu + 1024).clip(0).astype("u2"), slope=None),
        )
        for window_name, window in LOST.items():
            yield "window-lost", f"{label} {window_name}", png(to_grey(hu, window))
        yield "inverted", label, png(255 - grey)
        yield "inverted", f"{label} -600/1500", jpeg(255 - to_grey(hu, Window(-600, 1500)))
        for turn in (90, 180, 270):
            yield "rotated", f"{label} by {turn}", png(np.rot90(grey, turn // 90))
        yield "rotated", f"{label} upside down", png(grey[::-1])
        yield "rotated", f"{label} DICOM by 90", dicom_bytes(np.rot90(hu + 1024).clip(0).astype("u2").copy())
        yield from _clipped(label, grey)
        for sigma in (6, 10):
            yield "blurred", f"{label} sigma {sigma}", png(cv2.GaussianBlur(grey, (0, 0), sigma))
        tiny = cv2.resize(grey, (48, 48), interpolation=cv2.INTER_AREA)
        yield "blurred", f"{label} enlarged from 48 pixels", png(cv2.resize(tiny, (512, 512)))
        yield "too-small", f"{label} 48 pixels", png(tiny)
        yield "colour", f"{label} heat map", png(cv2.applyColorMap(grey, cv2.COLORMAP_JET))
        yield "text", f"{label} text over the lungs", png(_written_over(grey))
        yield "not-finite", label, _not_finite(hu)


def _clipped(label, grey) -> Iterator:
    """Crops whose border cuts through lung."""
    air = cv2.morphologyEx((grey < to_grey(np.float32(-480))).astype(np.uint8), cv2.MORPH_OPEN, np.ones((7, 7)))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(air)
    border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    inside = [stats[i] for i in range(1, count) if i not in border and stats[i, cv2.CC_STAT_AREA] > 0.005 * grey.size]
    if not inside:
        return
    inside = np.array(inside)
    left, top = inside[:, 0].min(), inside[:, 1].min()
    right, bottom = (inside[:, 0] + inside[:, 2]).max(), (inside[:, 1] + inside[:, 3]).max()
    width, height = right - left, bottom - top
    yield "clipped", f"{label} right part cut", png(grey[:, : right - width // 4])
    yield "clipped", f"{label} left part cut", png(grey[:, left + width // 4 :])
    yield "clipped", f"{label} top cut", png(grey[top + height // 3 :])
    yield "clipped", f"{label} bottom cut", png(grey[: bottom - height // 3])
    yield "clipped", f"{label} one lung", png(grey[:, : (left + right) // 2])
    yield (
        "clipped",
        f"{label} inside of the chest",
        png(grey[top + height // 5 : bottom - height // 5, left + width // 5 : right - width // 5]),
    )


def _written_over(grey):
    picture = grey.copy()
    for row in range(5):
        place = (120, 170 + 40 * row)
        cv2.putText(picture, "NAME 1970-01-01 CT 5mm", place, cv2.FONT_HERSHEY_SIMPLEX, 0.7, 255, 2)
    return picture


def _not_finite(hu) -> bytes:
    return dicom_bytes((hu + 1024).clip(0).astype("u2"), slope="1e36", intercept="1e38")


def _noise() -> Iterator:
    rng = np.random.default_rng(1)
    for size in (64, 256, 512, 1024):
        yield "noise", f"uniform {size}", png(rng.integers(0, 256, (size, size)))
        yield "noise", f"normal {size}", png(rng.normal(128, 40, (size, size)))
    yield "noise", "colour", png(rng.integers(0, 256, (256, 256, 3)))
    for sigma in (2, 5, 10, 20, 40):
        for _ in range(3):
            smooth = cv2.GaussianBlur(rng.normal(0, 1, (512, 512)), (0, 0), sigma)
            yield "noise", f"smooth {sigma}", png(128 + 60 * smooth / smooth.std())
            yield "noise", f"two-valued {sigma}", png(np.where(smooth > 0, 215, 45))


def _gradients_and_shapes() -> Iterator:
    ramp = np.tile(np.linspace(0, 255, 512), (512, 1))
    y, x = np.mgrid[-1:1:512j, -1:1:512j]
    r = np.hypot(x, y)
    pictures = {
        "ramp": ramp,
        "ramp down": ramp.T,
        "radial": 255 * (1 - r),
        "radial out": 255 * r,
        "black": 0 * r,
        "white": 0 * r + 255,
        "grey": 0 * r + 128,
        "checks": 255 * ((np.floor(8 * x) + np.floor(8 * y)) % 2),
        "rings": 127 + 127 * np.sin(40 * r),
        "disc": 40 + 180 * (r < 0.7),
        "ring": 40 + 180 * ((r < 0.8) & (r > 0.5)),
        "square": 40 + 180 * ((abs(x) < 0.7) & (abs(y) < 0.6)),
    }
    button = 40 + 180 * (r < 0.8) - 180 * (np.hypot(abs(x) - 0.3, y) < 0.2)
    pictures["button"] = button  # two dark holes in a bright disc, of the grey levels of a CT
    pictures["spectacles"] = 40 + 180 * ((abs(x) < 0.9) & (abs(y) < 0.6)) - 160 * (np.hypot(abs(x) - 0.45, y) < 0.35)
    pictures["face"] = button - 180 * ((abs(y - 0.45) < 0.05) & (abs(x) < 0.3))
    for name, picture in pictures.items():
        yield "drawn", name, png(picture)
        yield "drawn", f"{name} inverted", png(255 - picture)


def _pages_and_screens() -> Iterator:
    rng = np.random.default_rng(2)
    words = ["chest", "ct", "lung", "report", "finding", "no", "nodule", "is", "seen", "upper", "lobe", "impression"]
    for index in range(12):
        size = (int(rng.integers(500, 1200)), int(rng.integers(500, 1200)))
        page = np.full(size, 255, np.uint8)
        scale = rng.uniform(0.4, 1.1)
        for row in range(40, size[0] - 20, int(40 * scale)):
            text = " ".join(rng.choice(words, int(rng.integers(2, 12))))
            cv2.putText(page, text, (30, row), cv2.FONT_HERSHEY_SIMPLEX, scale, 0, 1 + int(scale > 0.8))
        yield "text-page", f"page {index}", png(page)
        yield "text-page", f"page {index} white on black", jpeg(255 - page)
    viewer = list(chests().values())
    for index in range(12):
        screen = np.full((800, 1280, 3), rng.integers(20, 240, 3), np.uint8)
        for _ in range(6):  # windows with title bars
            x, y = rng.integers(0, 1000), rng.integers(0, 600)
            w, h = rng.integers(200, 700), rng.integers(150, 500)
            cv2.rectangle(screen, (x, y), (x + w, y + h), rng.integers(0, 255, 3).tolist(), -1)
            cv2.rectangle(screen, (x, y), (x + w, y + 24), rng.integers(0, 255, 3).tolist(), -1)
            cv2.putText(screen, "File Edit View", (x + 6, y + 17), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (250, 250, 250), 1)
        yield "screenshot", f"desktop {index}", png(screen)
        yield "screenshot", f"desktop {index} grey", png(cv2.cvtColor(screen, cv2.COLOR_BGR2GRAY))
        shown = to_grey(viewer[index % len(viewer)])
        tiled = np.zeros((1100, 1600), np.uint8)
        for row in range(2):
            for column in range(2):
                tiled[20 + 530 * row : 532 + 530 * row, 300 + 530 * column : 812 + 530 * column] = shown
        for row in range(30):
            cv2.putText(tiled, " ".join(rng.choice(words, 3)), (8, 30 + 36 * row), 0, 0.6, 220, 1)
        yield "screenshot", f"viewer with four tiles {index}", png(tiled)
        toolbar = np.full((900, 1440, 3), 48, np.uint8)
        toolbar[100:612, 400:912] = shown[..., None]
        for column in range(20):
            colour = rng.integers(80, 255, 3).tolist()
            cv2.circle(toolbar, (40 + 70 * column, 40), 20, colour, -1)
        yield "screenshot", f"viewer with a toolbar {index}", png(toolbar)


def abdomens() -> Iterator:
    """Abdomen phantoms, with more and more air in the bowel."""
    for seed in range(12):
        hu = draw_abdomen(np.random.default_rng(500 + seed), 0.9 + 0.015 * seed, 0.6 + 0.2 * seed).hu
        yield "abdomen", f"phantom {seed}", png(to_grey(hu))
        yield "abdomen", f"phantom {seed} 16 bit", as_16_bit(hu)
        yield "abdomen", f"phantom {seed} soft tissue window", png(to_grey(hu, Window(40, 400)))
        yield "abdomen", f"phantom {seed} DICOM", dicom_bytes((hu + 1024).clip(0).astype("u2"))


def _other_modalities(slices) -> Iterator:
    """The same chests as MRI, PET, ultrasound and a photograph of a screen would show them."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[-1:1:512j, -1:1:512j]
    weightings = {
        "T1": ([-1000, -850, -400, -100, 40, 60, 300, 1000], [0, 8, 40, 235, 95, 110, 120, 10]),
        "T2": ([-1000, -850, -400, -100, 20, 60, 300, 1000], [0, 10, 30, 170, 220, 60, 80, 5]),
        "fat-suppressed": ([-1000, -850, -400, -100, 30, 60, 300, 1000], [0, 12, 25, 20, 210, 130, 60, 5]),
        "gradient echo": ([-1000, -850, -400, -100, 40, 60, 300, 1000], [0, 30, 60, 160, 240, 120, 60, 10]),
    }
    for name, hu in slices.items():
        for weighting, (density, signal) in weightings.items():
            picture = np.interp(cv2.GaussianBlur(hu, (0, 0), 1.5), density, signal)
            picture *= 1 + 0.35 * x * rng.uniform(-1, 1) + 0.35 * y * rng.uniform(-1, 1)  # the coil's uneven field
            noisy = np.hypot(picture + rng.normal(0, 5, picture.shape), rng.normal(0, 5, picture.shape))
            yield "mri", f"{name} {weighting}", png(noisy)
        uptake = cv2.GaussianBlur(np.where(hu > -300, 40 + 0 * hu, 6), (0, 0), 9)
        for _ in range(4):
            cx, cy = rng.uniform(-0.4, 0.4, 2)
            uptake += 200 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 0.004)
        yield "pet", name, png(255 - uptake)
        yield "pet", f"{name} black", png(uptake)
    for index in range(6):
        speckle = np.abs(rng.normal(0, 1, (512, 512)) + 1j * rng.normal(0, 1, (512, 512)))
        fan = (np.abs(np.arctan2(x, y + 1.05)) < 0.6) & (np.hypot(x, y + 1.05) < 1.9) & (np.hypot(x, y + 1.05) > 0.2)
        bands = 60 + 50 * np.sin(12 * np.hypot(x, y + 1.05) + index)
        yield "ultrasound", str(index), png(cv2.GaussianBlur(speckle, (0, 0), 1.2) * bands * fan)


@cache
def phantom_volume() -> np.ndarray:
    """HU `[60, 512, 512]`, 5 mm apart: neck-less chest over an abdomen, levels running into each other."""
    slices = [draw(PhantomSpec("", "", level, 40)).hu for level in LEVELS]
    slices += [draw_abdomen(np.random.default_rng(41)).hu]
    positions = np.linspace(0, len(slices) - 1, 60)
    return np.stack([slices[round(p)] for p in positions])


def _volumes(kind: str, volume: np.ndarray, stretch: float) -> Iterator:
    """Coronal and sagittal reformats, and radiographs projected through a volume `[slices, rows, columns]` in HU.

    `stretch`: distance of slices over that of pixels.
    """
    depth, rows, columns = volume.shape
    height = round(depth * stretch)
    for share in (0.35, 0.42, 0.5, 0.58):
        coronal = cv2.resize(volume[:, round(share * rows)], (columns, height))
        sagittal = cv2.resize(volume[:, :, round((share - 0.12) * columns)], (rows, height))
        for plane, hu in (("coronal", coronal), ("sagittal", sagittal)):
            for name, window in (("dataset", Window(-500, 1500)), ("mediastinum", Window(50, 350))):
                yield f"{plane}", f"{kind} {share} {name}", png(to_grey(hu, window))
            yield f"{plane}", f"{kind} {share} 16 bit", as_16_bit(hu)
    density = np.clip(volume + 1000, 0, 3000)
    for axis, name in ((1, "frontal"), (2, "lateral")):
        dense = density.sum(axis=axis)
        dense = cv2.resize(dense / dense.max(), (dense.shape[1], height))
        for gamma in (0.6, 1.0, 1.6):
            film = 255 * dense**gamma
            shapes = {"whole": film, "cropped": film[height // 12 : -height // 6, 60:-60]}
            equalised = cv2.createCLAHE(3.0, (8, 8)).apply(film.astype(np.uint8))
            shapes["equalised"] = equalised[height // 12 : -height // 6, 60:-60]
            for shape, picture in shapes.items():
                yield "radiograph", f"{kind} {name} {shape} {gamma}", jpeg(picture)
                yield "radiograph", f"{kind} {name} {shape} {gamma} inverted", jpeg(255 - picture)


def photographs() -> Iterator:
    """Sample images that other libraries bring along, as they are, in grey, cropped, turned and distorted."""
    import importlib.util

    rng = np.random.default_rng(4)
    for library, folder in (
        ("sklearn", "datasets/images"),
        ("skimage", "data"),
        ("gradio", "media_assets/images"),
        ("matplotlib", "mpl-data/sample_data"),
    ):
        found = importlib.util.find_spec(library)
        if found is None:
            continue
        for path in sorted((Path(found.origin).parent / folder).iterdir()):
            picture = cv2.imread(str(path)) if path.suffix in {".jpg", ".jpeg", ".png", ".tif"} else None
            if picture is None or min(picture.shape[:2]) < 32:
                continue
            name = f"{library}/{path.name}"
            grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
            yield "photograph", name, path.read_bytes()
            yield "photograph", f"{name} grey", jpeg(grey)
            yield "photograph", f"{name} negative", png(255 - grey)
            yield "photograph", f"{name} two tones", png(cv2.threshold(grey, 0, 255, cv2.THRESH_OTSU)[1] * 0.7 + 40)
            square = cv2.resize(grey, (512, 512), interpolation=cv2.INTER_AREA)
            y, x = np.mgrid[-1:1:512j, -1:1:512j]
            oval = np.hypot(x / 0.9, y / 0.7) < 1
            yield "photograph", f"{name} in an oval on black", png(np.where(oval, square, 0))
            yield "photograph", f"{name} in an oval on the grey of air", png(np.where(oval, square.clip(60), 42))
            for index in range(2):
                h, w = (max(48, int(side * rng.uniform(0.4, 0.9))) for side in grey.shape)
                top, left = (int(rng.uniform(0, max(1, a - b))) for a, b in zip(grey.shape, (h, w), strict=True))
                cut = grey[top : top + h, left : left + w]
                yield "photograph", f"{name} crop {index}", jpeg(cut, int(rng.uniform(30, 95)))


def from_data(data: Path) -> Iterator:
    """Brain MRI, head CT, and what becomes of the series LIDC-0001 when it is cut or projected another way."""
    import pydicom

    for path in sorted((data / "not-a-chest-ct" / "brain-mri").iterdir()):
        yield "brain-mri", path.name, path.read_bytes()
    for path in sorted((data / "dicom-syntaxes").glob("CT2_*.dcm")):
        raw = path.read_bytes()
        yield "head-ct", path.name, raw
        ds = pydicom.dcmread(io.BytesIO(raw))
        hu = ds.pixel_array * float(ds.RescaleSlope) + float(ds.RescaleIntercept)
        for name, window in (("brain", Window(40, 80)), ("dataset", Window(-500, 1500)), ("bone", Window(400, 2000))):
            yield "head-ct", f"{path.name} {name}", png(to_grey(hu, window))
    volume = lidc_volume(data)
    yield from _volumes("lidc", volume, 2.5 / 0.703)
    # Slices with both lungs, by looking.
    yield from of_slices("lidc", {str(index): volume[index] for index in range(30, 95, 13)})


@cache
def lidc_volume(data: Path) -> np.ndarray:
    """HU `[133, 512, 512]` from head to feet."""
    import pydicom

    series = [pydicom.dcmread(path) for path in (data / "lidc-0001").glob("*.dcm")]
    series.sort(key=lambda ds: -float(ds.ImagePositionPatient[2]))
    volume = np.stack([ds.pixel_array for ds in series]).astype(np.float32) + float(series[0].RescaleIntercept)
    return np.maximum(volume, -1024)


def hu_of(content: bytes, window: Window) -> np.ndarray:
    """HU of an 8-bit picture that was exported under `window`."""
    return from_grey(cv2.imdecode(np.frombuffer(content, np.uint8), 0), window=window)
