"""ReSample-CT: sparse-view CT reconstruction with a latent diffusion prior and hard data consistency."""

import os

__version__ = "0.1.0"

# Before torch's first allocation: its large blocks in huge pages, on kernels that have them. Clearing
# small ones after every layer takes a noticeable share of the time (docs/performance.md).
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
