"""Training songs: every song of an epoch once, whoever reads; what is broken is named, counted and left out, until it is too much."""

import logging
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from jam.data.collate import Batch
from jam.data.example import CropSettings
from jam.data.loader import Loader, LoaderSettings
from jam.data.shards import ShardSettings
from jam.data.songs import Songs, held_out
from jam.timing import frames_to_seconds

CROP = CropSettings(max_frames=16)
EVERY = sorted(f"{shard}{i}" for shard in range(7) for i in range(3 + shard % 2))


def load(
    pattern: Any,
    size: int = 2,
    workers: int = 0,
    place: tuple[int, int] = (0, 1),
    states: Any = None,
    *,
    lanes: int | None = None,
    seed: int = 0,
    epochs: int | None = None,
    **settings: Any,
) -> Loader:
    chosen = LoaderSettings(size, workers, lanes=lanes)
    songs = Songs(ShardSettings(pattern, crop=CROP, **settings), lambda _word: [5], torch.zeros(64), chosen, seed, epochs)
    return Loader(songs, chosen, *place, states)


def read(pattern: Any, epochs: int | None = 1, **settings: Any) -> list[str]:
    return [key for batch in load(pattern, epochs=epochs, **settings) for key in batch.keys]


def names(batches: Iterator[Batch], count: int | None = None) -> list[tuple[str, ...]]:
    return [batch.draws for batch in islice(batches, count)]


def broken(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if "left out" in record.getMessage()]


@pytest.fixture
def damaged(pattern, tmp_path, song, write) -> str:
    """The seven shards with one cut in its third song, one without songs, and three broken songs; 19 songs are whole."""
    whole = (tmp_path / "s-1.tar").read_bytes()
    (tmp_path / "s-1.tar").write_bytes(whole[: whole.index(b"12.style.pt") + 700])
    write(tmp_path / "s-2.tar", song("20"), song("21", **{"style.pt": None}), song("22"))
    write(tmp_path / "s-4.tar", song("40", **{"latent.pt": torch.full((128, 9), torch.nan)}), song("41"), song("42"))
    (tmp_path / "s-5.tar").write_bytes(b"")
    write(tmp_path / "s-6.tar", song("60"), song("61"), song("62", json=b"{not json"))
    return pattern


WHOLE = sorted(set(EVERY) - {"12", "13", "21", "40", "50", "51", "52", "53", "62"})
NAMED = [
    r"s-1.tar: the shard is damaged after 2 songs \(unexpected end of data\); the rest of it is lost",
    r"s-2.tar: 21: has no style.pt",
    r"s-4.tar: 40: latent.pt holds values that are not finite numbers",
    r"s-5.tar: the shard is damaged after 0 songs",
    r"s-6.tar: 62: json cannot be read",
]


@pytest.mark.parametrize(("processes", "workers"), [(1, 0), (2, 2), (3, 0), (1, 9)])
def test_two_epochs_hold_every_song_twice_whoever_reads(pattern, processes, workers):
    seen = Counter(
        name for process in range(processes) for batch in load(pattern, 2, workers, (process, processes), epochs=2) for name in batch.draws
    )
    assert sorted(seen) == sorted(f"0:{epoch}:{key}" for epoch in range(2) for key in EVERY)
    assert set(seen.values()) == {1}


def test_two_epochs_hold_every_whole_song_twice_and_what_is_broken_is_named(damaged, caplog):
    loaders = [load(damaged, 2, 2, (process, 2), epochs=2, max_bad_share=0.05) for process in range(2)]
    seen = Counter(name for loader in loaders for batch in loader for name in batch.draws)
    assert sorted(seen) == sorted(f"0:{epoch}:{key}" for epoch in range(2) for key in WHOLE)
    assert set(seen.values()) == {1}
    assert sum(loader.broken for loader in loaders) == len(broken(caplog)) == 10
    for line in NAMED:
        assert sum(line.replace("\\", "") in told for told in broken(caplog)) == 2, line


@pytest.mark.parametrize("workers", [0, 2])
def test_too_many_broken_songs_stop_the_run_in_one_line(damaged, caplog, workers):
    with pytest.raises(ValueError) as error:
        for _ in load(damaged, workers=workers, epochs=9, max_bad_share=0.02):
            pass
    said = str(error.value)
    assert "3 broken among " in said and "more than data.max_bad_share=0.02 allows; mend the shards or raise it; the last: /" in said
    assert "\n" not in said and "DataLoader" not in said
    assert len(broken(caplog)) >= 3


