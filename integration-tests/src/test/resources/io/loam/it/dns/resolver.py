"""A name server of the outside, over UDP and TCP on port 53: example.com and nothing else.

whoami.example.com TXT    address of whoever asks, transport
large.example.com TXT     3,000 bytes; over UDP truncated
anything else under it    A 198.51.100.7; other types: no data
silent.example.com        no answer at all
slow.example.com          as the others under it; over UDP after 1 s
all other names           do not exist
"""
import selectors
import socket
import struct
import time


def answer(message, peer, transport):
    number, flags = struct.unpack(">HH", message[:4])
    end = 12
    labels = []
    while message[end]:
        labels.append(message[end + 1:end + 1 + message[end]].decode())
        end += 1 + message[end]
    kind, = struct.unpack(">H", message[end + 1:end + 3])
    question = message[12:end + 5]
    name = ".".join(labels).lower()
    if name == "silent.example.com":
        return None
    records, code, cut = [], 0, 0
    if not name.endswith("example.com"):
        code = 3
    elif kind == 16 and name == "whoami.example.com":
        records = [text(peer.removeprefix("::ffff:") + " " + transport)]
    elif kind == 16 and name == "large.example.com":
        if transport == "udp":
            cut = 0x200
        else:
            records = [text("x" * 250) for _ in range(12)]
    elif kind == 1:
        records = [struct.pack(">HHHIH", 0xc00c, 1, 1, 60, 4) + socket.inet_aton("198.51.100.7")]
    head = struct.pack(">HHHHHH", number, 0x8080 | (flags & 0x100) | cut | code, 1, len(records), 0, 0)
    return head + question + b"".join(records)


def text(value):
    data = bytes([len(value)]) + value.encode()
    return struct.pack(">HHHIH", 0xc00c, 16, 1, 60, len(data)) + data


udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
udp.bind(("::", 53))
tcp = socket.create_server(("::", 53), family=socket.AF_INET6, dualstack_ipv6=True)
selector = selectors.DefaultSelector()
selector.register(udp, selectors.EVENT_READ)
selector.register(tcp, selectors.EVENT_READ)
later = []  # moment, answer, for whom; in this order
while True:
    while later and later[0][0] <= time.monotonic():
        _, reply, peer = later.pop(0)
        udp.sendto(reply, peer)
    wait = max(0, later[0][0] - time.monotonic()) if later else None
    for key, _ in selector.select(wait):
        if key.fileobj is udp:
            message, peer = udp.recvfrom(4096)
            reply = answer(message, peer[0], "udp")
            if reply and b"\4slow\7example\3com\0" in message:
                later.append((time.monotonic() + 1, reply, peer))
            elif reply:
                udp.sendto(reply, peer)
        else:
            connection, peer = tcp.accept()
            with connection:
                connection.settimeout(5)
                stream = connection.makefile("rb")
                length = stream.read(2)
                if len(length) == 2:
                    reply = answer(stream.read(struct.unpack(">H", length)[0]), peer[0], "tcp")
                    if reply:
                        connection.sendall(struct.pack(">H", len(reply)) + reply)
                        connection.shutdown(socket.SHUT_WR)
                        stream.read()
