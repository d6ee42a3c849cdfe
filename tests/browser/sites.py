"""Somebody else's site that shows a widget: one server, whose two names are two origins."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Careers</title>
    <link rel="stylesheet" href="/site.css">
    <script type="module" src="{berth}/widget/v1.js"></script>
  </head>
  <body>
    <main>
      <h1>Careers at Acme</h1>
      <berth-widget key="{key}" title="Salary estimate"></berth-widget>
      <p>After the form.</p>
    </main>
  </body>
</html>"""


class Site:
    """``page`` and ``css`` may be changed between visits. The policy is as strict as they come."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.berth = ""
        self.key = ""
        self.css = ""

    @property
    def allowed(self) -> str:
        """The origin that the widget names."""
        return f"http://localhost:{self.port}"

    @property
    def other(self) -> str:
        """Another origin of the same pages."""
        return f"http://127.0.0.1:{self.port}"

    def answer(self, path: str) -> tuple[str, str]:
        if path == "/site.css":
            return "text/css", self.css
        return "text/html", PAGE.format(berth=self.berth, key=self.key)

    @property
    def policy(self) -> str:
        return f"default-src 'self'; script-src {self.berth}; frame-src {self.berth}"


@contextmanager
def site_running() -> Iterator[Site]:
    """A Site on a free port, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, text = site.answer(self.path)
            self.send_response(200)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Security-Policy", site.policy)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site = Site(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
