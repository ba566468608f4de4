"""Shards of prepared songs: who goes where, the same bytes each time, and what lies beside them."""

import hashlib
import json
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from jam import config
from jam.data.example import CropSettings, decode, read_tensor
from jam.data.inspect import main as inspect
from jam.data.loader import Loader, LoaderSettings
from jam.data.settings import read_silence
from jam.data.shards import ShardSettings, read_ids, shard_paths, stored
from jam.data.songs import Songs
from jam.lyrics import formats
from jam.lyrics.words import Phone
from jam.prepare import packing
from jam.prepare.encoding import to_bytes
from jam.prepare.packing import Member, PackSettings, member_of, plan, sample_json, write
from jam.prepare.places import Folder
from jam.prepare.records import Facts, Prepared, Reason, SungWord, Timing, Unread

FRAMES = 24
FACTS = Facts(1.11449, 44_100, 2, "WAV PCM_16", 0.5, -20.0, 0.0, 0.0, 0.0, 0.0, False, 16_000.0)
WORDS = (
    SungWord("soft", 0.10001, 0.4, "sɒft", confidence=-0.1),
    SungWord("missing", 0.4, 0.5, "x", confidence=-3.0, is_found=False),
    SungWord("unheard", phoneme="y"),
    SungWord("lune", 0.5, 0.9, "lyn", "fr"),
)


def song(number: int, **known: object) -> Prepared:
    facts = {"license": "CC-BY-4.0", "source": "https://example.org/a", "language": "en", "tags": ("folk",), "prompts": ("slow",)}
    made = {"facts": FACTS, "frames": FRAMES, "latents": f"latents-{number}", "styles": f"styles-{number}"}
    sizes = tuple(len(content) for content in files(number).values())
    timing = Timing("aligned", "judge", WORDS)
    return Prepared(f"song-{number:02d}", "in", "ab" * 32, **{**facts, **made, "sizes": sizes, "timing": timing, **known})


def files(number: int) -> dict[str, bytes]:
    generator = torch.Generator().manual_seed(number)
    mean = torch.randn(64, FRAMES, generator=generator)
    latent = torch.cat([mean, torch.full_like(mean, 0.5)])
    return {"latent.pt": to_bytes(latent), "style.pt": to_bytes(torch.randn(3, 512, generator=generator))}


class Work:
    """Songs and the folder that they are packed into; counts how often a song is asked for."""

    def __init__(self, folder: Path, songs: list[Prepared], settings: PackSettings | None = None) -> None:
        self.path, self.folder, self.asked = folder, Folder(str(folder)), 0
        self.songs = {one.id: one for one in songs}
        kept = [one for one in songs if not one.is_rejected]
        self.shards = plan([member_of(one) for one in kept], settings or PackSettings(max_songs=4))

    def sample(self, key: str) -> Mapping[str, bytes]:
        self.asked += 1
        return {**files(int(key[-2:])), "json": sample_json(self.songs[key])}

    def pack(self, unread: tuple[Unread, ...] = ()) -> dict:
        packed = [write(self.folder, shard, self.sample) for shard in self.shards]
        return packing.finish(self.folder, packed, self.songs.values(), unread, {"settings": {"seed": 0}}, torch.arange(64.0))

    def contents(self) -> dict[str, bytes]:
        return {str(path.relative_to(self.path)): path.read_bytes() for path in sorted(self.path.rglob("*")) if path.is_file()}


@pytest.fixture
def work(tmp_path) -> Work:
    songs = [song(number, split="valid" if number % 5 == 0 else "train") for number in range(10)]
    return Work(tmp_path / "shards", songs)


def members(count: int, size: int = 100_000) -> list[Member]:
    return [Member(f"k{number:03d}", "valid" if number % 7 == 0 else "train", (size, 6000, 500), str(number)) for number in range(count)]


