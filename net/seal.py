"""Sealing of a stream between two processes that hold the same key: frames of AES-GCM, without any I/O.

    acceptor -> connector   greeting: magic (4) | challenge (16)
    connector -> acceptor   hello: magic (4) | key id (8) | salt (16), once, before its first frame
    either way              frame: sealed header (8 + 16) | sealed body (length + 16; none where the length is 0)

The id of the key tells the acceptor of which kind it is, and so what the peer may do. The header holds kind (1), three
zeros, and the length of the body (4, big-endian). Each connection has keys of its own, one a direction: HKDF-SHA256 of
the shared key with challenge and salt. The nonce is a counter that neither side sends, so a frame opens once, in its
place, on its connection; the fresh challenge keeps old hellos out, after a restart too. Before the first header is
authentic an acceptor takes 52 bytes and not one more.

Source: AES-GCM as in NIST SP 800-38D (deterministic nonces, 8.2.1), HKDF as in RFC 5869.
"""

from dataclasses import dataclass
from enum import Enum, IntEnum
from struct import Struct
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from placet.net.keyring import KEY_BYTES, KEY_ID_BYTES, Key, KeyKind, Keyring
from placet.petri.errors import PlacetError

NAME: Final = b"Pt\x00"
VERSION: Final = 2  # of this protocol
MAGIC: Final = NAME + bytes([VERSION])
RANDOM_BYTES: Final = 16  # of a challenge, and of a salt
TAG_BYTES: Final = 16
MOST_BYTES: Final = 64 << 20  # of one body
MOST_FRAMES: Final = 1 << 32  # in one direction of a connection; then it must be made anew

_header = Struct(">B3xI")  # kind, length of the body
_nonce = Struct(">IQ")  # zeros, number
GREETING_BYTES: Final = len(MAGIC) + RANDOM_BYTES
HELLO_BYTES: Final = len(MAGIC) + KEY_ID_BYTES + RANDOM_BYTES
HEADER_BYTES: Final = _header.size + TAG_BYTES


class Kind(IntEnum):
    """What a frame is for."""

    DATA = 0  # its body is a message
    KNOCK = 1  # a connector asks whether its key is good; answered by a knock
    TAKEN = 2  # the last message has come; no body
    NOT_TAKEN = 3  # it has come, and is of no use; no body


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One authentic frame."""

    kind: Kind
    body: bytes


class SealBroken(PlacetError):
    """What came is of no peer with the same key, not in its place, or not for such a key; the connection is over."""

    code = "seal_broken"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"the connection is closed: {self.reason}; connect again, with the key of the other side"


class Stage(Enum):
    """What comes next from the peer."""

    GREETING = "greeting"
    HELLO = "hello"
    HEADER = "header"
    BODY = "body"
    BROKEN = "broken"


class _Direction:
    """One direction of a connection: its key, and how many pieces went through."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self._pieces = 0

    def _next_nonce(self) -> bytes:
        if self._pieces >= 2 * MOST_FRAMES:
            raise SealBroken(f"{MOST_FRAMES} frames are enough for one key; connect again")
        self._pieces += 1
        return _nonce.pack(0, self._pieces)

    def seal(self, plain: bytes) -> bytes:
        """Return the next piece, sealed."""
        return self._cipher.encrypt(self._next_nonce(), plain, MAGIC)

    def open(self, sealed: bytes) -> bytes:
        """Return what the next piece seals. Raises `SealBroken`."""
        try:
            return self._cipher.decrypt(self._next_nonce(), sealed, MAGIC)
        except InvalidTag:
            raise SealBroken("a frame is not authentic: another key, or altered, repeated or out of order") from None


