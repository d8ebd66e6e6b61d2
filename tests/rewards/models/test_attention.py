"""Blocked attention against torch's own."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from dehusk.rewards.attention import blocked


@pytest.mark.parametrize(("t", "s"), [(1, 1), (5, 5), (64, 64), (65, 65), (200, 200), (70, 300)])
@pytest.mark.parametrize("window", [None, 7, 100])
def test_it_is_causal_attention(t, s, window):
    torch.manual_seed(0)
    query, key, value = torch.randn(2, 6, t, 8), torch.randn(2, 3, s, 8), torch.randn(2, 3, s, 8)
    positions, seen = torch.arange(s - t, s)[:, None], torch.arange(s)
    mask = (seen <= positions) & (True if window is None else seen > positions - window)
    expected = scaled_dot_product_attention(query, key, value, attn_mask=mask, enable_gqa=True)
    torch.testing.assert_close(blocked(query, key, value, window=window), expected, atol=1e-5, rtol=1e-5)


def test_what_stands_to_the_right_does_not_matter():
    torch.manual_seed(0)
    query, key, value = (torch.randn(1, 2, 100, 8) for _ in range(3))
    before = blocked(query, key, value)
    key[:, :, 60:], value[:, :, 60:] = 9.0, 9.0
    after = blocked(query, key, value)
    torch.testing.assert_close(after[:, :, :60], before[:, :, :60])
    assert not torch.allclose(after[:, :, 60:], before[:, :, 60:])
