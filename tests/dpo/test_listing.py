"""The list of pairs: what names it understands, and that everything missing is told at once."""

import json

import pytest

from jam.dpo.listing import NAMED, read_listing


@pytest.fixture
def listed(tmp_path):
    """The function `listed(entries)`: the path of a list beside which `a.pt`, `b.pt`, `c.pt` and `words.json` exist."""
    for name in ("a.pt", "b.pt", "c.pt", "words.json"):
        (tmp_path / name).touch()

    def write(entries):
        path = tmp_path / "pairs.json"
        path.write_text(json.dumps(entries))
        return path

    return write


ENTRY = {"win_latent": "a.pt", "lose_latent": "b.pt", "lrc_path": "words.json"}


@pytest.mark.parametrize(
    "names",
    [
        ("win_latent", "lose_latent", "gt_latent", "lrc_path"),
        ("winner", "loser", "gt", "lyrics"),
        ("win_latent_path", "lose_latent_path", "gt_latent_path", "lyrics_path"),
        ("chosen", "rejected", "ground_truth", "lrc"),
        ("preferred_latent", "dispreferred_latent", "truth_latent", "words"),
        ("Winner_Path", "Loser_Path", "GT_Path", "LRC_File"),
        ("w", "l", "real", "json"),
        ("winning_latents", "losing_latents", "original_latents", "lyrics_file"),
    ],
)
def test_common_names_of_the_keys_mean_the_same(listed, tmp_path, names):
    files = ("a.pt", "b.pt", "c.pt", "words.json")
    (pair,) = read_listing(listed([{**dict(zip(names, files, strict=True)), "model": "unread", "Duration": 9, "song_id": 7}]), truth=True)
    assert (pair.winner, pair.loser, pair.truth, pair.lyrics) == tuple(tmp_path / name for name in files)
    assert (pair.seconds, pair.key) == (9.0, "7")


def test_everything_missing_is_told_in_one_line(listed):
    entries = [
        ENTRY,
        {"id": "second", "win_latent": "nowhere.pt", "lrc_path": "gone.json"},
        ["not", "an", "object"],
        ENTRY | {"duration": -1, "style_path": "s.pt"},
        ENTRY | {"winner": "b.pt"},
        ENTRY | {"lose_latent": 5},
    ]
    with pytest.raises(ValueError) as caught:
        read_listing(listed(entries))
    told = str(caught.value)
    assert "\n" not in told
    for part in (
        "5 of 6 pairs cannot be used",
        "pair 2 ('second') 'win_latent' nowhere.pt: no such file",
        "pair 2 ('second') lacks 'lose_latent'",
        "pair 2 ('second') 'lrc_path' gone.json: no such file",
        "pair 3 is list instead of an object",
        "pair 4 'style_path' s.pt: no such file",
        "pair 4 'duration' is -1",
        "pair 5 says win_latent twice, the second time as 'winner'",
        "pair 6 'lose_latent' is 5 instead of a path",
    ):
        assert part in told


def test_very_many_problems_are_counted(listed):
    with pytest.raises(ValueError, match=f"40 of 40 pairs.*and {80 - NAMED} more problems"):
        read_listing(listed([{"lrc_path": "words.json"}] * 40))


def test_the_ground_truth_is_asked_for_only_where_it_is_needed(listed):
    assert read_listing(listed([ENTRY | {"gt_latent": "gone.pt"}]))[0].truth is None
    with pytest.raises(ValueError, match="pair 1 lacks 'gt_latent'"):
        read_listing(listed([ENTRY]), truth=True)


def test_pairs_of_one_song_have_their_own_names(listed):
    pairs = read_listing(listed([ENTRY | {"id": "x"}, ENTRY | {"id": "x"}, ENTRY]))
    assert [pair.key for pair in pairs] == ["x", "x#2", "3"]


@pytest.mark.parametrize("content", ["[]", '{"a": 1}', "nonsense"])
def test_a_list_that_is_none_is_refused(tmp_path, content):
    (tmp_path / "pairs.json").write_text(content)
    with pytest.raises(ValueError, match="pairs.json: "):
        read_listing(tmp_path / "pairs.json")


def test_no_list_at_all_is_refused(tmp_path):
    with pytest.raises(ValueError, match="dpo_json_path is not set"):
        read_listing(None)
    with pytest.raises(ValueError, match="no such list of pairs"):
        read_listing(tmp_path / "gone.json")
