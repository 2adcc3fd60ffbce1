"""ReSample: latent diffusion with hard data consistency.

Song, Kwon, Zhang, Hu, Qu, Shen, "Solving Inverse Problems with Latent Diffusion Models via Hard
Data Consistency", Algorithm 1, appendix B and C.2 (the CT setting). Where the authors' code differs
from the paper, the difference is a named option: `variance_rule`, `latent_dps_scale`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from resample_ct.errors import OptionError
from resample_ct.prior.diffusion import DiffusionPrior
from resample_ct.progress import part, track
from resample_ct.reconstruct.base import Measurement, Reconstructor
from resample_ct.reconstruct.cascade import Cascade
from resample_ct.reconstruct.classical import TV
from resample_ct.reconstruct.consistency import optimise_latent, optimise_pixels
from resample_ct.reconstruct.fbp_unet import ConsistentFBPUNet
from resample_ct.reconstruct.guidance import guided_prediction
from resample_ct.reconstruct.keep_detail import DetailKeepingPrior
from resample_ct.reconstruct.resample_settings import ReSampleSettings
from resample_ct.reconstruct.sampling import (
    ddim_step,
    pure_noise,
    resample_variance,
    stochastic_encode,
    stochastic_resample,
)
from resample_ct.reconstruct.start import CascadeStart, FBPUNetStart, OwnStart, Start, TVStart
from resample_ct.reconstruct.uncertainty import expected_error
from resample_ct.solvers.solution import Solution

# Of the time that the presets take, for the time that is left.
_START_SHARE, _FINAL_SHARE = 0.5, 0.3


@dataclass(frozen=True)
class ReSample:
    """Algorithm 1.

    Attributes:
        prior: D, E and the noise predictor.
        settings: its hyperparameters.
        start: the method that `settings.start` describes; may be left out where that is TV, or None.
    """

    prior: DiffusionPrior
    settings: ReSampleSettings
    start: Reconstructor | None = None

    def __post_init__(self) -> None:
        """Refuse a start that the settings do not describe, and times that the prior's schedule has not.

        Raises OptionError.
        """
        described = self.settings.start
        if self.start is None and isinstance(described, TVStart):
            object.__setattr__(self, "start", TV())
        _check_start(described, self.start)
        self.prior.schedule.timesteps(self.settings.steps, None if described is None else described.t)

    @classmethod
    def started(cls, prior: DiffusionPrior, *networks: Any, settings: ReSampleSettings) -> ReSample:
        """ReSample and the start that its settings describe, from that start's networks."""
        start = None if settings.start is None else settings.start.build(*networks)
        return cls(prior, settings, start)

    def __call__(self, measurement: Measurement, generators: Sequence[torch.Generator]) -> Solution:
        """See `Reconstructor`."""
        return self.with_samples(measurement, generators)[0]

    def with_spread(
        self, measurement: Measurement, generators: Sequence[torch.Generator]
    ) -> tuple[Solution, torch.Tensor | None]:
        """See `HasSpread`; a single sample has no spread."""
        found, samples = self.with_samples(measurement, generators)
        return found, expected_error(samples, found.x) if len(samples) > 1 else None

    def with_samples(
        self, measurement: Measurement, generators: Sequence[torch.Generator]
    ) -> tuple[Solution, torch.Tensor]:
        """Solution, and (samples, B, 1, H, W) the D(z_0) of the last round that it was made from.

        It stopped where its last data-consistency step did: in pixels where there is a final one, else in
        the latent.
        """
        found = samples = None
        with torch.no_grad():
            if self.start is not None:
                with part(0.0, _START_SHARE):
                    found = self.start(measurement, generators)
            with part(0.0 if self.start is None else _START_SHARE, 1.0):
                for _ in track(range(self.settings.rounds)):
                    encoded, sampler = None, self
                    if found is not None:
                        image = found.x.clamp(0.0, 1.0)
                        encoded = self.prior.encode(image)
                        if self.settings.keep_detail:
                            kept = DetailKeepingPrior(self.prior, image - self.prior.decode(encoded))
                            sampler = replace(self, prior=kept)
                    with part(0.0, 1.0 - _FINAL_SHARE):
                        drawn = [
                            sampler._sample(measurement, encoded, generators)
                            for _ in track(range(self.settings.samples))
                        ]
                    samples = torch.stack([sample.x for sample in drawn])
                    found = self._finish(measurement, samples.mean(dim=0), drawn[-1])
        assert found is not None and samples is not None
        return found, samples

    def _sample(
        self,
        measurement: Measurement,
        encoded: torch.Tensor | None,
        generators: Sequence[torch.Generator],
    ) -> Solution:
        """D(z_0) of one sample of the posterior, from the estimate's latent where there is one."""
        s, schedule = self.settings, self.prior.schedule
        times = schedule.timesteps(s.steps, None if s.start is None else s.start.t)
        z = self._initial(measurement, encoded, times[0], generators)
        for step, t in enumerate(track(times)):
            following = times[step + 1] if step + 1 < len(times) else None
            a = float(schedule.alpha_bar[t])
            a_next = 1.0 if following is None else float(schedule.alpha_bar[following])
            noise, clean, gradient = self._predict(measurement, z, t)
            unconditional = ddim_step(clean, noise, a, a_next, s.eta, generators)
            if gradient is not None:
                unconditional = unconditional - s.latent_dps_scale * a * gradient
            if following is None or step % s.skip or t > s.pixel_below:
                z = unconditional
                continue
            clean = self._to_make_consistent(
                z, noise, unconditional, times[step : step + 1 + s.look_ahead]
            )
            if t > s.latent_below:
                consistent = self._pixel_consistency(measurement, clean)
            else:
                consistent = self._latent_consistency(measurement, clean, s.latent_iterations).x
            if s.remap == "encode":
                z = stochastic_encode(consistent, a_next, generators)
            else:
                spread = resample_variance(s.gamma, a, a_next, s.variance_rule)
                z = stochastic_resample(consistent, unconditional, a_next, spread, generators)
        found = self._latent_consistency(measurement, z, s.final_latent_iterations)
        return replace(found, x=self.prior.decode(found.x))

    def _to_make_consistent(
        self, z: torch.Tensor, noise: torch.Tensor, following: torch.Tensor, times: list[int]
    ) -> torch.Tensor:
        """zhat_0 of z_t; with a look-ahead, that of the last of the deterministic steps after it."""
        schedule = self.prior.schedule
        t = times[0]
        for ahead, after in zip(times[1:], [*times[2:], None], strict=False):
            z, t = following, ahead
            noise = self.prior.predict_noise(z, t)
            if after is not None:
                a, a_after = float(schedule.alpha_bar[t]), float(schedule.alpha_bar[after])
                following = ddim_step(schedule.tweedie(z, noise, t), noise, a, a_after, 0.0, [])
        return schedule.tweedie(z, noise, t, self.settings.tweedie_rule)

    def _initial(
        self,
        measurement: Measurement,
        encoded: torch.Tensor | None,
        t: int,
        generators: Sequence[torch.Generator],
    ) -> torch.Tensor:
        """Pure noise, or the cheap estimate noised to the first time."""
        if encoded is None:
            return pure_noise(self.prior, measurement, generators)
        return stochastic_encode(encoded, float(self.prior.schedule.alpha_bar[t]), generators)

    def _predict(
        self, measurement: Measurement, z: torch.Tensor, t: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Predicted noise, Tweedie's estimate, and the Latent-DPS gradient (eq. 9) if asked for."""
        if self.settings.latent_dps_scale == 0:
            noise = self.prior.predict_noise(z, t)
            return noise, self.prior.schedule.tweedie(z, noise, t), None
        return guided_prediction(self.prior, measurement, z, t)

    def _pixel_consistency(self, measurement: Measurement, clean: torch.Tensor) -> torch.Tensor:
        """zhat(y) = E(x), x the pixel solve from D(zhat) (appendix B.1)."""
        found = optimise_pixels(measurement, self.prior.decode(clean), self.settings.pixel)
        return self.prior.encode(found.x.clamp(0.0, 1.0))

    def _latent_consistency(
        self, measurement: Measurement, clean: torch.Tensor, iterations: int
    ) -> Solution:
        """zhat(y) nearest to `clean` (eq. 10), to the noise level or the stated one."""
        s, variance = self.settings, measurement.noise_variance
        tau = variance if s.tau is None else torch.full_like(variance, s.tau)
        return optimise_latent(
            self.prior, measurement, clean, tau, iterations, s.latent_rate, s.latent_rule
        )

    def _finish(self, measurement: Measurement, image: torch.Tensor, sample: Solution) -> Solution:
        """Final data-consistency step: what the decoder cannot express, as far as noise allows."""
        if self.settings.final is None:
            return replace(sample, x=image, residual=measurement.residual(image))
        return optimise_pixels(measurement, image, self.settings.final)


def _check_start(described: Start | None, method: Reconstructor | None) -> None:
    """Raise OptionError unless the settings describe the method, so that neither goes unheard."""
    found = "nothing" if method is None else _description(method)
    if described is None:
        if method is not None:
            raise OptionError(
                f"start: found {found}, expected nothing where the settings start from pure noise; leave "
                "it out, or set settings.start"
            )
    elif found != described.code:
        raise OptionError(
            f"start: found {found}, expected {described.code}, from which the settings start at t = "
            f"{described.t}; pass it as start=, or replace settings.start: OwnStart({described.t}) takes "
            "any method"
        )


def _description(method: Reconstructor) -> str:
    """A start's code, see `Start`."""
    if isinstance(method, Cascade):
        return CascadeStart(0, method.rounds, method.flips).code
    if isinstance(method, ConsistentFBPUNet):
        return FBPUNetStart(0).code
    return TVStart(0).code if method == TV() else OwnStart(0).code
