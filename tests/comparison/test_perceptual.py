"""LPIPS only where everything it needs is on the machine."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch

from resample_ct.comparison import perceptual


@pytest.mark.skipif(find_spec("torchvision") is not None, reason="torchvision is installed here")
def test_without_torchvision_it_is_left_out_and_says_so():
    distance, words = perceptual.find_lpips()
    assert distance is None and "torchvision" in words and "not installed" in words


def test_without_cached_weights_it_is_left_out_and_says_where_they_should_be(monkeypatch, tmp_path):
    monkeypatch.setattr(perceptual, "find_spec", lambda name: object())
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    distance, words = perceptual.find_lpips()
    assert distance is None and str(tmp_path) in words and "nothing is downloaded" in words
    assert list(tmp_path.iterdir()) == []
