"""A server on a port of this machine."""

from __future__ import annotations

import errno

from aiohttp import web

from app.market.errors import UsageError

HOST = "127.0.0.1"


class LoopbackServer:
    """
    Serves an aiohttp application on this machine alone.

    `start` binds the port (0: any free one) and returns; `stop` ends every connection.
    """

    def __init__(self, application: web.Application, port: int = 0) -> None:
        self._application = application
        self._runner: web.AppRunner | None = None
        self.port = port

    @property
    def url(self) -> str:
        """The base address, without a path; of use once the server has been started."""
        return f"http://{HOST}:{self.port}"

    async def start(self) -> None:
        """
        Bind the port and begin to serve.

        Raises:
            UsageError: If the port cannot be bound.
        """
        runner = web.AppRunner(self._application, access_log=None, handle_signals=False, shutdown_timeout=0.2)
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, self.port).start()
        except (OSError, OverflowError) as error:
            await runner.cleanup()
            raise UsageError(_bind_failure(self.port, error)) from error
        self._runner = runner
        self.port = runner.addresses[0][1]

    async def stop(self) -> None:
        """End every connection and free the port."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


def _bind_failure(port: int, error: OSError | OverflowError) -> str:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return f"Port {port} on {HOST} is in use: choose another with --port, or 0 for any free one."
    return f"The sandbox cannot listen on {HOST}, port {port}: choose another with --port, or 0 for any free one."
