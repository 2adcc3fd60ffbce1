"""CompVis' latent diffusion checkpoints (Rombach et al., 2022; LDM-VQ4) as our networks' weights.

Every tensor of the file is accounted for: used, or known and left (the other copy of the UNet, the
tables of the schedule). Values keep the file's precision and are moved, never computed with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from resample_ct.bundles.compvis.names import Names, autoencoder_names, ema_name, unet_names
from resample_ct.bundles.compvis.shapes import FIRST_STAGE, UNET, autoencoder_settings, unet_settings
from resample_ct.errors import PriorError
from resample_ct.networks.settings import NetworkSettings, UNetSettings, VQAutoencoderSettings
from resample_ct.prior.schedule import NoiseSchedule

_TABLES = {"betas", "alphas_cumprod"}
# Functions of the two above, which some versions of the code save besides.
_MORE_TABLES = {
    "alphas_cumprod_prev",
    "sqrt_alphas_cumprod",
    "sqrt_one_minus_alphas_cumprod",
    "log_one_minus_alphas_cumprod",
    "sqrt_recip_alphas_cumprod",
    "sqrt_recipm1_alphas_cumprod",
    "posterior_variance",
    "posterior_log_variance_clipped",
    "posterior_mean_coef1",
    "posterior_mean_coef2",
}
_EMA_COUNTERS = {"model_ema.decay", "model_ema.num_updates"}
# The released models have it as a plain attribute of 1.0; others multiply latents by it.
_SCALE = "scale_factor"
_NAMED = 3

State = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Converted:
    """A checkpoint's networks.

    Attributes:
        autoencoder: settings of the first stage.
        unet: settings of the noise predictor.
        scale: by which latents are divided before the UNet sees them.
        weights: the state dict of each network by name, in the checkpoint's precision.
    """

    autoencoder: VQAutoencoderSettings
    unet: UNetSettings
    scale: float
    weights: dict[str, State]


def convert_state_dict(
    state: Mapping[str, torch.Tensor], head_channels: int | None = None, raw: bool = False
) -> Converted:
    """Move a checkpoint's tensors to our names.

    Args:
        state: the checkpoint's state_dict.
        head_channels: of the UNet's attention heads (`num_head_channels`); no shape tells it, see
            `unet_settings`.
        raw: take the UNet as it was last trained, as the ReSample authors' code does, instead of
            its running average, which CompVis sample with.

    Raises:
        PriorError: another architecture, an unknown or a missing key or a shape that does not fit,
            by name; another noise schedule.
    """
    if not any(name.startswith(UNET) for name in state):
        raise PriorError(
            f"no key begins with {UNET}, expected a diffusion model and its first stage; an autoencoder "
            "alone is no prior: give the LDM's own file"
        )
    unet = unet_settings(state, head_channels)
    autoencoder = autoencoder_settings(state)
    names = {"autoencoder": autoencoder_names(autoencoder), "unet": unet_names(unet)}
    _account(state, names, raw)
    _check_schedule(state)
    if not raw:
        names["unet"] = {ema_name(theirs): ours for theirs, ours in names["unet"].items()}
    scale = float(state[_SCALE]) if _SCALE in state else 1.0
    return Converted(
        autoencoder=autoencoder,
        unet=unet,
        scale=1.0 / scale,
        weights={
            "autoencoder": _move(state, names["autoencoder"], autoencoder, 1),
            "unet": _move(state, names["unet"], unet, unet.head_channels),
        },
    )


def _account(state: Mapping[str, torch.Tensor], names: dict[str, Names], raw: bool) -> None:
    required = {*names["autoencoder"], *names["unet"], *_TABLES}
    averaged = {ema_name(name) for name in names["unet"]} | _EMA_COUNTERS
    has_average = any(name.startswith("model_ema.") for name in state)
    if not has_average and not raw:
        raise PriorError(
            "no key begins with model_ema., expected the UNet's running average; give --raw to take "
            "the weights as last trained"
        )
    if has_average:
        required |= averaged
    _refuse_any(sorted(required - set(state)), "missing", "the released layout")
    unknown = sorted(set(state) - required - _MORE_TABLES - {_SCALE})
    _refuse_any(unknown, "unknown", f"{UNET}, model_ema., {FIRST_STAGE} and the schedule's tables")


def _refuse_any(names: list[str], what: str, expected: str) -> None:
    if names:
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        raise PriorError(
            f"key {', '.join(names[:_NAMED])}{more} {what}, expected {expected}; convert an "
            "unconditional LDM-VQ4 checkpoint as released for FFHQ, CelebA-HQ or LSUN"
        )


def _check_schedule(state: Mapping[str, torch.Tensor]) -> None:
    """Refuse another schedule; the tables are compared to the precision that they are stored in."""
    schedule = NoiseSchedule()
    betas = 1.0 - schedule.alpha_bar / np.concatenate([[1.0], schedule.alpha_bar[:-1]])
    for name, expected in (("betas", betas), ("alphas_cumprod", schedule.alpha_bar)):
        found = state[name].double().numpy()
        tolerance = max(4 * torch.finfo(state[name].dtype).eps, 1e-5)
        if found.shape != expected.shape or not np.allclose(found, expected, rtol=tolerance, atol=1e-7):
            raise PriorError(
                f"key {name}: {found.size} values from {found.flat[0]:.4g} to {found.flat[-1]:.4g}, "
                f"expected {expected.size} from {expected[0]:.4g} to {expected[-1]:.4g}, the released "
                "models' schedule; no other can be converted"
            )


def _move(
    state: Mapping[str, torch.Tensor], names: Names, settings: NetworkSettings, head_channels: int
) -> State:
    with torch.device("meta"):
        expected = settings.build().state_dict()
    moved: State = {}
    for theirs, ours in names.items():
        parts = (state[theirs],) if len(ours) == 1 else split_heads(state[theirs], head_channels)
        for name, value in zip(ours, parts, strict=True):
            shape = expected[name].shape
            # A 1x1 convolution there is a linear layer here.
            if value.shape[: len(shape)] != shape or value.numel() != shape.numel():
                raise PriorError(
                    f"key {theirs}: shape {tuple(state[theirs].shape)}, expected one that gives "
                    f"{tuple(shape)}; the file is damaged or of another architecture"
                )
            moved[name] = value.reshape(shape)
    assert moved.keys() == expected.keys()
    return moved


def split_heads(fused: torch.Tensor, head_channels: int) -> tuple[torch.Tensor, ...]:
    """Fused q, k, v (3 C, ...), which lie head by head, to one (C, ...) each."""
    channels = fused.shape[0] // 3
    if fused.shape[0] % (3 * head_channels):
        raise PriorError(
            f"fused q, k, v of {fused.shape[0]} rows, expected a multiple of 3 x {head_channels}; give "
            "the model's num_head_channels as --head-channels"
        )
    heads = fused.reshape(-1, 3, head_channels, *fused.shape[1:])
    return tuple(heads[:, part].reshape(channels, *fused.shape[1:]) for part in range(3))
