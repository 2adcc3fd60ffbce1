"""A measurement of some slices in memory, and the ways to come by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from pydicom.dataset import Dataset

from resample_ct.errors import OptionError, SinogramError
from resample_ct.io.study import Study
from resample_ct.operators.base import Operator
from resample_ct.physics.backends import make_projector
from resample_ct.physics.noise import parse_noise
from resample_ct.physics.projector import Projector
from resample_ct.physics.sinogram_file import Sinogram
from resample_ct.reconstruct.base import Measurement
from resample_ct.run.inputs import notes_on_window
from resample_ct.run.simulate import noisy_projection
from resample_ct.run.slices import parse_slices
from resample_ct.values.units import Window
from resample_ct.values.volume import reduce_in_plane

Images = np.ndarray | torch.Tensor


@dataclass(frozen=True, eq=False)
class Scan:
    """What `resample_ct.reconstruct` starts from.

    Attributes:
        operator: A.
        sinogram: y, (N, 1, *A.range_shape), of relative attenuation.
        noise_variance: (N,) of each slice.
        noise: in words.
        window: HU window that the attenuation is relative to.
        indices: place of each slice in what it was measured of; seeds its random numbers.
        study: the measured slices' study, None of arrays.
        pixel_mm: side of a pixel, where it is known.
        notes: for the user.
        single: whether one image was given without a stack, and one is wanted back.
    """

    operator: Operator
    sinogram: torch.Tensor
    noise_variance: torch.Tensor
    noise: str
    window: Window
    indices: tuple[int, ...]
    study: Study | None = None
    pixel_mm: float | None = None
    notes: tuple[str, ...] = ()
    single: bool = False

    def __len__(self) -> int:
        """Number of slices."""
        return len(self.indices)

    def __repr__(self) -> str:
        """Without the values."""
        shape = " x ".join(map(str, self.operator.range_shape))
        return f"Scan({len(self)} x {shape}, {type(self.operator).__name__}, noise {self.noise})"

    @property
    def rays(self) -> str:
        """In words, for records."""
        if isinstance(self.operator, Projector):
            geometry = self.operator.geometry
            return f"{geometry.n_angles} {geometry.told}"
        return (
            f"{' x '.join(map(str, self.operator.range_shape))} values ({type(self.operator).__name__})"
        )

    def measurement(self, rows: slice, device: str) -> Measurement:
        """Some of its slices, on a device."""
        operator = self.operator
        if isinstance(operator, Projector):
            operator = make_projector(operator.geometry, device)
        return Measurement(operator, self.sinogram[rows].to(device), self.noise_variance[rows].to(device))


def scan_of_images(
    hu: Images, operator: Operator, noise: str, seed: int, window: Window, pixel_mm: float | None
) -> Scan:
    """Simulate a measurement of images in HU, (H, W) or (N, H, W); slice k is at place k.

    Raises OptionError for images that are none, or of another shape than A takes.
    """
    stack, single = _stack("image", hu, operator.domain_shape)
    if pixel_mm is None and noise.startswith("poisson"):
        raise OptionError(
            f"noise {noise}: found no pixel_mm, expected the side of a pixel in mm, on which it "
            "depends how many photons come through; give pixel_mm"
        )
    outside = int(((stack < window.lower) | (stack > window.upper)).sum())
    notes = [f"{outside} pixels lie outside of {window.lower:g} to {window.upper:g} HU and were clipped"]
    images = (window.from_hu(one)[None, None] for one in stack)
    return _simulated(
        images, operator, noise, seed, window, tuple(range(len(stack))), pixel_mm, single,
        notes=tuple(notes if outside else ()),
    )  # fmt: skip


def scan_of_study(
    study: Study,
    operator: Operator,
    noise: str,
    seed: int,
    window: Window,
    slices: str | Sequence[int] | None = None,
) -> Scan:
    """Simulate a measurement of a study's slices, reduced to the size that A takes."""
    rows, columns = operator.domain_shape
    if rows != columns:
        raise OptionError(
            f"operator: found images of {rows} x {columns}, expected square ones of a study"
        )
    text = slices if slices is None or isinstance(slices, str) else ",".join(map(str, slices))
    indices = tuple(parse_slices(text, len(study)))
    chosen = study.select(indices)

    def reduced() -> Iterable[torch.Tensor]:
        for place in range(len(indices)):
            hu = reduce_in_plane(chosen.select([place]).volume, rows).hu
            yield window.from_hu(torch.from_numpy(np.ascontiguousarray(hu)))[:, None]

    pixel_mm = study.grid.resized(rows).spacing_mm[0]
    notes = (*study.notes, *notes_on_window(chosen, window))
    return _simulated(reduced(), operator, noise, seed, window, indices, pixel_mm, False, chosen, notes)


