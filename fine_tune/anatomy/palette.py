"""The HU of one patient's tissues, drawn about the measured means."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fine_tune.tissues import ASSUMED, TISSUES, Tissue

# Noise is added to the whole slice later, so that a tissue's own structure is the lesser part.
_STRUCTURE = 0.45


@dataclass(frozen=True)
class Palette:
    """Tissues of one patient, and whether contrast was given."""

    tissues: dict[str, Tissue]
    enhanced: bool

    def __getitem__(self, name: str) -> Tissue:
        """The tissue of that name; its texture is its own structure, without noise."""
        return self.tissues[name]

    def shifted(self, name: str, hu: float) -> Tissue:
        """The tissue, denser by so many HU."""
        tissue = self.tissues[name]
        return replace(tissue, hu=tissue.hu + hu)


def plain(hu: float, texture: float = 0.0) -> Tissue:
    """A tissue of that HU: gas, metal, foam."""
    return Tissue(hu, 0.0, texture)


def draw_palette(rng: np.random.Generator) -> Palette:
    """Every tissue from its mean and spread; contrast in two of five patients."""
    tissues = {
        name: Tissue(float(rng.normal(t.hu, t.spread)), t.spread, _STRUCTURE * t.texture)
        for name, t in {**TISSUES, **ASSUMED}.items()
    }
    # A shell thinner than a pixel must be denser for its rim to end up at what was measured; what it
    # holds, with the shell's light in it, was measured too.
    dense = float(np.clip(rng.normal(1150, 150), 800, 1600))
    tissues["cortical bone"] = Tissue(dense, 0.0, 60.0)
    spongy = TISSUES["cancellous bone"]
    tissues["cancellous bone"] = Tissue(
        float(rng.normal(spongy.hu - 40, spongy.spread)), spongy.spread, 0.5 * spongy.texture
    )
    enhanced = bool(rng.random() < 0.4)
    if enhanced:
        agent = float(np.clip(rng.normal(200, 70), 110, 400))
        gains = {"liver": 0.28, "spleen": 0.35, "kidney": 0.65, "muscle": 0.06, "bowel wall": 0.25}
        tissues["blood"] = Tissue(agent, 0.0, 6.0)
        for name, gain in gains.items():
            tissues[name] = replace(tissues[name], hu=tissues[name].hu + gain * (agent - 40))
        tissues["heart"] = replace(tissues["heart"], hu=tissues["heart"].hu + 0.35 * (agent - 40))
    else:
        tissues["blood"] = tissues["heart"]
    return Palette(tissues, enhanced)
