"""Adapters: silent when fresh, the only thing trained, read by peft itself, and the same once merged."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from jam import assets
from jam.conditions import Conditions
from jam.model import lora, weights
from jam.model.dit import DiT, DiTSettings
from jam.model.lora import LoraSettings
from jam.randomness import generator
from jam.timing import Span

TINY = DiTSettings(max_frames=16, mel_dim=8, dim=32, depth=2, heads=2, text_dim=16, conv_layers=1, cond_dim=16, time_modulation=True)
SETTINGS = LoraSettings(rank=4, alpha=8.0, targets=("q_proj", "gate_proj", "input_embed.proj", r"time_embed\.time_mlp\.\d"))
LAYERS = ["time_embed.time_mlp.0", "time_embed.time_mlp.2", "input_embed.proj"] + [
    f"transformer_blocks.{block}.{name}" for block in (0, 1) for name in ("self_attn.q_proj", "mlp.gate_proj")
]


def filled(model: nn.Module, *names: object, std: float = 0.1) -> None:
    with torch.no_grad():
        for name, value in lora.trained(model).items():
            value.normal_(std=std, generator=generator("test", *names, name))


def tiny() -> DiT:
    model = DiT(TINY)
    filled(model, "base")
    return model


def velocity(model: nn.Module) -> Tensor:
    frames, channels = model.settings.max_frames, model.settings.mel_dim
    draws = generator("test", "input")
    slots = torch.randint(3, 60, (2, 4 * frames), generator=draws)
    spans = Span(frames - 4, frames)
    one = [Conditions.single(row, torch.randn(512, generator=draws) / 512**0.5, spans) for row in slots]
    x_t = torch.randn(2, frames, channels, generator=draws)
    return model(x_t, torch.tensor([0.2, 0.7]), Conditions.cat(one))


def saved(folder: Path, model: DiT, settings: LoraSettings = SETTINGS, base: str | None = None) -> lora.Adapter:
    lora.save(folder, lora.trained(model), settings, model.settings, base or weights.fingerprint(tiny().state_dict()))
    return lora.read(folder)


def adapted(*names: object, settings: LoraSettings = SETTINGS) -> DiT:
    model = tiny()
    lora.attach(model, settings)
    filled(model, *names)
    return model


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_fresh_adapter_changes_nothing_and_is_float32(dtype):
    """Takes long at first: peft is loaded."""
    model = tiny().to(dtype)
    before = velocity(model)
    lora.attach(model, SETTINGS)
    assert torch.equal(velocity(model), before)
    with torch.autocast("cpu", torch.bfloat16):
        velocity(model).square().mean().backward()
    moved = [name for name, value in model.named_parameters() if value.grad is not None]
    assert sorted(moved) == sorted(lora.trained(model))
    assert all(value.dtype == torch.float32 for value in lora.trained(model).values())


def test_only_the_adapters_parameters_are_trained():
    model = tiny()
    assert lora.trained(model).keys() == dict(model.named_parameters()).keys()
    lora.attach(model, SETTINGS)
    names = [name for name, value in model.named_parameters() if value.requires_grad]
    assert names == list(lora.trained(model))
    assert sorted(names) == sorted(f"{layer}.lora_{part}.default.weight" for layer in LAYERS for part in "AB")
    assert type(model) is DiT and model.dtype == torch.float32


def test_an_adapter_is_a_function_of_its_seed():
    def drawn(seed: int, noise: int) -> list[Tensor]:
        torch.manual_seed(noise)
        model = tiny()
        lora.attach(model, SETTINGS, seed)
        return list(lora.trained(model).values())

    first, again, other = drawn(0, 1), drawn(0, 2), drawn(1, 1)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    starts = [a for a in first if a.any()]
    assert len(starts) == len(LAYERS)  # each A; each B is zeros
    assert not any(torch.equal(a, b) for a, b in zip(starts, [b for b in other if b.any()], strict=True))
    assert all(0.8 < a.abs().max() * a.shape[1] ** 0.5 <= 1 for a in starts)


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (("q_proj", "wings"), "wings is the name of no Linear layer; there are block_modulation, down_proj"),
        (("proj",), None),  # the end of a name at a dot, so not q_proj
        (("dwconv",), "dwconv is the name of no Linear layer"),
        (("(",), "neither a name nor a regular expression"),
    ],
)
def test_targets_that_mean_nothing_are_named(targets, said):
    model = tiny()
    if said is None:
        assert lora.matched(model, targets) == ["input_embed.proj"]
        return
    with pytest.raises(ValueError, match=said):
        lora.attach(model, LoraSettings(rank=2, targets=targets))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rank": -1}, "training.lora.rank is -1"),
        ({"rank": 2, "alpha": 0.0}, "training.lora.alpha is 0.0"),
        ({"alpha": float("nan")}, "training.lora.alpha is nan"),
        ({"dropout": 1.0}, "training.lora.dropout is 1.0"),
        ({"rank": 2, "targets": ()}, "training.lora.targets is empty"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(given, said):
    with pytest.raises(ValueError, match=said):
        LoraSettings(**given)


def test_without_its_adapter_the_base_answers():
    model = adapted("a")
    full, base = velocity(model), velocity(tiny())
    flags = [value.requires_grad for value in model.parameters()]
    with torch.no_grad(), lora.disabled(nn.ModuleDict({"module": model})):
        assert torch.equal(velocity(model), base)
        assert [value.requires_grad for value in model.parameters()] == flags
        with lora.disabled(model):
            pass
        assert torch.equal(velocity(model), base)  # the inner one does not end the outer one
    assert torch.equal(velocity(model), full) and not torch.allclose(full, base, atol=1e-2)


def test_merging_changes_the_velocity_by_less_than_1e_5(tmp_path):
    model = adapted("a")
    tensors = lora.merged(tiny().state_dict(), [(saved(tmp_path, model), 1.0)], "base")
    merged = weights.build(tensors, TINY, "merged", "cpu", torch.float32)
    assert (velocity(merged) - velocity(model)).abs().max() < 1e-5


def test_several_adapters_are_added_each_with_its_weight(tmp_path):
    """W' = W + 0.5 * 8/4 * B1 A1 + 2 * 3/3 * B2 A2, of ranks 4 and 3."""
    other = LoraSettings(rank=3, targets=("q_proj", "v_proj"))
    models = adapted("a"), adapted("b", settings=other)
    pair = [(saved(tmp_path / "a", models[0]), 0.5), (saved(tmp_path / "b", models[1], other), 2.0)]
    base, merged = tiny().state_dict(), lora.merged(tiny().state_dict(), pair, "base")
    first, second = (dict(model.named_parameters()) for model in models)

    def change(parameters: dict[str, Tensor], layer: str) -> Tensor:
        return parameters[f"{layer}.lora_B.default.weight"] @ parameters[f"{layer}.lora_A.default.weight"]

    q, v = (f"transformer_blocks.1.self_attn.{name}_proj" for name in "qv")
    assert torch.allclose(merged[f"{q}.weight"], base[f"{q}.weight"] + change(first, q) + 2 * change(second, q), atol=1e-6)
    assert torch.allclose(merged[f"{v}.weight"], base[f"{v}.weight"] + 2 * change(second, v), atol=1e-6)
    assert torch.equal(merged["proj_out.weight"], base["proj_out.weight"])


