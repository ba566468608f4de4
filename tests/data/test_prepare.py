"""Recordings become shards: what comes out, what stays out, and that nothing else decides."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
import soundfile
import torch

from jam import audio, config
from jam.data import inspect, prepare
from jam.eval.benchmark import Item, read_benchmark
from jam.prepare import places
from jam.prepare.records import Blob
from jam.prepare.settings import PrepareConfig

ROOT = Path(__file__).parent.parent.parent
RENDERED = ROOT / "tests" / "eval" / "songs"
KINDS = ("mp3", "flac", "wav")
OWN = ["config=configs/prepare/nano.yaml", "license=CC0-1.0", "source=rendered for these tests", "workers=1", "report.pictures=1"]


def item(number: int) -> Item:
    """What is known of a rendered song."""
    found = read_benchmark(RENDERED / "benchmark.json")[number]
    assert isinstance(found, Item)
    return found


def mix(number: int) -> torch.Tensor:
    """Voice and band (2, N)."""
    stems = [audio.read(RENDERED / f"song-{number}.{kind}.mp3")[0] for kind in ("vocal", "band")]
    length = min(stem.shape[-1] for stem in stems)
    return sum(stem[:, :length] for stem in stems) * 0.7


def text(number: int) -> str:
    """The lyrics without times, a line a line."""
    return "\n".join(" ".join(word.word for word in line.words) for line in item(number).sheet.lines) + "\n"


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three good songs in three formats, with plain lyrics."""
    folder = tmp_path_factory.mktemp("songs")
    for number, kind in enumerate(KINDS):
        audio.write(folder / f"song-{number}.{kind}", mix(number))
        (folder / f"song-{number}.txt").write_text(text(number), encoding="utf-8")
    return folder


def run(songs: Path, output: Path, *words: str) -> int:
    """The command, in this process."""
    given = [f"input={songs}", f"output={output}", *OWN, *words]
    return config.run(lambda them: prepare.prepare(config.load(PrepareConfig, them)), given)


