"""A server on a port of this machine, for the sandboxes of the brokers of quotes."""

from __future__ import annotations

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
            raise UsageError(f"A sandbox cannot listen on {HOST}, port {self.port}: choose another.") from error
        self._runner = runner
        self.port = runner.addresses[0][1]

    async def stop(self) -> None:
        """End every connection and free the port."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
