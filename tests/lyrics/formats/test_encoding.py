"""Bytes become text: marks, UTF-16 without one, Windows-1252 with a remark, an encoding that was asked for; rubbish is refused."""

import pytest

from jam.lyrics.formats.encoding import decode

TEXT = "Café au lait\nшалом 🌙\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_or_utf_8_is_enough(encoding):
    assert decode(TEXT.encode(encoding), "a") == (TEXT, ())


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_known_by_its_zeros(encoding):
    assert decode("Paper boats drift, très doux".encode(encoding), "a") == ("Paper boats drift, très doux", ())


def test_line_ends_of_windows_and_old_macs_become_one_kind():
    assert decode(b"a\r\nb\rc\nd\x1a", "a") == ("a\nb\nc\nd", ())


def test_what_is_not_utf_8_is_windows_1252_and_told():
    text, [remark] = decode("It\u2019s a café".encode("cp1252"), "a")
    assert text == "It\u2019s a café"
    assert remark.startswith("byte 2 is not UTF-8, so the file is read as Windows-1252")


def test_an_encoding_that_is_asked_for_wins():
    assert decode("привет".encode("cp1251"), "a", "cp1251") == ("привет", ())
    assert decode("\ufeffmoon".encode(), "a", "utf-8") == ("moon", ())


@pytest.mark.parametrize(
    ("content", "encoding", "said"),
    [
        (b"moon", "klingon", "a: no encoding is called 'klingon'"),
        (b"moon", "base64", "a: (is not base64|no encoding is called 'base64')"),
        (b"\xe9t\xe9", "utf-8", r"a: is not utf-8 \(byte 0\); leave the encoding out"),
        (b"\xef\xbb\xbfmoon \xe9", None, "a: byte 5 is not UTF-8, as its beginning says; save it as UTF-8"),
        (b"\xff\xfem", None, "a: byte 0 is not UTF-16-LE, as its beginning says"),
        (bytes(range(256)), None, "a: is no text and no format that is known here"),
    ],
)
def test_what_cannot_be_decoded_is_refused_in_one_line(content, encoding, said):
    with pytest.raises(ValueError, match=f"^{said}") as refusal:
        decode(content, "a", encoding)
    assert "\n" not in str(refusal.value)