def test_every_song_is_planned_once_into_its_split():
    shards = plan(members(50), PackSettings(shard_mb=1))
    keys = [member.key for shard in shards for member in shard.members]
    assert sorted(keys) == [member.key for member in members(50)]
    assert all(shard.name.startswith(member.split) for shard in shards for member in shard.members)
    assert [shard.name for shard in shards] == [*(f"train-{number:06d}.tar" for number in range(5)), "valid-000000.tar"]


def test_a_plan_does_not_depend_on_the_order_of_songs():
    settings = PackSettings(shard_mb=1)
    assert plan(members(50), settings) == plan(members(50)[::-1], settings)
    assert plan(members(50), settings) != plan(members(50), replace(settings, seed=1))


def test_without_shuffling_songs_are_in_the_order_of_their_names():
    keys = [member.key for member in plan(members(20), PackSettings(shuffle=False))[0].members]
    assert keys == sorted(keys)
    assert keys != [member.key for member in plan(members(20), PackSettings())[0].members]


@pytest.mark.parametrize("length", [10, 60, 120])
def test_shards_are_as_large_as_they_may_be_and_no_larger(tmp_path, length):
    sample = {"latent.pt": to_bytes(torch.zeros(128, 37)), "style.pt": to_bytes(torch.zeros(512)), "json": b"{}"}
    sizes = tuple(len(content) for content in sample.values())
    made = [Member(f"{number:02d}" + "k" * length, "train", sizes, "") for number in range(20)]
    shards = plan(made, PackSettings(shard_mb=0.2))
    packed = [write(Folder(str(tmp_path)), shard, lambda _: sample) for shard in shards]
    assert all(one.bytes <= 200_000 for one in packed) and packed[0].bytes > 160_000


def test_a_song_larger_than_a_shard_has_one_of_its_own():
    shards = plan([*members(4), Member("large", "train", (10**7, 10, 10), "")], PackSettings(shard_mb=1))
    assert [len(shard.members) for shard in shards if any(member.key == "large" for member in shard.members)] == [1]


def test_what_is_packed_is_read_as_training_reads_it(work):
    work.pack()
    found = {sample["__key__"]: decode(sample) for path in sorted(work.path.glob("*.tar")) for sample in stored(str(path))}
    assert sorted(found) == sorted(work.songs)
    assert torch.equal(found["song-03"].latent, read_tensor(files(3)["latent.pt"], "latent.pt"))
    assert [(word.word, word.start, word.end, word.phoneme, word.language) for word in found["song-03"].words] == [
        ("soft", 0.1, 0.4, "sɒft", None),
        ("lune", 0.5, 0.9, "lyn", "fr"),
    ]


def test_the_look_at_shards_finds_nothing_to_complain_of(work, capsys):
    work.pack()
    pattern = f"{work.path}/train-{{000000..000001}}.tar::{work.path}/valid-000000.tar"
    assert config.run(inspect, [f"pattern={pattern}", f"id_list_jsonl={work.path}/id_list.jsonl"]) == 0
    out = capsys.readouterr().out
    assert "songs             10 (0 without words)" in out and "20, 0 without phonemes" in out


def test_training_reads_every_song_and_the_silence(work):
    work.pack()
    settings = ShardSettings(
        f"{work.path}/train-{{000000..000001}}.tar", str(work.path / "id_list.jsonl"), crop=CropSettings(max_frames=32)
    )
    loader = LoaderSettings(batch_size=3)
    silence = read_silence(str(work.path / "silence.pt"))
    batches = list(Loader(Songs(settings, lambda word: [1] * len(word.phoneme), silence, loader, epochs=1), loader))
    keys = sorted(key for batch in batches for key in batch.keys)
    assert keys == sorted(key for key, one in work.songs.items() if one.split == "train")
    assert torch.equal(batches[0].x_1[0, FRAMES:], silence.expand(32 - FRAMES, 64))


def test_two_writings_are_equal_byte_for_byte(work, tmp_path):
    work.pack()
    again = Work(tmp_path / "again", list(work.songs.values())[::-1])
    again.shards = again.shards[::-1]  # whoever writes which first
    packed = sorted((write(again.folder, shard, again.sample) for shard in again.shards), key=lambda one: one.name)
    packing.finish(again.folder, packed, work.songs.values(), (), {"settings": {"seed": 0}}, torch.arange(64.0))
    assert again.contents() == work.contents()


