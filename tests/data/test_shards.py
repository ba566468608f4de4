"""Shards: every song once an epoch, in an order that is a function of the seed; what is broken is named."""

import io
import json
import tarfile
from pathlib import Path

import pytest
import torch

from jam.data.example import CropSettings
from jam.data.shards import LoaderSettings, Shards, ShardSettings, load_batches, shard_paths

CROP = CropSettings(max_frames=16)


def song(key: str, frames: int = 12, **parts: object) -> dict[str, bytes]:
    words = [{"start": 0.0, "end": 0.2, "word": "la", "phoneme": "la"}]
    stored = {"latent.pt": torch.ones(128, frames), "style.pt": torch.zeros(512), "json": {"word": words}} | parts
    members = {}
    for name, value in stored.items():
        if isinstance(value, torch.Tensor):
            buffer = io.BytesIO()
            torch.save(value, buffer)
            members[f"{key}.{name}"] = buffer.getvalue()
        elif value is not None:
            members[f"{key}.{name}"] = value if isinstance(value, bytes) else json.dumps(value).encode()
    return members


def write(path: Path, *songs: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for members in songs:
            for name, data in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


@pytest.fixture
def pattern(tmp_path: Path) -> str:
    for shard in range(3):
        write(tmp_path / f"s-{shard:06d}.tar", *(song(f"{shard}{i}", frames=8 + i) for i in range(4)))
    return str(tmp_path / "s-{000000..000002}.tar")


def read(pattern: str, epochs: int = 1, **settings: object) -> list[str]:
    chosen = {key: settings.pop(key) for key in ("seed", "process", "processes", "skip") if key in settings}
    shards = Shards(ShardSettings(pattern, crop=CROP, **settings), lambda _word: [5], epochs=epochs, **chosen)
    return [example.key for example in shards]


EVERY = sorted(f"{shard}{i}" for shard in range(3) for i in range(4))


def test_an_epoch_holds_every_song_once_whatever_the_number_of_processes(pattern):
    assert sorted(read(pattern)) == EVERY
    parts = [read(pattern, process=p, processes=3) for p in range(3)]
    assert sorted(sum(parts, [])) == EVERY


def test_an_epoch_holds_every_song_once_with_several_workers(pattern):
    shards = Shards(ShardSettings(pattern, crop=CROP), lambda _word: [5], epochs=2)
    loader = load_batches(shards, LoaderSettings(batch_size=3, num_workers=2), torch.zeros(64))
    assert sorted(key for batch in loader for key in batch.keys) == sorted(EVERY * 2)


def test_the_order_is_a_function_of_the_seed_and_changes_with_the_epoch(pattern):
    assert read(pattern, seed=1) == read(pattern, seed=1) != read(pattern, seed=2)
    two = read(pattern, epochs=2)
    assert two[:12] != two[12:] and sorted(two[12:]) == EVERY
    assert read(pattern, shuffle=False) == EVERY


def test_a_resumed_reader_goes_on_where_it_stopped(pattern):
    assert read(pattern, epochs=2, skip=7) == read(pattern, epochs=2)[7:]


def test_ids_and_durations_choose_songs(pattern, tmp_path):
    ids = tmp_path / "ids.jsonl"
    ids.write_text('{"id": "01"}\n\n{"id": "22"}\n')
    assert sorted(read(pattern, id_list_jsonl=str(ids))) == ["01", "22"]
    longer = read(pattern, ignore_by_duration_threshold=9.5 * 2048 / 44100)
    assert sorted(longer) == [key for key in EVERY if key[1] in "23"]
    often = read(pattern, resample_by_duration_threshold=16 * 2048 / 44100, epochs=100)
    share = sum(key[1] == "0" for key in often) / 300  # songs of half the threshold
    assert share == pytest.approx(0.5**1.2, abs=0.09)


def test_missing_shards_and_broken_id_lists_are_named(pattern, tmp_path):
    with pytest.raises(ValueError, match=r"1 of 4 shards are missing.*s-000003.tar"):
        shard_paths(pattern.replace("000002", "000003"))
    (tmp_path / "ids.jsonl").write_text('{"id": "01"}\nnot json\n')
    with pytest.raises(ValueError, match=r"ids.jsonl: line 2"):
        read(pattern, id_list_jsonl=str(tmp_path / "ids.jsonl"))


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"style.pt": None}, "has no style.pt"),
        ({"style.pt": torch.zeros(7)}, r"style.pt is \[7\]"),
        ({"latent.pt": b"broken"}, "latent.pt: is not a readable tensor"),
        ({"json": b"{"}, "json cannot be read"),
        ({"json": {"word": [{"start": 2, "end": 1, "word": "x"}]}}, "word 1"),
        ({"latent.pt": torch.full((128, 9), torch.nan)}, "not finite"),
    ],
)
def test_a_broken_song_stops_the_run_by_name(tmp_path, parts, said):
    write(tmp_path / "bad.tar", song("good"), song("evil", **parts))
    with pytest.raises(ValueError, match=f"evil.*{said}"):
        read(str(tmp_path / "bad.tar"), shuffle=False)


def test_a_truncated_shard_stops_the_run_by_name(tmp_path, pattern):
    whole = (tmp_path / "s-000001.tar").read_bytes()
    (tmp_path / "s-000001.tar").write_bytes(whole[: len(whole) // 3])
    with pytest.raises(ValueError, match="a shard cannot be read"):
        read(pattern)


def test_a_style_or_latent_that_hides_code_is_refused(tmp_path):
    import pickle

    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    write(tmp_path / "bad.tar", song("evil", **{"latent.pt": pickle.dumps(Evil())}))
    with pytest.raises(ValueError, match="evil"):
        read(str(tmp_path / "bad.tar"))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("workers", [0, 2, 3])
def test_a_resumed_loader_gives_the_batches_that_were_still_to_come(pattern, workers):
    def batches(skip: int) -> list[tuple[str, ...]]:
        shards = Shards(ShardSettings(pattern, crop=CROP), lambda _word: [5], skip=skip, hand=2)
        loader = iter(load_batches(shards, LoaderSettings(batch_size=2, num_workers=workers), torch.zeros(64)))
        return [next(loader).keys for _ in range(10)]

    assert batches(6)[:7] == batches(0)[3:]
