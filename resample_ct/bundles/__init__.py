"""Networks on disk: MONAI Bundles, one file a kind, and what they say of themselves."""
