"""What tests do with plain sockets, beside harness/client.py and harness/origin.py."""
import socket
import struct
import threading


def exactly(sock, count):
    """So many bytes; EOFError when there are fewer."""
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def reset(sock):
    """What the kernel sends for a process that was killed with data unread: RST."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        pass  # closed already
    sock.close()


def unix_listener(address):
    """address: with or without "unix:"."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(address).removeprefix("unix:"))
    listener.listen(64)
    return listener


def accept_each(listener, serve):
    """serve(connection) in a thread of its own, for each that comes until the listener is closed."""
    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
