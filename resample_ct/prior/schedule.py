"""The diffusion's noise schedule: abar_t, Tweedie's estimate, forward noise (paper eq. 4 and 5).

MONAI's DDIMScheduler cannot reproduce the released model's steps (it rounds the timesteps, ends at
abar = 1 and clips the sample), so the schedule is written out here, in float64.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch

from resample_ct.errors import OptionError

TweedieRule = Literal["paper", "code"]
Prediction = Literal["noise", "velocity", "clean"]


@dataclass(frozen=True)
class NoiseSchedule:
    """beta_t = linspace(sqrt(start), sqrt(end), T)^2, the released FFHQ model's schedule.

    >>> round(float(NoiseSchedule().alpha_bar[300]), 4)
    0.4072
    """

    train_steps: int = 1000
    beta_start: float = 0.0015
    beta_end: float = 0.0195
    alpha_bar: np.ndarray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Tabulate abar_t, the cumulative product of 1 - beta_t."""
        betas = np.linspace(self.beta_start**0.5, self.beta_end**0.5, self.train_steps) ** 2
        object.__setattr__(self, "alpha_bar", np.cumprod(1.0 - betas))

    def timesteps(self, steps: int, start: int | None = None) -> list[int]:
        """`steps` times from `start` (default T - 1) down, evenly spaced, the last above t = -1.

        The time after the last is the clean latent. Raises OptionError for more steps than times, or
        a start outside the schedule.
        """
        first = self.train_steps - 1 if start is None else start
        if not 0 <= first < self.train_steps:
            raise OptionError(f"start: found {first}, expected 0 to {self.train_steps - 1}")
        if not 1 <= steps <= first + 1:
            raise OptionError(f"steps: found {steps}, expected 1 to {first + 1} from t = {first}")
        return [int(t) for t in np.linspace(first, -1, steps + 1).round()[:-1]]

    def tweedie(
        self, z: torch.Tensor, noise: torch.Tensor, t: int, rule: TweedieRule = "paper"
    ) -> torch.Tensor:
        """E[z_0 | z_t] = (z_t - sqrt(1 - abar_t) eps) / sqrt(abar_t), paper eq. 5.

        Rule "code" has (1 - abar) for sqrt(1 - abar), as the authors' code does for what it makes
        consistent, which leaves noise in the estimate.
        """
        a = float(self.alpha_bar[t])
        share = (1.0 - a) ** 0.5 if rule == "paper" else 1.0 - a
        return (z - share * noise) / a**0.5

    def velocity(self, clean: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """V = sqrt(abar_t) eps - sqrt(1 - abar_t) z_0; t of shape (B,) (Salimans and Ho 2022)."""
        return self.add_noise(noise, -clean, t)

    def noise_of(
        self, prediction: Prediction, z: torch.Tensor, predicted: torch.Tensor, t: int
    ) -> torch.Tensor:
        """The noise eps in z_t, of the network's prediction: of the noise itself, the velocity or z_0."""
        if prediction == "noise":
            return predicted
        a = float(self.alpha_bar[t])
        if prediction == "velocity":
            return a**0.5 * predicted + (1.0 - a) ** 0.5 * z
        return (z - a**0.5 * predicted) / (1.0 - a) ** 0.5

    def add_noise(self, z: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """z_t = sqrt(abar_t) z_0 + sqrt(1 - abar_t) eps; t of shape (B,)."""
        a = self.alpha_bar_at(t, z)
        return a.sqrt() * z + (1.0 - a).sqrt() * noise

    def alpha_bar_at(self, t: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """Abar of times t (B,), in the shape that multiplies z (B, ...)."""
        a = torch.as_tensor(self.alpha_bar, dtype=torch.float32, device=z.device)[t]
        return a.view(-1, *[1] * (z.dim() - 1))
