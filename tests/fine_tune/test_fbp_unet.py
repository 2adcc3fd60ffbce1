"""What FBP-UNet's training judges a network by."""

from __future__ import annotations

import torch

from fine_tune.fbp_unet import FBPUNetTask


def test_a_better_network_has_a_higher_merit(real_slice):
    task = FBPUNetTask(None, real_slice, 25, 0.01)

    class Mix(torch.nn.Module):
        def __init__(self, share):
            super().__init__()
            self.share = torch.nn.Parameter(torch.tensor(share))

        def forward(self, fbp):
            return self.share * real_slice + (1 - self.share) * fbp

    with torch.no_grad():
        merits = [task.validate(Mix(share)) for share in (0.0, 0.5, 0.9)]
    assert merits == sorted(merits) and 20 < merits[0] < 30
