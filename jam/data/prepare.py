"""Recordings to training shards: `python -m jam.data.prepare input=FOLDER output=FOLDER [config=configs/prepare/nano.yaml]`.

Composes source, stages, shards and report. Songs are shared by worker processes, and by machines under `accelerate launch`. What was done
is not done again, so a run that was stopped goes on. A song that cannot be used is a named rejection; only storage that fails ends the run.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from jam import __version__, config
from jam.prepare import fingerprint, packing, report, rules, sources
from jam.prepare.cache import dumped
from jam.prepare.crew import Crew
from jam.prepare.packing import Packed, Shard
from jam.prepare.places import Folder, is_remote, join
from jam.prepare.preparing import Checked, Preparer
from jam.prepare.records import Prepared, Track, Unread
from jam.prepare.report import Run
from jam.prepare.settings import PrepareConfig
from jam.prepare.spool import Spool

if TYPE_CHECKING:
    from accelerate import PartialState
    from filelock import FileLock

log = logging.getLogger("jam")
T = TypeVar("T")
R = TypeVar("R")

NOTHING_KEPT = 1  # exit status where no song went into the shards
PLACES = ("path", "vocabulary", "languages")  # settings that name files
TOLD = 50  # rejected songs are named at most
PATIENCE = timedelta(days=30)  # how long a process waits for those that still work

Song = tuple[Track, str | None]  # and the song that it repeats
Task = Callable[[Preparer, T], R]


@dataclass(frozen=True)
class Group:
    """The processes of one run: which this is, of how many."""

    process: int
    processes: int
    state: PartialState | None = None  # None: an array of jobs, which know nothing of each other

    @property
    def leads(self) -> bool:
        """Whether this process speaks, and does what one must do."""
        return self.process == 0 or self.state is None

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """This process' part of items that all know."""
        return items[self.process :: self.processes]

    def together(self, made: Callable[[], T]) -> list[T]:
        """What every process makes, in their order; an error of one is raised in all. A job of an array has its own alone."""
        if self.state is None or self.processes == 1:
            return [made()]
        from accelerate.utils import gather_object

        outcomes: list[tuple[Any, Exception | None]] = gather_object([_tried(made)])
        for _, failed in outcomes:
            if failed is not None:
                raise failed
        return [found for found, _ in outcomes]

    def led(self, made: Callable[[], T]) -> T:
        """What the leading process makes, in all of them, as its error is."""
        if self.state is None or self.processes == 1:
            return made()
        from accelerate.utils import broadcast_object_list

        outcome: list[Any] = [_tried(made) if self.leads else None]
        found, failed = broadcast_object_list(outcome)[0]
        if failed is not None:
            raise failed
        return found


def _tried(made: Callable[[], T]) -> tuple[T | None, Exception | None]:
    """What is made, or the error that stops a run."""
    try:
        return made(), None
    except (ValueError, OSError) as error:
        log.critical("stopping, once the other processes have done their songs: %s", error)  # it may be long until all hear of it
        return None, error


def prepare(settings: PrepareConfig) -> int:
    """Prepares all songs of the input; returns the exit status: 0, or 1 where no song could be kept.

    Raises ValueError or OSError, in one line and in every process, for settings and inputs that cannot be used and storage that fails.
    """
    from accelerate import PartialState

    if settings.input is None or settings.output is None:
        raise ValueError("name the recordings and where their shards shall be: input=FOLDER output=FOLDER")
    device = _device(settings.device)
    state = PartialState(cpu=device.type == "cpu", timeout=PATIENCE)
    if settings.part and state.num_processes > 1:
        raise ValueError(f"share={settings.share} under a launcher of {state.num_processes} processes; take one of the two")
    group = Group(*settings.part) if settings.part else Group(state.process_index, state.num_processes, state)
    if not group.leads:
        log.setLevel(logging.CRITICAL)  # what a process has to say, the one that leads says for it
    own = device if settings.device else state.device
    try:
        with Crew(settings, _cache(settings), own, settings.processes(own.type == "cpu")) as crew:
            return Work(settings, group, crew).done()
    finally:
        if state.num_processes > 1:
            state.destroy_process_group()