def test_a_merged_half_precision_base_keeps_what_the_adapter_adds(tmp_path):
    half = {name: value.half() for name, value in tiny().state_dict().items()}
    adapter = saved(tmp_path, adapted("a"), base=weights.fingerprint(half))
    merged = lora.merged(half, [(adapter, 1.0)], "base")
    changed = {name for name, value in merged.items() if value.dtype == torch.float32}
    assert changed == {f"{layer}.weight" for layer in LAYERS}


def test_peft_itself_reads_an_adapter(tmp_path):
    from peft import PeftConfig, inject_adapter_in_model
    from peft.utils.save_and_load import load_peft_weights, set_peft_model_state_dict

    model = adapted("a")
    saved(tmp_path, model)
    config = PeftConfig.from_pretrained(str(tmp_path))
    read = inject_adapter_in_model(config, tiny())
    result = set_peft_model_state_dict(read, load_peft_weights(str(tmp_path), device="cpu"))
    assert not result.unexpected_keys and not [name for name in result.missing_keys if "lora_" in name]
    assert torch.equal(velocity(read), velocity(model))


def test_an_adapter_read_back_is_the_one_saved(tmp_path):
    model = adapted("a")
    adapter = saved(tmp_path, model)
    expected = lora.trained(model)
    assert adapter.tensors.keys() == expected.keys()
    assert all(torch.equal(adapter.tensors[name], value) for name, value in expected.items())
    assert (adapter.settings.rank, adapter.settings.scale, adapter.dit) == (4, 2.0, TINY)
    again = tiny()
    lora.attach(again, adapter.settings)
    again.load_state_dict(adapter.tensors, strict=False)
    assert torch.equal(velocity(again), velocity(model))
    assert {path.name for path in tmp_path.iterdir()} == {"adapter_model.safetensors", "adapter_config.json", "base.json"}