def test_entries_are_of_nobody_and_of_no_time(work):
    work.pack()
    with tarfile.open(work.path / "train-000000.tar") as tar:
        found = {(entry.mode, entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname) for entry in tar}
        names = tar.getnames()[:3]
    assert found == {(0o644, 0, 0, 0, "", "")}
    assert [name.partition(".")[2] for name in names] == ["latent.pt", "style.pt", "json"]


def test_the_sums_are_those_that_sha256sum_checks(work):
    work.pack()
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=work.path, capture_output=True, text=True)
    beside = {"DATA_CARD.md", "MODEL_CARD.md", "id_list.jsonl", "silence.pt", "stats.json"}
    tars = {"train-000000.tar", "train-000001.tar", "valid-000000.tar"}
    assert done.returncode == 0
    assert {line.partition(":")[0] for line in done.stdout.splitlines()} == beside | tars


def test_the_id_list_names_each_song_its_shard_and_whom_to_thank(work):
    work.pack()
    path = work.path / "id_list.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert read_ids(path) == frozenset(work.songs)
    rights = {"license": "CC-BY-4.0", "source": "https://example.org/a"}
    assert lines[0] == {"id": "song-00", "split": "valid", "seconds": 1.114, "shard": "valid-000000.tar", **rights}
    for line in lines:
        keys = [sample["__key__"] for sample in stored(str(work.path / line["shard"]))]
        assert line["id"] in keys


def test_shards_that_are_there_and_right_are_kept(work):
    first = work.pack()
    work.asked = 0
    assert work.pack() == first
    assert work.asked == 0


@pytest.mark.parametrize("harm", ["cut", "changed", "gone"])
def test_a_shard_that_is_damaged_is_written_anew(work, harm):
    work.pack()
    before, tar = work.contents(), work.path / "train-000001.tar"
    content = tar.read_bytes()
    if harm == "gone":
        tar.unlink()
    else:
        tar.write_bytes(content[:-2000] if harm == "cut" else content[:700] + b"x" + content[701:])
    work.pack()
    assert work.contents() == before


def test_a_record_beside_another_tar_is_no_shard(work, tmp_path):
    """As a process leaves it that is killed between the two."""
    work.pack()
    songs = [replace(one, source="elsewhere") for one in work.songs.values()]
    changed, expected = Work(work.path, songs), Work(tmp_path / "expected", songs)
    with pytest.raises(KeyboardInterrupt):
        write(_Killed(str(work.path)), changed.shards[0], changed.sample)
    assert not (work.path / "SHA256SUMS").exists()  # the folder is not whole
    changed.pack()
    expected.pack()
    assert changed.contents() == expected.contents()


class _Killed(Folder):
    """A folder whose process ends once the record of a shard is written."""

    def write(self, name: str, content: bytes) -> None:
        super().write(name, content)
        raise KeyboardInterrupt


def test_a_song_whose_words_changed_is_packed_anew_and_only_its_shard(work):
    work.pack()
    retimed = replace(work.songs["song-03"], timing=Timing("given", None, WORDS[:1]))
    changed = Work(work.path, [retimed if one.id == "song-03" else one for one in work.songs.values()])
    changed.pack()
    place = next(shard for shard in changed.shards if any(member.key == "song-03" for member in shard.members))
    assert changed.asked == len(place.members)


def test_shards_of_an_earlier_plan_go_and_what_is_not_ours_stays(work, caplog):
    work.pack()
    (work.path / "train-000009.tar").write_bytes(b"of somebody else")
    (work.path / "valid-000000.tar").write_bytes(b"put here later")
    Work(work.path, [one for one in work.songs.values() if one.split == "train"], PackSettings()).pack()
    tars = {path.name for path in work.path.glob("*.tar")}
    assert tars == {"train-000000.tar", "train-000009.tar", "valid-000000.tar"}
    assert "valid-000000.tar: was changed since it was written, so it stays" in caplog.text
    assert {path.name for path in (work.path / "made").iterdir()} == {"lists", "train-000000.tar.json"}


