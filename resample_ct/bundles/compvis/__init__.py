"""CompVis' released latent diffusion checkpoints, translated key by key into bundles."""