def test_another_base_is_refused_with_both_hashes(tmp_path):
    other = tiny().state_dict()
    other["proj_out.bias"] = other["proj_out.bias"] + 1e-6
    adapter = saved(tmp_path / "adapter", adapted("a"))
    with pytest.raises(ValueError) as refused:
        lora.merged(other, [(adapter, 1.0)], "other.safetensors")
    said = str(refused.value)
    assert said.startswith(str(tmp_path / "adapter")) and "other.safetensors" in said and "\n" not in said
    assert adapter.base[:12] in said and weights.fingerprint(other)[:12] in said


def edit(file: str, **changes: object):
    def change(folder: Path) -> None:
        stored = json.loads((folder / file).read_text())
        (folder / file).write_text(json.dumps({name: value for name, value in (stored | changes).items() if value is not None}))

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "base.json").unlink(), "not an adapter \\(no base.json\\)"),
        (lambda folder: (folder / "adapter_model.safetensors").write_bytes(b"no"), "not a readable safetensors file"),
        (lambda folder: (folder / "adapter_config.json").write_text("{"), "not JSON"),
        (lambda folder: (folder / "base.json").write_text("[1]"), "is not an adapter's"),
        (edit("base.json", sha256=None), "is not an adapter's"),
        (edit("adapter_config.json", r="four"), "is not an adapter's"),
        (edit("adapter_config.json", use_dora=True), "use_dora is set"),
        (edit("adapter_config.json", r=5), "do not fit the network at rank 5"),
    ],
)
def test_a_folder_that_is_no_adapter_is_refused_in_one_line(tmp_path, change, said):
    saved(tmp_path, adapted("a"))
    change(tmp_path)
    with pytest.raises(ValueError, match=said) as refused:
        lora.merged(tiny().state_dict(), [(lora.read(tmp_path), 1.0)], "base")
    assert "\n" not in str(refused.value) and str(tmp_path) in str(refused.value)


def test_a_full_disk_leaves_the_former_adapter(tmp_path, file_size_limit):
    before = saved(tmp_path, adapted("a"))
    with file_size_limit(2000), pytest.raises(OSError, match="free some space"):
        saved(tmp_path, adapted("b"))
    after = lora.read(tmp_path)
    assert all(torch.equal(after.tensors[name], value) for name, value in before.tensors.items())
    assert len(list(tmp_path.iterdir())) == 3


def test_a_rank_8_adapter_of_the_embedded_singer_is_small_and_merges_exactly(tmp_path):
    """Takes seconds: the whole embedded network, twice. Its base is half precision on disk, the adapter's hash that of the file."""
    path, settings = assets.BUNDLE / "model", LoraSettings(rank=8)
    stored = weights.read_tensors(path)
    model = weights.load(path)
    lora.attach(model, settings)
    filled(model, "nano", std=0.02)
    share = sum(value.numel() for value in lora.trained(model).values()) / sum(value.numel() for value in stored.values())
    assert share < 0.02
    adapter = saved(tmp_path, model, settings, weights.fingerprint(stored))
    tensors = lora.merged(stored, [(adapter, 1.0)], path)
    merged = weights.build(tensors, model.settings, path, "cpu", torch.float32)
    with torch.no_grad():
        full, base = velocity(model), velocity(weights.load(path))
        difference = (velocity(merged) - full).abs().max()
    assert difference < 1e-5 < 1e-2 < (full - base).abs().max(), (share, difference)
