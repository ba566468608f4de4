"""Every shipped YAML is readable settings, and so is one with the keys that users of the released system write."""

import dataclasses
from pathlib import Path

import pytest
import yaml

from jam import config
from jam.dpo.train_dpo import DPOConfig
from jam.eval.settings import EvalConfig
from jam.infer import InferConfig
from jam.prepare.settings import PrepareConfig
from jam.train import TrainConfig

CONFIGS = sorted((Path(__file__).parent.parent / "configs").glob("*.yaml"))
SCHEMAS = {"evaluation": InferConfig, "training": TrainConfig, "dpo": DPOConfig}

DATASET = """
    pattern: songs/{000000..000099}.tar
    id_list_jsonl: ids.jsonl
    max_frames: ${max_frames}
    multiple_styles: true
    sampling_rate: 44100
    shuffle: true
    silence_latent_path: silence.npy
    tokenizer_path: tokenizer.json
    dpo_json_path: pairs.json
    vae_sampled: true
    phonemizer_checkpoint: phonemizer.pt
    lrc_upsample_factor: ${lrc_upsample_factor}
    filler: average_sparse
    resample_by_duration_threshold: 150
    ignore_by_duration_threshold: 30
    always_crop_from_beginning: false
    always_use_style_index: 0
"""
RELEASED = f"""
project_root: .
max_frames: 2000
lrc_upsample_factor: 4
seed: 42
evaluation:
  checkpoint_path: weights/jam-0_5.safetensors
  output_dir: outputs
  test_set_path: inputs/input.json
  batch_size: 1
  num_samples: null
  vae_type: diffrhythm
  ignore_style: false
  use_prompt_style: false
  num_style_secs: 30
  random_crop_style: false
  negative_style_prompt: public/vocal.npy
  use_chunked_decoding: true
  chunked_overlap: 32
  chunked_size: 128
  dataset: {DATASET}
  sample_kwargs:
    steps: 50
    dual_cfg: [4.7, 2.6]
    cfg_strength: 4
    fix_dual_cfg: false
    cfg_range: [0.05, 1]
    sway_sampling_coef: null
    batch_infer_num: 1
model:
  num_channels: 64
  cfm:
    max_frames: ${{max_frames}}
    num_channels: ${{model.num_channels}}
    dual_drop_prob: [0.1, 0.5]
    no_edit: true
    sft: gt
  dit:
    max_frames: ${{max_frames}}
    mel_dim: ${{model.num_channels}}
    dim: 1408
    depth: 16
    heads: 32
    ff_mult: 4
    text_dim: 512
    conv_layers: 4
    grad_ckpt: false
    use_implicit_duration: true
data:
  train_dataset: {DATASET}
  train_dataloader:
    batch_size: 8
    num_workers: 4
    persistent_workers: true
    pin_memory: true
    prefetch_factor: 4
training:
  max_steps: 1000
  learning_rate: 7.5e-5
  num_warmup_updates: 100
  grad_accumulation_steps: 1
  save_per_updates: 500
  last_per_steps: 100
  log_every: 10
  checkpoint_path: checkpoints
  max_grad_norm: 10.0
  resume_from_safetensors: null
  resume_from_checkpoint: null
  use_ema: true
  use_constant_lr: false
  beta_dpo: 2000
wandb:
  project: jam
  name: first
  mode: disabled
  resume_id: null
"""
def schema(path: Path) -> type:
    """Inference where the YAML has `evaluation`, training where it has `training`, preference tuning where it has `dpo` too."""
    found = [SCHEMAS[section] for section in yaml.safe_load(path.read_text()) if section in SCHEMAS]
    assert found in ([InferConfig], [TrainConfig], [TrainConfig, DPOConfig]), f"{path}: needs evaluation or training, and not both"
    return found[-1]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_shipped_yaml_loads(path):
    config.load(schema(path), [f"config={path}"])


@pytest.mark.parametrize("path", sorted((CONFIGS[0].parent / "prepare").glob("*.yaml")), ids=lambda path: path.name)
def test_every_yaml_of_the_preparation_loads(path):
    assert config.load(PrepareConfig, [f"config={path}"]) != PrepareConfig()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_canvas_of_a_yaml_is_its_max_frames(path):
    settings = config.load(schema(path), [f"config={path}", "max_frames=1234"])
    if isinstance(settings, TrainConfig):
        assert {settings.data.train_dataset.max_frames, settings.model.cfm.max_frames, settings.model.dit.max_frames} == {1234}
    elif path.name == "jam-0.5.yaml":
        assert settings.evaluation.dataset.max_frames == 1234


@pytest.mark.parametrize("kind", [InferConfig, TrainConfig, DPOConfig])
def test_a_yaml_of_the_released_system_loads(tmp_path, kind):
    file = tmp_path / "released.yaml"
    file.write_text(RELEASED)
    settings = config.load(kind, [f"config={file}"])
    assert settings.model.dit.max_frames == 2000
    assert settings.seed == 42


def test_a_yaml_of_the_released_system_means_what_it_says(tmp_path):
    file = tmp_path / "released.yaml"
    file.write_text(RELEASED)
    evaluation = config.load(InferConfig, [f"config={file}"]).evaluation
    assert evaluation.sample_kwargs.cfg_range == (0.05, 1.0)
    assert evaluation.dataset.max_frames == 2000
    assert evaluation.negative_style_prompt == "public/vocal.npy"
    train = config.load(TrainConfig, [f"config={file}"])
    assert train.data.train_dataset.ignore_by_duration_threshold == 30
    assert train.training.learning_rate == 7.5e-5
    tuning = config.load(DPOConfig, [f"config={file}"])
    assert (tuning.model.cfm.sft, tuning.training.beta_dpo, tuning.data.train_dataset.dpo_json_path) == ("gt", 2000, "pairs.json")


def test_the_pretraining_yaml_explains_every_key_of_training():
    def keys(kind, prefix=""):
        for field in dataclasses.fields(kind):
            value = getattr(kind(), field.name)
            yield from keys(type(value), f"{prefix}{field.name}.") if dataclasses.is_dataclass(value) else [f"{prefix}{field.name}"]

    def written(node, prefix=""):
        for name, value in node.items():
            yield from written(value, f"{prefix}{name}.") if isinstance(value, dict) else [f"{prefix}{name}"]

    file = Path(__file__).parent.parent / "configs" / "pretrain.yaml"
    absent = set(keys(TrainConfig)) - set(written(yaml.safe_load(file.read_text())))
    assert absent == {"evaluation", "dpo", "model.lora"}  # other entries'
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#") and not line.endswith(":")]
    plain = [line.strip() for line in lines if "#" not in line]
    assert all("${" in line or line.endswith(": null") or line.split(":")[0] in ("heads", "project") for line in plain), plain


@pytest.mark.parametrize("path", sorted((Path(__file__).parent.parent / "configs" / "eval").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_evaluation_is_readable_and_says_something(path):
    read = config.load(EvalConfig, [f"config={path}"])
    assert read != EvalConfig()
    assert path.read_text().startswith("# ")
