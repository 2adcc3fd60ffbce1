"""Everything a reconstruction is asked for, as one value that is recorded whole."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from resample_ct.bundles.kinds import BUNDLES
from resample_ct.errors import OptionError
from resample_ct.physics.noise_text import read_noise
from resample_ct.reconstruct.methods import method_named
from resample_ct.reconstruct.resample_settings import (
    DEFAULT_PRESET,
    ReSampleSettings,
    settings_from,
    told_settings,
)
from resample_ct.run.simulated_scan import GeometryKind, Pixels, SimulatedScan
from resample_ct.run.slices import check_slices


@dataclass(frozen=True)
class Job:
    """The options of `resample-ct reconstruct`.

    Attributes:
        source: a study, or a sinogram file ending in .h5 or .hdf5.
        out: new folder for the results.
        methods: names from `resample_ct.reconstruct.methods.METHODS`.
        n_angles, noise, geometry, arc, detectors, pixels, kvp: of the scan to simulate from a study, see
            `SimulatedScan`.
        sigma: noise of a measured sinogram, in pixel units; None takes the file's, or an estimate.
        centre: detector pixel, from 0, that a measured scan's axis of rotation falls on; "auto" finds
            it, None takes the file's.
        slices: see `resample_ct.run.slices.parse_slices`; None takes all.
        series: SeriesInstanceUID, where the study holds several.
        seed: of every random number.
        batch: slices at once; part of the record, because sums of floats depend on it.
        device: of torch.
        precision: of the latent prior's networks, FBP-UNet and the refiner.
        bundles: folders of networks, by names of `resample_ct.bundles.kinds.BUNDLES`; the shipped ones
            of those that are not named.
        preset: where `settings` come from: `balanced` where neither is given, None for others' settings.
        settings: ReSample's; the preset's where they are not given.
        fbp_filter: FBP's.
        fetched_from: the server that `source` is a copy from, for the record.
        compress: the derived series, without loss; of `resample_ct.io.dicom_file.COMPRESSIONS`.
        spread_series: write the uncertainty map as a CT series too, for viewers without Parametric Maps.
        deidentify: take what names the patient out of every output.
    """

    source: Path
    out: Path
    methods: tuple[str, ...] = ("fbp", "tv", "resample")
    n_angles: int = 25
    noise: str = "gaussian:0.01"
    geometry: GeometryKind = "parallel"
    arc: float | None = None
    detectors: int | None = None
    pixels: Pixels = "reduced"
    kvp: float | None = None
    sigma: float | None = None
    centre: float | Literal["auto"] | None = None
    slices: str | None = None
    series: str | None = None
    seed: int = 0
    batch: int = 4
    device: str = "cpu"
    precision: Literal["float32", "bfloat16"] = "float32"
    bundles: Mapping[str, Path] = field(default_factory=dict, hash=False)
    preset: str | None = None
    settings: ReSampleSettings = None  # type: ignore[assignment]  # filled in by __post_init__
    fbp_filter: str = "ramp"
    fetched_from: str | None = None
    compress: str | None = None
    spread_series: bool = False
    deidentify: bool = False

    def __post_init__(self) -> None:
        """The preset's settings where none are given.

        Raises OptionError for an unknown method, kind of bundle or preset, a noise that no measurement
        has, a scan that cannot be simulated, or what is no choice of slices: before anything is read.
        """
        read_noise(self.noise)
        check_slices(self.slices)
        for name in self.methods:
            method_named(name)
        for name in self.bundles:
            if name not in BUNDLES:
                raise OptionError(f"bundles: found {name}, expected names of {', '.join(BUNDLES)}")
        if self.sigma is not None and not 0 <= self.sigma < math.inf:
            raise OptionError(
                f"--sigma {self.sigma:g}: expected a finite number from 0 up, the standard deviation "
                "of the noise in pixel units; correct it"
            )
        _ = self.scan  # refuses what cannot be simulated
        if self.settings is None:
            preset = self.preset or DEFAULT_PRESET
            object.__setattr__(self, "preset", preset)
            object.__setattr__(self, "settings", settings_from(preset))

    @property
    def scan(self) -> SimulatedScan:
        """The scan to simulate from a study."""
        return SimulatedScan(
            self.n_angles,
            self.noise,
            self.geometry,
            self.arc,
            self.detectors,
            self.pixels,
            self.kvp,
        )

    @property
    def told_settings(self) -> str:
        """ReSample's settings in words: the preset and what differs from it."""
        return told_settings(self.settings, self.preset)

    def record(self) -> dict[str, Any]:
        """The options as JSON values; of a source whose path may name the patient, a hash."""
        record = dict(json.loads(json.dumps(asdict(self), default=str)))
        if self.deidentify:
            named = f"{self.source} {self.series}".encode()
            record |= {"source": hashlib.sha256(named).hexdigest(), "series": None}
        return record