def test_what_killed_processes_had_begun_is_swept_away(work):
    work.pack()
    before = work.contents()
    begun = ("train-000000.tar.host-1.part", "made/valid-000000.tar.json.host-2.part", "SHA256SUMS.host-3.part")
    for name in (*begun, "mine.part"):
        (work.path / name).write_bytes(b"half")
    work.pack()
    assert work.contents() == before | {"mine.part": b"half"}


def test_a_tar_that_was_not_written_here_is_not_overwritten(work):
    work.path.mkdir()
    (work.path / "train-000000.tar").write_bytes(b"of somebody else")
    with pytest.raises(ValueError, match=r"train-000000\.tar: was not written by this preparation; move it away"):
        work.pack()


def test_a_broken_song_is_named_and_leaves_no_part(work):
    with pytest.raises(ValueError, match=r"song-\d+: latent.pt is \[3\] instead of \[128, frames\]"):
        write(work.folder, work.shards[0], lambda _: {"latent.pt": to_bytes(torch.zeros(3)), "style.pt": b"", "json": b""})
    with pytest.raises(ValueError, match=r"song-\d+: has no style.pt, json to pack"):
        write(work.folder, work.shards[0], lambda _: {"latent.pt": b""})
    assert list(work.path.glob("*")) == []


def test_shards_lie_in_an_object_store_too():
    songs = [song(number) for number in range(3)]
    folder = Folder("memory://packed/songs")
    shards = plan([member_of(one) for one in songs], PackSettings())
    by_id = {one.id: one for one in songs}

    def sample(key: str) -> dict[str, bytes]:
        return {**files(int(key[-2:])), "json": sample_json(by_id[key])}

    packed = [write(folder, shard, sample) for shard in shards]
    content = folder.read("train-000000.tar")
    assert content is not None and hashlib.sha256(content).hexdigest() == packed[0].sha256
    assert [write(folder, shard, dict) for shard in shards] == packed  # kept
    packing.finish(folder, packed, songs, (), {}, torch.zeros(64))
    assert folder.names()[:3] == ["DATA_CARD.md", "MODEL_CARD.md", "SHA256SUMS"]


def test_statistics_count_songs_hours_and_words_by_what_is_known(work):
    songs = [
        *(song(number, source=f"site-{number % 2}", language=None) for number in range(4)),
        song(4, license="CC0", tags=("folk", "ballad"), timing=Timing("none")),
        song(5, reasons=(Reason("min_found", "few"), Reason("max_silence", "much"))),
        song(6, reasons=(Reason("min_found", "few"),)),
    ]
    stats = Work(work.path, songs).pack((Unread("x", "in", "no"),))
    assert (stats["songs"], stats["words"], stats["words_left_out"], stats["hours"]) == (5, 8, 8, 0.0015)
    assert stats["words_per_second"] == pytest.approx(8 / (5 * 1.114), abs=0.01)
    by = stats["by"]
    assert {name: row["songs"] for name, row in by["source"].items()} == {"site-0": 2, "site-1": 2, "https://example.org/a": 1}
    assert {name: row["songs"] for name, row in by["tag"].items()} == {"folk": 5, "ballad": 1}
    assert {name: row["songs"] for name, row in by["language"].items()} == {"unknown": 4, "en": 1}
    assert {name: row["songs"] for name, row in by["timing"].items()} == {"aligned, heard by judge": 4, "none": 1}
    assert stats["rejected"] == {"songs": 2, "unread": 1, "by_rule": {"max_silence": 1, "min_found": 2}}
    assert json.loads((work.path / "stats.json").read_text()) == stats and stats["settings"] == {"seed": 0}


