"""ReSample-CT: sparse-view CT reconstruction with a latent diffusion prior and hard data consistency."""

__version__ = "0.1.0"
