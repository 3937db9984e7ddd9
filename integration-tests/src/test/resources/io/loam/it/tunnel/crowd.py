"""Many connections at once, each with bytes of its own.

Usage: crowd.py serve PORT
       crowd.py deaf PORT                     takes every connection and reads nothing, until its input ends
       crowd.py sink PORT                     reads as fast as it can and says nothing, until its input ends
       crowd.py pour HOST PORT COUNT          sends on COUNT connections until none takes any more for 1.5 s, says so, and
                                              waits for a line
       crowd.py storm HOST PORT COUNT BYTES   all at once, each sends BYTES and gets them back in order
       crowd.py hold HOST PORT COUNT          opens, says so, waits for a line, asks each again, waits, closes
"""
import asyncio
import hashlib
import inspect
import os
import select
import socket
import sys
import threading
import time

OPENING_AT_ONCE = 256


async def echo(reader, writer):
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    except ConnectionError as error:
        print(error, flush=True)
    writer.close()


async def serve(port):
    server = await asyncio.start_server(echo, ["0.0.0.0", "::"], int(port), backlog=4096)
    await server.serve_forever()


def end_with_input():
    def wait():
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def deaf(port):
    end_with_input()
    listener = socket.create_server(("", int(port)), backlog=4096)
    kept = []
    while True:
        kept.append(listener.accept()[0])


def sink(port):
    def read(connection):
        buffer = bytearray(1 << 18)
        with connection:
            while connection.recv_into(buffer):
                pass

    end_with_input()
    listener = socket.create_server(("", int(port)), backlog=4096)
    while True:
        threading.Thread(target=read, args=listener.accept()[:1], daemon=True).start()


def pour(host, port, count):
    block = bytes(1 << 16)
    connections = []
    for _ in range(int(count)):
        connections.append(socket.create_connection((host, int(port))))
        connections[-1].setblocking(False)
    sent = 0
    moved = time.monotonic()
    while time.monotonic() - moved < 1.5:
        _, ready, _ = select.select([], connections, [], 0.2)
        for connection in ready:
            sent += connection.send(block)
            moved = time.monotonic()
    print(f"{sent >> 20} MiB taken", flush=True)
    sys.stdin.readline()


async def storm(host, port, count, size):
    count, size = int(count), int(size)
    gate = asyncio.Event()
    first_bytes = []

    async def one(number):
        own = hashlib.shake_128(str(number).encode()).digest(size)
        await gate.wait()
        reader, writer = await asyncio.open_connection(host, int(port))

        writer.write(own)
        start = await reader.readexactly(1)
        first_bytes.append(time.monotonic())
        writer.write_eof()
        answer = start + await reader.read(-1)
        writer.close()
        return answer == own

    tasks = [asyncio.create_task(one(number)) for number in range(count)]
    await asyncio.sleep(0)
    started = time.monotonic()
    gate.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    took = time.monotonic() - started
    good = sum(outcome is True for outcome in outcomes)
    others = {repr(outcome) for outcome in outcomes if outcome is not True}
    answered = max(first_bytes) - started if first_bytes else -1
    print(f"{good} {answered:.2f} {took:.2f} {sorted(others)[:3]}")
    sys.exit(0 if good == count else 1)


async def hold(host, port, count):
    count = int(count)
    opening = asyncio.Semaphore(OPENING_AT_ONCE)
    stdin = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)

    async def ask(reader, writer, value):
        writer.write(value)
        return await reader.readexactly(len(value)) == value

    async def open_one(number):
        async with opening:
            reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
            good = await ask(reader, writer, f"first {number:06d}".encode())
            return reader, writer, good

    async def again(number, reader, writer):
        async with opening:
            return await ask(reader, writer, f"again {number:06d}".encode())

    started = time.monotonic()
    opened = await asyncio.gather(*(open_one(number) for number in range(count)))
    good = sum(good for _, _, good in opened)
    print(f"{good} open in {time.monotonic() - started:.1f} s", flush=True)
    await stdin.readline()
    asked = await asyncio.gather(*(again(n, reader, writer) for n, (reader, writer, _) in enumerate(opened)))
    print(f"{sum(asked)} alive", flush=True)
    await stdin.readline()
    for _, writer, _ in opened:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for _, writer, _ in opened))
    print("closed", flush=True)


COMMANDS = {"serve": serve, "deaf": deaf, "sink": sink, "pour": pour, "storm": storm, "hold": hold}
command, *arguments = sys.argv[1:]
outcome = COMMANDS[command](*arguments)
if inspect.isawaitable(outcome):
    asyncio.run(outcome)
