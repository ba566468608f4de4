"""The frozen reference that preference tuning measures gains against: its weights, their fingerprint, and its errors kept on disk.

It never comes from a half-trained policy: its weights are read from their own file at every start, and a run refuses to go on when that
file's tensors are no longer those of the checkpoint. It knows no optimizer.
"""

from __future__ import annotations

import hashlib
import logging
import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from jam.conditions import Conditions, drop_out
from jam.dpo.listing import PairFiles
from jam.dpo.loss import PairErrors
from jam.dpo.objective import ReferenceErrors, block_errors
from jam.dpo.pairs import PairBatch
from jam.files import whole
from jam.flow import Draws, Velocity, draw
from jam.model import weights
from jam.model.dit import DiT, DiTSettings

if TYPE_CHECKING:
    from accelerate import Accelerator

log = logging.getLogger("jam")

ERRORS_FILE = "reference_errors.pt"

Table = dict[str, tuple[float, float]]  # a pair's name in a use -> the reference's errors on winner and loser


def refuse_another(saved: str | None, found: str, where: str | Path) -> None:
    """Raises ValueError where the weights at `where` are not those whose fingerprint a checkpoint saved."""
    if saved != found:
        raise ValueError(
            f"{where}: is not the reference that this run began with (SHA-256 {found[:12]} instead of {str(saved)[:12]}); "
            "put the former weights back, or begin a new run in another training.checkpoint_path"
        )


def frozen(tensors: Mapping[str, Tensor], settings: DiTSettings, where: str | Path, device: torch.device, precision: torch.dtype) -> DiT:
    """A network that only answers, made of `tensors`, which nobody else may change.

    Under autocast to `precision` it answers to the bit as it would in float32: the weights of linear layers and convolutions, which
    autocast rounds at each step, are held rounded, in half the memory.
    """
    model = weights.build(dict(tensors), settings, where, device, torch.float32)
    if precision != torch.float32:
        for layer in model.modules():
            if isinstance(layer, nn.Linear | nn.Conv1d):
                layer.to(precision)
    return model


def compute_errors(
    velocity: Velocity,
    batches: Iterable[PairBatch],
    dual_drop_prob: Sequence[float],
    lyrics_drop_prob: float,
    accelerator: Accelerator,
) -> Table:
    """The reference's errors on the pairs of all processes, each computing its share; chance draws as in the objective."""
    from accelerate.utils import gather_object

    table: Table = {}
    for batch in batches:
        draws = draw(batch.draws, *batch.winner.shape[1:]).to(accelerator.device)
        moved = batch.to(accelerator.device)
        conditions = drop_out(moved.conditions, dual_drop_prob, draws.drop, lyrics_drop_prob)
        with torch.no_grad(), accelerator.autocast():
            winner, loser = block_errors(velocity, [moved.winner, moved.loser], draws, conditions)
        table |= dict(zip(batch.draws, zip(winner.tolist(), loser.tolist(), strict=True), strict=True))
    gathered = gather_object([table])
    return {name: errors for part in gathered for name, errors in part.items()}


def stored_reference(table: Table) -> ReferenceErrors:
    """A reference that was asked beforehand. Raises ValueError for a pair that it was not asked about."""

    def measure(_velocity: Velocity, batch: PairBatch, draws: Draws, _conditions: Conditions) -> PairErrors:
        absent = [name for name in batch.draws if name not in table]
        if absent:
            raise ValueError(f"pair {absent[0]}: has no reference error; remove {ERRORS_FILE} to have all computed anew")
        winner, loser = zip(*(table[name] for name in batch.draws), strict=True)
        return PairErrors(torch.tensor(winner, device=draws.t.device), torch.tensor(loser, device=draws.t.device))

    return measure


def kept_errors(folder: str | Path, facts: Mapping[str, str], compute: Callable[[], Table], accelerator: Accelerator) -> Table:
    """The table in `folder`, where it was computed under the same `facts`; else `compute` makes it, in all processes, and it is kept there.

    Raises OSError where it cannot be written.
    """
    path = Path(folder) / ERRORS_FILE
    table, reason = _read(path, facts)
    if not bool(accelerator.reduce(torch.tensor(float(table is not None), device=accelerator.device), "sum") == accelerator.num_processes):
        table = None  # all compute, or none
    if table is not None:
        log.info("%s: the reference's errors on %d draws of pairs, computed before", path, len(table))
        return table
    log.info("computing the reference's errors: %s", reason)
    table = compute()
    if accelerator.is_main_process:
        names = sorted(table)
        with whole(path) as part:
            torch.save({"facts": dict(facts), "names": names, "errors": torch.tensor([table[name] for name in names])}, part)
    accelerator.wait_for_everyone()
    return table


def _read(path: Path, facts: Mapping[str, str]) -> tuple[Table | None, str]:
    """The table of a file, or None and why it does not serve."""
    if not path.exists():
        return None, f"there is no {path} yet"
    try:
        stored: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        changed = [name for name, value in facts.items() if stored["facts"].get(name) != value]
        table = {name: (winner, loser) for name, (winner, loser) in zip(stored["names"], stored["errors"].tolist(), strict=True)}
    except (RuntimeError, EOFError, LookupError, TypeError, ValueError, AttributeError, OSError, pickle.UnpicklingError):
        return None, f"{path} cannot be read"
    return (None, f"{', '.join(changed)} changed since {path} was written") if changed else (table, "")


def files_digest(listing: str | Path, files: Sequence[PairFiles]) -> str:
    """SHA-256 over a list of pairs and over place, size and time of every file that it names: another latent is another digest."""
    digest = hashlib.sha256(Path(listing).read_bytes())
    for pair in files:
        for file in (pair.winner, pair.loser, pair.lyrics, pair.style):
            if file is not None:
                known = file.stat()
                digest.update(f"{file} {known.st_size} {known.st_mtime_ns}\n".encode())
    return digest.hexdigest()