@pytest.fixture(scope="module")
def shards(songs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What three good songs become."""
    output = tmp_path_factory.mktemp("shards")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        assert run(songs, output) == 0
    return output


@pytest.fixture(autouse=True)
def _at_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def sums(output: Path) -> dict[str, str]:
    """The hashes that a preparation listed."""
    lines = (output / "SHA256SUMS").read_text().splitlines()
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def members(tar: Path) -> dict[str, bytes]:
    """The files of a tar."""
    with tarfile.open(tar) as opened:
        return {entry.name: opened.extractfile(entry).read() for entry in opened}  # type: ignore[union-attr]


def test_words_without_times_are_found_where_they_are_sung(shards: Path) -> None:
    files = members(shards / "train-000000.tar")
    assert {name.partition(".")[0] for name in files} == {"song-0", "song-1", "song-2"}
    errors = []
    for number in range(3):
        stored = json.loads(files[f"song-{number}.json"])
        true = item(number).sheet.words
        assert stored["license"] == "CC0-1.0" and stored["source"] == "rendered for these tests"
        assert len(stored["word"]) >= 0.9 * len(true)
        by_start = {word.word: word for word in true}
        for word in stored["word"]:
            same = [one for one in true if one.word == word["word"]]
            errors.append(min(abs(one.start - word["start"]) for one in same))
        assert by_start and all(word["phoneme"] for word in stored["word"])
    errors.sort()
    assert errors[len(errors) // 2] < 0.04 and errors[math.ceil(0.95 * len(errors)) - 1] < 0.15


def test_what_comes_out_is_whole_and_told(shards: Path) -> None:
    listed = sums(shards)
    assert set(listed) >= {"train-000000.tar", "id_list.jsonl", "stats.json", "silence.pt"}
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=shards, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert [json.loads(line)["id"] for line in (shards / "id_list.jsonl").read_text().splitlines()] == ["song-0", "song-1", "song-2"]
    assert json.loads((shards / "stats.json").read_text())["songs"] == 3
    assert (shards / "report.html").is_file() and json.loads((shards / "report.json").read_text())
    assert inspect.inspect(inspect.InspectSettings(str(shards / "train-000000.tar"))) == 0


def test_the_network_trains_on_it_without_further_steps(shards: Path, tmp_path: Path) -> None:
    words = [
        *("config=configs/nano_pretrain.yaml", f"data.train_dataset.pattern={shards / 'train-000000.tar'}", "data.valid_pattern=null"),
        f"data.train_dataset.silence_latent_path={shards / 'silence.pt'}",
        f"data.train_dataset.id_list_jsonl={shards / 'id_list.jsonl'}",
        *("model.dit.dim=64", "model.dit.depth=2", "model.dit.heads=4", "model.dit.text_dim=32", "training.max_steps=2"),
        "training.compile=false",
        *("data.train_dataloader.batch_size=1", "data.train_dataloader.num_workers=0", f"training.checkpoint_path={tmp_path / 'run'}"),
    ]
    from jam import train

    assert config.run(train.main, words) == 0
    assert (tmp_path / "run" / "last" / "info.json").is_file()


def test_a_second_run_makes_nothing_and_changed_lyrics_only_what_hangs_on_them(songs: Path, shards: Path, tmp_path: Path) -> None:
    own, output = tmp_path / "songs", tmp_path / "shards"
    shutil.copytree(songs, own)
    shutil.copytree(shards, output)
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*") if path.is_file() and "cache" in path.parts}
    assert run(own, output) == 0
    seen = {path for path in output.rglob("*") if path.is_file() and "cache" in path.parts}
    assert {path.relative_to(output).parts[1] for path in seen - before.keys()} <= {"seen", "songs"}  # the copies have other times
    assert sums(output) == sums(shards)
    lines = text(1).splitlines()
    (own / "song-1.txt").write_text("\n".join(lines[:-1]) + "\n")
    assert run(own, output) == 0
    new = {path for path in output.rglob("*") if path.is_file() and "cache" in path.parts} - seen
    assert sorted(path.relative_to(output).parts[1] for path in new) == ["songs", "timing"]
    assert sums(output)["train-000000.tar"] != sums(shards)["train-000000.tar"]


def broken(folder: Path) -> dict[str, str]:
    """Writes recordings that must stay out; what the reason of each says."""
    good = mix(3)
    audio.write(folder / "twice.flac", mix(0))
    audio.write(folder / "whole.mp3", good)
    (folder / "cut.mp3").write_bytes((folder / "whole.mp3").read_bytes()[: (folder / "whole.mp3").stat().st_size // 2])
    (folder / "whole.mp3").unlink()
    (folder / "text.wav").write_text("I am no sound")
    audio.write(folder / "other.wav", mix(4))
    audio.write(folder / "wordless.flac", mix(5))
    audio.write(folder / "short.wav", good[:, : 3 * 44_100])
    soundfile.write(folder / "long.wav", good.mean(0).repeat(70)[: 1200 * 44_100].numpy(), 44_100)
    soundfile.write(folder / "phone.wav", audio.resample(good, 44_100, 8000).mean(0).numpy(), 8000)
    audio.write(folder / "silent.flac", torch.zeros(2, 20 * 44_100))
    for name, lyrics in {"twice": 0, "cut": 3, "text": 3, "other": 2, "short": 3, "long": 3, "phone": 3, "silent": 3}.items():
        (folder / f"{name}.txt").write_text(text(lyrics))
    (folder / "wordless.txt").write_text("")
    return {
        **{"twice": "same recording as song-0", "cut": "allow_damaged", "text": "not audio", "other": "min_found", "wordless": "is empty"},
        **{"short": "min_seconds", "long": "max_seconds", "phone": "min_rate", "silent": "is silent"},
    }


def test_each_broken_recording_is_a_named_rejection_and_stops_nothing(songs: Path, shards: Path, tmp_path: Path) -> None:
    own, output = tmp_path / "songs", tmp_path / "shards"
    shutil.copytree(songs, own)
    shutil.copytree(shards / "cache", output / "cache")  # the good ones are known
    reasons = broken(own)
    assert run(own, output) == 0
    report = json.loads((output / "report.json").read_text())
    told = {song["id"]: "; ".join(f"{reason['rule']}: {reason['text']}" for reason in song["reasons"]) for song in report["rejected"]}
    assert told.keys() == reasons.keys()
    assert {name: reason for name, reason in reasons.items() if reason not in told[name]} == {}, told
    assert sums(output)["train-000000.tar"] == sums(shards)["train-000000.tar"]


def test_songs_without_rights_stay_out_until_that_is_allowed(songs: Path, shards: Path, tmp_path: Path) -> None:
    shutil.copytree(shards / "cache", tmp_path / "cache")
    assert run(songs, tmp_path, "license=null") == prepare.NOTHING_KEPT
    assert run(songs, tmp_path, "license=null", "rules.allow_unlicensed=true") == 0
    assert "license" not in json.loads(members(tmp_path / "train-000000.tar")["song-0.json"])


def test_what_cannot_be_read_today_is_read_another_day(songs: Path, shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(shards / "cache", tmp_path / "cache")
    (tmp_path / "cache" / "songs").rename(tmp_path / "gone")
    real = places.read_blob

    def closed(blob: Blob, kind: str = "file") -> bytes:
        if blob.name == "song-1.txt":
            raise places.Unreadable(f"{blob.path}: cannot be read (Permission denied); check its permissions")
        return real(blob, kind)

    monkeypatch.setattr(places, "read_blob", closed)
    assert run(songs, tmp_path) == 0
    assert json.loads((tmp_path / "report.json").read_text())["rejected"][0]["reasons"][0]["rule"] == "read"
    monkeypatch.undo()
    monkeypatch.chdir(ROOT)
    assert run(songs, tmp_path) == 0
    assert sums(tmp_path) == sums(shards)


def test_a_repetition_takes_the_place_of_a_first_that_is_rejected(songs: Path, shards: Path, tmp_path: Path) -> None:
    own, output = tmp_path / "songs", tmp_path / "shards"
    shutil.copytree(songs, own)
    shutil.copytree(shards / "cache", output / "cache")
    for name, lyrics in (("a-first", 4), ("b-second", 0)):  # the first has the lyrics of another song
        audio.write(own / f"{name}.flac", mix(0))
        (own / f"{name}.txt").write_text(text(lyrics))
    (own / "song-0.mp3").unlink()
    assert run(own, output) == 0
    assert {name.partition(".")[0] for name in members(output / "train-000000.tar")} == {"b-second", "song-1", "song-2"}


def test_shards_beside_the_songs_are_no_songs(songs: Path, tmp_path: Path) -> None:
    own = tmp_path / "songs"
    shutil.copytree(songs, own)
    for _ in range(2):
        assert run(own, own / "shards", "report.audio=true") == 0
        assert json.loads((own / "shards" / "report.json").read_text())["totals"]["in"] == 3


def test_half_a_sign_in_a_manifest_costs_its_song_alone(songs: Path, shards: Path, tmp_path: Path) -> None:
    shutil.copytree(shards / "cache", tmp_path / "out" / "cache")
    rows = [{"audio": str(songs / "song-0.mp3"), "lyrics": text(0)}, {"audio": str(songs / "song-1.flac"), "lyrics": "half \ud800 a sign"}]
    (tmp_path / "songs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert run(tmp_path / "songs.jsonl", tmp_path / "out") == 0
    (rejected,) = json.loads((tmp_path / "out" / "report.json").read_text())["rejected"]
    assert "half of a sign and no text" in rejected["reasons"][0]["text"]


def test_one_run_at_a_time_writes_into_a_folder(songs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from filelock import FileLock

    (tmp_path / "cache").mkdir()
    with FileLock(tmp_path / "cache" / "running"):
        assert run(songs, tmp_path) == config.BAD_INPUT
    assert "another run writes there" in caplog.text


def test_prompts_and_pronunciations_remake_what_hangs_on_them(songs: Path, shards: Path, tmp_path: Path) -> None:
    shutil.copytree(shards / "cache", tmp_path / "cache")
    before = {path for path in (tmp_path / "cache").rglob("*") if path.is_file()}
    (tmp_path / "lexicon.txt").write_text("moon  muːn\n")
    assert run(songs, tmp_path, f"lexicon_path={tmp_path / 'lexicon.txt'}", "num_songs=1") == 0
    made = {path.relative_to(tmp_path).parts[1] for path in (tmp_path / "cache").rglob("*") if path.is_file() and path not in before}
    assert made - {"begun", "running"} == {"timing", "songs"}


def launched(songs: Path, output: Path, *words: str, processes: int = 1) -> subprocess.Popen[bytes]:
    """The command in processes of its own."""
    port = random.Random(os.getpid()).randint(20_000, 50_000)
    launch = ["-m", "torch.distributed.run", f"--nproc_per_node={processes}", f"--master_port={port}"] if processes > 1 else []
    given = [sys.executable, *launch, "-m", "jam.data.prepare", f"input={songs}", f"output={output}", *OWN, *words]
    return subprocess.Popen(given, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)


def test_a_killed_run_goes_on_to_the_same_shards_and_two_processes_make_them_too(songs: Path, shards: Path, tmp_path: Path) -> None:
    first = launched(songs, tmp_path, "workers=2")
    begun = tmp_path / "cache" / "checks"
    while not begun.exists() and first.poll() is None:
        time.sleep(0.01)
    time.sleep(0.3)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert not (tmp_path / "SHA256SUMS").exists()
    second = launched(songs, tmp_path, processes=2)
    said, _ = second.communicate(timeout=240)
    assert second.returncode == 0, said.decode()
    assert {name: digest for name, digest in sums(tmp_path).items() if name.endswith((".tar", ".jsonl"))} == {
        name: digest for name, digest in sums(shards).items() if name.endswith((".tar", ".jsonl"))
    }


def test_an_array_of_jobs_shares_the_songs_and_one_packs(songs: Path, shards: Path, tmp_path: Path) -> None:
    for phase in ("check", "encode"):
        for share in ("1/2", "2/2"):
            assert run(songs, tmp_path, f"phase={phase}", f"share={share}") == 0
    assert not (tmp_path / "SHA256SUMS").exists()
    assert run(songs, tmp_path, "phase=pack") == 0
    assert sums(tmp_path) == sums(shards)


WRONG = [
    ((), "name the recordings and where their shards shall be"),
    (("input=none-such", "output=x"), "none-such: no such"),
    (("input=inputs", "output=./inputs"), "is the input itself"),
    (("input=inputs", "output=x", "share=1/2"), "jobs share the phases check and encode"),
    (("input=inputs", "output=x", "phase=check", "share=3/2"), "share is 3/2"),
    (("input=inputs", "output=x", "phase=none"), "phase is none"),
    (("input=inputs", "output=x", "device=foo"), "device is foo"),
    (("input=inputs", "output=x", "valid_share=1"), "valid_share is 1"),
]


@pytest.mark.parametrize(("words", "told"), WRONG)
def test_wrong_settings_are_one_line_and_status_2(words: tuple[str, ...], told: str, caplog: pytest.LogCaptureFixture) -> None:
    assert config.run(prepare.main, list(words)) == config.BAD_INPUT
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert told in record.getMessage() and "\n" not in record.getMessage()
