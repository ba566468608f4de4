"""Time: seconds, latent frames and phoneme slots, and where a crop lies in its song.

Every constant of time and of the latent's shape has its one home here. The module knows nothing of audio files, tensors or lyrics.

A song is 44,100 Hz audio; one latent frame covers 2048 samples (21.533 frames a second), and carries four phoneme slots
(86.13 slots a second). Conversions truncate, as JAM-0.5 does (arXiv 2507.20880).
"""

import math
from dataclasses import dataclass

SAMPLE_RATE = 44_100  # samples a second
FRAME_SAMPLES = 2048  # samples a latent frame
SLOTS_PER_FRAME = 4  # phoneme slots a latent frame
LATENT_CHANNELS = 64  # numbers a latent frame
STYLE_WIDTH = 512  # numbers a style vector (MuQ-MuLan's joint space)
MAX_FRAMES = 5000  # JAM-0.5's canvas, 232.2 s

FRAME_RATE = SAMPLE_RATE / FRAME_SAMPLES  # latent frames a second, 21.533
SLOT_SECONDS = 1 / (FRAME_RATE * SLOTS_PER_FRAME)  # 11.6 ms
LONGEST_SECONDS = 500.0  # the time at which `duration_abs` is 1


def frames_to_seconds(frames: int) -> float:
    """Seconds that `frames` latent frames last."""
    return frames * FRAME_SAMPLES / SAMPLE_RATE


def seconds_to_frames(seconds: float) -> int:
    """Latent frames that cover `seconds` (rounded up; a thousandth of a frame of rounding error is forgiven)."""
    return math.ceil(seconds * SAMPLE_RATE / FRAME_SAMPLES - 1e-3)


def seconds_to_slot(seconds: float, slots_per_frame: int = SLOTS_PER_FRAME) -> int:
    """The phoneme slot that holds the moment `seconds`, by truncation toward zero."""
    return int(seconds * SAMPLE_RATE / FRAME_SAMPLES * slots_per_frame)


@dataclass(frozen=True)
class Span:
    """Where a crop lies: `frames` unpadded latent frames from `start_frame` of a song of `song_frames`, on a canvas of `max_frames`.

    Its three numbers condition the network (each a float):

    - `start_time`: crop start / whole song, in frames;
    - `duration_abs`: log1p(seconds) / log1p(500), seconds of the unpadded crop;
    - `duration_rel`: seconds of the unpadded crop / seconds of the canvas.

    Raises ValueError for a span of no frames or one that leaves its song or its canvas.
    """

    frames: int
    max_frames: int
    start_frame: int = 0
    song_frames: int | None = None  # None: the crop is the whole song

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise ValueError(f"a span needs at least one latent frame, got {self.frames}")
        if self.frames > self.max_frames:
            raise ValueError(
                f"{self.frames} frames ({frames_to_seconds(self.frames):.2f} s) do not fit a canvas of {self.max_frames} "
                f"frames ({frames_to_seconds(self.max_frames):.2f} s)"
            )
        if self.start_frame < 0 or self.start_frame + self.frames > self.whole:
            raise ValueError(f"frames {self.start_frame} to {self.start_frame + self.frames} leave a song of {self.whole} frames")

    @property
    def whole(self) -> int:
        """Frames of the whole song."""
        return self.frames if self.song_frames is None else self.song_frames

    @property
    def start_seconds(self) -> float:
        """Where the crop starts in its song, in seconds."""
        return frames_to_seconds(self.start_frame)

    @property
    def seconds(self) -> float:
        """How long the unpadded crop lasts, in seconds."""
        return frames_to_seconds(self.frames)

    @property
    def start_time(self) -> float:
        """Crop start as a share of the whole song, 0 to 1."""
        return self.start_frame / self.whole

    @property
    def duration_abs(self) -> float:
        """Logarithmic duration: 0 for nothing, 1 for 500 s."""
        return math.log1p(self.seconds) / math.log1p(LONGEST_SECONDS)

    @property
    def duration_rel(self) -> float:
        """Duration as a share of the canvas, 0 to 1."""
        return self.seconds / frames_to_seconds(self.max_frames)
