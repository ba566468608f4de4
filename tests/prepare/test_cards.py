"""Cards of the data and of a model: heads that parse, numbers of the statistics, and nothing that breaks a table."""

import re
from typing import Any

import pytest
import yaml

from jam.prepare.cards import MOST_ROWS, data_card, model_card


def row(songs: int = 1, hours: float = 0.5, words: int = 100) -> dict[str, Any]:
    return {"songs": songs, "hours": hours, "words": words, "words_per_second": 1.2}


def stats(**known: Any) -> dict[str, Any]:
    by = {
        "split": {"train": row(1200)},
        "license": {"CC-BY-4.0": row(900), "unknown": row(300)},
        "source": {"https://example.org/songs": row(1200)},
        "language": {"en_us": row(900), "en": row(100), "fr": row(150), "unknown": row(50)},
        "tag": {"folk": row(700), "slow | sad": row(5)},
        "timing": {"aligned, heard by judge": row(1200)},
    }
    latents = {"frames": 4000, "mean": [0.0, 1.0], "spread": [1.0, 2.0], "deviation": [0.1, 0.1]}
    shards = [{"name": "train-000000.tar", "bytes": 12_300_000, "songs": 1200, "sha256": "ab" * 32}]
    facts = {
        "settings": {"latents": {"vae_type": "nano", "lufs": None, "vae_path": "/home/me/codec"}, "seed": 0},
        "instruments": {"latents": "cd" * 32},
    }
    rejected = {"songs": 3, "unread": 1, "by_rule": {"min_found": 2, "max_silence": 1}}
    return {
        **row(1200, 601.25, 4321),
        "words_left_out": 79,
        "by": by,
        "latents": latents,
        "rejected": rejected,
        "shards": shards,
        **facts,
        **known,
    }


def head(card: str) -> dict[str, Any]:
    found = re.match(r"---\n(.*?)\n---\n\n# ", card, re.DOTALL)
    assert found is not None
    return yaml.safe_load(found[1])


def test_the_head_of_the_data_card_is_the_hubs():
    found = head(data_card(stats()))
    assert found["license"] == ["cc-by-4.0", "other"]
    assert found["language"] == ["en", "fr"]
    assert found["size_categories"] == ["1K<n<10K"]


def test_the_head_of_the_model_card_leaves_blank_what_only_its_makers_know():
    found = head(model_card(stats()))
    assert found["license"].startswith("To be filled") and found["datasets"][0].startswith("To be filled")
    assert found["pipeline_tag"] == "text-to-audio" and found["language"] == ["en", "fr"]


@pytest.mark.parametrize("name", ['he said: "no" # 1', "a\nb", "yes", "- x", "{é}"])
def test_heads_parse_whatever_things_are_called(name):
    odd = stats()
    odd["by"]["license"] = {name: row()}
    odd["by"]["language"] = {name: row(), "en-GB": row()}
    assert head(data_card(odd))["license"] == ["-".join(name.split())]
    assert head(model_card(odd))["language"][0] == "en"


def test_the_data_card_tells_what_the_statistics_hold():
    card = data_card(stats())
    assert "1,200 songs of 601.25 hours with 4,321 words, 1.20 a second." in card
    assert "| CC-BY-4.0 | 900 | 0.50 | 100 |" in card and "| https://example.org/songs | 1,200 |" in card
    assert "| aligned, heard by judge | 1,200 |" in card and "Of 4,400 words of the lyrics 79 (1.8 %) were not heard" in card
    assert "/home/me" not in card
    assert "3 recordings were rejected, and 1 entries of the input could not be read." in card
    assert "| min_found | too few words are heard | 2 |" in card and "| max_silence | `rules.max_silence` | 1 |" in card
    assert "- latents: vae_type nano\n" in card and f"- latents by {'cd' * 32}" in card
    assert "4,000 frames of 2 numbers, whose standard deviation over time is 1.500" in card
    assert f"| train-000000.tar | 1,200 | 12.3 | {'ab' * 32} |" in card


def test_the_model_card_lists_the_data_and_whom_to_thank():
    card = model_card(stats())
    for told in ("| CC-BY-4.0 | 900 |", "| https://example.org/songs | 1,200 |", "| fr | 150 |", "| folk | 700 |"):
        assert told in card


def test_names_do_not_break_tables():
    odd = stats()
    odd["by"]["source"] = {"a | b\nc <script>": row()}
    line = next(line for line in data_card(odd).splitlines() if line.startswith("| a "))
    assert line == r"| a \| b c &lt;script> | 1 | 0.50 | 100 |"


def test_long_tables_are_cut_and_the_rest_is_counted():
    long = stats()
    long["by"]["source"] = {f"site-{number}": row() for number in range(MOST_ROWS + 7)}
    long["shards"] = [{"name": f"train-{number:06d}.tar", "bytes": 1, "songs": 1, "sha256": ""} for number in range(MOST_ROWS + 3)]
    card = data_card(long)
    assert card.count("| site-") == MOST_ROWS and "And 7 more: see `stats.json`." in card
    assert card.count("| train-") == MOST_ROWS and "And 3 more." in card


def test_the_row_of_all_others_is_no_license_and_no_language():
    many = stats()
    many["by"]["license"] = {"(c) someone": row(), "(12 others)": row()}
    assert head(data_card(many))["license"] == ["(c)-someone"]
    assert "| (12 others) |" in data_card(many)


def test_no_songs_have_cards_all_the_same():
    none = {"frames": 0}, {"songs": 2, "unread": 0, "by_rule": {}}
    empty = stats(latents=none[0], rejected=none[1], shards=[], **row(0, 0.0, 0), by={name: {} for name in stats()["by"]})
    assert head(data_card(empty))["license"] == ["other"] and "No source is named." in data_card(empty)
    assert "No license is named." in model_card(empty)
