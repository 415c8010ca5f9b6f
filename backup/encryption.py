"""A stream in pieces that are encrypted and numbered, so that a change, a loss or a cut at any place is found.

Each piece is sealed with AES-256-GCM under a nonce of a random prefix, the piece's number and a mark on the last one
(the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizar, 2015). Holds one piece in memory at a time.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from backup.errors import BackupError

_MAGIC = b"ALTLAS-BACKUP-1\n"
_PREFIX_BYTES = 7
_TAG_BYTES = 16
_PIECE_BYTES = 1 << 20
_KEY_ID_LENGTH = 16


def derive_key(secret: str) -> bytes:
    """Key of 256 bits from a generated secret, which is random enough to need no slow derivation.

    Raises:
        BackupError: The secret is too short to have been generated.
    """
    shortest = 32
    if len(secret) < shortest:
        raise BackupError(f"the encryption key has {len(secret)} characters; generate one of at least {shortest}")
    return hashlib.sha256(b"alt-las backup encryption\0" + secret.encode()).digest()


def key_id(key: bytes) -> str:
    """Name of a key that says nothing about it, to tell a wrong key from a damaged file."""
    return hashlib.sha256(b"alt-las backup key id\0" + key).hexdigest()[:_KEY_ID_LENGTH]


def encrypt(plain: IO[bytes], key: bytes) -> Iterator[bytes]:
    """The encrypted stream of everything that can be read from `plain`."""
    cipher, prefix = AESGCM(key), os.urandom(_PREFIX_BYTES)
    yield _MAGIC + prefix
    piece, number = plain.read(_PIECE_BYTES), 0
    while True:
        following = plain.read(_PIECE_BYTES)
        yield cipher.encrypt(_nonce(prefix, number, last=not following), piece, _MAGIC)
        if not following:
            return
        piece, number = following, number + 1


def decrypt(sealed: IO[bytes], key: bytes) -> Iterator[bytes]:
    """The plain stream.

    Raises:
        BackupError: A piece was changed, is missing, or was sealed with another key.
    """
    header = sealed.read(len(_MAGIC) + _PREFIX_BYTES)
    if len(header) != len(_MAGIC) + _PREFIX_BYTES or not header.startswith(_MAGIC):
        raise BackupError("the file does not begin like a backup; it is damaged or something else")
    cipher, prefix = AESGCM(key), header[len(_MAGIC) :]
    piece, number = sealed.read(_PIECE_BYTES + _TAG_BYTES), 0
    while True:
        following = sealed.read(_PIECE_BYTES + _TAG_BYTES)
        try:
            yield cipher.decrypt(_nonce(prefix, number, last=not following), piece, _MAGIC)
        except InvalidTag:
            raise BackupError(
                f"the file is damaged or cut off in its piece {number + 1} (of 1 MiB), or the key is another one"
            ) from None
        if not following:
            return
        piece, number = following, number + 1


def written(pieces: Iterable[bytes], file: IO[bytes]) -> tuple[int, str]:
    """Write a stream into a file and return its size in bytes and its SHA-256."""
    digest, size = hashlib.sha256(), 0
    for piece in pieces:
        file.write(piece)
        digest.update(piece)
        size += len(piece)
    return size, digest.hexdigest()


def _nonce(prefix: bytes, number: int, *, last: bool) -> bytes:
    return prefix + number.to_bytes(4, "big") + (b"\1" if last else b"\0")
