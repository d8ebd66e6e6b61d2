"""`hf://` addresses, against a hub on the loopback address."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote

import polars as pl
import pytest

from dehusk.core.errors import InputError
from dehusk.io import hub as hub_module
from dehusk.io import read_pairs, read_responses, write_pairs

ROWS = [{"prompt": f"p{n}", "chosen": f"good answer {n}", "rejected": f"bad {n}", "id": f"00{n}"} for n in range(4)]
JSONL = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def parquet(rows: list[dict[str, str]]) -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame(rows).write_parquet(buffer)
    return buffer.getvalue()


class Hub(ThreadingHTTPServer):
    """Two data sets and a model, the way the hub answers; `seen` are the paths and tokens of every request."""

    daemon_threads = True
    seen: list[tuple[str, str | None]]
    files: ClassVar[dict[tuple[str, str], dict[str, bytes]]] = {
        ("datasets/org/prefs", "main"): {
            "README.md": b"# prefs",
            "train.jsonl.gz": gzip.compress(JSONL),
            "data/train-00000-of-00002.parquet": parquet(ROWS[:2]),
            "data/train-00001-of-00002.parquet": parquet(ROWS[2:]),
            "data/test.csv": pl.DataFrame(ROWS).write_csv().encode(),
            "bad.jsonl": JSONL + b"{broken\n",
        },
        ("datasets/org/prefs", "refs/convert/parquet"): {"default/train/0000.parquet": parquet(ROWS)},
        ("datasets/org/one", "main"): {"README.md": b"# one", "only.json": json.dumps(ROWS).encode()},
        ("org/model", "main"): {"samples.jsonl": b'{"prompt": "p", "response": "r"}\n'},
    }


class Answers(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.headers.get("Authorization")))
        parts = [unquote(part) for part in self.path.strip("/").split("/")]
        if parts[0] == "elsewhere":  # what the hub redirects to
            return self.give(JSONL)
        listing = parts[0] == "api"
        parts = parts[1:] if listing else parts
        parts = parts[1:] if listing and parts[0] == "models" else parts
        length = 3 if parts[0] == "datasets" else 2
        repo, rest = "/".join(parts[:length]), parts[length:]
        if repo == "datasets/org/gated":
            return self.refuse(403, "GatedRepo")
        if repo == "datasets/org/moved":
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{self.server.server_port}/elsewhere")
            return self.end_headers()
        if repo == "datasets/org/short":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(JSONL)
            return None
        files = self.server.files.get((repo, rest[1])) if len(rest) > 1 else None
        if files is None:
            return self.refuse(401, "RepoNotFound")
        if listing:
            return self.give(json.dumps({"siblings": [{"rfilename": name} for name in files]}).encode())
        found = files.get("/".join(rest[2:]))
        return self.give(found) if found is not None else self.refuse(404, "EntryNotFound")

    def give(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    server = Hub(("127.0.0.1", 0), Answers)
    server.seen = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def chosen(address: str) -> list[str]:
    return read_pairs(address).pairs.frame["chosen"].to_list()


WANTED = [row["chosen"] for row in ROWS]


@pytest.mark.parametrize(
    "address",
    [
        "hf://datasets/org/prefs/train.jsonl.gz",
        "hf://datasets/org/prefs@main/train.jsonl.gz",
        "hf://datasets/org/prefs/data/test.csv",
        "hf://datasets/org/prefs/data/train-*.parquet",
        "hf://datasets/org/prefs/**/*.parquet",
        "hf://datasets/org/prefs@~parquet/default/train/0000.parquet",
        "hf://datasets/org/prefs@refs%2Fconvert%2Fparquet/default/train/0000.parquet",
        "hf://datasets/org/one",
    ],
)
@pytest.mark.usefixtures("hub")
def test_addresses_that_are_read(address: str) -> None:
    loaded = read_pairs(address)
    assert loaded.pairs.frame["chosen"].to_list() == WANTED
    assert loaded.record.name == address
    assert len(loaded.record.sha256) == 64


@pytest.mark.usefixtures("hub")
def test_a_hub_file_is_the_file(tmp_path: Path) -> None:
    loaded = read_pairs("hf://datasets/org/prefs/train.jsonl.gz")
    assert loaded.record.sha256 == hashlib.sha256(Hub.files["datasets/org/prefs", "main"]["train.jsonl.gz"]).hexdigest()
    write_pairs(tmp_path / "same.jsonl", loaded.pairs, loaded.origin)
    assert (tmp_path / "same.jsonl").read_bytes() == JSONL
    loaded = read_pairs("hf://datasets/org/prefs/data/test.csv")
    write_pairs(tmp_path / "same.csv", loaded.pairs, loaded.origin)
    assert b"001" in (tmp_path / "same.csv").read_bytes()  # not 1: as from a file on disk


@pytest.mark.usefixtures("hub")
def test_models_hold_responses_too() -> None:
    loaded = read_responses([(None, "hf://org/model/samples.jsonl")])
    assert loaded.responses.frame.select("prompt", "response", "stage").rows() == [("p", "r", "samples")]


WRONG = {
    "hf://datasets/org/prefs/tran.jsonl.gz": r"no such file on the hub\. Try: hf://datasets/org/prefs/train\.jsonl\.gz",
    "hf://datasets/org/prefs": r"several files; expected one of .*test\.csv.* Try: hf://datasets/org/prefs/data/train-0",
    "hf://datasets/org/prefs/data": r"several files; .* Try: hf://datasets/org/prefs/data/train-00000",
    "hf://datasets/org/prefs/none-*.parquet": r"nothing matches; expected one of bad\.jsonl, ",
    "hf://datasets/org/nothing/x.jsonl": r"no such data set on the hub, or a private one\. Try: export HF_TOKEN=",
    "hf://datasets/org/nothing": r"no such data set on the hub, or a private one",
    "hf://datasets/org/gated/x.jsonl": r"a gated data set\. Try: export HF_TOKEN=",
    "hf://datasets/org/short/x.jsonl": r"cannot be reached: it broke off after \d+ of 1,000 bytes",
    "hf://datasets/org/prefs/bad.jsonl": r"prefs/bad\.jsonl, row 5: broken JSON",
    "hf://org": r"not an address on the hub; expected hf://datasets/OWNER/NAME/FILE",
    "hf://": r"not an address on the hub",
    "https://hub.example/datasets/org/prefs/resolve/main/train.jsonl?download=true": (
        r"an address; expected .*Try: hf://datasets/org/prefs/train\.jsonl$"
    ),
    "https://hub.example/datasets/org/prefs/blob/v2/a/b.csv": r"Try: hf://datasets/org/prefs@v2/a/b\.csv$",
    "s3://bucket/x.parquet": r"an address; expected a file.* Try: download it and name the file",
}


@pytest.mark.parametrize("address", WRONG)
@pytest.mark.usefixtures("hub")
def test_one_line_for_the_rest(address: str) -> None:
    with pytest.raises(InputError, match=WRONG[address]) as caught:
        read_pairs(address)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(address)


def test_nobody_there_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # the discard port: refused
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(
        InputError, match=r"http://127\.0\.0\.1:9 cannot be reached: .*refused\. Try: download the file"
    ):
        read_pairs("hf://datasets/org/prefs/x.jsonl")


def test_a_hub_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("no_proxy", "*")
        monkeypatch.setattr(hub_module, "TIMEOUT", 0.05)
        with pytest.raises(InputError, match="cannot be reached: timed out"):
            read_pairs("hf://datasets/org/prefs/x.jsonl")


def test_the_token_goes_to_the_endpoint_and_no_further(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert chosen("hf://datasets/org/moved/x.jsonl") == WANTED
    assert [token for _, token in hub.seen] == ["Bearer hf_secret", None]


def test_an_id_that_is_no_path_is_looked_for_on_the_hub() -> None:
    with pytest.raises(InputError, match=r"no such file\. Try: hf://datasets/org/prefs, if it is on the hub"):
        read_pairs("org/prefs")
