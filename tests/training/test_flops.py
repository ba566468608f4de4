"""FLOPs: the count is that of a hand, and a device's peak is its data sheet's or measured."""

import time
from dataclasses import replace

import pytest
import torch

from jam.model.dit import DiTSettings
from jam.training.flops import forward_flops, listed_peak, peak_flops, training_flops

TINY = DiTSettings(max_frames=8, dim=32, depth=2, heads=2, ff_mult=4, text_dim=16, conv_layers=1, cond_dim=16)


def test_a_tiny_network_counts_as_by_hand():
    frames, slots, width, lyric = 8, 32, 32, 16
    scalars = 4 * (256 * 16 + 16 * 16)
    lyrics = slots * (7 * lyric + 2 * lyric * 2 * lyric)  # depthwise 7, two Linears
    lyrics += (slots // 2 + slots // 4) * 4 * lyric * lyric  # two convolutions of kernel 4
    entrance = frames * (2 * 64 + lyric + 512 + 16) * width + 2 * frames * 31 * width * (width // 16)
    block = frames * (4 * width * width + 3 * 4 * width * width) + 2 * frames * frames * width
    exit_ = 16 * 2 * width + frames * width * 64
    fusion = frames * lyric * width  # after the first of two blocks
    assert forward_flops(TINY, frames) == 2 * (scalars + lyrics + entrance + 2 * block + fusion + exit_)


def test_two_latents_of_a_song_cost_less_than_two_songs():
    assert forward_flops(TINY, 8) < forward_flops(TINY, 8, latents=2) < 2 * forward_flops(TINY, 8)


def test_training_costs_three_forward_passes_with_or_without_recomputation():
    forward = forward_flops(TINY, 8)
    assert training_flops(TINY, 8) == 3 * forward
    assert training_flops(replace(TINY, grad_ckpt=True), 8) == 3 * forward
    assert training_flops(TINY, 8, frozen=True) == 2 * forward
    assert training_flops(TINY, 8, references=1) == 4 * forward


@pytest.mark.parametrize(
    ("name", "dtype", "tflops"),
    [
        ("NVIDIA A100-SXM4-80GB", torch.bfloat16, 312),
        ("NVIDIA A100-SXM4-80GB", torch.float32, 19.5),
        ("NVIDIA H100 80GB HBM3", torch.bfloat16, 989.5),
        ("NVIDIA H100 PCIe", torch.float16, 756.5),
        ("NVIDIA H200", torch.bfloat16, 989.5),
        ("NVIDIA L4", torch.bfloat16, 121),
        ("NVIDIA L40S", torch.bfloat16, 362),
        ("NVIDIA A10", torch.bfloat16, 125),
        ("NVIDIA GeForce RTX 4090", torch.bfloat16, 165.2),
        ("Tesla V100-SXM2-32GB", torch.float16, 125),
        ("NVIDIA B200", torch.bfloat16, 2250),
    ],
)
def test_known_gpus_have_the_peaks_of_their_data_sheets(name, dtype, tflops):
    assert listed_peak(name, dtype) == 1e12 * tflops


@pytest.mark.parametrize("name", ["NVIDIA A10G", "NVIDIA GeForce RTX 4090 Laptop GPU", "NVIDIA A100-SXM4-40GB MIG 1g.5gb", "GeForce 256"])
def test_gpus_that_only_look_like_known_ones_are_not_listed(name):
    assert listed_peak(name, torch.bfloat16) is None


def test_tf32_counts_where_it_is_allowed():
    assert listed_peak("NVIDIA A100-SXM4-80GB", torch.float32, tf32=True) == 156e12


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_cpu_is_measured_once_and_quickly(dtype):
    peak_flops.cache_clear()
    began = time.perf_counter()
    first = peak_flops(torch.device("cpu"), dtype)
    assert time.perf_counter() - began < 1  # half a second, and as much again for a busy machine
    assert peak_flops(torch.device("cpu"), dtype) == first > 1e8
