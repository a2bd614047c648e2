"""A web hook in the cloud's network: `receiver.py ADDRESS PORT FOLDER`. Each message is a line of FOLDER/got; the
answer is what FOLDER/answer says: a status, or `drip`.
"""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FOLDER = Path(sys.argv[3])


class Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        row = {
            "at": time.time(),
            "id": self.headers["Idempotency-Key"],
            "title": body["title"],
            "text": body["message"],
        }
        with (FOLDER / "got").open("a") as got:
            got.write(json.dumps(row) + "\n")
        if (FOLDER / "answer").read_text() == "drip":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while (FOLDER / "answer").read_text() == "drip":
                self.wfile.write(b"x")
                time.sleep(0.2)
            return
        self.send_response(int((FOLDER / "answer").read_text()))
        self.end_headers()

    def log_message(self, *_words):
        pass


ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Hook).serve_forever()
