"""Stopping between two epochs instead of in the middle of one."""

import signal
from types import FrameType


class StopRequest:
    """Turns a first Ctrl-C, or a TERM, into `stop` after the epoch; a second one acts at once."""

    def __enter__(self) -> "StopRequest":
        self.stop = False
        self._before = {}
        for which in (signal.SIGINT, signal.SIGTERM):
            try:
                self._before[which] = signal.signal(which, self._ask)
            except ValueError:  # not in the main thread, where signals do not come
                break
        return self

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.stop:
            raise KeyboardInterrupt
        self.stop = True

    def __exit__(self, *error: object) -> None:
        for which, handler in self._before.items():
            signal.signal(which, handler)