def test_a_share_of_zero_stops_at_the_first(damaged, caplog):
    with pytest.raises(ValueError, match=rf"^1 broken among 2 songs.*{NAMED[0]}"):
        read(damaged.replace("0..6", "1..6"), shuffle=False, size=1, max_bad_share=0.0)
    assert len(broken(caplog)) == 1


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("fault", ["pipe:cat {folder}/s-0.tar; exit 7", "gone"])
def test_a_shard_that_goes_missing_stops_the_run_by_name(pattern, tmp_path, fault, workers):
    last = fault.format(folder=tmp_path) if fault != "gone" else str(tmp_path / "s-6.tar")
    loader = load([pattern.replace("0..6", "0..5"), last], workers=workers, shuffle=False, epochs=1, max_bad_share=1.0)
    (tmp_path / "s-6.tar").unlink()
    said = r"s-6.tar: the shard cannot be opened \(No such file" if fault == "gone" else "its command ended with status 7"
    with pytest.raises(ValueError, match=said) as error:
        for _ in loader:
            pass
    assert "DataLoader" not in str(error.value)


ORDERS: list[dict[str, Any]] = [{}, {"shuffle_songs": 2}, {"shuffle": False}, {"lanes": 5}]
LAYOUTS = [(processes, 0, order) for processes in (1, 2) for order in ORDERS]
LAYOUTS += [(1, 2, ORDERS[1]), (1, 3, ORDERS[0]), (1, 3, ORDERS[3]), (2, 2, ORDERS[0]), (2, 2, ORDERS[3])]


@pytest.mark.parametrize(("processes", "workers", "settings"), LAYOUTS)
def test_a_run_goes_on_after_any_batch_as_if_it_had_not_stopped(pattern, processes, workers, settings):
    every = (3, 8) if workers else range(1, 14, processes)  # processes take time to start
    for process in range(processes):
        whole = iter(load(pattern, 3, workers, (process, processes), **settings))
        expected = names(whole, 20)
        for count in every:
            states = []
            for each in range(processes):
                loader = load(pattern, 3, workers, (each, processes), **settings)
                names(iter(loader), count)
                states.append(loader.state())
            torch.save(states, buffer := Path(pattern).parent / "state.pt")
            states = torch.load(buffer, weights_only=True)
            assert names(iter(load(pattern, 3, workers, (process, processes), states, **settings)), 6) == expected[count : count + 6]
        if workers:
            break  # the other processes are as this one


def test_broken_songs_are_told_once_by_a_run_that_stops_and_goes_on(damaged, caplog):
    def told(loader: Loader, count: int) -> tuple[list[str], list[tuple[str, ...]]]:
        caplog.clear()
        found = names(iter(loader), count)
        return broken(caplog), found

    settings: dict[str, Any] = {"shuffle_songs": 5, "max_bad_share": 0.5}
    expected, batches = told(load(damaged, 2, **settings), 30)
    assert len(expected) > 10
    for count in range(1, 20, 3):
        first = load(damaged, 2, **settings)
        before, some = told(first, count)
        second = load(damaged, 2, states=[first.state()], **settings)
        assert second.broken == first.broken == len(before)
        after, rest = told(second, 30 - count)
        assert before + after == expected and some + rest == batches
        assert second.broken == len(expected)


def steps(pattern: str, processes: int, size: int, batches: int, **settings: Any) -> list[set[str]]:
    """The songs of each step, where a step is so many batches of every process."""
    loaders = [iter(load(pattern, size, place=(process, processes), lanes=2, **settings)) for process in range(processes)]
    return [{name for loader in loaders for draws in names(loader, batches) for name in draws} for _ in range(25)]


def test_with_the_same_lanes_a_step_has_the_same_songs_however_it_is_divided(damaged):
    settings = {"max_bad_share": 0.5, "shuffle_songs": 3}
    whole = steps(damaged, 1, 4, 1, **settings)
    assert whole == steps(damaged, 2, 2, 1, **settings) == steps(damaged, 1, 2, 2, **settings) == steps(damaged, 1, 1, 4, **settings)
    assert all(len(step) == 4 for step in whole)


