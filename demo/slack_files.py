"""Files: where to put one, putting it there, showing it in a channel. Slack takes them in these three steps."""

from __future__ import annotations

import mimetypes
import secrets
from dataclasses import dataclass, replace
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from demo.slack_workspace import BOT_USER, Channel, Message, SlackRefusal, Workspace

Json = dict[str, Any]

# what a browser may draw by itself; everything else is only kept
_SHOWN: Final = frozenset({"image/png", "image/jpeg", "image/gif"})
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
}


@dataclass(frozen=True, slots=True)
class File:
    """One file. ``content`` None: it was announced, and has not come yet."""

    id: str
    name: str
    length: int
    alt: str = ""
    title: str = ""
    content: bytes | None = None

    @property
    def mimetype(self) -> str:
        """By its name."""
        return mimetypes.guess_type(self.name)[0] or "application/octet-stream"


class Files:
    """The files of one workspace, by id."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._files: dict[str, File] = {}

    def announce(self, name: str, length: int, alt: str) -> File:
        """The first step."""
        if length <= 0:
            raise SlackRefusal("invalid_arguments", ["[ERROR] length must be more than 0"])
        made = File("F" + secrets.token_hex(5).upper(), name, length, alt)
        self._files[made.id] = made
        return made

    def file(self, file_id: str) -> File:
        """Refuses an id that no file has."""
        if file_id not in self._files:
            raise SlackRefusal("file_not_found")
        return self._files[file_id]

    async def put(self, request: Request) -> Response:
        """The second step: the bytes, as a form or as they are."""
        known = self._files.get(str(request.path_params["file"]))
        if known is None:
            return PlainTextResponse("not found", status_code=404)
        content = await _content(request)
        if len(content) != known.length:
            return PlainTextResponse("the length differs from what was announced", status_code=400)
        self._files[known.id] = replace(known, content=content)
        return PlainTextResponse(f"OK - {known.length}")

    def complete(self, file_id: str, title: str) -> File:
        """The third step."""
        known = self.file(file_id)
        if known.content is None:
            raise SlackRefusal("file_not_found")
        self._files[file_id] = replace(known, title=title or known.name)
        return self._files[file_id]

    def share(self, files: list[File], channel: Channel, thread_ts: str | None) -> Message:
        """Show them in a channel or thread."""
        shown = tuple(_as_slack_sends_it(file) for file in files)
        return self.workspace.put(
            Message(channel.id, self.workspace.next_ts(), BOT_USER, thread_ts=thread_ts, files=shown)
        )

    async def get(self, request: Request) -> Response:
        """For the page."""
        known = self._files.get(str(request.path_params["file"]))
        if known is None or known.content is None:
            return PlainTextResponse("not found", status_code=404)
        shown = known.mimetype if known.mimetype in _SHOWN else "text/plain; charset=utf-8"
        if known.mimetype == "text/html":
            shown = "text/html; charset=utf-8"
        return Response(known.content, media_type=shown, headers=_HEADERS)


def _as_slack_sends_it(file: File) -> Json:
    return {
        "id": file.id,
        "name": file.name,
        "title": file.title,
        "mimetype": file.mimetype,
        "alt_txt": file.alt,
        "size": file.length,
        "url_private": f"/files/{file.id}/{file.name}",
    }


async def _content(request: Request) -> bytes:
    if not request.headers.get("content-type", "").startswith("multipart/"):
        return await request.body()
    raw = await request.body()
    boundary = request.headers["content-type"].partition("boundary=")[2].strip('"').encode()
    parts = raw.split(b"--" + boundary)
    for part in parts[1:-1]:
        head, _, body = part.partition(b"\r\n\r\n")
        if b"filename=" in head:
            return body[:-2]
    return b""
