"""A resolver for the test network: knows a few names under lab.test, says NXDOMAIN to others."""

import socket
import struct
import sys

# Arguments: address to listen on, then name=address pairs.
NAMES = dict(pair.split("=") for pair in sys.argv[2:])


def name_at(message, start):
    """Returns the name of the question and where it ends (RFC 1035 section 4.1.2)."""
    labels = []
    while message[start]:
        length = message[start]
        labels.append(message[start + 1 : start + 1 + length].decode("ascii", "replace"))
        start += 1 + length
    return ".".join(labels).lower(), start + 1


def answer(message):
    ident, flags, questions = struct.unpack("!HHH", message[:6])
    name, end = name_at(message, 12)
    kind = struct.unpack("!H", message[end : end + 2])[0]
    question = message[12 : end + 4]
    known = name in NAMES
    records = b""
    if known and kind == 1:
        # A pointer to the question's name, type A, class IN, one minute.
        records = struct.pack("!HHHIH", 0xC00C, 1, 1, 60, 4) + socket.inet_aton(NAMES[name])
    # Response, recursion available, recursion as desired; 3 is NXDOMAIN.
    flags = 0x8080 | (flags & 0x0100) | (0 if known else 3)
    return struct.pack("!HHHHHH", ident, flags, 1, 1 if records else 0, 0, 0) + question + records


with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
    door.bind((sys.argv[1], 53))
    while True:
        query, client = door.recvfrom(512)
        try:
            door.sendto(answer(query), client)
        except (IndexError, struct.error):
            continue
