"""The encrypted stream: what goes in comes out, and nothing else does."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup.encryption import decrypt, derive_key, encrypt, key_id
from backup.errors import BackupError

KEY = derive_key("k" * 43)
PIECE = 1 << 20


def sealed(plain: bytes) -> bytes:
    """The encrypted stream of some bytes."""
    return b"".join(encrypt(io.BytesIO(plain), KEY))


def opened(stream: bytes, key: bytes = KEY) -> bytes:
    """The plain bytes of a stream."""
    return b"".join(decrypt(io.BytesIO(stream), key))


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
def test_what_goes_in_comes_out_at_every_size(size: int) -> None:
    """Empty, one byte, and around the ends of pieces."""
    plain = bytes(range(256)) * (size // 256 + 1)
    assert opened(sealed(plain[:size])) == plain[:size]


@given(st.binary(max_size=200), st.integers(0, 10_000), st.integers(0, 7))
def test_a_flipped_bit_anywhere_is_found(plain: bytes, place: int, bit: int) -> None:
    """In the header, in the data, in the seal."""
    stream = bytearray(sealed(plain))
    stream[place % len(stream)] ^= 1 << bit
    with pytest.raises(BackupError):
        opened(bytes(stream))


def test_a_stream_that_ends_between_two_pieces_is_found() -> None:
    """The last piece carries a mark, so a cut at the end of another is no end."""
    stream = sealed(b"x" * (2 * PIECE))
    cut = len(stream) - (PIECE + 16)
    with pytest.raises(BackupError, match=r"damaged or cut off in its piece 1 \(of 1 MiB\)"):
        opened(stream[:cut])


def test_pieces_in_another_order_are_found() -> None:
    """Each is numbered."""
    stream, length = sealed(bytes(PIECE) + b"y" * PIECE + b"z"), PIECE + 16
    head = len(stream) - 2 * length - 17
    first, second = stream[head : head + length], stream[head + length : head + 2 * length]
    with pytest.raises(BackupError):
        opened(stream[:head] + second + first + stream[head + 2 * length :])


def test_another_key_opens_nothing_and_has_another_name() -> None:
    """The name of a key does not tell the key."""
    other = derive_key("z" * 43)
    with pytest.raises(BackupError):
        opened(sealed(b"data"), other)
    assert key_id(KEY) != key_id(other)
    assert key_id(KEY) not in KEY.hex()


def test_the_same_data_is_never_encrypted_to_the_same_bytes() -> None:
    """Nobody can tell from two dumps that nothing changed."""
    assert sealed(b"data") != sealed(b"data")


def test_a_key_that_a_person_made_up_is_refused() -> None:
    """Generated secrets are long enough to need no slow derivation."""
    with pytest.raises(BackupError, match="the encryption key has 8 characters; generate one of at least 32"):
        derive_key("password")
