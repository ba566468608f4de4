"""One recording through the stages: checked, timed, encoded; each stage's work is kept by the hash of all that it depends on.

It decides nothing about other recordings (duplicates are told to it) and writes no shards. What is wrong with a recording is its reasons;
only a disk or a network that fails raises.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from jam import assets, audio
from jam.data.example import read_tensor
from jam.lyrics import formats
from jam.lyrics import lexicon as lexicons
from jam.lyrics.phonemes import Phonemizer
from jam.lyrics.sheet import Sheet
from jam.prepare import checks, damage, decoding, encoding, fingerprint, packing, places, rules
from jam.prepare.cache import Cache, Entry, dumped, key
from jam.prepare.encoding import LatentEncoder, StyleEncoder
from jam.prepare.records import Blob, Facts, Prepared, Reason, Track, facts_of, prepared_of, timing_of, to_json
from jam.prepare.separation import Separator
from jam.prepare.settings import PrepareConfig
from jam.prepare.timing import Timer

log = logging.getLogger(__name__)

CHECKED = 1  # changes when what is found of a sound would
TIMED = 2
ENCODED = 1
PASSING = ("read", "decode", "lyrics", "encode")  # reasons that another day, or another package, may take away
AMPLE = 1.1  # times the longest song that rules allow: headers may err


@dataclass(frozen=True)
class Checked:
    """What was found of a file: the hash of its bytes, and either its facts and its sketch (k,), or the problem that it has none."""

    sha256: str | None = None
    facts: Facts | None = None
    sketch: np.ndarray | None = None
    problem: Reason | None = None
    seconds: float = 0.0  # that it took


class Preparer:
    """Prepares recordings one after another with one process' instruments, each loaded when it is first used."""

    def __init__(self, settings: PrepareConfig, cache: Cache, device: torch.device) -> None:
        self.settings, self.cache, self.device = settings, cache, device
        self._decoded: tuple[str, Tensor] | None = None  # the last recording, as several stages need it

    def check(self, track: Track) -> Checked:
        """What a recording's file and sound are like. Raises OSError for storage that fails."""
        try:
            digest, seconds = self._seen(track)
        except places.Unreadable as error:
            return Checked(problem=_reason("read", error))
        longest = self.settings.rules.max_seconds
        if longest is not None and seconds > AMPLE * longest:  # hours of sound are not taken into memory to be refused
            told = f"lasts {seconds:.1f} s by its header, more than rules.max_seconds {longest:g}"
            return Checked(digest, problem=Reason("max_seconds", told))
        known = key(CHECKED, digest, track.audio.name)
        try:
            entry = self.cache.made("checks", known, lambda: self._checks(track, digest))
        except ValueError as error:  # it is not kept: another day, or with another package, it may be read
            return Checked(digest, problem=_reason("decode", error))
        stored = entry.json()
        sketch = np.frombuffer(base64.b64decode(stored["sketch"]), np.uint64)
        return Checked(digest, facts_of(stored["facts"]), sketch, seconds=entry.seconds)

    def prepare(self, track: Track, duplicate_of: str | None = None) -> Prepared:
        """All that a recording goes through; `duplicate_of` names an earlier one that it repeats. Raises OSError as `check`."""
        known = self._known(track, duplicate_of)
        entry = None if known is None else self.cache.get("songs", known)
        if entry is not None:
            return prepared_of(entry.json())
        try:
            found = self._prepared(track, duplicate_of)
        except torch.OutOfMemoryError as error:
            raise OSError("the device's memory does not suffice; lower latents.chunk, timing.batch or separation.batch") from error
        if known is not None and not any(reason.rule in PASSING for reason in found.reasons):
            self.cache.put("songs", known, dumped(to_json(found)))
        return found

    def fingerprint(self, track: Track) -> np.ndarray:
        """The fingerprint (F,) of a recording that was checked."""
        digest = self._digest(track)
        entry = self.cache.made("fingerprints", key(CHECKED, digest), lambda: fingerprint.fingerprint(self.sound(track)).tobytes())
        return np.frombuffer(entry.content, np.uint32)

    def sound(self, track: Track) -> Tensor:
        """The samples (2, N) at 44.1 kHz. Raises ValueError, in one line, for a file that cannot be read."""
        digest = self._digest(track)
        if self._decoded is None or self._decoded[0] != digest:
            content = places.read_blob(track.audio, "recording")
            self._decoded = digest, decoding.at_44k(decoding.decode(content, track.audio.name))
        return self._decoded[1]

    def latents(self, track: Track) -> Entry:
        """Latents (128, T) as shards hold them, from the cache or made now."""
        made = partial(self._latents_of, track)
        return self.cache.made("latents", self._latents_key(self._digest(track)), made)

    def styles(self, track: Track) -> Entry:
        """Style vectors (n, 512) as shards hold them, from the cache or made now."""
        made = partial(self._styles_of, track)
        return self.cache.made("styles", self._styles_key(self._digest(track), track), made)

    def files(self, track: Track, song: Prepared) -> dict[str, bytes]:
        """What a shard holds of a song that was prepared, {suffix: content}."""
        latents, styles = self.latents(track), self.styles(replace(track, prompts=song.prompts))
        return {"latent.pt": latents.content, "style.pt": styles.content, "json": packing.sample_json(song)}

    def style_vectors(self, song: Prepared) -> Tensor | None:
        """The style vectors (n, 512) of a song that was prepared; None of one that has none."""
        entry = None if song.styles is None else self.cache.get("styles", song.styles)
        return None if entry is None else read_tensor(entry.content, song.id)

    def silence(self) -> Tensor:
        """The latent (64,) of silence."""
        return self._encoder.silence()

    def load(self) -> None:
        """Loads every instrument, so that what is missing is told before any song. Raises ValueError or OSError, in one line."""
        _ = self.identity

    @cached_property
    def identity(self) -> str:
        """The hash of the settings and the weights on which what becomes of a song depends."""
        s = self.settings
        return key(CHECKED, TIMED, ENCODED, self.identities, asdict(s.rules), asdict(s.separation), s.language)

    @cached_property
    def identities(self) -> dict[str, str]:
        """The hashes of the instruments, by what they make."""
        return {
            "latents": self._encoder.identity,
            "styles": self._style.identity,
            "timing": self._timer.identity,
            "phonemes": self._read_by,
            **({} if self._separator is None else {"separation": self._separator.identity}),
        }

    # stages

    def _latents_of(self, track: Track) -> bytes:
        return encoding.to_bytes(self._encoder.encode(self.sound(track)))

    def _styles_of(self, track: Track) -> bytes:
        return encoding.to_bytes(self._style.encode(self.sound(track), track.prompts))

    def _checks(self, track: Track, digest: str) -> bytes:
        content = places.read_blob(track.audio, "recording")
        decoded = decoding.decode(content, track.audio.name)
        samples = decoding.at_44k(decoded)
        facts = checks.facts(decoded, samples, damage.damage(content, decoded))
        self._decoded = digest, samples
        prints = fingerprint.fingerprint(samples)
        self.cache.put("fingerprints", key(CHECKED, digest), prints.tobytes())
        sketch = base64.b64encode(np.ascontiguousarray(fingerprint.sketch(prints), np.uint64).tobytes()).decode()
        return dumped({"facts": to_json(facts), "sketch": sketch})

    def _prepared(self, track: Track, duplicate_of: str | None) -> Prepared:
        checked = self.check(track)
        found = Prepared(
            id=track.id,
            where=track.where,
            audio_sha256=checked.sha256,
            split=track.split,
            license=track.license,
            source=track.source,
            language=track.language,
            tags=track.tags,
            prompts=track.prompts,
            facts=checked.facts,
            costs={"checks": checked.seconds},
        )
        if checked.facts is None:
            assert checked.problem is not None, track.id
            return replace(found, reasons=(checked.problem,))
        reasons = (*rules.of_rights(self.settings.rules, track), *rules.of_sound(self.settings.rules, checked.facts))
        if duplicate_of is not None and not self.settings.rules.allow_duplicates:
            reasons = (*reasons, Reason("allow_duplicates", f"is the same recording as {duplicate_of}"))
        if reasons:
            return replace(found, reasons=reasons)
        return self._sung(track, found, checked.facts)

    def _sung(self, track: Track, found: Prepared, facts: Facts) -> Prepared:
        """The words, then, where nothing speaks against the song, its latents and styles."""
        try:
            sheet, lyrics = self._sheet(track)
            entry = self._timing(track, sheet, lyrics)
        except ValueError as error:
            return replace(found, reasons=(_reason("lyrics", error),))
        timing = timing_of(entry.json())
        prompts = track.prompts or ((sheet.style,) if sheet is not None and sheet.style else ())
        language, costs = timing.language or found.language, {**found.costs, "timing": entry.seconds}
        found = replace(found, timing=timing, prompts=prompts, language=language, costs=costs)
        reasons = tuple(rules.of_words(self.settings.rules, timing, facts.seconds, track.instrumental))
        return replace(found, reasons=reasons) if reasons else self._encoded(replace(track, prompts=prompts), found)

    def _encoded(self, track: Track, found: Prepared) -> Prepared:
        digest = self._digest(track)
        try:
            latents, styles = self.latents(track), self.styles(track)
        except ValueError as error:
            return replace(found, reasons=(_reason("encode", error),))
        costs = {**found.costs, "latents": latents.seconds, "styles": styles.seconds}
        frames = read_tensor(latents.content, "latents").shape[1]
        return replace(
            found,
            frames=frames,
            latents=self._latents_key(digest),
            styles=self._styles_key(digest, track),
            sizes=(len(latents.content), len(styles.content)),
            costs=costs,
        )

    def _timing(self, track: Track, sheet: Sheet | None, lyrics: str) -> Entry:
        language = track.language or self.settings.language
        digest = self._digest(track)
        parts = (TIMED, digest, lyrics, language, self._timer.identity, self._read_by, self.identities.get("separation"))

        def make() -> bytes:
            samples = self.sound(track)
            heard = samples if self._separator is None else self._separator.vocals(samples)
            return dumped(to_json(self._timer.time(heard, sheet, language)))

        return self.cache.made("timing", key(*parts), make)

    def _sheet(self, track: Track) -> tuple[Sheet | None, str]:
        """The lyrics of a recording, None where it has none, and the hash of what they are read from. Raises ValueError, in one line."""
        if track.lyrics is not None:
            content = places.read_blob(track.lyrics, "lyrics file")
            return formats.sheet_in(content, track.lyrics.path), key(track.lyrics.name, hashlib.sha256(content).hexdigest())
        if track.inline is not None:
            where = f"{track.where}: lyrics"
            inline = track.inline
            return formats.sheet_of(inline, where) if isinstance(inline, str) else formats.parse_sheet(inline, where), key(inline)
        return (Sheet() if track.instrumental else None), key(track.instrumental)

    # what things are known by

    def _seen(self, track: Track) -> tuple[str, float]:
        """The SHA-256 of a recording's bytes, and the seconds that its header tells, 0 where it does not.

        They are read again only when the file's size or time has changed.
        """
        blob = track.audio
        seen = key(blob.path, blob.name, blob.offset, blob.size, places.signature(blob.path))
        digest, seconds = self.cache.made("seen", seen, partial(_looked_at, blob)).json()
        return digest, seconds

    def _digest(self, track: Track) -> str:
        return self._seen(track)[0]

    def _known(self, track: Track, duplicate_of: str | None) -> str | None:
        """What all that is found of a recording depends on, None where its files cannot be read."""
        files = [blob.path for blob in (track.audio, track.lyrics) if blob is not None]
        try:
            signatures = [places.signature(path) for path in files]
        except places.Unreadable:
            return None
        return key(self.identity, asdict(track), signatures, duplicate_of)

    def _latents_key(self, digest: str) -> str:
        return key(ENCODED, digest, self._encoder.identity)

    def _styles_key(self, digest: str, track: Track) -> str:
        return key(ENCODED, digest, self._style.identity, track.prompts if self.settings.styles.prompts else ())

    # instruments

    @cached_property
    def _encoder(self) -> LatentEncoder:
        return LatentEncoder.load(self.settings.latents, self.device)

    @cached_property
    def _style(self) -> StyleEncoder:
        return StyleEncoder.load(self.settings.styles, self.device)

    @cached_property
    def _separator(self) -> Separator | None:
        return Separator.load(self.settings.separation, self.device) if self.settings.separation.enabled else None

    @cached_property
    def _timer(self) -> Timer:
        return Timer.load(self.settings.timing, self._phonemizer, self.device)

    @cached_property
    def _phonemizer(self) -> Phonemizer:
        lexicon = lexicons.read(self.settings.lexicon_path) if self.settings.lexicon_path else None
        return Phonemizer.load(self._phonemizer_path, lexicon, self.settings.languages)

    @cached_property
    def _phonemizer_path(self) -> str:
        return self.settings.phonemizer_path or str(assets.fetch(assets.PHONEMIZER))

    @cached_property
    def _read_by(self) -> str:
        """What decides how words sound."""
        files = [self._phonemizer_path, *([self.settings.lexicon_path] if self.settings.lexicon_path else [])]
        languages = {code: assets.sha256(path) if Path(path).is_file() else path for code, path in (self.settings.languages or {}).items()}
        return key([assets.sha256(path) for path in files], languages)


def _looked_at(blob: Blob) -> bytes:
    """The SHA-256 of a blob's bytes, in hexadecimal, and how many seconds its header tells."""
    content = places.read_blob(blob, "recording")
    try:
        header = audio.header(content, blob.name)
        seconds = (header.frames or 0) / header.rate
    except ValueError:
        seconds = 0.0  # decoding tells what is wrong
    return dumped([hashlib.sha256(content).hexdigest(), seconds])


def _reason(rule: str, error: ValueError) -> Reason:
    """Why a song stays out; `read` where its file cannot be read now."""
    return Reason("read" if isinstance(error, places.Unreadable) else rule, str(error))
