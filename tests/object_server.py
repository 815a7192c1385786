"""A real S3-compatible server for tests: SeaweedFS of its wheel, on loopback, with a key of its own; Linux."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

KEY, SECRET = "test-key", "test-secret-8f1c"
_READER, _READER_SECRET = "reader-key", "reader-secret-77aa"
_STARTING_S = 60.0
_REQUEST = re.compile(rb"(GET|PUT|POST|DELETE|HEAD) (/\S*) HTTP/1\.1\r\n")


class ObjectServer:
    """A running server; ``endpoint`` is its address."""

    def __init__(self, folder: Path) -> None:
        program = Path(sys.executable).with_name("weed")
        if not program.exists():
            pytest.skip("SeaweedFS is not installed here (its wheel is for Linux)")
        identities = [
            _identity("writer", KEY, SECRET, "Admin", "Read", "Write", "List"),
            _identity("reader", _READER, _READER_SECRET, "Read", "List"),
        ]
        config = folder / "identities.json"
        config.write_text(json.dumps({"identities": identities}))
        data = folder / "data"
        data.mkdir()
        ports = _free_ports(8)
        names = ["master.port", "master.port.grpc", "volume.port", "volume.port.grpc"]
        names += ["filer.port", "filer.port.grpc", "s3.port", "s3.port.grpc"]
        arguments = [f"-{name}={port}" for name, port in zip(names, ports, strict=True)]
        self.endpoint = f"http://127.0.0.1:{ports[6]}"
        self._log = (folder / "weed.log").open("wb")
        self._process = subprocess.Popen(
            [
                *(program, "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", *arguments),
                *("-filer", "-s3", f"-s3.config={config}", "-s3.autoCreateBucket=false", "-s3.iam=false"),
                *("-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.localSocket={folder / 's3.sock'}"),
                # Each bucket takes some seven volumes, whose files are as large as what is in them.
                *(f"-filer.localSocket={folder / 'filer.sock'}", "-volume.max=1000", "-master.volumeSizeLimitMB=64"),
                "-volume.preStopSeconds=0",
            ],
            stdout=self._log,
            stderr=self._log,
            cwd=folder,
        )
        deadline = time.monotonic() + _STARTING_S
        while not self._is_up():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                pytest.fail(f"SeaweedFS does not start: {(folder / 'weed.log').read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End the server at once; it would take up to 16 s to end by itself, and its files are of no more use."""
        self._process.kill()
        self._process.wait()
        self._log.close()

    def make_bucket(self, name: str) -> None:
        """Make an empty bucket."""
        assert self._request("PUT", name) == 200

    def remove_bucket(self, name: str) -> None:
        """Remove a bucket with all that is in it."""
        assert self._request("DELETE", name) == 204

    def contents(self, bucket: str) -> dict[str, bytes]:
        """Return every object of a bucket."""
        import obstore

        store = self._store(bucket)
        keys = [one["path"] for page in obstore.list(store) for one in page]
        return {key: bytes(obstore.get(store, key).bytes()) for key in keys}

    def put(self, bucket: str, key: str, content: bytes) -> None:
        """Write an object, also over another."""
        import obstore

        obstore.put(self._store(bucket), key, content, use_multipart=False)

    def remove(self, bucket: str, key: str) -> None:
        """Remove an object."""
        import obstore

        obstore.delete(self._store(bucket), key)

    def variables(self, bucket: str, prefix: str = "") -> dict[str, str]:
        """Return the environment in which the program has its lake there."""
        return {
            "CRYPTOPIPE_LAKE": f"s3://{bucket}/{prefix}".rstrip("/"),
            "CRYPTOPIPE_LAKE_ENDPOINT": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }

    def reader_variables(self) -> dict[str, str]:
        """Return a key that may read and not write."""
        return {"AWS_ACCESS_KEY_ID": _READER, "AWS_SECRET_ACCESS_KEY": _READER_SECRET}

    def _is_up(self) -> bool:
        with contextlib.suppress(OSError, AssertionError):
            probe = f"probe-{time.monotonic_ns()}"
            self.make_bucket(probe)
            self.put(probe, "probe", b"x")  # the volumes may come later than the interface
            self.remove_bucket(probe)
            return True
        return False

    def _request(self, method: Any, bucket: str) -> int:
        import obstore

        url = obstore.sign(self._store(bucket), method, "", timedelta(minutes=1))
        try:
            with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=20) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return int(error.code)

    def _store(self, bucket: str) -> Any:
        from obstore.store import S3Store

        return S3Store(
            bucket,
            endpoint=self.endpoint,
            region="us-east-1",
            access_key_id=KEY,
            secret_access_key=SECRET,
            client_options={"allow_http": True},
            retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=5)},
        )


class Requests:
    """A tunnel to a server that notes the method and path of each request; ``endpoint`` is its address."""

    def __init__(self, target: str) -> None:
        host, _, port = target.removeprefix("http://").partition(":")
        self._target = host, int(port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.seen: list[tuple[str, str]] = []
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self._is_closing = False
        self._accepting = threading.Thread(target=self._accept, name="tunnel")
        self._accepting.start()

    def close(self) -> None:
        """Hang up on everyone."""
        self._is_closing = True
        with contextlib.suppress(OSError), socket.create_connection(self._listening.getsockname()):
            self._accepting.join()
        self._listening.close()
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for one in self._open:
            one.close()

    def _accept(self) -> None:
        while True:
            client, _ = self._listening.accept()
            if self._is_closing:
                client.close()
                return
            server = socket.create_connection(self._target)
            self._open += [client, server]
            for source, sink, is_request in ((client, server, True), (server, client, False)):
                thread = threading.Thread(target=self._pump, args=(source, sink, is_request), name="tunnel")
                thread.start()
                self._threads.append(thread)

    def _pump(self, source: socket.socket, sink: socket.socket, is_request: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if is_request:
                    self.seen += [(found[1].decode(), found[2].decode()) for found in _REQUEST.finditer(data)]
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def requests_to(endpoint: str) -> Iterator[Requests]:
    """Yield a tunnel to the server at ``endpoint``."""
    tunnel = Requests(endpoint)
    try:
        yield tunnel
    finally:
        tunnel.close()


def _identity(name: str, key: str, secret: str, *actions: str) -> dict[str, Any]:
    return {"name": name, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": list(actions)}


def _free_ports(count: int) -> list[int]:
    """Return ports that nothing listens at just now."""
    with contextlib.ExitStack() as held:
        found = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(one.getsockname()[1]) for one in found]
