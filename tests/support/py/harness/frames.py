"""For who speaks to the enclave in the host's place: the frames of lib/net/frame.h."""
import socket
import struct

from .sockets import exactly

(REQUEST, RESPONSE, DATA, END, ERROR, PING, PONG, WATCH, LOG, METRICS, REQUEST_RAW, RESPONSE_RAW,
 TRUNK) = range(1, 14)


def frame(kind, payload=b"", length=None):
    """length: what it says, whatever there is."""
    return struct.pack("!IB", len(payload) if length is None else length, kind) + payload


def request(head, kind=REQUEST):
    return frame(kind, struct.pack("!Q", 7) + head)


class Frames:
    """One connection to the enclave."""

    def __init__(self, chain):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(chain.sockets["enclave"].removeprefix("unix:"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def frame(self):
        """kind, payload"""
        length, kind = struct.unpack("!IB", exactly(self.socket, 5))
        return kind, exactly(self.socket, length)
