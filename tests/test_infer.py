"""`python -m jam.infer` with a tiny network and the embedded bundle's real phonemizer, style encoder and codec."""

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from jam import assets, config, infer
from jam.lyrics import formats
from jam.lyrics.phonemes import Phonemizer
from jam.model import lora, weights
from jam.model.dit import DiT, DiTSettings
from jam.model.lora import LoraSettings
from jam.model.settings import Added, added
from jam.randomness import generator
from jam.song import Singer
from jam.timing import FRAME_SAMPLES, SAMPLE_RATE

ROOT = Path(__file__).parent.parent
TINY = DiTSettings(max_frames=48, dim=32, depth=2, heads=2, text_dim=16, conv_layers=1, cond_dim=16)
RIVER = [{"start": 0.1, "end": 0.5, "word": "river"}, {"start": 0.5, "end": 1.2, "word": "moon"}]
THIN = [{"start": 0.1, "end": 0.5, "word": "thin"}]
SECONDS = 1.5


def tiny(seed: int = 0) -> DiT:
    torch.manual_seed(seed)
    model = DiT(TINY)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return model


class Desk:
    """A folder with a model, lyrics and a manifest, and the entry that sings it."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder, self.model, self.songs = folder, model, list[dict[str, Any]]()
        folder.mkdir(exist_ok=True)
        self.lyrics("river.json", RIVER)

    def lyrics(self, name: str, words: object) -> None:
        (self.folder / name).write_text(json.dumps(words))

    def song(self, name: str, lyrics: str = "river.json", duration: float = SECONDS, **entry: object) -> None:
        self.songs.append({"id": name, "lrc_path": lyrics, "duration": duration, "prompt": "slow folk, acoustic guitar"} | entry)

    def words(self, *more: str) -> list[str]:
        (self.folder / "input.json").write_text(json.dumps(self.songs))
        nano = ["vae_type=nano", "style_type=nano", f"dataset.phonemizer_checkpoint={assets.BUNDLE / 'phonemizer.pt'}", "precision=float32"]
        here = [f"checkpoint_path={self.model}", f"test_set_path={self.folder / 'input.json'}", f"output_dir={self.folder / 'outputs'}"]
        own = ["device=cpu", "audio_format=wav", "spectrograms=false"]
        return [f"evaluation.{word}" for word in nano + here + own] + list(more)

    def sing(self, *more: str) -> int:
        return config.run(infer.main, self.words(*more))

    def latents(self, name: str, outputs: str = "outputs") -> torch.Tensor:
        return torch.load(self.folder / outputs / "cfm_latents" / f"{name}.pt", weights_only=True)

    def sung(self) -> dict[str, int]:
        """When each song was finished."""
        return {path.stem: path.stat().st_mtime_ns for path in sorted((self.folder / "outputs" / "local_files").glob("*"))}

    def others(self, outputs: str) -> str:
        return f"evaluation.output_dir={self.folder / outputs}"


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    weights.save(tiny().state_dict(), TINY, folder, sample={"steps": 3})
    return folder


@pytest.fixture(autouse=True)
def _said(caplog) -> None:
    caplog.set_level(logging.INFO)


@pytest.fixture
def desk(tmp_path, model) -> Desk:
    return Desk(tmp_path / "desk", model)


def duration(path: Path) -> float:
    import soundfile

    return soundfile.info(path).duration


@pytest.mark.parametrize("kind", ["mp3", "flac", "wav"])
def test_a_run_writes_every_output(desk, kind):
    from matplotlib.image import imread

    desk.song("a")
    drawn = kind == "mp3"
    words = [f"evaluation.audio_format={kind}", f"evaluation.spectrograms={drawn}", "evaluation.sample_kwargs.batch_infer_num=2"]
    assert desk.sing(*words) == 0
    out = desk.folder / "outputs"
    for name in ("a", "a_1"):
        assert duration(out / "generated" / f"{name}.{kind}") == pytest.approx(SECONDS, abs=0.06)
        assert duration(out / "generated_orig" / f"{name}.{kind}") == pytest.approx(48 * FRAME_SAMPLES / SAMPLE_RATE, abs=0.06)
        assert desk.latents(name).shape == (48, 64)
        words = formats.read(out / "generated" / f"{name}.json")
        assert [(word.start, word.end, word.word) for word in words] == [(0.1, 0.5, "river"), (0.5, 1.2, "moon")]
        assert "[00:00.10] <00:00.10> river <00:00.50> moon <00:01.20>" in (out / "generated" / f"{name}.lrc").read_text()
        if drawn:
            assert imread(out / "generated" / f"{name}.png").size > 0
    assert not torch.equal(desk.latents("a"), desk.latents("a_1"))
    songs = json.loads((out / "generation_metadata.json").read_text())["songs"]
    assert [(song["name"], song["id"], song["take"], song["style"]) for song in songs] == [
        ("a", "a", 0, "slow folk, acoustic guitar"),
        ("a_1", "a", 1, "slow folk, acoustic guitar"),
    ]
    assert songs == [json.loads((out / "local_files" / f"{name}.json").read_text()) for name in ("a", "a_1")]
    assert all(song["seed"] == 0 and song["loudness"] == pytest.approx(-14, abs=0.2) for song in songs)
    assert {path.name for path in out.iterdir()} == {
        *("generated", "generated_orig", "cfm_latents", "local_files", "generation_config.yaml", "generation_metadata.json")
    }


def test_the_settings_of_a_run_are_written_and_sing_the_same_again(desk):
    desk.song("a")
    words = desk.words("seed=4", "evaluation.sample_kwargs.dual_cfg=[3,2]")
    assert config.run(infer.main, words) == 0
    stored = f"config={desk.folder / 'outputs' / 'generation_config.yaml'}"
    settings = infer.load_config(words)
    assert settings.evaluation.sample_kwargs.steps == 3  # the model's own
    assert infer.load_config([stored]) == config.load(infer.InferConfig, [stored]) == settings
    assert config.run(infer.main, [stored, desk.others("again")]) == 0
    assert torch.equal(desk.latents("a"), desk.latents("a", "again"))


def test_batch_order_number_of_songs_and_takes_do_not_change_a_song(desk):
    desk.lyrics("thin.json", THIN)
    desk.song("a")
    desk.song("b", "thin.json", 1.0)
    desk.song("c", prompt=None)
    assert desk.sing("evaluation.batch_size=3") == 0
    desk.songs.reverse()
    assert desk.sing("evaluation.num_samples=2", "evaluation.sample_kwargs.batch_infer_num=2", desk.others("again")) == 0
    assert not (desk.folder / "again" / "generated" / "a.wav").exists()
    for name in "bc":
        assert torch.allclose(desk.latents(name), desk.latents(name, "again"), atol=1e-5)
    assert not torch.allclose(desk.latents("b"), desk.latents("c"), atol=0.1)


def test_the_seed_is_obeyed(desk):
    desk.song("a")
    for folder, seed in (("outputs", 1), ("again", 1), ("other", 2)):
        assert desk.sing(f"seed={seed}", desk.others(folder)) == 0
    assert torch.equal(desk.latents("a"), desk.latents("a", "again"))
    assert not torch.allclose(desk.latents("a"), desk.latents("a", "other"), atol=0.1)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, model, tone_file) -> Path:
    """A folder in which two songs are sung: `a` after a clip, `b` after a description."""
    desk = Desk(tmp_path_factory.mktemp("finished"), model)
    shutil.copy(tone_file, desk.folder / "clip.wav")
    desk.lyrics("b.json", THIN)
    desk.song("a", "river.json", audio_path="clip.wav")
    desk.song("b", "b.json")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(desk.folder)
        desk.folder = Path()
        assert desk.sing() == 0
        return Path.cwd()


@pytest.fixture(scope="module")
def tone_file(tmp_path_factory) -> Path:
    from jam.audio import write

    return write(tmp_path_factory.mktemp("tone") / "clip.wav", torch.sin(torch.arange(44_100) / 10).repeat(2, 1))


@pytest.fixture
def resumed(finished, tmp_path, model, monkeypatch) -> Desk:
    """A copy of the finished folder, and we are in it."""
    shutil.copytree(finished, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    desk = Desk(Path(), model)
    desk.songs = json.loads(Path("input.json").read_text())
    return desk


def damage(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


CHANGES: dict[str, tuple[Any, str]] = {
    "nothing": (lambda _desk: None, ""),
    "damaged latents": (lambda _desk: damage(Path("outputs/cfm_latents/a.pt")), "a"),
    "missing timing": (lambda _desk: Path("outputs/generated/b.lrc").unlink(), "b"),
    "broken record": (lambda _desk: Path("outputs/local_files/a.json").write_text("{"), "a"),
    "lyrics": (lambda desk: desk.lyrics("b.json", RIVER), "b"),
    "clip": (lambda _desk: damage(Path("clip.wav")), "a"),
    "duration": (lambda desk: desk.songs[1].update(duration=1.0), "b"),
    "description": (lambda desk: desk.songs[1].update(prompt="loud pop"), "b"),
    "new song": (lambda desk: desk.song("c"), "c"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_is_sung_anew_and_the_rest_is_left_alone(resumed, change, caplog):
    before = resumed.sung()
    make, anew = CHANGES[change]
    make(resumed)
    assert resumed.sing("evaluation.batch_size=2") == 0
    after = resumed.sung()
    assert {name for name in after if after[name] != before.get(name)} == set(anew)
    done = len(after) - len(anew)
    told = f"{len(after)} of {len(after)} songs are in outputs/generated ({done} were finished before; evaluation.overwrite=true"
    assert caplog.messages[-1].startswith(told)


@pytest.mark.parametrize(
    "word", ["evaluation.overwrite=true", "seed=5", "evaluation.sample_kwargs.steps=4", "evaluation.audio_format=flac"]
)
def test_all_is_sung_anew_when_asked_or_when_a_setting_changed(resumed, word, caplog):
    before = resumed.sung()
    assert resumed.sing(word) == 0
    after = resumed.sung()
    assert all(after[name] != before[name] for name in "ab")
    assert caplog.messages[-1] == "2 of 2 songs are in outputs/generated"


def test_a_song_that_cannot_be_sung_is_named_and_the_others_are_sung(desk, caplog, tone_file):
    (desk.folder / "text.wav").write_text("no audio")
    (desk.folder / "empty.wav").write_bytes(tone_file.read_bytes()[:40] + bytes(4))  # a header, and no samples
    desk.lyrics("backward.json", [{"start": 0.6, "end": 0.2, "word": "la"}])
    desk.lyrics("foreign.json", [RIVER[0], {"start": 0.5, "end": 0.9, "word": "дом"}])
    desk.song("good")
    desk.song("backward", "backward.json")
    desk.song("foreign", "foreign.json")
    desk.song("long", duration=9)
    desk.song("missing", audio_path="absent.wav")
    desk.song("text", audio_path="text.wav")
    desk.song("empty", audio_path="empty.wav")
    desk.song("../up")
    desk.song("best", audio_path=str(tone_file))
    assert desk.sing("evaluation.batch_size=4") == infer.SOME_FAILED
    assert set(desk.sung()) == {"good", "best"}
    stored = json.loads((desk.folder / "outputs" / "generation_metadata.json").read_text())
    assert [song["name"] for song in stored["songs"]] == ["good", "best"]
    told = [message for message in caplog.messages if message.startswith("not sung: ")]
    expected = {
        "song 2 (backward): ": "backward.json: word 1 ('la'): end 0.2 is before start 0.6",
        "song 3 (foreign): ": "foreign.json: word 2 ('дом') has letters that the phonemizer cannot read",
        "song 4 (long): ": "duration is 9 s; this model sings more than 0 and at most 2.23 s",
        "song 5 (missing): ": "'audio_path' is 'absent.wav': no such file",
        "song 6 (text): ": "text.wav: not audio",
        "song 7 (empty): ": "empty.wav: the audio is empty",
        "song 8: ": "'id' is '../up', which cannot be a file's name",
    }
    assert len(told) == len(expected)
    for place, fault in expected.items():
        assert any(f"{desk.folder}/input.json: {place}" in line and fault in line and "\n" not in line for line in told), (place, told)
    assert caplog.messages[-1] == f"2 of 9 songs are in {desk.folder}/outputs/generated"


def test_a_song_that_spoils_its_batch_is_found_and_the_others_are_sung(desk, tmp_path, caplog):
    network = tiny()
    token = Phonemizer.load(assets.BUNDLE / "phonemizer.pt").symbols["θ"]
    with torch.no_grad():
        network.text_embed.text_embed.weight[token] = float("nan")
    weights.save(network.state_dict(), TINY, tmp_path / "spoiled", sample={"steps": 2})
    desk.model = tmp_path / "spoiled"
    desk.lyrics("thin.json", THIN)
    for name in "abc":
        desk.song(name, "thin.json" if name == "b" else "river.json")
    assert desk.sing("evaluation.batch_size=3") == infer.SOME_FAILED
    assert set(desk.sung()) == {"a", "c"}
    assert any("song 2 (b): b: the network gave values that are no numbers" in message for message in caplog.messages)


def test_overlapping_words_are_warned_of_once_with_their_file(desk, caplog):
    desk.lyrics("river.json", [RIVER[0] | {"end": 0.8}, RIVER[1]])
    desk.song("a")
    assert desk.sing("evaluation.sample_kwargs.batch_infer_num=2") == 0
    [warning] = [message for message in caplog.messages if "overlaps" in message]
    assert warning.startswith(f"{desk.folder}/river.json: word 1 ('river')")


def test_a_file_of_plain_lyrics_is_planned_and_sung_and_not_again(desk):
    lyrics = desk.folder / "plain.txt"
    lyrics.write_text("[Duration: 2]\n[Style: slow folk]\nriver moon (moon)\n")
    words = [word for word in desk.words() if "test_set_path" not in word] + [f"evaluation.test_set_path={lyrics}"]
    assert config.run(infer.main, words) == 0
    sung = formats.read(desk.folder / "outputs" / "generated" / "plain.json", 2.0)
    assert [word.word for word in sung] == ["river", "moon", "moon"] and all(word.phoneme for word in sung)
    [stored] = json.loads((desk.folder / "outputs" / "generation_metadata.json").read_text())["songs"]
    assert (stored["duration"], stored["style"]) == (2.0, "slow folk")
    before = desk.sung()
    assert config.run(infer.main, words) == 0 and desk.sung() == before
    assert config.run(infer.main, [*words, "evaluation.planner.backing=drop"]) == 0 and desk.sung() != before
    assert len(formats.read(desk.folder / "outputs" / "generated" / "plain.json")) == 2


def test_songs_without_a_style_take_the_one_of_the_setting(desk):
    desk.song("a", prompt=None)
    desk.song("b", prompt="loud pop")
    assert desk.sing("evaluation.prompt=slow folk") == 0
    songs = json.loads((desk.folder / "outputs" / "generation_metadata.json").read_text())["songs"]
    assert [song["style"] for song in songs] == ["slow folk", "loud pop"]


def test_strict_lyrics_refuse_a_song_and_sing_the_others(desk, caplog):
    desk.lyrics("overlap.json", [RIVER[0] | {"end": 0.8}, RIVER[1]])
    desk.song("a", "overlap.json")
    desk.song("b")
    assert desk.sing("evaluation.strict_lyrics=true") == infer.SOME_FAILED
    assert set(desk.sung()) == {"b"}
    [told] = [message for message in caplog.messages if message.startswith("not sung: ")]
    assert "song 1 (a): " in told and "overlap.json: word 1" in told and "evaluation.strict_lyrics=false sings all the same" in told
    assert desk.sing() == 0 and set(desk.sung()) == {"a", "b"}


def test_a_lexicon_changes_how_words_sound(desk, tmp_path):
    (tmp_path / "own.txt").write_text("moon\tmɪn\n")
    desk.song("a")
    assert desk.sing(f"evaluation.lexicon_path={tmp_path / 'own.txt'}") == 0
    assert [word.phoneme for word in formats.read(desk.folder / "outputs" / "generated" / "a.json")][1] == "mɪn"
    assert desk.sing() == 0
    assert [word.phoneme for word in formats.read(desk.folder / "outputs" / "generated" / "a.json")][1] == "muːn"


def test_a_full_disk_ends_the_run_with_the_former_songs_whole(resumed, file_size_limit, caplog):
    before = {path: path.read_bytes() for path in Path("outputs").rglob("*") if path.suffix in {".wav", ".pt", ".lrc", ".json"}}
    with file_size_limit(20_000):
        assert resumed.sing("seed=5") == config.BAD_INPUT
    assert "free some space or choose another folder" in caplog.messages[-1] and "\n" not in caplog.messages[-1]
    assert {path: path.read_bytes() for path in before} == before
    assert not [path for path in Path("outputs").rglob("*") if "part" in path.name]


def test_a_full_disk_leaves_no_half_song_and_no_record(desk, file_size_limit):
    desk.song("a")
    with file_size_limit(20_000):
        assert desk.sing() == config.BAD_INPUT
    assert [path.name for path in (desk.folder / "outputs").rglob("*")] == ["generation_config.yaml"]


def test_ctrl_c_leaves_no_half_song(desk, monkeypatch, caplog):
    import soundfile

    def interrupted(*_args: object, **_kwargs: object) -> None:
        raise KeyboardInterrupt

    desk.song("a")
    monkeypatch.setattr(soundfile, "write", interrupted)
    assert desk.sing() == config.INTERRUPTED
    assert caplog.messages[-1] == "stopped"
    assert [path.name for path in (desk.folder / "outputs").rglob("*")] == ["generation_config.yaml"]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("checkpoint_path=absent", "absent: no such file; evaluation.checkpoint_path"),
        ("checkpoint_path=input.json", "input.json: not a readable safetensors file"),
        ("dataset.phonemizer_checkpoint=absent.pt", "absent.pt: no such file"),
        ("style_path=absent", "absent"),
        ("vae_path=absent", "absent"),
        ("negative_style_prompt=absent.npy", "absent.npy: no such file"),
        ("negative_style_prompt=input.json", "input.json: holds no numbers that can be read"),
        ("negative_style_prompt=short.npy", "short.npy: holds [7] numbers"),
        ("test_set_path=absent.json", "absent.json: no such manifest"),
        ("output_dir=input.json", "free some space or choose another folder: 'input.json/generation_config.yaml'"),
        ("device=nowhere", "evaluation.device is nowhere"),
        ("device=cuda:99", "evaluation.device is cuda:99"),
        ("precision=half", "precision is half; choose auto, float32"),
        ("audio_format=ogg", "evaluation.audio_format is ogg; choose wav, flac, mp3"),
        ("vae_type=none", "evaluation.vae_type is none; choose diffrhythm"),
        ("style_type=none", "evaluation.style_type is none; choose muq, nano"),
        ("lexicon_path=absent.txt", "absent.txt: No such"),
        ("planner.density=0", "density is 0"),
        ("planner.method=guess", "method is 'guess'"),
        ("planner.backing=hum", "backing is 'hum'"),
        ("batch_size=0", "evaluation.batch_size is 0"),
        ("batch_size=two", "evaluation.batch_size"),
        ("batchsize=2", "unknown setting evaluation.batchsize; did you mean evaluation.batch_size?"),
        ("num_samples=0", "evaluation.num_samples is 0"),
        ("num_style_secs=0", "evaluation.num_style_secs is 0"),
        ("canvas=half", "evaluation.canvas is half; choose full, song"),
        ("chunked_overlap=128", "evaluation.chunked_overlap is 128"),
        ("sample_kwargs.steps=1", "sample_kwargs.steps is 1"),
        ("sample_kwargs.batch_infer_num=0", "batch_infer_num is 0"),
        ("sample_kwargs.dual_cfg=[1]", "length 1 does not match"),
        ("sample_kwargs.cfg_range=[1,0]", "cfg_range is [1.0, 0.0]"),
        ("dataset.filler=none", "dataset.filler is none"),
    ],
)
def test_a_setting_that_cannot_be_used_ends_the_run_in_one_line(desk, monkeypatch, caplog, word, said):
    import numpy as np

    desk.song("a")
    words = desk.words(f"evaluation.{word}")
    monkeypatch.chdir(desk.folder)
    np.save("short.npy", np.zeros(7))
    assert config.run(infer.main, words) == config.BAD_INPUT
    [line] = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert line.startswith("error: ") and said in line and "\n" not in line
    assert not (desk.folder / "outputs" / "generated").exists()


def test_a_negative_style_changes_the_song(desk, tmp_path):
    import numpy as np

    np.save(tmp_path / "negative.npy", np.ones((1, 512), dtype=np.float32) / 512**0.5)
    desk.song("a")
    assert desk.sing() == 0
    assert desk.sing(f"evaluation.negative_style_prompt={tmp_path / 'negative.npy'}", desk.others("again")) == 0
    assert not torch.allclose(desk.latents("a"), desk.latents("a", "again"), atol=1e-3)


def adapter(folder: Path, base: DiT, seed: int = 0) -> Path:
    """An adapter of `base` as training writes it; puts it into `base` too."""
    sha256, settings = weights.fingerprint(base.state_dict()), LoraSettings(rank=2)
    lora.attach(base, settings)
    with torch.no_grad():
        for name, value in lora.trained(base).items():
            value.normal_(std=0.5, generator=generator("test", seed, name))
    return lora.save(folder, lora.trained(base), settings, base.settings, sha256)


def test_an_adapter_is_sung_with_and_another_one_or_another_weight_sings_anew(desk, caplog):
    """Takes long: eight runs."""
    first, second = (adapter(desk.folder / name, tiny(), seed) for seed, name in enumerate(("first", "second")))
    desk.song("a")
    latents = []
    for value in ("null", first, second, f"[{{path: {first}, weight: 0.5}}, {{path: {second}}}]"):
        assert desk.sing(f"model.lora={value}") == 0
        assert caplog.messages[-1].endswith("1 of 1 songs are in " + str(desk.folder / "outputs" / "generated"))
        latents.append(desk.latents("a"))
    for i in range(4):
        assert not any(torch.allclose(latents[i], other, atol=1e-3) for other in latents[:i])
    assert desk.sing(f"model.lora=[{{path: {first}, weight: 0}}]") == 0
    assert torch.equal(desk.latents("a"), latents[0])
    assert desk.sing(f"model.lora={first}") == 0
    before = desk.sung()
    assert desk.sing(f"model.lora=[{{path: {first}, weight: 1}}]") == 0 and desk.sung() == before  # the same, said otherwise
    adapter(first, tiny(), seed=5)
    assert desk.sing(f"model.lora={first}") == 0 and desk.sung() != before  # another adapter in the same place


def test_the_settings_of_a_run_with_adapters_sing_the_same_again(desk):
    path = adapter(desk.folder / "adapter", tiny())
    desk.song("a")
    assert desk.sing(f"model.lora=[{{path: {path}, weight: 0.5}}]") == 0
    stored = f"config={desk.folder / 'outputs' / 'generation_config.yaml'}"
    assert config.run(infer.main, [stored, desk.others("again")]) == 0
    assert torch.equal(desk.latents("a"), desk.latents("a", "again"))


def test_an_adapter_of_another_network_is_refused_in_one_line(desk, caplog):
    path = adapter(desk.folder / "adapter", tiny(seed=1))
    desk.song("a")
    assert desk.sing(f"model.lora={path}") == config.BAD_INPUT
    assert f"error: {path}: trained on the network " in caplog.messages[-1] and "\n" not in caplog.messages[-1]
    assert desk.sing("model.lora=absent") == config.BAD_INPUT
    assert caplog.messages[-1].startswith("error: absent: not an adapter (no base.json)")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("null", []),
        ("a", [Added("a", 1.0)]),
        ("[a, b]", [Added("a", 1.0), Added("b", 1.0)]),
        ("{path: a, weight: 2}", [Added("a", 2.0)]),
        ("[{path: a, weight: 0.5}, {path: b}]", [Added("a", 0.5), Added("b", 1.0)]),
        ("3", "model.lora holds 3; give an adapter's folder"),
        ("[{paths: a}]", "model.lora holds {'paths': 'a'}"),
        ("[{path: 3}]", "model.lora has the path 3"),
        ("[{path: a, weight: x}]", "model.lora has the weight 'x' for a"),
        ("[{path: a, weight: .nan}]", "model.lora has the weight nan for a"),
    ],
)
def test_adapters_are_named_by_a_folder_a_mapping_or_a_list(word, meant):
    if isinstance(meant, list):
        assert added(infer.load_config([f"model.lora={word}"]).model.lora) == meant
        return
    with pytest.raises(ValueError, match=meant):
        infer.load_config([f"model.lora={word}"])


def test_nobodys_flow_error_is_said_in_three_ways():
    for word, meant in (("null", "none"), ("false", "none"), ("none", "none"), ("win", "win"), ("gt", "gt")):
        assert infer.load_config([f"model.cfm.sft={word}"]).model.cfm.sft == meant
    with pytest.raises(ValueError, match="model.cfm.sft is lose; choose none, win, gt"):
        infer.load_config(["model.cfm.sft=lose"])


def test_the_embedded_singer_takes_an_adapter(tmp_path):
    stored = weights.read_tensors(assets.BUNDLE / "model")
    unmerged = weights.load(assets.BUNDLE / "model")
    lora.attach(unmerged, LoraSettings(rank=2))
    with torch.no_grad():
        for name, value in lora.trained(unmerged).items():
            value.normal_(std=0.05, generator=generator("test", name))
    path = lora.save(tmp_path, lora.trained(unmerged), LoraSettings(rank=2), unmerged.settings, weights.fingerprint(stored))
    singer = Singer.load("nano", lora={"path": path, "weight": 0.5}, device="cpu", precision="float32")
    name = "transformer_blocks.3.self_attn.k_proj"
    a, b = (lora.trained(unmerged)[f"{name}.lora_{part}.default.weight"] for part in "AB")
    assert torch.allclose(singer.model.state_dict()[f"{name}.weight"], stored[f"{name}.weight"].float() + 0.5 * b @ a, atol=1e-6)


LAUNCHERS = {
    "torchrun": ["torch.distributed.run", "--standalone", "--nproc_per_node", "2"],
    "accelerate": ["accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no"]
    + ["--dynamo_backend", "no", "--main_process_port", "0"],
}


@pytest.mark.skipif(torch.accelerator.is_available(), reason="the processes are to find by themselves that there are only CPUs")
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_two_processes_share_the_songs_and_sing_them_as_one_does(desk, launcher):
    """Takes long: it starts three Pythons, as people do. The device is left to them: evaluation.device is null."""
    desk.lyrics("foreign.json", [{"start": 0.1, "end": 0.9, "word": "дом"}])
    desk.lyrics("overlap.json", [RIVER[0] | {"end": 0.8}, RIVER[1]])
    for name in "abc":
        desk.song(name, "overlap.json" if name == "b" else "river.json")
    desk.song("d", "foreign.json")  # the second process'
    desk.song("e", lyrics="absent.json")
    assert desk.sing() == infer.SOME_FAILED
    launch = [sys.executable, "-m", *LAUNCHERS[launcher], "-m", "jam.infer"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    words = desk.words(desk.others("shared"), "evaluation.device=null")
    result = subprocess.run([*launch, *words], env=environment, capture_output=True, text=True, cwd=desk.folder)
    assert result.returncode != 0
    for name in "abc":
        assert torch.allclose(desk.latents(name), desk.latents(name, "shared"), atol=1e-4)
    records = desk.folder / "shared" / "local_files"
    assert sorted(path.stem for path in records.iterdir()) == ["a", "b", "c"]
    stored = json.loads((desk.folder / "shared" / "generation_metadata.json").read_text())
    assert [(song["name"], song["process"]) for song in stored["songs"]] == [("a", 0), ("b", 1), ("c", 0)]
    said = [line for line in result.stderr.splitlines() if line.startswith("not sung: ")]
    assert len(said) == 2 and "song 5 (e)" in said[0] and "song 4 (d)" in said[1]
    assert result.stderr.count("3 of 5 songs are in") == 1
    assert result.stderr.count("overlap.json: word 1 ('river'): ") == 1  # of the second process' song, told by the first
