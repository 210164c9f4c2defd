"""A server on this machine that stands in for the Hugging Face Hub: one model repository."""

import base64
import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0" * 40


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        address = f"http://{self.headers['host']}"
        answer = {}
        if self.path == "/api/repos/create":
            answer = {"url": f"{address}/{self.server.repository}"}
        elif self.path == "/api/validate-yaml":
            self.server.cards.append(json.loads(body)["content"])
            answer = {"errors": [], "warnings": []}
        elif "/preupload/" in self.path:
            names = [file["path"] for file in json.loads(body)["files"]]
            mode = {"uploadMode": "regular", "shouldIgnore": False, "oid": None}
            answer = {"files": [{"path": name, **mode} for name in names]}
        elif "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    content = base64.b64decode(line["value"]["content"])
                    self.server.files[line["value"]["path"]] = content
            url = f"{address}/{self.server.repository}/commit/{COMMIT}"
            answer = {"success": True, "commitUrl": url, "commitOid": COMMIT, "hookOutput": ""}
        self.send(json.dumps(answer).encode(), "application/json")

    def do_GET(self):
        if "/resolve/" in self.path:
            name = self.path.split("/resolve/")[1].partition("/")[2].partition("?")[0]
            self.send(self.server.files[name], "application/octet-stream")
        else:
            siblings = [{"rfilename": name} for name in self.server.files]
            about = {"id": self.server.repository, "sha": COMMIT, "siblings": siblings}
            rows = [
                {"type": "file", "path": name, "size": len(content), "oid": etag(content)}
                for name, content in self.server.files.items()
            ]
            answer = rows if "/tree/" in self.path else about
            self.send(json.dumps(answer).encode(), "application/json")

    do_HEAD = do_GET

    def send(self, content, kind):
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.send_header("etag", f'"{etag(content)}"')
        self.send_header("x-repo-commit", COMMIT)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_):
        pass


def etag(content):
    return hashlib.sha1(content).hexdigest()


@contextmanager
def serve(repository):
    """Yield a server; its `files` are those of the repository, and its `cards` those it saw."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.repository = repository
        server.cards = []
        server.files = {".gitattributes": b"*.safetensors filter=lfs\n"}  # as in a new repository
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()