class Session:
    """One end of one connection.

    Feed it what comes, never more than `wanted` bytes at a time, and send what `greeting` and `seal` return.
    Every error is a `SealBroken`, after which it takes and gives nothing more.
    """

    def __init__(self, keyring: Keyring, stage: Stage, random: bytes, key: Key | None) -> None:
        if len(random) != RANDOM_BYTES:
            raise ValueError(f"{RANDOM_BYTES} random bytes are needed, not {len(random)}")
        self._keyring = keyring
        self._key = key  # of this connection; an acceptor learns it from the hello
        self._stage = stage
        self._random = random
        self._wanted = GREETING_BYTES if stage is Stage.GREETING else HELLO_BYTES
        self._buffer = bytearray()
        self._kind = Kind.DATA
        self._inward: _Direction | None = None
        self._outward: _Direction | None = None
        self._hello = b""  # waits for the first frame
        self.peer_version: int | None = None  # of this protocol; None: it has not said
        self.is_authenticated = False  # the peer has shown that it holds the key

    @classmethod
    def accepting(cls, keyring: Keyring, challenge: bytes) -> "Session":
        """Return the end that was connected to; `challenge` must be fresh and random."""
        return cls(keyring, Stage.HELLO, challenge, None)

    @classmethod
    def connecting(cls, keyring: Keyring, salt: bytes, kind: KeyKind | None = None) -> "Session":
        """Return the end that connects, with the first key of a kind, of the highest if none is named.

        `salt` must be fresh and random. Raises `ValueError` where there is no key of that kind.
        """
        key = keyring.first if kind is None else keyring.first_of(kind)
        if key is None:
            raise ValueError("there is no key of that kind")
        return cls(keyring, Stage.GREETING, salt, key)

    @property
    def peer_kind(self) -> KeyKind | None:
        """The kind of key that the peer has shown, or is about to: both ends use the same. None: not known yet."""
        return None if self._key is None else self._key.kind

    @property
    def greeting(self) -> bytes:
        """What an acceptor sends before anything else."""
        return MAGIC + self._random

    @property
    def farewell(self) -> bytes:
        """What a connector may send to a peer of another version, so that this one knows who it was."""
        return self._hello if self._stage is Stage.BROKEN else b""

    @property
    def is_ready(self) -> bool:
        """True when frames can be sealed: a connector has to see the greeting first."""
        return self._outward is not None and self._stage is not Stage.BROKEN

    @property
    def wanted(self) -> int:
        """How many bytes are missing from the piece that comes next; 0 when it is broken."""
        return 0 if self._stage is Stage.BROKEN else self._wanted - len(self._buffer)

    # -- outward ---------------------------------------------------------------------------------------------------

    def seal(self, body: bytes, kind: Kind = Kind.DATA) -> bytes:
        """Return the bytes to send for one frame. Raises `SealBroken`, and `ValueError` for a body too large."""
        if len(body) > MOST_BYTES:
            raise ValueError(f"a frame of {len(body)} bytes is over the limit of {MOST_BYTES}")
        if self._outward is None or self._stage is Stage.BROKEN:
            raise SealBroken("it is not open")
        hello, self._hello = self._hello, b""
        header = self._outward.seal(_header.pack(kind, len(body)))
        return hello + header + (self._outward.seal(body) if body else b"")

    # -- inward ----------------------------------------------------------------------------------------------------

    def feed(self, data: bytes) -> Frame | None:
        """Take up to `wanted` bytes; return a frame when it is whole. Raises `SealBroken`."""
        if len(data) > self.wanted:
            raise self._broken(f"{len(data)} bytes were given where {self.wanted} are wanted")
        self._buffer += data
        if len(self._buffer) < self._wanted:
            return None
        piece, self._buffer = bytes(self._buffer), bytearray()
        try:
            return self._take(piece)
        except SealBroken as error:
            raise self._broken(error.reason) from None

    def _broken(self, reason: str) -> SealBroken:
        self._stage = Stage.BROKEN
        return SealBroken(reason)

    def _take(self, piece: bytes) -> Frame | None:
        match self._stage:
            case Stage.GREETING:
                self._greeted(piece)
            case Stage.HELLO:
                self._hello_came(piece)
            case Stage.HEADER:
                return self._header_came(piece)
            case Stage.BODY:
                return self._whole(self._opened(piece))
            case Stage.BROKEN:
                raise SealBroken("it is not open")
        return None

    def _greeted(self, piece: bytes) -> None:
        assert self._key is not None, "who connects has chosen its key"
        self._hello = MAGIC + self._key.id + self._random
        self._check_magic(piece)
        self._agree(self._key.secret, piece[len(MAGIC) :] + self._random, is_connector=True)

    def _check_magic(self, piece: bytes) -> None:
        if not piece.startswith(NAME):
            raise SealBroken("the peer is no Placet node")
        self.peer_version = piece[len(NAME)]
        if self.peer_version != VERSION:
            spoken = f"it speaks version {self.peer_version} of the sealed protocol, and this Placet {VERSION}"
            raise SealBroken(f"{spoken}; install the same Placet on both")

    def _hello_came(self, piece: bytes) -> None:
        self._check_magic(piece)
        key = self._keyring.find(piece[len(MAGIC) : len(MAGIC) + KEY_ID_BYTES])
        if key is None:
            raise SealBroken("it was sealed with a key that is unknown here")
        self._key = key
        self._agree(key.secret, self._random + piece[-RANDOM_BYTES:], is_connector=False)

    def _agree(self, secret: bytes, salt: bytes, *, is_connector: bool) -> None:
        derived = HKDF(SHA256(), 2 * KEY_BYTES, salt, b"placet seal, one key a direction").derive(secret)
        keys = derived[:KEY_BYTES], derived[KEY_BYTES:]  # of what the connector sends, and of what it gets
        self._outward, self._inward = (_Direction(key) for key in (keys if is_connector else keys[::-1]))
        self._expect(Stage.HEADER, HEADER_BYTES)

    def _header_came(self, piece: bytes) -> Frame | None:
        kind, length = _header.unpack(self._opened(piece))
        self.is_authenticated = True
        if length > MOST_BYTES:
            raise SealBroken(f"a frame of {length} bytes was announced, over the limit of {MOST_BYTES}")
        try:
            self._kind = Kind(kind)
        except ValueError:
            raise SealBroken(f"frames of kind {kind} are unknown here") from None
        if not length:
            return self._whole(b"")
        self._expect(Stage.BODY, length + TAG_BYTES)
        return None

    def _opened(self, piece: bytes) -> bytes:
        if self._inward is None:
            raise SealBroken("it is not open")
        return self._inward.open(piece)

    def _whole(self, body: bytes) -> Frame:
        self._expect(Stage.HEADER, HEADER_BYTES)
        return Frame(kind=self._kind, body=body)

    def _expect(self, stage: Stage, size: int) -> None:
        self._stage = stage
        self._wanted = size
