"""Training of the prior: the autoencoder, then the diffusion UNet on its latents."""
