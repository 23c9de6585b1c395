"""A page in Chromium without a screen: at a given width, its values, errors and picture."""

import asyncio
import base64
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

SECONDS = 120
READY = "document.readyState === 'complete' && !document.querySelector('.plot:empty')"


@dataclass
class Visit:
    """What a page has shown: values of expressions, and errors of its scripts."""

    values: list[Any] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def visit(
    chromium: str,
    address: str,
    profile: Path,
    width: int,
    expressions: Sequence[str] = (),
    picture: Path | None = None,
    on_paper: bool = False,
) -> Visit:
    """Open a page without network, wait for its figures and evaluate expressions in order.

    Args:
        chromium: path of the browser.
        address: of the page.
        profile: an empty folder.
        width: of the window in CSS pixels.
        expressions: JavaScript.
        picture: where a picture of the whole page goes, or a PDF if ``on_paper``.
        on_paper: print the page.
    """
    options = "--headless --no-sandbox --disable-gpu --no-first-run --hide-scrollbars "
    options += "--host-resolver-rules=MAP*NULL --remote-debugging-port=0"
    command = [chromium, *options.split(), f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return asyncio.run(
            _visit(profile / "DevToolsActivePort", address, width, expressions, picture, on_paper)
        )
    finally:
        process.terminate()
        process.wait(timeout=30)


async def _visit(
    port_file: Path,
    address: str,
    width: int,
    expressions: Sequence[str],
    picture: Path | None,
    on_paper: bool,
) -> Visit:
    async with asyncio.timeout(SECONDS):
        while not port_file.exists() or "\n" not in port_file.read_text():
            await asyncio.sleep(0.1)
        tabs = f"http://127.0.0.1:{port_file.read_text().split()[0]}/json"
        async with aiohttp.ClientSession() as session:
            found: list[dict[str, str]] = []
            while not found:
                await asyncio.sleep(0.1)
                async with session.get(tabs) as answer:
                    found = [tab for tab in await answer.json() if tab["type"] == "page"]
            url = found[0]["webSocketDebuggerUrl"]
            async with session.ws_connect(url, max_msg_size=0) as socket:
                return await _look(_Tab(socket), address, width, expressions, picture, on_paper)


class _Tab:
    """Commands of the DevTools protocol to one tab, and the errors that it reports."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.errors: list[str] = []
        self.sent = 0

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        self.sent += 1
        await self.socket.send_json({"id": self.sent, "method": method, "params": params})
        while True:
            message = await self.socket.receive_json()
            if message.get("id") == self.sent:
                assert "error" not in message, message
                return message["result"]
            self.note(message)

    def note(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        if message["method"] == "Runtime.exceptionThrown":
            self.errors.append(str(params["exceptionDetails"]))
        elif message["method"] == "Runtime.consoleAPICalled" and params["type"] == "error":
            self.errors.append(str(params["args"]))
        elif message["method"] == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(str(params["entry"]["text"]))

    async def value(self, expression: str) -> Any:
        result = await self.ask(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")


async def _look(
    tab: _Tab,
    address: str,
    width: int,
    expressions: Sequence[str],
    picture: Path | None,
    on_paper: bool,
) -> Visit:
    for domain in ("Runtime", "Log", "Page"):
        await tab.ask(f"{domain}.enable")
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 700}
    await tab.ask("Emulation.setDeviceMetricsOverride", **size)
    await tab.ask("Page.navigate", url=address)
    while await tab.value("location.href") == "about:blank" or not await tab.value(READY):
        await asyncio.sleep(0.2)
    values = [await tab.value(expression) for expression in expressions]
    if picture and on_paper:
        pdf = await tab.ask("Page.printToPDF", printBackground=True, preferCSSPageSize=True)
        picture.write_bytes(base64.b64decode(pdf["data"]))
    elif picture:
        shot = await tab.ask("Page.captureScreenshot", captureBeyondViewport=True)
        picture.write_bytes(base64.b64decode(shot["data"]))
    return Visit(values, tab.errors)
