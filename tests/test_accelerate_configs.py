"""The files of `configs/accelerate/`: Accelerate takes them, they ask for what their names say, the CPU's starts two processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser

from jam.model.layers import Block

FOLDER = Path(__file__).parent.parent / "configs" / "accelerate"
FILES = sorted(FOLDER.glob("*.yaml"))

TELL = """
import sys
from accelerate import Accelerator
accelerator = Accelerator(cpu=True)
place = f"{accelerator.process_index} of {accelerator.num_processes}"
sys.stdout.write(f"process {place} {accelerator.device} {accelerator.mixed_precision}\\n")  # one write: the other process writes as well
accelerator.end_training()
"""


def launch_words(name: str):
    """What `accelerate launch` makes of a file."""
    words = launch_command_parser().parse_args(["--config_file", str(FOLDER / f"{name}.yaml"), "train.py"])
    return _validate_launch_command(words)[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_accelerate_loads_it_and_leaves_the_precision_to_us(path):
    assert load_config_from_file(str(path)).mixed_precision == "no"


def test_there_is_one_for_each_kind_of_machine():
    assert [path.stem for path in FILES] == ["cpu", "eight_gpus", "fsdp", "one_gpu", "two_nodes"]


@pytest.mark.parametrize(
    ("name", "processes", "machines", "fsdp"),
    [("one_gpu", 1, 1, False), ("eight_gpus", 8, 1, False), ("fsdp", 8, 1, True), ("two_nodes", 16, 2, False), ("cpu", 2, 1, False)],
)
def test_launch_starts_what_the_name_says(name, processes, machines, fsdp):
    words = launch_words(name)
    assert (words.num_processes, words.num_machines, words.use_fsdp) == (processes, machines, fsdp)
    assert words.multi_gpu == (processes > 1 and not fsdp)


def test_fsdp_is_the_second_version_and_shares_out_our_blocks(monkeypatch):
    from accelerate.utils import FullyShardedDataParallelPlugin
    from accelerate.utils.launch import prepare_multi_gpu_env

    words = launch_words("fsdp")
    for name, value in prepare_multi_gpu_env(words).items():
        if name.startswith(("FSDP_", "ACCELERATE_USE_FSDP")):
            monkeypatch.setenv(name, value)
    plugin = FullyShardedDataParallelPlugin()
    assert (plugin.fsdp_version, plugin.reshard_after_forward, plugin.cpu_ram_efficient_loading) == (2, True, False)
    assert plugin.transformer_cls_names_to_wrap == [Block.__name__]
    assert plugin.state_dict_type.name == "SHARDED_STATE_DICT"


def test_the_second_machine_is_told_its_rank_and_the_first_ones_address():
    words = ["--config_file", str(FOLDER / "two_nodes.yaml"), "--machine_rank", "1", "--main_process_ip", "10.0.0.7", "train.py"]
    given = _validate_launch_command(launch_command_parser().parse_args(words))[0]
    assert (given.machine_rank, given.main_process_ip, int(given.main_process_port)) == (1, "10.0.0.7", 29500)


def test_the_cpus_file_starts_two_processes(tmp_path):  # about 5 s: three Pythons import torch
    script = tmp_path / "tell.py"
    script.write_text(TELL)
    words = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(FOLDER / "cpu.yaml"), "--main_process_port", "0"]
    result = subprocess.run([*words, str(script)], capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=120)
    assert result.returncode == 0, result.stderr
    told = sorted(line for line in result.stdout.splitlines() if line.startswith("process"))
    assert told == ["process 0 of 2 cpu:0 no", "process 1 of 2 cpu:0 no"]
