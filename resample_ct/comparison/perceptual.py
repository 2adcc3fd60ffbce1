"""LPIPS (Zhang et al. 2018), where its network is on this machine: nothing is ever downloaded."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import torch

_WEIGHTS = "alexnet-owt-7be5be79.pth"
Distance = Callable[[torch.Tensor, torch.Tensor], float]


def find_lpips() -> tuple[Distance | None, str]:
    """LPIPS of two slices (1, 1, H, W) in [0, 1], or None; and in words which it is, or why not.

    torchmetrics holds the weights of its linear layers; AlexNet's are torchvision's, in torch's cache.
    """
    if find_spec("torchvision") is None:
        return None, "LPIPS is left out: torchvision, which its network comes from, is not installed"
    path = Path(torch.hub.get_dir()) / "checkpoints" / _WEIGHTS
    if not path.exists():
        return None, f"LPIPS is left out: AlexNet's weights are not at {path}, and nothing is downloaded"
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    network = LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True).eval()

    def distance(image: torch.Tensor, truth: torch.Tensor) -> float:
        with torch.no_grad():
            return float(network(image.expand(-1, 3, -1, -1), truth.expand(-1, 3, -1, -1)))

    return distance, f"LPIPS by AlexNet, {_WEIGHTS}, on the whole HU window"
