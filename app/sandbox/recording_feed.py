"""The streams of a replayed recording, for one connection."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from app.sandbox.source import Frame

if TYPE_CHECKING:
    from app.sandbox.recording import RecordingSource

_MOMENT_S = 0.05
_MILLISECONDS = re.compile(rb'"([ET])":([0-9]{13})(?=[,}])')
_MICROSECONDS = re.compile(rb'"([ET])":([0-9]{13})[0-9]{3}(?=[,}])')
_KLINE_MILLISECONDS = re.compile(rb'"([EtT])":([0-9]{13})(?=[,}])')
_KLINE_MICROSECONDS = re.compile(rb'"([EtT])":([0-9]{13})[0-9]{3}(?=[,}])')


class RecordingFeed:
    """A `Feed` of a `RecordingSource`: begins at the present when it first asks for something recorded."""

    def __init__(self, source: RecordingSource) -> None:
        self._source = source
        self._cursor: int | None = None

    async def frames(self, streams: Collection[str], *, microseconds: bool) -> Sequence[Frame]:
        source = self._source
        if self._cursor is None:
            if not source.plays(streams):
                await source.clock.sleep(_MOMENT_S)
                return []
            self._cursor = source.position
            source.begin()
        end = source.second_end(self._cursor)
        if math.isinf(source.speed):
            source.publish(end)
        else:
            source.advance()
            end = min(end, source.position)
        if self._cursor == end:
            await source.clock.sleep(min(source.due_in_s(), _MOMENT_S))
            return []
        await source.clock.sleep(0)
        wanted = source.streams.intersection(streams)
        frames = [
            Frame(source.log[at].stream, in_unit(source.payload(at), microseconds=microseconds))
            for at in range(self._cursor, end)
            if source.log[at].stream in wanted
        ]
        self._cursor = end
        return [frame for frame in frames if frame.payload]


def in_unit(payload: bytes, *, microseconds: bool) -> bytes:
    """Return a raw event with its times in the unit asked for; everything else stays as it is, to the byte."""
    # In other events "t" is a trade's id.
    kline = payload.startswith(b'{"e":"kline"')
    if microseconds:
        return (_KLINE_MILLISECONDS if kline else _MILLISECONDS).sub(rb'"\1":\g<2>000', payload)
    return (_KLINE_MICROSECONDS if kline else _MICROSECONDS).sub(rb'"\1":\2', payload)
