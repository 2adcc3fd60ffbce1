"""Projector and FBP against ASTRA's CPU projectors, scikit-image and deepinv's Tomography.

    pip install --no-deps deepinv  # without it that column is empty
    python benchmarks/projector.py [--rounds 7]

Prints milliseconds a slice, medians of interleaved rounds, and how many times slower the others are.
ASTRA and scikit-image have no batch: they loop over the slices.
"""

from __future__ import annotations

import importlib.util
import math
import time
from collections.abc import Callable
from pathlib import Path

import astra
import click
import numpy as np
import torch
from timing import machine, medians

from resample_ct.physics.fan_beam import FanBeam
from resample_ct.physics.geometry import ParallelBeam
from resample_ct.physics.sparse_projector import SparseProjector
from resample_ct.solvers.fbp import fbp

SIZES = (256, 512)
BATCHES = (1, 32)
VIEWS = 25


def disc(geometry: ParallelBeam) -> tuple[torch.Tensor, torch.Tensor]:
    """A disc of height 1, its pixels averaged over 8 x 8 points, and its exact line integrals."""
    size, fine = geometry.image_size, 8
    radius, x, y = 0.3 * size, 0.1 * size, -0.07 * size
    place = (torch.arange(size * fine) + 0.5) / fine - size / 2
    inside = ((place - x).square() + (-place[:, None] - y).square() < radius**2).float()
    image = torch.nn.functional.avg_pool2d(inside[None, None], fine)
    angle = torch.tensor(geometry.angles)[:, None]
    s = (torch.arange(geometry.n_detectors) - (geometry.n_detectors - 1) / 2) * geometry.detector_spacing
    chord = 2 * (radius**2 - (s - x * angle.cos() - y * angle.sin()).square()).clamp(min=0).sqrt()
    return image, chord[None, None]


class Astra:
    """ASTRA's CPU projector, on its own memory: Joseph's for parallel rays, `line_fanflat` for a fan."""

    def __init__(self, geometry: ParallelBeam | FanBeam) -> None:
        fan = isinstance(geometry, FanBeam)
        rays = astra.create_proj_geom(
            "fanflat" if fan else "parallel",
            geometry.detector_spacing,
            geometry.n_detectors,
            np.array(geometry.angles),
            *((geometry.source_origin, geometry.source_detector - geometry.source_origin) if fan else ()),
        )
        grid = astra.create_vol_geom(*geometry.image_shape)
        self._projector = astra.create_projector("line_fanflat" if fan else "linear", rays, grid)
        self._image = astra.data2d.create("-vol", grid, 0.0)
        self._sinogram = astra.data2d.create("-sino", rays, 0.0)
        self._runs = {name: self._algorithm(name) for name in ("FP", "BP", *(() if fan else ("FBP",)))}

    def _algorithm(self, name: str) -> int:
        config = astra.astra_dict(name)
        config["ProjectorId"] = self._projector
        config["ProjectionDataId"] = self._sinogram
        config["VolumeDataId" if name == "FP" else "ReconstructionDataId"] = self._image
        return int(astra.algorithm.create(config))

    def run(self, name: str, value: np.ndarray) -> np.ndarray:
        """FP of an image; BP or FBP of a sinogram."""
        source, target = self._image, self._sinogram
        if name != "FP":
            source, target = target, source
        astra.data2d.store(source, value)
        astra.algorithm.run(self._runs[name])
        result: np.ndarray = astra.data2d.get(target)
        return result