def test_lanes_go_on_in_another_division(pattern):
    expected = steps(pattern, 1, 4, 1)
    loaders = [load(pattern, 2, place=(process, 2)) for process in range(2)]
    for loader in loaders:
        names(iter(loader), 7)
    rest = iter(load(pattern, 4, states=[loader.state() for loader in loaders]))
    assert [set(draws) for draws in names(rest, 10)] == expected[7:17]
    back = [loader.state() for loader in loaders][::-1]
    workers = iter(load(pattern, 2, 2, states=back))
    assert [set(one) | set(other) for one, other in zip(*[iter(names(workers, 20))] * 2, strict=True)] == expected[7:17]


def test_more_readers_begin_the_next_epoch(pattern, caplog):
    loader = load(pattern, 2)
    names(iter(loader), 3)
    after = [names(iter(load(pattern, 1, place=(process, 2), states=[loader.state()])), 12) for process in range(2)]
    assert all(name.startswith("0:1:") for draws in after for (name,) in draws[:8])
    assert caplog.text.count("the songs that were left of epoch 0 wait for the next one") == 1


def test_a_song_has_the_same_crop_and_noise_whoever_reads_it(pattern):
    one = {name: batch.x_1[row] for batch in load(pattern, 3, epochs=2) for row, name in enumerate(batch.draws)}
    other = {name: batch.x_1[row] for batch in load(pattern, 5, 2, epochs=2) for row, name in enumerate(batch.draws)}
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    assert not torch.equal(one["0:0:00"], one["0:1:00"])


def test_the_order_is_a_function_of_the_seed(pattern):
    assert read(pattern, seed=1) == read(pattern, seed=1) != read(pattern, seed=2)
    assert read(pattern, shuffle=False) == EVERY


def test_ids_and_durations_choose_songs(pattern, tmp_path):
    ids = tmp_path / "ids.jsonl"
    ids.write_text('{"id": "01"}\n\n{"id": "22"}\n')
    assert sorted(read(pattern, id_list_jsonl=str(ids))) == ["01", "22"]
    longer = read(pattern, ignore_by_duration_threshold=frames_to_seconds(9) + 0.01)
    assert sorted(longer) == [key for key in EVERY if key[1] in "23"]
    often = read(pattern, resample_by_duration_threshold=frames_to_seconds(16), epochs=20)
    share = sum(key[1] == "0" for key in often) / 140  # songs of half the threshold
    assert share == pytest.approx(0.5**1.2, abs=0.1)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("epochs", [None, 1])
@pytest.mark.parametrize("settings", [{"ignore_by_duration_threshold": 9.0}, {"shuffle": False, "ignore_by_duration_threshold": 9.0}])
def test_rules_that_leave_no_song_are_refused(pattern, workers, epochs, settings):
    with pytest.raises(ValueError, match="the id list, the duration rules and broken songs leave no song"):
        read(pattern, workers=workers, epochs=epochs, **settings)


def test_songs_that_are_all_broken_are_refused_even_if_all_may_be(tmp_path, song, write):
    path = write(tmp_path / "s.tar", *(song(str(i), json=b"") for i in range(3)))
    with pytest.raises(ValueError, match="leave no song$"):
        read(str(path), epochs=None, max_bad_share=1.0)


def test_one_song_serves_many_readers_in_turn_and_never_twice_an_epoch(tmp_path, song, write):
    path = str(write(tmp_path / "s.tar", song("only")))
    seen = [name for process in range(3) for draws in names(iter(load(path, 1, place=(process, 3))), 6) for name in draws]
    assert len(set(seen)) == 18
    with pytest.raises(ValueError, match="leave no song for stream 2 of 3; set shuffle=true, or use fewer workers or lanes"):
        names(iter(load(path, 1, place=(1, 3), shuffle=False)), 1)


def test_without_a_pattern_the_run_does_not_start():
    with pytest.raises(ValueError, match="data.train_dataset.pattern is not set"):
        load(None)


def test_held_out_songs_are_read_once_in_order_and_alike_each_time(damaged, caplog):
    settings = ShardSettings(damaged, crop=CROP, max_bad_share=0.1)
    with caplog.at_level(logging.WARNING):
        one, other = (list(held_out(settings, lambda _word: [5], torch.zeros(64), 4)) for _ in range(2))
    assert [key for batch in one for key in batch.keys] == WHOLE
    assert [len(batch) for batch in one] == [4, 4, 4, 3]
    assert all(torch.equal(a.x_1, b.x_1) and a.draws == b.draws for a, b in zip(one, other, strict=True))
    assert len(broken(caplog)) == 10