def test_statistics_of_latents_are_over_all_frames(work):
    stats = work.pack()["latents"]
    means = torch.cat([read_tensor(files(number)["latent.pt"], "latent.pt")[:64] for number in range(10)], 1).double()
    assert stats["frames"] == 10 * FRAMES
    torch.testing.assert_close(torch.tensor(stats["mean"]).double(), means.mean(1), rtol=0, atol=1e-6)
    torch.testing.assert_close(torch.tensor(stats["spread"]).double(), means.std(1, correction=0), rtol=0, atol=1e-6)
    assert stats["deviation"] == [0.5] * 64


def test_a_long_table_ends_with_the_sum_of_the_others(monkeypatch, work):
    monkeypatch.setattr(packing, "MOST_ROWS", 2)
    stats = Work(work.path, [song(number, source=f"site-{number}") for number in range(5)]).pack()
    assert {name: row["songs"] for name, row in stats["by"]["source"].items()} == {"site-0": 1, "site-1": 1, "(3 others)": 3}


def test_no_song_at_all_is_a_whole_folder_of_none(work):
    stats = Work(work.path, []).pack()
    assert (stats["songs"], stats["latents"], stats["shards"]) == (0, {"frames": 0}, [])
    assert (work.path / "SHA256SUMS").exists() and (work.path / "id_list.jsonl").read_bytes() == b""


def test_words_are_in_the_order_in_which_they_are_sung():
    backwards = Timing("given", None, (SungWord("later", 2.0, 2.5), SungWord("early", 0.5, 1.0)))
    told = json.loads(sample_json(song(1, timing=backwards)))
    assert [word["word"] for word in told["word"]] == ["early", "later"]
    assert told["audio_sha256"] == "ab" * 32 and told["license"] == "CC-BY-4.0" and told["prompts"] == ["slow"]
    assert "source" not in json.loads(sample_json(song(1, source=None)))


@pytest.mark.parametrize(("values", "told"), [({"shard_mb": 0}, "pack.shard_mb is 0"), ({"max_songs": 0}, "pack.max_songs is 0")])
def test_settings_that_mean_nothing_are_refused(values, told):
    with pytest.raises(ValueError, match=told):
        PackSettings(**values)


def test_shards_are_named_as_a_brace_pattern_can_say(work):
    work.pack()
    assert len(shard_paths(f"{work.path}/{{train-{{000000..000001}},valid-000000}}.tar")) == 3


def test_phones_go_into_the_shard_as_lyrics_have_them():
    word = SungWord("moon", 1.0, 1.5, "muːn", phones=((1.0, 1.2, "m"), (1.2, 1.5, "uːn")))
    stored = sample_json(song(1, timing=Timing("given", words=(word,))))
    (read,) = formats.parse(json.loads(stored), "shard")
    assert read.phones == (Phone(1.0, 1.2, "m"), Phone(1.2, 1.5, "uːn"))


def test_cards_that_people_have_written_in_stay_and_count(work, caplog):
    work.pack()
    card = work.path / "MODEL_CARD.md"
    card.write_text("My model\n")
    (work.path / "DATA_CARD.md").unlink()
    work.pack()
    assert card.read_text() == "My model\n" and (work.path / "DATA_CARD.md").exists()
    assert "MODEL_CARD.md: was changed since it was written, so it stays" in caplog.text
    assert subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=work.path).returncode == 0


@pytest.mark.parametrize("name", ["stats.json", "MODEL_CARD.md", "id_list.jsonl"])
def test_a_folder_with_such_files_of_others_is_not_claimed(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(ValueError, match=f"{name}: was not written by this preparation; move it away"):
        packing.claim(Folder(str(tmp_path)))
    (tmp_path / name).unlink()
    packing.claim(Folder(str(tmp_path)))


def test_sums_are_written_last(work, monkeypatch):
    real = Folder.write

    def full(self, name, content):
        if name == "MODEL_CARD.md":
            raise OSError("no space")
        real(self, name, content)

    work.pack()
    work.songs = {name: one for name, one in list(work.songs.items())[:-1]}
    monkeypatch.setattr(Folder, "write", full)
    (work.path / "MODEL_CARD.md").unlink()
    with pytest.raises(OSError, match="no space"):
        work.pack()
    assert not (work.path / "SHA256SUMS").exists()
