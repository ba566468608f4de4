"""What stages made is kept by what it depends on."""

import pytest

from jam.prepare.cache import Cache, dumped, key
from jam.prepare.places import Folder


@pytest.fixture
def cache(tmp_path):
    return Cache(Folder(str(tmp_path)))


def test_nothing_is_made_twice(cache):
    made = []
    for _ in range(3):
        entry = cache.made("latents", key("a", 1), lambda: made.append(1) or b"content")
        assert entry.content == b"content" and entry.seconds >= 0
    assert made == [1]


def test_another_input_another_entry(cache):
    assert key("a", 1) != key("a", 2) != key("a", [2]) and key({"a": 1, "b": 2}) == key({"b": 2, "a": 1})
    cache.put("latents", key(1), b"one", 2.5)
    assert cache.get("latents", key(2)) is None and cache.get("styles", key(1)) is None
    found = cache.get("latents", key(1))
    assert found.content == b"one" and found.seconds == 2.5


HARMS = [lambda stored: stored[:-1], lambda _: b"", lambda stored: stored[:-1] + b"?", lambda stored: b"x" + stored[1:]]


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_entry_is_told_and_made_anew(cache, harm, caplog):
    cache.put("timing", key(1), b'{"a": 1}')
    (path,) = (file for file in cache.folder.names() if file.startswith("timing/"))
    cache.folder.write(path, harm(cache.folder.read(path)))
    assert cache.made("timing", key(1), lambda: b"anew").content == b"anew"
    assert "is damaged; it is made anew" in caplog.text
    assert cache.get("timing", key(1)).content == b"anew"


def test_json_is_the_same_for_the_same_value(cache):
    assert dumped({"b": 1, "a": "ɹ"}) == dumped({"a": "ɹ", "b": 1}) == '{"a":"ɹ","b":1}'.encode()
    assert cache.put("songs", key(1), dumped({"a": [1, None]})).json() == {"a": [1, None]}
