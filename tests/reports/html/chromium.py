"""A page in a real browser at a width, a phone's too, and what scripts find there."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tornado.websocket import WebSocketClientConnection, websocket_connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HEIGHT = 1000
START, DRAW = 60, 180
"""Seconds that a start, and the drawing of all charts, may take on a busy machine."""


@dataclass(frozen=True)
class Visit:
    """What was found at a width: what each script gave, and a picture of the top of the page."""

    found: list[Any]
    picture: bytes


def visit(page: Path, asked: Mapping[int, Sequence[str]], profile: Path) -> list[Visit]:
    """Visits of a page, one after the other in one browser, each anew and when all charts are drawn.

    A window of a headless Chromium is 500 pixels wide at least, so the width is emulated; not as a phone's, which shows
    a page that is too wide at a smaller scale. The reader prefers dark pages.

    Args:
        page: The HTML file; its root says `data-drawn` when it is done.
        asked: Expressions of JavaScript by the width in pixels; their values are plain data, and they run in order.
        profile: A folder that is not there yet.
    """
    with _started(profile) as address:
        return asyncio.run(_visited(address, page.resolve().as_uri(), asked))


@contextmanager
def _started(profile: Path) -> Iterator[str]:
    """The address of a browser's only tab."""
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
        "--disable-background-networking", "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = _awaited(lambda: (profile / "DevToolsActivePort").read_text().split()[0], START)
        tabs = json.loads(_awaited(lambda: urlopen(f"http://127.0.0.1:{port}/json").read(), START))
        yield next(str(tab["webSocketDebuggerUrl"]) for tab in tabs if tab["type"] == "page")
    finally:
        process.kill()
        process.wait()


def _awaited(ask: Callable[[], Any], seconds: float) -> Any:
    """The first answer that is none of an error and not empty."""
    end = time.monotonic() + seconds
    while True:
        try:
            if found := ask():
                return found
        except (OSError, IndexError):
            if time.monotonic() > end:
                raise
        time.sleep(0.1)


async def _visited(address: str, url: str, asked: Mapping[int, Sequence[str]]) -> list[Visit]:
    tab = Tab(await websocket_connect(address, max_message_size=2**28))
    await tab.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    return [await _visit(tab, url, width, scripts) for width, scripts in asked.items()]


async def _visit(tab: Tab, url: str, width: int, scripts: Sequence[str]) -> Visit:
    await tab.send("Emulation.setDeviceMetricsOverride", width=width, height=HEIGHT, deviceScaleFactor=1, mobile=False)
    await tab.send("Page.navigate", url="about:blank")
    await tab.send("Page.navigate", url=url)
    end = time.monotonic() + DRAW
    while not await tab.evaluate("document.documentElement?.dataset.drawn || ''"):
        assert time.monotonic() < end, "the charts were not drawn"
        await asyncio.sleep(0.1)
    picture = await tab.send("Page.captureScreenshot")
    return Visit([await tab.evaluate(script) for script in scripts], b64decode(picture["data"]))


class Tab:
    """A browser's tab, told what to do by the Chrome DevTools Protocol."""

    def __init__(self, connection: WebSocketClientConnection) -> None:
        self._connection = connection
        self._sent = 0

    async def send(self, method: str, **parameters: Any) -> Any:
        """The protocol's answer to a message."""
        self._sent += 1
        await self._connection.write_message(json.dumps({"id": self._sent, "method": method, "params": parameters}))
        while True:
            text = await self._connection.read_message()
            assert text is not None, "the browser has gone"
            answer = json.loads(text)
            if answer.get("id") == self._sent:
                assert "error" not in answer, answer
                return answer["result"]

    async def evaluate(self, expression: str) -> Any:
        """The value of an expression, of a promise when it is kept."""
        found = await self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")
