"""Two processes tune as one with batches twice as large, and share the reference's work; each test starts Pythons, which takes seconds."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from jam.dpo.reference import ERRORS_FILE
from jam.model import weights
from jam.training import checkpoint
from tests.dpo.made import TINY, records_in, tiny, words_of, write_pairs

ROOT = Path(__file__).parents[2]


def tune(folder: Path, processes: int, **changes: Any) -> None:
    launch = [sys.executable, "-m"]
    if processes > 1:
        launch += ["torch.distributed.run", "--standalone", "--nproc_per_node", str(processes), "-m"]
    settings = {
        "data__train_dataset__dpo_json_path": folder.parent / "pairs" / "pairs.json",
        "dpo__valid_json_path": folder.parent / "pairs" / "pairs.json",
        "training__resume_from_safetensors": folder.parent / "base",
        "training__checkpoint_path": folder,
        "training__learning_rate": 1e-3,
        "training__num_warmup_updates": 1,
        "training__max_steps": 6,
        "training__log_every": 2,
        "training__valid_every": 6,
        "training__beta_dpo": 50,
    }
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    words = [*launch, "jam.dpo.train_dpo", *words_of(TINY, **settings | changes)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("changes", [{"training__lora__rank": 4}, {"dpo__precompute_reference": 2}])
def test_two_processes_follow_one(tmp_path, changes):
    weights.save(tiny().state_dict(), TINY, tmp_path / "base")
    write_pairs(tmp_path / "pairs", 5)
    tune(tmp_path / "one", 1, data__train_dataloader__batch_size=4, **changes)
    tune(tmp_path / "two", 2, data__train_dataloader__batch_size=2, **changes)
    for record, expected in zip(records_in(tmp_path / "two"), records_in(tmp_path / "one"), strict=True):
        names = [name for name in expected if "margin" in name or "loss" in name or "accuracy" in name or "drift" in name]
        assert [record[name] for name in names] == pytest.approx([expected[name] for name in names], abs=1e-3)
    if "dpo__precompute_reference" in changes:
        one, two = (torch.load(tmp_path / name / ERRORS_FILE) for name in ("one", "two"))
        assert one["names"] == two["names"] and len(one["names"]) == 10
        assert torch.allclose(one["errors"], two["errors"], atol=1e-5)
    states = [checkpoint.load(tmp_path / name / "last")["model"] for name in ("one", "two")]
    assert all(torch.allclose(states[0][name], states[1][name], atol=1e-3) for name in states[0])
