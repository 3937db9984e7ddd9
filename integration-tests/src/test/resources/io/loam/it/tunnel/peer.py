"""A server whose connections begin with a line that says what is to happen on them.

Usage: peer.py PORT
"""
import hashlib
import random
import socket
import struct
import sys
import threading
import time

BLOCK = 1 << 18
results = {}
result_known = threading.Condition()


def bytes_of(seed, count):
    """The same bytes for the same seed, in blocks."""
    source = random.Random(seed)
    while count > 0:
        block = source.randbytes(min(BLOCK, count))
        count -= len(block)
        yield block


def read_line(connection):
    line = b""
    while not line.endswith(b"\n"):
        byte = connection.recv(1)
        if not byte:
            return line.decode()
        line += byte
    return line.decode().strip()


def read_to_end(connection):
    """Returns (hash, length) of everything up to FIN; raises ConnectionResetError at RST."""
    digest, length = hashlib.sha256(), 0
    while data := connection.recv(BLOCK):
        digest.update(data)
        length += len(data)
    return digest.hexdigest(), length


def record(key, value):
    with result_known:
        results[key] = value
        result_known.notify_all()


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def whoami(connection, address):
    host = address[0].removeprefix("::ffff:")
    connection.sendall(f"{host} {address[1]}\n".encode())


def talk(connection, before, pause, after, seed):
    """Sends while it reads; once the client has ended, waits, sends more, and what it got last."""

    def send():
        for block in bytes_of(seed, int(before)):
            connection.sendall(block)

    sender = threading.Thread(target=send)
    sender.start()
    digest, length = read_to_end(connection)
    sender.join()
    time.sleep(float(pause))
    for block in bytes_of(seed + "-after", int(after)):
        connection.sendall(block)
    connection.sendall(digest.encode())


def finish_first(connection, count, seed, key):
    """Sends all it has, ends its direction, and only then reads."""
    for block in bytes_of(seed, int(count)):
        connection.sendall(block)
    connection.shutdown(socket.SHUT_WR)
    keep(connection, key)


def keep(connection, key):
    try:
        digest, length = read_to_end(connection)
        record(key, f"fin {digest} {length}")
    except ConnectionResetError:
        record(key, "reset")


def pour(connection, key):
    """Sends until the connection breaks."""
    block = next(bytes_of(key, BLOCK))
    try:
        while True:
            connection.sendall(block)
    except ConnectionResetError:
        record(key, "reset")
    except BrokenPipeError:
        record(key, "broken pipe")


def result(connection, key):
    with result_known:
        result_known.wait_for(lambda: key in results, timeout=60)
        connection.sendall(results.get(key, "nothing").encode())


def short(connection):
    """Eight bytes for whatever came, and the close at once."""
    digest, _ = read_to_end(connection)
    connection.sendall(digest[:8].encode())


def serve(connection, address):
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            command, *arguments = read_line(connection).split() or ["nothing"]
            match command:
                case "whoami":
                    whoami(connection, address)
                case "talk":
                    talk(connection, *arguments)
                case "finish-first":
                    finish_first(connection, *arguments)
                case "watch":
                    connection.sendall(b"!")
                    keep(connection, *arguments)
                case "keep":
                    keep(connection, *arguments)
                case "pour":
                    pour(connection, *arguments)
                case "result":
                    result(connection, *arguments)
                case "short":
                    short(connection)
                case "reset":
                    reset(connection)
                case "echo":
                    while data := connection.recv(BLOCK):
                        connection.sendall(data)
        except (ConnectionResetError, BrokenPipeError) as error:
            print(f"{address}: {error}", flush=True)


def main():
    listener = socket.create_server(
        ("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True, backlog=4096
    )
    while True:
        connection, address = listener.accept()
        threading.Thread(target=serve, args=(connection, address), daemon=True).start()


main()
