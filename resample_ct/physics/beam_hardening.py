"""A polychromatic beam: what its hardening does to line integrals that were corrected for water.

Textbook models: Kramers' spectrum of a tungsten target, weighted with energy as a scintillator does,
behind aluminium, without characteristic lines; tissue as water up to a threshold and as a mixture with
cortical bone beyond (Joseph and Spital, J. Comput. Assist. Tomogr. 2, 1978, 100). Attenuation is NIST's
(Hubbell and Seltzer, NISTIR 5632).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from resample_ct.errors import OptionError
from resample_ct.operators.base import LinearOperator
from resample_ct.values.units import Window

# keV, and cm^2/g of water, cortical bone (ICRU 44) and aluminium.
_ENERGY = np.array([10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 80.0, 100.0, 150.0])
_WATER = np.array([5.329, 1.673, 0.8096, 0.3756, 0.2683, 0.2269, 0.2059, 0.1837, 0.1707, 0.1505])
_BONE = np.array([28.51, 9.032, 4.001, 1.331, 0.6655, 0.4242, 0.3148, 0.2229, 0.1855, 0.1480])
_ALUMINIUM = np.array([26.23, 7.955, 3.441, 1.128, 0.5685, 0.3681, 0.2778, 0.2018, 0.1704, 0.1378])
_ALUMINIUM_G_PER_CM2 = 2.699 * 0.8  # 8 mm, tube and bow tie
_REFERENCE_KEV = 70.0
_LOWEST_KEV, _HIGHEST_KEV = 40.0, 150.0
# All is water up to the first HU, and bone from the second on.
_BONE_BEGINS_HU, _BONE_WHOLE_HU = 150.0, 1500.0
# Attenuation of 2 m of water, beyond which nothing is left to correct.
_MOST_ATTENUATION = 40.0


def _attenuation(values: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """Between the tabulated energies, where it is a power of energy."""
    return np.exp(np.interp(np.log(energy), np.log(_ENERGY), np.log(values)))


@dataclass(frozen=True)
class HardenedBeam:
    """The beam of a tube voltage.

    Attributes:
        kvp: peak tube voltage in kV, from 40 to 150.
    """

    kvp: float

    def __post_init__(self) -> None:
        if not _LOWEST_KEV <= self.kvp <= _HIGHEST_KEV:
            raise OptionError(
                f"--kvp {self.kvp:g}: expected a tube voltage from {_LOWEST_KEV:g} to {_HIGHEST_KEV:g} kV"
            )

    def _energies(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Energy, share of the signal, and attenuation of water and bone relative to the reference."""
        energy = np.arange(_ENERGY[0], self.kvp, 1.0) + 0.5
        signal = (self.kvp - energy) * np.exp(-_ALUMINIUM_G_PER_CM2 * _attenuation(_ALUMINIUM, energy))
        at = np.array(_REFERENCE_KEV)
        water, bone = (_attenuation(m, energy) / _attenuation(m, at) for m in (_WATER, _BONE))
        return energy, signal / signal.sum(), water, bone

    def measured(self, water: np.ndarray, bone: np.ndarray) -> np.ndarray:
        """What is measured of line integrals through water and bone, after the correction for water.

        Args:
            water: -ln(I / I0) that the water in a ray would have at the reference energy, 70 keV.
            bone: the same of the bone, in the shape of `water`.

        Returns:
            -ln(I / I0), which is `water` where there is no bone.
        """
        _, signal, of_water, of_bone = self._energies()
        transmitted = np.zeros(water.shape)
        for share, w, b in zip(signal, of_water, of_bone, strict=True):
            transmitted += share * np.exp(-(w * water + b * bone))
        exact = np.linspace(0.0, _MOST_ATTENUATION, 4001)
        hardened = -np.log(np.exp(-np.multiply.outer(exact, of_water)) @ signal)
        return np.interp(-np.log(transmitted), hardened, exact)


def hardened_projection(
    beam: HardenedBeam, projector: LinearOperator, image: torch.Tensor, window: Window, unit: float
) -> torch.Tensor:
    """The sinogram that a polychromatic scanner reports of an image, in the projector's units.

    Args:
        beam: the tube's.
        projector: A.
        image: (B, 1, row, column) relative attenuation at the reference energy.
        window: HU window that it is relative to; it begins at air.
        unit: what 1 of the projector's sinograms is in -ln(I / I0), see `attenuation_per_unit`.
    """
    hu = window.to_hu(image)
    begins = (_BONE_BEGINS_HU - window.lower) / window.width
    share = ((hu - _BONE_BEGINS_HU) / (_BONE_WHOLE_HU - _BONE_BEGINS_HU)).clamp(0.0, 1.0)
    water = torch.minimum(image, image.new_tensor(begins)) * (1 - share)
    parts = [projector(part).double().cpu().numpy() * unit for part in (water, image - water)]
    return torch.from_numpy(beam.measured(*parts) / unit).to(image)
