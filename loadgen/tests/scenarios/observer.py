"""Observes a failover from outside, with sockets and a clock of its own.

    observer.py WATCHED ANSWERS

WATCHED is the port of a server in the region that breaks, ANSWERS that of a server where its clients move to. A message from
WATCHED to ANSWERS each millisecond shows when the fault begins: the first long gap between those that arrive. A subscription
at ANSWERS sees every answer that the clients get there. When ANSWERS ends, the program prints the milliseconds from the fault to
the first answer in each inbox that is new after it.
"""

import json
import socket
import sys
import threading
import time

BEAT = "observer.beat"
BEAT_S = 0.001
# Longer than this machine ever holds a process up, shorter than any fault.
GAP_S = 0.25
# loadgen's own requests have inboxes, too, but few answers.
ANSWERS_OF_A_CLIENT = 20
GIVE_UP_S = 60


def connect(port):
    """A server needs a moment until it listens."""
    end = time.monotonic() + GIVE_UP_S
    while True:
        try:
            link = socket.create_connection(("127.0.0.1", port), timeout=1)
            link.settimeout(None)
            link.sendall(b'CONNECT {"verbose":false,"pedantic":false,"no_responders":true,"headers":true}\r\n')
            return link
        except OSError:
            if time.monotonic() > end:
                sys.exit(f"observer: nobody listens at port {port}")
            time.sleep(0.05)


def lines(link):
    """Lines of the protocol, with the time of each."""
    buffer = b""
    while True:
        try:
            received = link.recv(65536)
        except ConnectionError:
            return
        at = time.monotonic()
        if not received:
            return
        buffer += received
        while b"\r\n" in buffer:
            line, rest = buffer.split(b"\r\n", 1)
            if line.startswith((b"MSG ", b"HMSG ")):
                size = int(line.split()[-1])
                if len(rest) < size + 2:
                    break
                rest = rest[size + 2 :]
            buffer = rest
            yield at, line.decode()


def beat(link):
    """Until the server is gone."""
    try:
        while True:
            link.sendall(f"PUB {BEAT} 0\r\n\r\n".encode())
            time.sleep(BEAT_S)
    except OSError:
        pass


def main():
    watched, answers = (connect(int(port)) for port in sys.argv[1:3])
    answers.sendall(f"SUB _INBOX.> 1\r\nSUB {BEAT} 2\r\nPING\r\n".encode())
    threading.Thread(target=beat, args=[watched], daemon=True).start()
    threading.Thread(target=lambda: [None for _ in lines(watched)], daemon=True).start()
    beats, inboxes = [], {}
    for at, line in lines(answers):
        if line == "PING":
            answers.sendall(b"PONG\r\n")
        elif line.startswith(f"MSG {BEAT} "):
            beats.append(at)
        elif line.startswith(("MSG ", "HMSG ")):
            inbox = ".".join(line.split()[1].split(".")[:2])
            inboxes.setdefault(inbox, []).append(at)
    gaps = [before for before, after in zip(beats, beats[1:] + [float("inf")]) if after - before > GAP_S]
    # Until the regions are linked for the first time, beats have gaps, too.
    begun = min(times[0] for times in inboxes.values() if len(times) >= ANSWERS_OF_A_CLIENT)
    fault = min(at for at in gaps if at > begun)
    new = [times[0] for times in inboxes.values() if times[0] > fault and len(times) >= ANSWERS_OF_A_CLIENT]
    print(json.dumps(sorted((at - fault) * 1e3 for at in new)))


main()
