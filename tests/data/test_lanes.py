"""Lanes: every unit of an epoch is read once, in an order that is drawn, and a place says where to go on."""

import itertools

import pytest

from jam.data.lanes import Lane, Plan, begin


def reader(songs: int, opened: list | None = None):
    """Shards of so many songs each; the song "s.i" is number i of shard s."""

    def read(plan: Plan):
        def of(_epoch: int, shard: int, part: int, start: int):
            if opened is not None:
                opened.append((shard, part, start))
            return ((i, {"key": f"{shard}.{i}"}) for i in range(start, songs) if i % plan.parts == part)

        return of

    return read


def lane(plan: Plan, number: int, read, epochs: int | None = None, place: dict | None = None) -> Lane:
    return Lane(plan, place or plan.start(number), read(plan), None if epochs is None else epochs * plan.units)


def take(one: Lane, count: int | None = None) -> list[tuple[int, str]]:
    taken = itertools.takewhile(lambda found: found is not None, iter(one.take, 0))
    songs = []
    for epoch, sample in itertools.islice(taken, count):
        one.praise()
        songs.append((epoch, sample["key"]))
    return songs


@pytest.mark.parametrize("shards", [1, 2, 7])
@pytest.mark.parametrize("lanes", [1, 3, 4, 8])
@pytest.mark.parametrize("shuffle", [True, False])
def test_lanes_read_every_song_of_every_epoch_once(shards, lanes, shuffle):
    plan = Plan(0, shards, lanes, shuffle, 5 if shuffle else 1)
    songs = [song for number in range(lanes) for song in take(lane(plan, number, reader(9), epochs=3))]
    assert sorted(songs) == sorted((epoch, f"{shard}.{i}") for epoch in range(3) for shard in range(shards) for i in range(9))


def test_an_epoch_of_a_lane_ends_before_the_next_begins():
    for block in (1, 4, 1000):
        epochs = [epoch for epoch, _ in take(lane(Plan(0, 5, 2, True, block), 1, reader(4), epochs=4))]
        assert epochs == sorted(epochs)


def test_lanes_are_as_far_as_each_other():
    plan = Plan(0, 10, 4, True, 3)
    places = []
    for number in range(4):
        one = lane(plan, number, reader(6))
        take(one, 600)
        places.append(one.place()["unit"])
    assert max(places) - min(places) <= 2 * plan.lanes


def test_the_order_is_a_function_of_the_seed_and_changes_with_the_epoch():
    def order(seed: int) -> list[tuple[int, str]]:
        return take(lane(Plan(seed, 4, 1, True, 6), 0, reader(5), epochs=2))

    one = order(1)
    assert one == order(1) != order(2)
    assert [key for _, key in one[:20]] != [key for _, key in one[20:]]
    plain = [key for _, key in take(lane(Plan(1, 4, 1, False, 1), 0, reader(5), epochs=1))]
    assert plain == [f"{shard}.{i}" for shard in range(4) for i in range(5)]


@pytest.mark.parametrize("block", [1, 4, 7, 100])
def test_a_lane_goes_on_from_any_place(block):
    plan = Plan(3, 5, 2, block > 1, block)
    whole = take(lane(plan, 1, reader(6)), 90)
    for handed in range(70):
        stopped = lane(plan, 1, reader(6))
        take(stopped, handed)
        assert take(lane(plan, 1, reader(6), place=stopped.place()), 20) == whole[handed : handed + 20]


def test_a_shard_is_opened_once_for_all_its_blocks():
    opened: list = []
    take(lane(Plan(0, 1, 1, True, 4), 0, reader(20, opened), epochs=1))
    assert opened == [(0, 0, 0)]


def test_a_broken_shard_is_told_once_even_if_its_block_is_read_again():
    plan = Plan(0, 2, 1, True, 100)

    def read(_epoch: int, shard: int, _part: int, start: int):
        songs = ((i, {"key": f"{shard}.{i}"}) for i in range(start, 3))
        return itertools.chain(songs, [(3, f"shard {shard} is broken")])

    one = Lane(plan, plan.start(0), read)
    take(one, 2)
    assert sorted(one.notes) == ["shard 0 is broken", "shard 1 is broken"]
    again = Lane(plan, one.place(), read)
    assert take(again, 4) and not again.notes
    assert take(again, 1) and len(again.notes) == 2


def test_a_lane_without_songs_does_not_spin():
    plan = Plan(0, 3, 1, True, 10)
    empty = Lane(plan, plan.start(0), lambda *_place: iter(()))
    assert empty.take() is None and empty.take() is None and not empty.ended
    assert empty.place()["unit"] == 12


def places(plan: Plan, readers: int, handed: int) -> list[dict]:
    began = [begin(plan, True, reader_, readers, []) for reader_ in range(readers)]
    for place in began:
        lanes = [lane(plan, 0, reader(4), place=each) for each in place["lanes"]]
        for one in lanes:
            take(one, handed)
        place["lanes"] = [one.place() for one in lanes]
    return began


def test_fewer_readers_take_over_all_lanes_where_they_stand():
    plan = Plan(0, 8, 4, True, 3)
    before = places(plan, 4, handed=5)
    after = [begin(Plan(0, 8, 2, True, 3), False, one, 2, before) for one in range(2)]
    assert [[each["lane"] for each in place["lanes"]] for place in after] == [[0, 2], [1, 3]]
    stood = {each["lane"]: each for place in before for each in place["lanes"]}
    assert all(each == stood[each["lane"]] for place in after for each in place["lanes"])


@pytest.mark.parametrize(("handed", "epoch"), [(0, 0), (1, 1), (16, 1), (17, 2)])
def test_more_readers_than_lanes_begin_the_next_epoch_and_say_so(caplog, handed, epoch):
    plan = Plan(0, 8, 2, True, 3)
    before = places(plan, 2, handed)
    after = [begin(Plan(0, 8, 4, True, 3), False, one, 4, before) for one in range(4)]
    assert [[each["unit"] for each in place["lanes"]] for place in after] == [[8 * epoch + one] for one in range(4)]
    assert len(caplog.records) == 1
    assert f"lanes was 2 and is 4): the songs that were left of epoch {epoch - 1} wait" in caplog.text
    assert f"data goes on with epoch {epoch}" in caplog.text


def test_other_shards_begin_the_next_epoch_too(caplog):
    before = places(Plan(0, 8, 2, True, 3), 2, 3)
    assert begin(Plan(0, 9, 2, True, 3), False, 0, 2, before)["lanes"][0]["unit"] // 9 == 1
    assert "shards was 8 and is 9" in caplog.text


def test_too_few_lanes_are_refused_with_what_to_do():
    with pytest.raises(ValueError, match=r"data.train_dataloader.lanes is 2, but 4 readers .* set it to 4 or a multiple"):
        begin(Plan(0, 8, 2, True, 3), True, 0, 4, [])
