"""The look at shards: songs, totals, what is broken, and a picture."""

import pytest
import torch

from jam import config
from jam.data.inspect import main


def look(capsys, *words: str) -> tuple[int, str, str]:
    status = config.run(main, list(words))
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_songs_and_totals_are_printed(pattern, capsys):
    status, out, _ = look(capsys, f"pattern={pattern}", "songs=2")
    assert status == 0
    assert " ".join(line.split()[0] for line in out.splitlines()) == "00 01 songs seconds words latent latent styles broken"
    assert "24 (0 without words)" in out and "10.3 in all, 0.4 to 0.5, mean 0.4 a song" in out
    assert "24, 0 without phonemes, 0 with more" in out and "0.4 s     1 words   1 styles  la\n" in out


def test_statistics_are_those_of_the_latents(tmp_path, song, write, capsys):
    mean = torch.cat([torch.full((64, 5), 1.0), torch.full((64, 5), 3.0)], dim=1)
    latent = torch.cat([mean, torch.full_like(mean, 0.25)])
    words = [{"start": 0.0, "end": 0.01, "word": "long", "phoneme": "loooong"}, {"start": 0.1, "end": 0.2, "word": "plain"}]
    style = torch.full((3, 512), 512**-0.5)
    write(tmp_path / "s.tar", song("a", **{"latent.pt": latent, "json": {"word": words}, "style.pt": style}))
    _, out, _ = look(capsys, f"pattern={tmp_path}/s.tar")
    assert "2.000 to 2.000, mean 2.000 over channels; 1.000 to 1.000" in out and "0.2500 to 0.2500" in out
    assert "words             2, 1 without phonemes, 1 with more phonemes than slots" in out
    assert "styles            3; 1.000 to 1.000, mean 1.000 long" in out


def test_what_is_broken_is_named_and_the_status_is_not_zero(tmp_path, song, write, capsys):
    write(tmp_path / "s-0.tar", song("a"), song("b", **{"style.pt": None}), song("c", **{"latent.pt": torch.full((128, 4), torch.nan)}))
    (tmp_path / "s-1.tar").write_bytes(b"")
    status, out, _ = look(capsys, f"pattern={tmp_path}/s-{{0..1}}.tar")
    assert status == 1
    assert [line.rpartition("/")[2][:28] for line in out.splitlines() if line.startswith("BROKEN")] == [
        "s-0.tar: b: has no style.pt",
        "s-0.tar: c: latent.pt holds ",
        "s-1.tar: the shard is damage",
    ]
    assert "songs             1 " in out and "broken            3" in out


def test_a_song_is_drawn_with_its_words(pattern, tmp_path, capsys):
    from matplotlib.image import imread

    status, out, _ = look(capsys, f"pattern={pattern}", f"picture={tmp_path}/latent.png", "key=31", "songs=0")
    assert status == 0 and f"drawn as {tmp_path}/latent.png" in out
    assert imread(tmp_path / "latent.png").shape == (420, 800, 4)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give the shards"),
        (["pattern=none.tar"], "1 of 1 shards are missing"),
        (["pattern={pattern}", "picture={folder}/p.png", "key=xx"], "no whole song xx to draw"),
        (["patern=x"], "did you mean pattern?"),
    ],
)
def test_wrong_words_are_one_line(pattern, tmp_path, capsys, caplog, words, said):
    status, _, _ = look(capsys, *(word.replace("{pattern}", pattern).replace("{folder}", str(tmp_path)) for word in words))
    assert status == 2 and said in caplog.text
