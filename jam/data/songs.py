"""Training songs, endless, divided among readers and reproducible: a source for `Loader`. It does not know tars or the network.

Every song of an epoch is read by exactly one reader. A broken song or shard is named, counted and left out, until they are too many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial

import torch

from jam.data.collate import Batch, collate
from jam.data.example import Example, decode, make_example, read_tensor
from jam.data.lanes import Found, Lane, Plan, begin
from jam.data.loader import Delivery, Loader, LoaderSettings, Place
from jam.data.shards import Sample, ShardSettings, name, read_ids, shard_paths, stored
from jam.lyrics.words import Word
from jam.randomness import generator
from jam.timing import frames_to_seconds

RESAMPLE_POWER = 1.2  # a song is kept with probability (duration / threshold) ** 1.2
FEWEST_SONGS = 100  # a share of broken songs is judged as if of so many at least


class Songs:
    """Training songs: epoch after epoch, every song once in each, in an order that is a function of the seed. A source for `Loader`.

    Songs are dealt to `loader.lanes` (see jam.data.lanes), one for each reader where it is None; a reader takes from each of its lanes in
    turn. Batches hold `loader.batch_size` songs, continued with `silence` (C,). With `epochs` it ends; the last batch of a reader may
    then hold fewer songs.
    """

    def __init__(
        self,
        settings: ShardSettings,
        ids_of: Callable[[Word], Sequence[int]],
        silence: torch.Tensor,
        loader: LoaderSettings,
        seed: int = 0,
        epochs: int | None = None,
    ) -> None:
        self.settings, self.seed, self.epochs = settings, seed, epochs
        self._ids_of, self._silence, self._batch_size, self._lanes = ids_of, silence, loader.batch_size, loader.lanes
        self.paths = shard_paths(settings.pattern)
        self._ids = None if settings.id_list_jsonl is None else read_ids(settings.id_list_jsonl)

    def begin(self, reader: int, readers: int, places: Sequence[Place], /) -> Place:
        """Where a reader starts; see `jam.data.lanes.begin`."""
        shuffle = self.settings.shuffle
        plan = Plan(self.seed, len(self.paths), self._lanes or readers, shuffle, self.settings.shuffle_songs if shuffle else 1)
        return begin(plan, self._lanes is not None, reader, readers, places)

    def deliveries(self, _reader: int, _readers: int, place: Place, /) -> Iterator[Delivery]:
        """Batches of a reader from `place` on, and the broken songs met on the way."""
        reader = _Reader(self, place)
        while True:
            songs: list[tuple[Example, str]] = []
            stopped = None
            try:
                while len(songs) < self._batch_size and (song := reader.song()) is not None:
                    songs.append(song)
            except ValueError as error:
                stopped = str(error)
            broken = reader.told()
            if stopped is not None or not songs:
                if stopped or broken:
                    yield Delivery(None, reader.place(), broken, stopped)
                return
            yield Delivery(self._batch(songs), reader.place(), broken)

    def example(self, epoch: int, sample: Sample) -> tuple[Example, str]:
        """A song as it is used in an epoch, and the name of that use. Raises ValueError, naming shard and key, where it is broken."""
        names = (self.seed, epoch, sample["__key__"])
        try:
            return make_example(decode(sample), self.settings.crop, self._ids_of, generator(*names)), ":".join(map(str, names))
        except ValueError as error:
            raise ValueError(f"{name(sample)}: {error}") from error

    def read(self, epoch: int | None, shard: int, part: int, start: int, parts: int) -> Iterator[tuple[int, Found]]:
        """The raw samples of one part of a shard that the rules keep in an epoch (None: in some epoch), with their numbers from `start` on.

        Among those of the first part comes one line where the shard is damaged or empty.
        """
        for number, found in enumerate(stored(self.paths[shard])):
            if isinstance(found, str):
                if part == 0:
                    yield max(number, start), found
            elif number >= start and number % parts == part and self._kept(epoch, found):
                yield number, found

    def refuse_if_empty(self, units: Sequence[tuple[int, int]], parts: int, who: str) -> None:
        """Raises ValueError where no song of these (shard, part) is whole and kept by the rules."""
        for shard, part in units:
            for _, found in self.read(None, shard, part, 0, parts):
                if isinstance(found, str):
                    continue
                try:
                    self.example(0, found)
                except ValueError:
                    continue
                return
        raise ValueError(f"{self.settings.pattern}: the id list, the duration rules and broken songs leave no song{who}")

    def _kept(self, epoch: int | None, sample: Sample) -> bool:
        """Whether the rules keep a sample (None: in some epoch). A broken one is kept, so that it is named when it is used."""
        least, threshold = self.settings.ignore_by_duration_threshold, self.settings.resample_by_duration_threshold
        if self._ids is not None and sample["__key__"] not in self._ids:
            return False
        if (least is None and threshold is None) or "latent.pt" not in sample:
            return True
        try:
            seconds = frames_to_seconds(read_tensor(sample["latent.pt"], "latent.pt").shape[-1])
        except (ValueError, IndexError):
            return True
        if least is not None and seconds <= least:
            return False
        if threshold is None or epoch is None:
            return True
        draw = torch.rand(1, generator=generator("resample", self.seed, epoch, sample["__key__"]))
        return float(draw) < (seconds / threshold) ** RESAMPLE_POWER

    def _batch(self, songs: Sequence[tuple[Example, str]]) -> Batch:
        examples, draws = zip(*songs, strict=True)
        return collate(examples, self._silence, self.settings.crop.max_frames, draws)


class _Reader:
    """One reader's lanes, and what it has found broken."""

    def __init__(self, songs: Songs, place: Place) -> None:
        self._songs, self._plan = songs, Plan(**place["plan"])
        last = None if songs.epochs is None else songs.epochs * self._plan.units
        self._lanes = [Lane(self._plan, lane, partial(songs.read, parts=self._plan.parts), last) for lane in place["lanes"]]
        self._told: list[str] = []
        self._proved: set[int] = set()  # lanes that are known to hold songs

    def place(self) -> Place:
        return {"plan": asdict(self._plan), "lanes": [lane.place() for lane in self._lanes]}

    def told(self) -> tuple[str, ...]:
        """What was found broken since this was last asked."""
        told, self._told = tuple(self._told), []
        return told

    def song(self) -> tuple[Example, str] | None:
        """The next whole song of the lane that has given the fewest, and the name of its use; None at the end.

        Raises ValueError where too many are broken, or where no song is left by the rules.
        """
        while reading := [lane for lane in self._lanes if not lane.ended]:
            lane = min(reading, key=lambda lane: (lane.songs, lane.number))
            taken = lane.take()
            for line in lane.notes:
                self._leave_out(lane, line)
            lane.notes.clear()
            if taken is None:
                self._prove(lane)
                continue
            lane.read += 1
            try:
                example = self._songs.example(*taken)
            except ValueError as error:
                self._leave_out(lane, str(error))
                continue
            lane.praise()
            return example
        if not any(lane.songs for lane in self._lanes):
            every = [divmod(unit, self._plan.parts) for unit in range(self._plan.units)]
            self._songs.refuse_if_empty(every, self._plan.parts, "")
        return None

    def _leave_out(self, lane: Lane, line: str) -> None:
        self._told.append(line)
        lane.broken += 1
        broken, read = sum(lane.broken for lane in self._lanes), sum(lane.read for lane in self._lanes)
        allowed = self._songs.settings.max_bad_share
        if broken > allowed * max(read, FEWEST_SONGS):
            raise ValueError(
                f"{broken} broken among {read} songs that a reader has met are more than data.max_bad_share={allowed:g} allows; "
                f"mend the shards or raise it; the last: {line}"
            )

    def _prove(self, lane: Lane) -> None:
        """Refuses to wait for a lane that can have no songs: all that it will ever read is looked through, once."""
        if self._songs.epochs is not None or lane.number in self._proved:
            return
        units, lanes = self._plan.units, self._plan.lanes
        fixed = not self._songs.settings.shuffle and lanes > 1  # each epoch is dealt alike, so a lane may never meet some units
        met = sorted({number % units for number in range(lane.number, units * lanes, lanes)}) if fixed else range(units)
        advice = f" for stream {lane.number + 1} of {lanes}; set shuffle=true, or use fewer workers or lanes" if fixed else ""
        self._songs.refuse_if_empty([divmod(unit, self._plan.parts) for unit in met], self._plan.parts, advice)
        self._proved.add(lane.number)


def held_out(
    settings: ShardSettings, ids_of: Callable[[Word], Sequence[int]], silence: torch.Tensor, batch_size: int
) -> Iterator[Batch]:
    """Every song of held-out shards once, in order, with crops, styles and latents that are the same each time.

    Broken songs are named and left out by the same rule as in training; the last batch may hold fewer songs. Raises ValueError as `Loader`.
    """
    loader = LoaderSettings(batch_size)
    return iter(Loader(Songs(replace(settings, shuffle=False), ids_of, silence, loader, epochs=1), loader))