def scikit_image(geometry: ParallelBeam) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Its radon and iradon on the same views; its own detector, as wide as the diagonal."""
    from skimage.transform import iradon, radon

    degrees = np.rad2deg(geometry.angles)
    options = {"theta": degrees, "circle": False, "output_size": geometry.image_size}
    return {
        "FP": lambda image: radon(image, degrees, circle=False),
        "BP": lambda sinogram: iradon(sinogram.T, filter_name=None, **options),
        "FBP": lambda sinogram: iradon(sinogram.T, filter_name="ramp", **options),
    }


def deepinv(geometry: ParallelBeam) -> dict[str, Callable[[torch.Tensor], torch.Tensor]]:
    """Its Tomography on the same views, with its faster adjoint, which is not exact; {} without deepinv.

    The package imports torchvision, the file of its Radon transform torch alone: that one is loaded.
    """
    package = importlib.util.find_spec("deepinv")
    if package is None or package.origin is None:
        return {}
    file = Path(package.origin).parent / "physics" / "functional" / "radon.py"
    spec = importlib.util.spec_from_file_location("deepinv_radon", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    degrees = torch.rad2deg(torch.tensor(geometry.angles))
    radon, iradon = (make(geometry.image_size, degrees) for make in (module.Radon, module.IRadon))
    width = math.ceil(math.sqrt(2) * geometry.image_size)  # of its detector
    return {
        "FP": radon,
        "BP": lambda sinogram: iradon(sinogram[:, :, :width], filtering=False),
        "FBP": lambda sinogram: iradon(sinogram[:, :, :width]),
    }


@click.command()
@click.option("--rounds", default=7, show_default=True)
def main(rounds: int) -> None:
    """Measure and print."""
    print(f"Machine: {machine()}.\n")
    print("| what | rays | size | slices | this one (ms / slice) | ASTRA CPU | scikit-image | deepinv |")
    print("|---|---|---|---|---|---|---|---|")
    for size in SIZES:
        _speed(ParallelBeam.uniform(size, VIEWS), rounds)
        _speed(fan(size), rounds)
    print("\nThe others' columns: milliseconds a slice, and how many times ours that is. ASTRA and")
    print("scikit-image loop over slices, having no batch; deepinv's batch is of four at most.\n")
    print(
        "| error against exact line integrals of a disc | this projector | ASTRA CPU | between the two |"
    )
    print("|---|---|---|---|")
    for size in SIZES:
        _accuracy(ParallelBeam.uniform(size, VIEWS))
    print("\n| geometry never seen before | build (s) |\n|---|---|")
    for size in SIZES:
        for views in (VIEWS, 60):
            _building(size, views)


def fan(size: int) -> FanBeam:
    """A diagnostic scanner's distances over a field of view of 360 mm, with a flat detector."""
    pixel_mm = 360 / size
    return FanBeam.uniform(size, VIEWS, source_origin=595 / pixel_mm, source_detector=1085.6 / pixel_mm)


def _speed(geometry: ParallelBeam | FanBeam, rounds: int) -> None:
    ours, theirs = SparseProjector(geometry), Astra(geometry)
    parallel = isinstance(geometry, ParallelBeam)
    skimage = scikit_image(geometry) if parallel else {}
    deep = deepinv(geometry) if parallel else {}
    for count in BATCHES:
        image = torch.rand(count, 1, *geometry.image_shape)
        sinogram = torch.rand(count, 1, *geometry.sinogram_shape)
        # They have no batch, so four slices tell what one takes in a loop.
        some = min(count, 4)
        runs: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], torch.Tensor]] = {
            "FP": (ours.forward, image),
            "BP": (ours.adjoint, sinogram),
            "FBP": (lambda y: fbp(geometry, y), sinogram),
        }
        for name, (run, value) in runs.items():
            arrays = list(value[:some, 0].numpy())
            calls: dict[str, Callable[[], object]] = {
                "ours": lambda run=run, value=value: run(value),  # type: ignore[misc]
            }
            if parallel or name != "FBP":  # which its processor code has for parallel rays alone
                calls["astra"] = lambda a=arrays, n=name: [theirs.run(n, x) for x in a]  # type: ignore[misc]
            if skimage:
                calls["skimage"] = lambda a=arrays, n=name: [skimage[n](x) for x in a]  # type: ignore[misc]
            if deep:
                columns = value[:some] if name == "FP" else value[:some].transpose(-2, -1)
                calls["deepinv"] = lambda y=columns, n=name: deep[n](y)  # type: ignore[misc]
            seconds = medians(calls, rounds if count == 1 else max(3, rounds // 2))
            own = seconds.pop("ours") / count
            cells = [f"{1e3 * s / some:.1f} ({s / some / own:.1f} x)" for s in seconds.values()]
            cells += ["-"] * (3 - len(cells))
            title = {"FP": "forward", "BP": "adjoint", "FBP": "FBP"}[name]
            rays = "parallel" if parallel else "fan"
            row = (
                title,
                rays,
                geometry.image_size,
                count,
                f"{1e3 * own:.2f}",
            )
            print(f"| {' | '.join(map(str, (*row, *cells)))} |", flush=True)


def _accuracy(geometry: ParallelBeam) -> None:
    image, exact = disc(geometry)
    found = SparseProjector(geometry)(image)
    astras = torch.from_numpy(Astra(geometry).run("FP", image[0, 0].numpy()))[None, None]
    errors = [
        float((a - b).norm() / exact.norm())
        for a, b in ((found, exact), (astras, exact), (found, astras))
    ]
    print(f"| {geometry.image_size} | {errors[0]:.2e} | {errors[1]:.2e} | {errors[2]:.1e} |", flush=True)


def _building(size: int, views: int) -> None:
    """The median over new geometries."""
    seconds = []
    for number in range(3):
        geometry = ParallelBeam(size, tuple(np.linspace(0, 3, views)), 2 * size - number, 0.71)
        began = time.perf_counter()
        SparseProjector(geometry)
        seconds.append(time.perf_counter() - began)
    what = f"{size} x {size}, {views} views, {2 * size} detector pixels of 0.71"
    print(f"| {what} | {sorted(seconds)[1]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
