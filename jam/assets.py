"""Where weights come from: a path of the user's, the hub's cache on this machine, or the hub (pinned revision, SHA-256 checked).

This is the door to huggingface_hub. The module knows where files are and that they are whole, not what is in them.
"""

import hashlib
import os
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from functools import partial
from pathlib import Path

BUNDLE = Path(os.environ.get("JAM_NANO") or Path(__file__).resolve().parent.parent / "externals" / "nano")  # the embedded model
REACH_SECONDS = 10.0  # how long the hub may take to answer


@dataclass(frozen=True)
class Asset:
    """One file of a hub repository, and the files that must lie beside it (paths within the repository)."""

    repo: str
    filename: str
    revision: str = "main"  # a commit pins it; "main" where no commit is known to us
    sha256: str | None = None  # of `filename`
    beside: tuple[str, ...] = ()
    gated: bool = False  # its terms must be accepted on the hub, by a logged-in user

    @property
    def files(self) -> tuple[str, ...]:
        """All that must be there, the file itself first."""
        return (self.filename, *self.beside)

    def __str__(self) -> str:
        return f"{self.filename} of {self.repo}"


JAM_05 = Asset("declare-lab/jam-0.5", "jam-0_5.safetensors")
MUQ_MULAN = Asset("OpenMuQ/MuQ-MuLan-large", "config.json")  # style/muq finds the weights beside it, of either format
DIFFRHYTHM_VAE = Asset("ASLP-lab/DiffRhythm-vae", "vae_model.pt")
STABLE_AUDIO_VAE = Asset(
    "stabilityai/stable-audio-open-1.0", "vae/diffusion_pytorch_model.safetensors", beside=("vae/config.json",), gated=True
)
PHONEMIZER = Asset(
    "NRC-CNRC/en_us_cmudict_ipa_forward_g2p",
    "en_us_cmudict_ipa_forward.pt",
    revision="05f9e2f78b12f4f8852e4f8b3f77dc7e01749293",
    sha256="ee18c945608c0f2a52a4dc3edb21546a161911bde86be19052ff9895cec2483f",
)


def fetch(asset: Asset, local: str | Path | None = None, offline: bool | None = None, timeout: float = REACH_SECONDS) -> Path:
    """The file of `asset` on this machine: at `local` (a file, or a folder that holds it), else in the hub's cache, else from the hub.

    `offline` (None: HF_HUB_OFFLINE) forbids the hub; `timeout` is how many seconds it may take to answer at all. Raises, in one line
    that says what to do: ValueError for a `local` that does not hold the file or a wrong SHA-256; OSError where it is not to be had.
    """
    if local is not None:
        return _verified(asset, _at(asset, Path(local)))
    path = cached(asset)
    if path is None:
        if _offline(offline):
            raise FileNotFoundError(f"{asset} is not in the hub's cache and the hub is off (HF_HUB_OFFLINE); {_advice(asset)}")
        if not reachable(timeout):  # the hub's own client would try again for half a minute
            raise ConnectionError(f"{asset} is not in the hub's cache and {_endpoint()} did not answer in {timeout:g} s; {_advice(asset)}")
        path = _download(asset)
    return _verified(asset, path)


def fetch_dataset(repo: str, revision: str = "main", timeout: float = REACH_SECONDS) -> Path:
    """The folder of a dataset of the hub, from its cache, else fetched whole. Raises OSError, in one line, where it is not to be had."""
    from huggingface_hub import snapshot_download

    fetched = partial(snapshot_download, repo, repo_type="dataset", revision=revision, cache_dir=_cache(), endpoint=_endpoint())
    try:
        return Path(fetched(local_files_only=True))
    except OSError:
        pass
    advice = f"with a network run 'hf download {repo} --repo-type dataset --revision {revision}', or name a copy of it on this machine"
    if not reachable(timeout):
        raise ConnectionError(f"the dataset {repo} is not in the hub's cache and {_endpoint()} did not answer; {advice}")
    try:
        return Path(fetched(etag_timeout=REACH_SECONDS))
    except OSError as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ConnectionError(f"the dataset {repo} could not be fetched from {_endpoint()} ({reason}); {advice}") from error


def locate(source: str | Path | Asset, known: Asset) -> Path:
    """The file a door should open: `known` at a path of the user's, or an asset that is fetched. Raises what `fetch` raises."""
    return fetch(source) if isinstance(source, Asset) else fetch(known, source)


def cached(asset: Asset) -> Path | None:
    """The file of `asset` in the hub's cache, None if it, or a file that must lie beside it, is not there. Asks no network."""
    from huggingface_hub import try_to_load_from_cache

    found = [try_to_load_from_cache(asset.repo, name, cache_dir=_cache(), revision=asset.revision) for name in asset.files]
    paths = [Path(path) for path in found if isinstance(path, str)]
    return paths[0] if len(paths) == len(found) else None


def reachable(timeout: float = REACH_SECONDS) -> bool:
    """Whether the hub answers within `timeout` seconds, name look-up included; not where HF_HUB_OFFLINE forbids to ask."""
    if _offline(None):
        return False
    answered = threading.Event()

    def ask() -> None:
        try:
            urllib.request.urlopen(urllib.request.Request(_endpoint(), method="HEAD"), timeout=timeout).close()
        except urllib.error.HTTPError as error:  # an answer all the same
            error.close()
        except (OSError, ValueError):
            return
        answered.set()

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout)
    return answered.is_set()


def sha256(path: str | Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _at(asset: Asset, local: Path) -> Path:
    """The file of `asset` at a path the user named."""
    if local.is_file():
        return local
    if not local.exists():
        raise ValueError(f"{local}: no such file or folder; it was to hold {asset}")
    name = Path(asset.filename)
    for candidate in (local / name, local / name.name):
        if candidate.is_file():
            return candidate
    raise ValueError(f"{local}: this folder holds no {name.name}; name the file itself or a copy of {asset.repo}")


def _download(asset: Asset) -> Path:
    """All files of `asset` from the hub into its cache; the path of the first."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import GatedRepoError

    try:
        paths = [
            hf_hub_download(asset.repo, name, revision=asset.revision, cache_dir=_cache(), endpoint=_endpoint(), etag_timeout=REACH_SECONDS)
            for name in asset.files
        ]
    except GatedRepoError as error:
        page = f"{_endpoint()}/{asset.repo}"
        raise PermissionError(f"{asset} is gated: accept its terms at {page}, log in with 'hf auth login', and try again") from error
    except OSError as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ConnectionError(f"{asset} could not be fetched from {_endpoint()} ({reason}); {_advice(asset)}") from error
    return Path(paths[0])


def _verified(asset: Asset, path: Path) -> Path:
    """`path`, if its SHA-256 is that of `asset`."""
    if asset.sha256 is not None and (found := sha256(path)) != asset.sha256:
        raise ValueError(f"{path}: SHA-256 {found} is not that of {asset} ({asset.sha256}); delete it and fetch it again")
    return path


def _advice(asset: Asset) -> str:
    return (
        f"with a network run 'hf download {asset.repo} {' '.join(asset.files)} --revision {asset.revision}', "
        f"or put {' and '.join(asset.files)} on this machine and name that path in the settings"
    )


def _offline(offline: bool | None) -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"} if offline is None else offline


def _endpoint() -> str:
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def _cache() -> str | None:
    """The hub's cache folder as the environment names it now (huggingface_hub itself looks only once, at import)."""
    return os.environ.get("HF_HUB_CACHE") or None
