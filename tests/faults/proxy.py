"""A proxy between the app and its database that can lose the answer to a COMMIT, lose connections, or hang."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import threading

# A commit: the word COMMIT, but not `SET autocommit`, or the statement that is a transaction by itself.
COMMIT = re.compile(rb"\bCOMMIT\0?$|\bWITH state AS \(INSERT INTO ", re.IGNORECASE)


class Proxy:
    """Listen on a free local port and forward each connection in its own thread."""

    def __init__(self, host: str, port: int) -> None:
        # Answers to COMMIT that were lost.
        self.lost = 0
        self._target = (host, port)
        self._still_to_lose = 0
        self._then_goes_away = False
        self._is_away = False
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._runs = threading.Event()
        self._runs.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_commits(self, count: int, *, then_go_away: bool = False) -> None:
        """Forward the next COMMITs, but drop the connection before the answer; with `then_go_away`, all connections."""
        with self._lock:
            self._still_to_lose, self._then_goes_away = count, then_go_away

    def go_away(self) -> None:
        """Close all connections and each new one."""
        with self._lock:
            self._is_away = True
            for connection in self._open:
                _hang_up(connection)

    def come_back(self) -> None:
        with self._lock:
            self._is_away = False

    def freeze(self) -> None:
        """Stop reading and accepting connections, like a process that received SIGSTOP."""
        self._runs.clear()

    def thaw(self) -> None:
        self._runs.set()

    def close(self) -> None:
        self.go_away()
        _hang_up(self._listener)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._runs.wait()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            if self._is_away:
                return
            with socket.create_connection(self._target) as server:
                with self._lock:
                    self._open.add(client)
                try:
                    self._pass_on(client, server)
                finally:
                    with self._lock:
                        self._open.discard(client)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        other = {client: server, server: client}
        while True:
            for source in select.select([client, server], [], [])[0]:
                data = source.recv(65536)
                self._runs.wait()
                if not data:
                    return
                other[source].sendall(data)
                if source is client and COMMIT.search(data) and self._is_to_be_lost():
                    # The answer proves that the server has committed.
                    server.recv(65536)
                    self.lost += 1
                    if self._then_goes_away:
                        self.go_away()
                    return

    def _is_to_be_lost(self) -> bool:
        with self._lock:
            if self._still_to_lose == 0:
                return False
            self._still_to_lose -= 1
            return True


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
