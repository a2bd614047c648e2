"""A web hook in the cloud's network: `receiver.py ADDRESS PORT FOLDER`. Each message is a line of FOLDER/got; the
answer is what FOLDER/answer says: a status, or `drip`. Below /beat it is a service for heartbeats, each a line of
FOLDER/beats, answered with what FOLDER/beat-answer says, if it is there. FOLDER/listens is there once it does.
"""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FOLDER = Path(sys.argv[3])


class Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/beat"):
            self.beat(sent.decode())
            return
        body = json.loads(sent)
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
            self.wfile.write(b"\r\nContent-Length: 0\r\n\r\n")
            return
        self.send_response(int((FOLDER / "answer").read_text()))
        self.end_headers()

    def beat(self, said):
        with (FOLDER / "beats").open("a") as beats:
            beats.write(json.dumps({"at": time.time(), "path": self.path, "said": said}) + "\n")
        answer = FOLDER / "beat-answer"
        self.send_response(int(answer.read_text()) if answer.exists() else 200)
        self.end_headers()

    def log_message(self, *_words):
        pass


server = ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Hook)
(FOLDER / "listens").touch()
server.serve_forever()
