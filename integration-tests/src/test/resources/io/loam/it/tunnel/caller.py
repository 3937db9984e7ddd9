"""Calls peer.py and checks every byte of what it answers. Prints one line; exit code 1 if anything is not as expected.

Usage: caller.py COMMAND HOST PORT ARGUMENT..
"""
import concurrent.futures
import hashlib
import random
import socket
import struct
import sys
import threading
import time

BLOCK = 1 << 18


def bytes_of(seed, count):
    source = random.Random(seed)
    while count > 0:
        block = source.randbytes(min(BLOCK, count))
        count -= len(block)
        yield block


def hash_of(*streams):
    digest = hashlib.sha256()
    for blocks in streams:
        for block in blocks:
            digest.update(block)
    return digest.hexdigest()


def connect(host, port, line):
    connection = socket.create_connection((host, int(port)), timeout=120)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(line.encode() + b"\n")
    return connection


def read_exactly(connection, count, digest):
    while count > 0:
        data = connection.recv(min(BLOCK, count))
        if not data:
            sys.exit(f"the answer ends {count} bytes early")
        digest.update(data)
        count -= len(data)


def read_rest(connection):
    rest = b""
    while data := connection.recv(BLOCK):
        rest += data
    return rest


def expect(what, got, wanted):
    if got != wanted:
        sys.exit(f"{what}: {got!r} (expected: {wanted!r})")


def talk(host, port, send, before, pause, after, seed):
    """Bytes both ways at once; FIN; a pause; more bytes back."""
    connection = connect(host, port, f"talk {before} {pause} {after} {seed}")
    connection.settimeout(30 + float(pause))

    def write():
        for block in bytes_of(seed + "-up", int(send)):
            connection.sendall(block)
        connection.shutdown(socket.SHUT_WR)

    started = time.monotonic()
    sender = threading.Thread(target=write)
    sender.start()
    digest = hashlib.sha256()
    read_exactly(connection, int(before) + int(after), digest)
    sender.join()
    trailer = read_rest(connection).decode()
    took = time.monotonic() - started
    expect(
        "bytes from the server",
        digest.hexdigest(),
        hash_of(bytes_of(seed, int(before)), bytes_of(seed + "-after", int(after))),
    )
    expect("bytes at the server", trailer, hash_of(bytes_of(seed + "-up", int(send))))
    print(f"{send} B up, {int(before) + int(after)} B down in {took:.2f} s")


def finish_first(host, port, count, seed, pause=0):
    """The server ends its direction first; what we send then, or after a pause, still arrives, and so does our FIN."""
    connection = connect(host, port, f"finish-first {count} {seed} {seed}")
    digest = hashlib.sha256(read_rest(connection))
    expect("bytes from the server", digest.hexdigest(), hash_of(bytes_of(seed, int(count))))
    time.sleep(float(pause))
    for block in bytes_of(seed + "-up", int(count)):
        connection.sendall(block)
    connection.shutdown(socket.SHUT_WR)
    expect_result(host, port, seed, f"fin {hash_of(bytes_of(seed + '-up', int(count)))} {count}")


def close_at_once(host, port, count, seed):
    """Everything that was sent before close() arrives."""
    connection = connect(host, port, f"keep {seed}")
    for block in bytes_of(seed, int(count)):
        connection.sendall(block)
    connection.close()
    expect_result(host, port, seed, f"fin {hash_of(bytes_of(seed, int(count)))} {count}")


def client_resets(host, port, seed):
    connection = connect(host, port, f"watch {seed}")
    expect("the server's greeting", connection.recv(1), b"!")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    expect_result(host, port, seed, "reset")


def server_resets(host, port):
    connection = connect(host, port, "reset")
    try:
        rest = connection.recv(BLOCK)
    except ConnectionResetError:
        print("reset")
        return
    sys.exit(f"read {rest!r} (expected: a reset)")


def expect_result(host, port, key, wanted):
    expect("what the server saw", read_rest(connect(host, port, f"result {key}")).decode(), wanted)
    print(wanted)


def short(host, port, count, parallel, bulk, big, every):
    """Bulk, FIN, eight bytes back and the server's close at once, again and again (hazard T10)."""
    sizes = {int(bulk), int(big)}
    bodies = {size: b"".join(bytes_of(f"body {size}", size)) for size in sizes}
    answers = {size: hashlib.sha256(body).hexdigest()[:8].encode() for size, body in bodies.items()}
    problems = []

    def one(number):
        size = int(big) if number % int(every) == 0 else int(bulk)
        try:
            with connect(host, port, "short") as connection:
                connection.sendall(bodies[size])
                connection.shutdown(socket.SHUT_WR)
                answer = read_rest(connection)
            if answer != answers[size]:
                problems.append(f"{number}: {size} B: answered {answer!r} (expected: {answers[size]!r})")
        except OSError as error:
            problems.append(f"{number}: {size} B: {error!r}")
        return size

    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(int(parallel)) as pool:
        total = sum(pool.map(one, range(int(count))))
    took = time.monotonic() - started
    print(f"{int(count) - len(problems)} of {count} exact, {total >> 20} MiB in {took:.1f} s; {problems[:5]}")
    sys.exit(1 if problems else 0)


def until_reset(host, port, how, key):
    """Keeps a connection busy, or silent, until it breaks."""
    connection = connect(host, port, "echo" if how == "echo" else f"{how} {key}")
    connection.settimeout(None)
    if how == "watch":
        expect("the server's greeting", connection.recv(1), b"!")
    print("open", flush=True)
    block = next(bytes_of(key, BLOCK))
    try:
        while True:
            if how == "keep":
                connection.sendall(block)
                continue
            if how == "echo":
                connection.sendall(b"are you there?\n")
            if not connection.recv(BLOCK):
                sys.exit("FIN (expected: a reset)")
    except ConnectionResetError:
        print("reset", flush=True)


def result(host, port, key):
    """What another connection's end looked like to the server."""
    print(read_rest(connect(host, port, f"result {key}")).decode())


COMMANDS = {
    "talk": talk,
    "finish-first": finish_first,
    "close-at-once": close_at_once,
    "client-resets": client_resets,
    "server-resets": server_resets,
    "short": short,
    "until-reset": until_reset,
    "result": result,
}
COMMANDS[sys.argv[1]](*sys.argv[2:])
