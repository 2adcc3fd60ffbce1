"""Blur by motion in linear light, seen through a camera's response: a nonlinear operator.

A stand-in. The paper's nonlinear deblurring applies the neural network of Tran et al. (CVPR 2021), which
encodes the blur of the GoPro videos; its weights may not be passed on. Those videos' blur is nonlinear
because a sensor adds up light while the camera moves and a response curve is applied afterwards. That is
what stands here, with a random motion instead of a learned one:

    y = f^-1(K f(x)),   f(x) = (exp(c x) - 1) / (exp(c) - 1)

K is a random motion kernel that adds up to 1, and f, with c = 3, a response curve near x^2.2 on [0, 1],
smooth and increasing everywhere. So y = log(K exp(c x)) / c: bright things smear over dark ones.
Figures are not comparable with the paper's for this task.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from resample_ct.operators.base import Operator


def motion_kernel(width: int, seed: int) -> np.ndarray:
    """(width, width), the time that a hand-held camera spent at each place; adds up to 1.

    A random walk of smoothly changing velocity, centred, scaled to a third of the width.
    """
    rng = np.random.default_rng(seed)
    velocity = np.cumsum(rng.standard_normal((200, 2)), axis=0)
    path = np.cumsum(velocity - velocity.mean(axis=0), axis=0)
    path -= path.mean(axis=0)
    path *= min(width / 3, (width - 1) / 2 - 1e-6) / np.abs(path).max()
    place = path + (width - 1) / 2
    low = np.floor(place).astype(int)
    share = place - low
    kernel = np.zeros((width, width))
    for down in (0, 1):
        for across in (0, 1):
            weight = np.abs(1 - down - share[:, 0]) * np.abs(1 - across - share[:, 1])
            np.add.at(kernel, (low[:, 0] + down, low[:, 1] + across), weight)
    return kernel / kernel.sum()


class NonlinearBlur(Operator):
    """y = log(K exp(c x)) / c on each channel, the image reflected beyond its edge.

    Args:
        size: side of the image.
        channels: of the image.
        width: of the kernel in pixels, odd.
        contrast: c of the response curve; 0 would be linear blur.
        seed: of the motion.
        device: of torch.
    """

    def __init__(
        self,
        size: int,
        channels: int,
        width: int = 31,
        contrast: float = 3.0,
        seed: int = 0,
        device: str = "cpu",
    ) -> None:
        self.channels = channels
        self._size = size
        self._contrast = contrast
        self._kernel = torch.from_numpy(motion_kernel(width, seed)).float().to(device)

    @property
    def domain_shape(self) -> tuple[int, int]:
        """(row, column)."""
        return self._size, self._size

    @property
    def range_shape(self) -> tuple[int, int]:
        """(row, column) of the blurred image."""
        return self._size, self._size

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """A(x) with autograd. Raises ValueError for a tensor of another shape."""
        self.check_shape(x)
        margin = self._kernel.shape[0] // 2
        light = torch.exp(self._contrast * x)
        padded = F.pad(light, (margin, margin, margin, margin), mode="reflect")
        kernel = self._kernel.to(x).expand(self.channels, 1, *self._kernel.shape)
        return torch.log(F.conv2d(padded, kernel, groups=self.channels)) / self._contrast
