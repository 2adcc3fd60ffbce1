"""What a result says of how it was made."""

from __future__ import annotations

from collections.abc import Mapping

from resample_ct import __version__
from resample_ct.run.networks import Network


def made_by(
    title: str, rays: str, noise: str, told: str, networks: Mapping[str, Network], seed: int
) -> str:
    """Method, measurement, settings, networks, seed and version in words.

    Args:
        title: of the method.
        rays: that were measured.
        noise: of them.
        told: the method's settings; empty where there are none to tell.
        networks: that it ran, by what they are.
        seed: of its random numbers.
    """
    parts = [f"{title} from {rays}", f"noise {noise}", *([told] if told else [])]
    parts += [f"{kind} {network.name}, sha256 {network.sha256}" for kind, network in networks.items()]
    return "; ".join((*parts, f"seed {seed}", f"resample-ct {__version__}", "research only"))
