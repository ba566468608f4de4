"""Where weights come from."""

import hashlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from jam import assets
from jam.assets import Asset

COMMIT = "a" * 40
NOTES = Asset("someone/songs", "sub/notes.bin", revision=COMMIT)


@pytest.fixture(autouse=True)
def _no_outside(monkeypatch, hub_cache) -> None:  # noqa: ARG001  (an empty cache)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nothing listens there
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)


class Hub(BaseHTTPRequestHandler):
    """Just enough of the hub to hand out one file of one repository."""

    content = b"do re mi"

    def do_HEAD(self) -> None:
        if self.path == "/":
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path.startswith("/locked/songs/"):
            self.send_response(403)
            self.send_header("X-Error-Code", "GatedRepo")
            self.end_headers()
        elif self.path == f"/someone/songs/resolve/{COMMIT}/sub/notes.bin":
            self.send_response(200)
            self.send_header("ETag", f'"{hashlib.sha256(self.content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", str(len(self.content)))
            self.end_headers()
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        if self.path.endswith("notes.bin"):
            self.wfile.write(self.content)

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub(monkeypatch) -> Iterator[None]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        yield
        server.shutdown()


def one_line(error: BaseException) -> str:
    message = str(error)
    assert "\n" not in message
    return message


def test_a_path_of_the_users_wins_over_the_cache(tmp_path, hub_cache):
    hub_cache(NOTES.repo, NOTES.filename, b"cached", COMMIT)
    mine = tmp_path / "mine.bin"
    mine.write_bytes(b"mine")
    assert assets.fetch(NOTES, mine) == mine


@pytest.mark.parametrize("place", ["copy/sub/notes.bin", "copy/notes.bin"])
def test_a_folder_may_be_a_copy_of_the_repository_or_hold_the_file_itself(tmp_path, place):
    path = tmp_path / place
    path.parent.mkdir(parents=True)
    path.touch()
    assert assets.fetch(NOTES, tmp_path / "copy") == path


def test_a_path_that_does_not_hold_the_file_is_named(tmp_path):
    for path in (tmp_path / "gone", tmp_path):
        with pytest.raises(ValueError, match=r"notes\.bin") as caught:
            assets.fetch(NOTES, path)
        assert str(path) in one_line(caught.value)


@pytest.mark.parametrize("revision", [COMMIT, "main"])
def test_the_cache_is_used_without_a_network(hub_cache, revision):
    asset = Asset("someone/songs", "sub/notes.bin", revision)
    assert assets.cached(asset) is None
    path = hub_cache(asset.repo, asset.filename, b"la", revision)
    assert assets.cached(asset) == path
    assert assets.fetch(asset, offline=True) == path
    assert assets.fetch(asset) == path


def test_a_file_without_what_must_lie_beside_it_is_not_cached(hub_cache):
    asset = Asset("someone/songs", "notes.bin", beside=("settings.json",))
    path = hub_cache(asset.repo, "notes.bin", b"la")
    assert assets.cached(asset) is None
    hub_cache(asset.repo, "settings.json", b"{}")
    assert assets.cached(asset) == path


@pytest.mark.parametrize("by", ["argument", "environment"])
def test_offline_says_which_file_from_where_and_what_to_do(monkeypatch, by):
    if by == "environment":
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(OSError, match="not in the hub's cache and the hub is off") as caught:
        assets.fetch(assets.STABLE_AUDIO_VAE, offline=True if by == "argument" else None)
    message = one_line(caught.value)
    assert "hf download stabilityai/stable-audio-open-1.0 vae/diffusion_pytorch_model.safetensors vae/config.json" in message
    assert "name that path" in message


def test_a_wrong_sha256_is_named_with_the_file(tmp_path, hub_cache):
    asset = Asset("someone/songs", "notes.bin", sha256=hashlib.sha256(b"right").hexdigest())
    good, bad = tmp_path / "good.bin", tmp_path / "bad.bin"
    good.write_bytes(b"right")
    bad.write_bytes(b"wrong")
    assert assets.fetch(asset, good) == good
    for local in (bad, None):
        hub_cache(asset.repo, asset.filename, b"wrong")
        with pytest.raises(ValueError, match=assets.sha256(bad)) as caught:
            assets.fetch(asset, local)
        assert asset.sha256 in one_line(caught.value)


@pytest.mark.usefixtures("hub")
def test_a_file_comes_from_the_hub_once_and_then_from_the_cache(monkeypatch):
    asset = Asset("someone/songs", "sub/notes.bin", COMMIT, sha256=hashlib.sha256(Hub.content).hexdigest())
    path = assets.fetch(asset, timeout=5)
    assert path.read_bytes() == Hub.content
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert assets.fetch(asset) == path


@pytest.mark.usefixtures("hub")
def test_what_the_hub_does_not_give_is_one_line():
    with pytest.raises(OSError, match=r"gone\.bin of someone/songs could not be fetched") as caught:
        assets.fetch(Asset("someone/songs", "gone.bin", COMMIT))
    one_line(caught.value)
    with pytest.raises(PermissionError, match="accept its terms") as refused:
        assets.fetch(Asset("locked/songs", "notes.bin", COMMIT))
    one_line(refused.value)


def test_a_hub_that_is_not_there_is_one_line():
    with pytest.raises(OSError, match=r"notes\.bin of someone/songs.*hf download") as caught:
        assets.fetch(NOTES, timeout=1)
    one_line(caught.value)


@pytest.mark.usefixtures("hub")
def test_a_hub_that_answers_is_reachable():
    assert assets.reachable(5)


def test_a_hub_that_refuses_or_keeps_silent_is_not_reachable(monkeypatch):
    assert not assets.reachable(5)
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the call, never answers
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        start = time.monotonic()
        assert not assets.reachable(0.3)
        assert time.monotonic() - start < 2


def test_the_phonemizer_is_pinned_to_its_known_content():
    assert len(assets.PHONEMIZER.revision) == 40
    assert assets.PHONEMIZER.sha256 is not None
    assert len(assets.PHONEMIZER.sha256) == 64
