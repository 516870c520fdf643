"""An HTTP server of raw bytes: it can break off, drip, lie about lengths, answer with anything."""

import json
import socket
import threading
import time


class Wire:
    """Answers each request with the next of `answers` (the last one again and again) and keeps what it was sent."""

    def __init__(self):
        self.answers = []
        self.requests = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(0.1)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self):
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/x"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self._stop.set()
        self._thread.join(timeout=5)
        self._socket.close()

    def body(self, body, *, status="200 OK", headers="", length=None, pause=0.0, at_once=True):
        """Queue one answer; `pause` seconds pass between two bytes, of the head too unless `at_once`."""
        if not isinstance(body, bytes):
            body = json.dumps(body, ensure_ascii=False).encode()
        size = len(body) if length is None else length
        head = f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\nConnection: close\r\n{headers}\r\n".encode()
        self.answers.append((head, body, pause, at_once))

    def _serve(self):
        while not self._stop.is_set():
            try:
                connection, _address = self._socket.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(5)
                try:
                    self._answer(connection)
                except OSError:
                    continue

    def _answer(self, connection):
        self.requests.append(self._request(connection))
        head, body, pause, at_once = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if at_once:
            connection.sendall(head)
        parts = (body if at_once else head + body) if pause else [body]
        for part in parts:
            if self._stop.is_set():
                return
            connection.sendall(bytes([part]) if pause else part)
            time.sleep(pause)

    @staticmethod
    def _request(connection):
        data = b""
        while b"\r\n\r\n" not in data:
            data += Wire._some(connection)
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
        )
        while len(body) < length:
            body += Wire._some(connection)
        return head, body

    @staticmethod
    def _some(connection):
        found = connection.recv(65536)
        if not found:
            raise ConnectionError("the client went away")
        return found