def scan_of_sinogram(sinogram: Sinogram, sigma: float | None = None) -> Scan:
    """A sinogram file's slices; raises OptionError where the noise is not known."""
    known = sinogram.noise_sigma if sigma is None else np.full(len(sinogram.data), float(sigma))
    if known is None:
        raise OptionError("sigma: missing, expected the noise's standard deviation, which the file lacks")
    study = Study(
        name=sinogram.source,
        grid=sinogram.grid,
        headers=tuple(Dataset.from_json(text) for text in sinogram.source_headers),
        load=None,
        order=tuple(range(len(sinogram.data))),
        notes=sinogram.notes,
    )
    return Scan(
        operator=make_projector(sinogram.geometry),
        sinogram=torch.from_numpy(sinogram.data)[:, None],
        noise_variance=_variance(known),
        noise=sinogram.noise,
        window=sinogram.window,
        indices=study.order,
        study=study,
        pixel_mm=sinogram.grid.spacing_mm[0],
        notes=sinogram.notes,
    )


def scan_of_data(data: Images, operator: Operator, sigma: float, window: Window) -> Scan:
    """One's own data, (angle, detector) or (N, angle, detector), in units of A on relative attenuation.

    Raises OptionError for data of another shape than A gives, or that are not finite.
    """
    stack, single = _stack("sinogram", data, operator.range_shape)
    if not 0 <= sigma < float("inf"):
        raise OptionError(f"sigma: found {sigma}, expected the noise's standard deviation, 0 or more")
    return Scan(
        operator=operator,
        sinogram=stack[:, None],
        noise_variance=_variance(np.full(len(stack), float(sigma))),
        noise=f"measured, sigma {sigma:g}",
        window=window,
        indices=tuple(range(len(stack))),
        single=single,
    )


def _simulated(
    images: Iterable[torch.Tensor],
    operator: Operator,
    noise: str,
    seed: int,
    window: Window,
    indices: tuple[int, ...],
    pixel_mm: float | None,
    single: bool,
    study: Study | None = None,
    notes: tuple[str, ...] = (),
) -> Scan:
    """Measure (1, 1, H, W) images in [0, 1], each with the noise of its place."""
    # The pixel's side is known wherever the noise depends on it.
    model = parse_noise(noise, pixel_mm or 1.0, window)
    rows, sigmas = [], []
    for index, image in zip(indices, images, strict=True):
        row, sigma = noisy_projection(operator, image, model, seed, index)
        rows.append(row)
        sigmas.append(sigma)
    return Scan(
        operator=operator,
        sinogram=torch.cat(rows),
        noise_variance=_variance(np.array(sigmas)),
        noise=f"{noise} (simulated)",
        window=window,
        indices=indices,
        study=study,
        pixel_mm=pixel_mm,
        notes=notes,
        single=single,
    )


def _variance(sigma: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(sigma**2).float()


def _stack(name: str, values: Any, shape: tuple[int, int]) -> tuple[torch.Tensor, bool]:
    """(N, *shape) float32 of one array or a stack; raises for anything else."""
    if not isinstance(values, np.ndarray | torch.Tensor):
        raise OptionError(
            f"{name}: found {type(values).__name__}, expected a numpy array or torch tensor"
        )
    kind = SinogramError if name == "sinogram" else OptionError
    tensor = torch.as_tensor(values).detach().cpu().float()
    if tensor.dim() not in (2, 3) or tuple(tensor.shape[-2:]) != shape or len(tensor) == 0:
        raise kind(
            f"{name}: found shape {tuple(tensor.shape)}, expected {shape} or (N, {shape[0]}, "
            f"{shape[1]}), that of the operator"
        )
    if not bool(tensor.isfinite().all()):
        raise kind(f"{name}: found NaN or infinity, expected finite numbers")
    return (tensor[None], True) if tensor.dim() == 2 else (tensor, False)