class Work:
    """One run: what is read, what became of it, what is written."""

    def __init__(self, settings: PrepareConfig, group: Group, crew: Crew) -> None:
        self.settings, self.group, self.crew = settings, group, crew
        self.output = Folder(str(settings.output))
        self.began = time.perf_counter()
        self._lock: FileLock | None = None

    def done(self) -> int:
        """The phases that are asked for, one after another; the exit status."""
        tracks, unread = self.group.led(self._read)
        self.group.led(self._claim)
        try:
            return self._phases(tracks, unread)
        finally:
            if self._lock is not None:
                self._lock.release()

    def _claim(self) -> None:
        """Keeps other runs, but for the jobs of an array, from the output. Raises ValueError where one works there.

        Raises OSError, in one line, for an output that cannot be written.
        """
        packing.claim(self.output)
        self.output.write("cache/begun", b"")
        if self.settings.share is not None or is_remote(self.output.root):
            return
        from filelock import FileLock, Timeout

        self._lock = FileLock(self.output.path("cache/running"))
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise ValueError(f"{self.output.root}: another run writes there; wait for its end, or name another output") from error

    def _phases(self, tracks: Sequence[Track], unread: Sequence[Unread]) -> int:
        phase = self.settings.phase
        if phase != "check":
            self.group.together(self.crew.own.load)
        if phase in ("all", "check"):
            self._spread("checking", _check, tracks, lambda checked: 0.0 if checked.facts is None else checked.facts.seconds)
        if phase == "check":
            return 0
        repeated = self.group.led(lambda: self._duplicates(tracks))
        while True:
            songs: list[Song] = [(track, repeated.get(track.id)) for track in tracks]
            if phase in ("all", "encode"):
                self._spread("preparing", _prepare, songs, lambda seconds: seconds)
            if self.settings.share is not None:
                return 0  # others have the rest
            settled = self.group.led(partial(self._settled, songs, repeated))
            if settled == repeated:
                break
            repeated = settled
        return 0 if phase == "encode" else self._packed(songs, unread)

    def _settled(self, songs: Sequence[Song], repeated: Mapping[str, str]) -> dict[str, str]:
        """The repeated songs once it is known which are rejected: where an earlier one is, the next takes its place."""
        by_id = {track.id: track for track, _ in songs}
        firsts: dict[str, str] = {}  # the rejected, and who takes their places
        found: dict[str, str] = {}
        for track, _ in songs:
            first = repeated.get(track.id)
            if first is None:
                continue
            if first not in firsts:
                firsts[first] = track.id if self.crew.own.prepare(by_id[first]).is_rejected else first
            if firsts[first] != track.id:
                found[track.id] = firsts[first]
        return found

    def _read(self) -> tuple[list[Track], list[Unread]]:
        s = self.settings
        own = (str(s.output), _cache(s))
        if not is_remote(own[0]) and Path(own[0]).resolve() == Path(str(s.input)).expanduser().resolve():
            raise ValueError(f"output={s.output} is the input itself; name another folder, or one in it")
        found = sources.tracks(str(s.input), s.license, s.source, s.language, s.tags, s.valid_share, s.seed, without=own)
        found = [_as_text(one) for one in found]
        for one in found:
            if isinstance(one, Unread):
                log.warning("not read: %s: %s", one.where, one.problem)
        return [one for one in found if isinstance(one, Track)][: s.num_songs], [one for one in found if isinstance(one, Unread)]

    def _duplicates(self, tracks: Sequence[Track]) -> dict[str, str]:
        """Songs that repeat an earlier one, {id: the earlier one's}; of those that rules keep for their rights and sound."""
        if self.settings.rules.allow_duplicates:
            return {}
        checked: Iterable[Checked] = self.crew.each(_check, tracks)
        sketches = {}
        for track, one in zip(tracks, checked, strict=True):
            if one.facts is not None and one.sketch is not None and not self._is_out(track, one):
                sketches[track.id] = one.sketch
        by_id = {track.id: track for track in tracks}
        order = [track.id for track in tracks if track.id in sketches]
        return fingerprint.duplicates(sketches, lambda name: self.crew.own.fingerprint(by_id[name]), order)

    def _is_out(self, track: Track, checked: Checked) -> bool:
        assert checked.facts is not None
        return any(rules.of_rights(self.settings.rules, track)) or any(rules.of_sound(self.settings.rules, checked.facts))

    def _packed(self, songs: Sequence[Song], unread: Sequence[Unread]) -> int:
        """Plans and writes the shards, and what goes with them."""
        spool = Spool(None if is_remote(self.output.root) else self.output.root)
        plan = self.group.led(lambda: self._plan(songs, spool))
        by_id = {track.id: (track, repeated) for track, repeated in songs}
        mine = [(str(self.settings.output), shard, [by_id[member.key] for member in shard.members]) for shard in self.group.share(plan)]
        packed = [one for part in self.group.together(lambda: list(self._shown("packing", _pack, mine))) for one in part]
        return self.group.led(lambda: self._finished(songs, unread, spool, packed))

    def _plan(self, songs: Sequence[Song], spool: Spool) -> tuple[Shard, ...]:
        members = []
        for song in self.crew.each(_recall, songs):
            spool.add(song)
            if not song.is_rejected:
                members.append(packing.member_of(song))
        return packing.plan(members, self.settings.pack)

    def _finished(self, songs: Sequence[Song], unread: Sequence[Unread], spool: Spool, packed: Sequence[Packed]) -> int:
        tracks = {track.id: track for track, _ in songs}
        facts = self._facts()
        packing.finish(self.output, sorted(packed, key=lambda one: one.name), spool, unread, facts, self.crew.own.silence())
        run = Run(time.perf_counter() - self.began, self.group.processes * self.crew.count)
        preparer = self.crew.own
        page = report.write(
            self.output,
            spool,
            unread,
            facts,
            lambda name: preparer.sound(tracks[name]),
            preparer.style_vectors,
            run,
            self.settings.report,
        )
        return self._told(spool, unread, page)

    def _told(self, spool: Spool, unread: Sequence[Unread], page: str) -> int:
        """Says how it ended; the exit status."""
        kept, rejected, seconds = 0, 0, 0.0
        for song in spool:
            if not song.is_rejected:
                kept, seconds = kept + 1, seconds + (0.0 if song.facts is None else song.facts.seconds)
                continue
            rejected += 1
            if rejected <= TOLD:
                told = "; ".join(f"{reason.rule}: {reason.text}" for reason in song.reasons)
                log.warning("rejected: %s: %s", song.where or song.id, told)
        if rejected > TOLD:
            log.warning("rejected: %d more; the report names them all", rejected - TOLD)
        total = len(spool) + len(unread)
        if self.output.root.startswith("memory:"):
            log.warning("%s: lies in this process' memory, and goes with it", self.output.root)
        log.info("%d of %d songs (%.2f h) are in %s; the report is %s", kept, total, seconds / 3600, self.output.root, page)
        return 0 if kept else NOTHING_KEPT

    def _facts(self) -> dict[str, Any]:
        """What makes the shards repeatable."""
        settings = _without_paths(asdict(self.settings))
        for name in ("input", "output", "cache", "workers", "device", "share", "phase", "report"):
            settings.pop(name)
        return {"jam": __version__, "torch": torch.__version__, "settings": settings, "instruments": self.crew.own.identities}

    def _spread(self, name: str, task: Task[T, R], items: Sequence[T], seconds_of: Callable[[R], float]) -> None:
        """A task for every song, shared by the processes."""

        def mine() -> None:
            for _ in self._shown(name, task, self.group.share(items), seconds_of):
                pass

        self.group.together(mine)

    def _shown(
        self, name: str, task: Task[T, R], items: Sequence[T], seconds_of: Callable[[R], float] | None = None
    ) -> Iterator[R]:
        """A task for each item, with a bar that tells pace and what is left; times the songs' own length where that is known."""
        from tqdm import tqdm

        began, sung = time.perf_counter(), 0.0
        label = name if self.group.processes == 1 else f"{name} (1 of {self.group.processes} shares)"
        with tqdm(total=len(items), desc=label, unit="song" if seconds_of else "shard", disable=not self.group.leads) as bar:
            for found in self.crew.each(task, items):
                if seconds_of is not None:
                    sung += seconds_of(found)
                    bar.set_postfix_str(f"{sung / (time.perf_counter() - began):.0f} x real time", refresh=False)
                bar.update()
                yield found


