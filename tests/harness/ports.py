"""Ports of the loopback interface for servers that a test starts."""

from __future__ import annotations

import contextlib
import socket

HOST = "127.0.0.1"


class HeldPorts:
    """Ports that stay ours from now until `close`, also while the server that uses them is down.

    Each is bound here with SO_REUSEADDR and never listened on. The kernel lets a server with the same option (Java's
    have it) bind and listen beside that, gives the port to nobody who asks for any free one, and refuses connections
    while no server listens.
    """

    def __init__(self, count: int) -> None:
        self._sockets: list[socket.socket] = []
        with contextlib.ExitStack() as opening:
            for _ in range(count):
                one = opening.enter_context(socket.socket())
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                one.bind((HOST, 0))
                self._sockets.append(one)
            opening.pop_all()
        self.numbers: list[int] = [one.getsockname()[1] for one in self._sockets]

    def close(self) -> None:
        """Let the ports go."""
        for one in self._sockets:
            one.close()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on right now."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in sockets]


def accepts(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex((HOST, port)) == 0
