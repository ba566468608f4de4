"""The order of pairs: all of them once an epoch, whatever processes and workers, and on from any place exactly."""

from itertools import islice

import pytest
import torch

from jam.data.loader import Loader, LoaderSettings
from tests.dpo.made import source_of


def seen(source, batches, process=0, workers=0, size=2, states=None):
    """The names in each of so many batches, and where the loader then stands."""
    loader = Loader(source, LoaderSettings(batch_size=size, num_workers=workers), process, source.processes, states)
    return [batch.draws for batch in islice(loader, batches)], loader.state()


def test_every_pair_comes_once_an_epoch_over_all_processes(pairs_in):
    files = pairs_in(6)
    shares = [seen(source_of(files, batch_size=1, processes=2), 6, process)[0] for process in range(2)]
    names = [name for share in shares for batch in share for name in batch]
    assert sorted(names) == sorted(f"0:{epoch}:song{song}" for epoch in range(2) for song in range(6))
    orders = [[name.split(":")[2] for pair in zip(*shares, strict=True) for batch in pair for name in batch][half::] for half in (0, 6)]
    assert orders[0][:6] != orders[1]


def test_the_order_does_not_depend_on_workers(pairs_in):
    files = pairs_in(5)
    alone, _ = seen(source_of(files, batch_size=2), 6)
    assert seen(source_of(files, batch_size=2), 6, workers=2)[0] == alone


def test_two_processes_see_the_pairs_that_one_with_twice_the_batch_sees(pairs_in):
    files = pairs_in(5)
    one, _ = seen(source_of(files, batch_size=4), 4, size=4)
    two = [seen(source_of(files, batch_size=2, processes=2), 4, process)[0] for process in range(2)]
    for step, batch in enumerate(one):
        assert sorted(batch) == sorted([*two[0][step], *two[1][step]])


@pytest.mark.parametrize("workers", [0, 2])
def test_a_source_goes_on_exactly_where_it_stood(pairs_in, workers):
    files = pairs_in(5)
    whole, _ = seen(source_of(files, batch_size=2), 9, workers=workers)
    before, state = seen(source_of(files, batch_size=2), 3, workers=workers)
    after, _ = seen(source_of(files, batch_size=2), 6, workers=workers, states=[state])
    assert before + after == whole


def test_it_goes_on_with_other_workers_and_processes_too(pairs_in):
    files = pairs_in(5)
    whole, _ = seen(source_of(files, batch_size=2), 9)
    _, state = seen(source_of(files, batch_size=2), 4, workers=2)
    assert seen(source_of(files, batch_size=2), 5, workers=0, states=[state])[0] == whole[4:]
    halves = [seen(source_of(files, batch_size=1, processes=2), 5, process, size=1, states=[state])[0] for process in range(2)]
    assert [sorted([*a, *b]) for a, b in zip(*halves, strict=True)] == [sorted(batch) for batch in whole[4:]]


def test_other_pairs_than_before_begin_with_the_next_epoch(pairs_in, caplog):
    files = pairs_in(6)
    _, state = seen(source_of(files[:4], batch_size=1), 7, size=1)  # within epoch 1
    names = [name for batch in seen(source_of(files, batch_size=1), 6, size=1, states=[state])[0] for name in batch]
    assert sorted(names) == [f"0:2:song{song}" for song in range(6)]
    assert "read from epoch 2 on" in caplog.text


def test_with_fixed_draws_the_same_names_come_again(pairs_in):
    names = [name for batch in seen(source_of(pairs_in(2), batch_size=2, cycle=2), 4)[0] for name in batch]
    assert sorted(names[:4]) == sorted(names[4:]) == ["0:0:song0", "0:0:song1", "0:1:song0", "0:1:song1"]


def test_a_finite_source_ends_with_what_is_left(pairs_in):
    batches, _ = seen(source_of(pairs_in(3), batch_size=2, epochs=1, shuffle=False), 9)
    assert batches == [("0:0:song0", "0:0:song1"), ("0:0:song2",)]


def test_a_broken_pair_is_left_out_told_and_counted(pairs_in, caplog):
    files = pairs_in(3)
    torch.save(torch.zeros(3), files[1].winner)
    loader = Loader(source_of(files, epochs=1, shuffle=False, max_bad_share=0.02), LoaderSettings())
    assert [batch.keys for batch in loader] == [("song0",), ("song2",)]
    assert loader.broken == 1
    assert "left out: pair song1: " in caplog.text and "win_latent1.pt: holds [3] numbers" in caplog.text


def test_too_many_broken_pairs_stop_the_run(pairs_in):
    files = pairs_in(3)
    torch.save(torch.zeros(3), files[1].winner)
    with pytest.raises(ValueError, match="2 of [456] pairs were broken, more than data.max_bad_share 0.01"):
        list(islice(Loader(source_of(files, shuffle=False), LoaderSettings()), 10))