def _as_text(song: Track | Unread) -> Track | Unread:
    """The song, or, where something that is said of it is no text, that."""
    try:
        dumped(asdict(song))
    except UnicodeEncodeError as error:
        sign = error.object[error.start : error.end].encode("unicode_escape").decode()
        where = ascii(song.where)[1:-1]
        return Unread(ascii(song.id)[1:-1], where, f"holds {sign}, half of a sign and no text; write it as UTF-8")
    return song


def _check(preparer: Preparer, track: Track) -> Checked:
    return preparer.check(track)


def _prepare(preparer: Preparer, song: Song) -> float:
    """Prepares a song; its seconds."""
    found = preparer.prepare(*song)
    return 0.0 if found.facts is None else found.facts.seconds


def _recall(preparer: Preparer, song: Song) -> Prepared:
    return preparer.prepare(*song)


def _pack(preparer: Preparer, work: tuple[str, Shard, list[Song]]) -> Packed:
    output, shard, songs = work
    by_id = {track.id: (track, repeated) for track, repeated in songs}

    def files(name: str) -> Mapping[str, bytes]:
        return preparer.files(by_id[name][0], preparer.prepare(*by_id[name]))

    return packing.write(Folder(output), shard, files)


def _without_paths(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without where files lie: other machines have them elsewhere, and what they hold is told by hashes."""
    kept = {name: value for name, value in settings.items() if name not in PLACES and not name.endswith("_path")}
    return {name: _without_paths(value) if isinstance(value, dict) else value for name, value in kept.items()}


def _device(name: str | None) -> torch.device:
    """The device of that name, or the best. Raises ValueError, in one line, for one that this machine lacks."""
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device is {name}, which this machine lacks; choose cpu, cuda, or null") from error
    return device


def _cache(settings: PrepareConfig) -> str:
    return settings.cache or join(str(settings.output), "cache")


def main(words: list[str]) -> int:
    """Entry: prepares with the command line's settings."""
    return prepare(config.load(PrepareConfig, words))


if __name__ == "__main__":
    sys.exit(config.run(main))
