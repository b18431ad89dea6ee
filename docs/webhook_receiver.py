#!/usr/bin/env python3
"""Receive what Flavor Sync tells: python webhook_receiver.py PORT, with the webhook's secret in WEBHOOK_SECRET.

It needs `pip install standardwebhooks`, and prints a line for each event.
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

webhook = Webhook(os.environ["WEBHOOK_SECRET"])
seen: set[str] = set()  # an event may come twice; a real receiver keeps this in its database


class Receiver(BaseHTTPRequestHandler):
    """Takes events that are signed, each once."""

    def do_POST(self) -> None:
        """Answer 204 when the event is taken; anything but 2xx has it sent again later."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            webhook.verify(body, dict(self.headers))
        except WebhookVerificationError:
            self.send_error(403)
            return
        event = json.loads(body)
        if event["id"] not in seen:
            seen.add(event["id"])
            print(event["time"], event["type"], event["subject"], flush=True)  # noqa: T201 — that is all it is for
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Write no log of requests."""


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
