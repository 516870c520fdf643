"""Intake against the usual way: one order per request through a DRF serializer, over HTTP."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from http.client import HTTPConnection
from statistics import median
from threading import Thread
from typing import Any

import orjson
from django.db import connection

from orderhub.models import Shop
from tests.benchmarks.data import SHOP, bench_shop, bodies, in_processes, take_all
from tests.benchmarks.intake import _empty as empty

PEER_ORDERS = 600
OUR_ORDERS = 10_000
PAIRS = 3
WORKERS = 2


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _serve(port: int) -> subprocess.Popen[bytes]:
    database = connection.settings_dict
    url = f"postgresql://{database['USER']}@/{database['NAME']}?host={database['HOST']}&port={database['PORT'] or 5432}"
    settings = {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.benchmarks.peer_settings"}
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-w", str(WORKERS), "-b", f"127.0.0.1:{port}", "--log-level", "error",
         "tests.benchmarks.drf_peer:application"],
        env={**os.environ, **settings},
    )  # fmt: skip
    for _ in range(200):
        try:
            HTTPConnection("127.0.0.1", port, timeout=1).request("GET", "/")
        except OSError:
            time.sleep(0.05)
        else:
            return server
    server.terminate()
    raise RuntimeError("the peer did not start")


def _post_all(port: int, rows: list[bytes]) -> None:
    peer = HTTPConnection("127.0.0.1", port, timeout=30)
    for row in rows:
        peer.request("POST", "/orders/", row, {"Content-Type": "application/json"})
        answer = peer.getresponse()
        answer.read()
        if answer.status != 201:
            raise RuntimeError(f"the peer answered {answer.status}")


def _peer_speed(port: int, start: int) -> float:
    rows = [orjson.dumps(row) for body in bodies(start, PEER_ORDERS) for row in orjson.loads(body)]
    clients = [Thread(target=_post_all, args=(port, rows[i :: WORKERS * 2])) for i in range(WORKERS * 2)]
    started = time.perf_counter()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return PEER_ORDERS / (time.perf_counter() - started)


def _our_speed(start: int) -> float:
    deliveries = bodies(start, OUR_ORDERS)
    started = time.perf_counter()
    in_processes(_share, [deliveries[::2], deliveries[1::2]])
    return OUR_ORDERS / (time.perf_counter() - started)


def _share(deliveries: list[bytes]) -> None:
    take_all(Shop.objects.select_related("warehouse").get(code=SHOP), deliveries)


def intake_against_drf() -> Iterable[dict[str, Any]]:
    """Two intake processes against two web workers, alternating."""
    bench_shop()
    empty()
    port = _free_port()
    server = _serve(port)
    try:
        pairs = [(_our_speed(40_000_000 + i * OUR_ORDERS), _peer_speed(port, 60_000_000 + i * PEER_ORDERS))
                 for i in range(PAIRS)]  # fmt: skip
    finally:
        server.terminate()
        server.wait(10)
        empty()
    ratio = median(ours / peer for ours, peer in pairs)
    yield {
        "name": "intake ÷ one-by-one DRF create over HTTP", "value": round(median(ours for ours, _ in pairs)),
        "unit": "orders/s", "reference": f"DRF {median(peer for _, peer in pairs):.0f} orders/s",
        "ratio": round(ratio, 1), "target": "≥ 20", "met": ratio >= 20,
    }  # fmt: skip


BENCHMARKS: dict[str, Callable[[], Iterable[dict[str, Any]]]] = {"intake-drf": intake_against_drf}
