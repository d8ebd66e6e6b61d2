"""`http:`, servers that speak OpenRLHF's and LLaMA-Factory's schema, and all the ways in which they do not answer."""

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dehusk.core.errors import BackendError, InputError
from dehusk.core.options import ScoreConfig


class RewardServer(ThreadingHTTPServer):
    """Scores the length of each text; `troubles` are what to do instead, one a request."""

    daemon_threads = True

    def __init__(self):
        self.bodies, self.paths, self.secrets, self.troubles = [], [], [], []
        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, *_):
        """A client that hung up is what some tests are about."""

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers["Content-Type"] == "application/json"
        self.server.bodies.append(body)
        self.server.paths.append(self.path)
        self.server.secrets.append(self.headers["Authorization"])
        trouble = self.server.troubles.pop(0) if self.server.troubles else None
        if trouble is not None and trouble(self):
            return
        scores = [float(len(text)) for text in body.get("query") or body["messages"]]
        if "query" in body:
            self.say(200, {"rewards": scores, "scores": [0.5] * len(scores), "extra_logs": {}})
        else:
            self.say(200, {"id": "x", "object": "score.evaluation", "model": body["model"], "scores": scores})

    def say(self, code, what):
        data = what if isinstance(what, bytes) else json.dumps(what).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        return True

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr("dehusk.rewards.http.PAUSE", 0.001)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nobody there: a server of one's own is asked directly
    with RewardServer() as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.01,))
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


def test_openrlhf(opened, server):
    model = opened(f"{server.url}/get_reward")
    scores = model.score(["Why?", "Wer?", "Why?"], ["Because.", "你", "Because."])
    assert scores.tolist() == [14.0, 7.0, 14.0]
    [body] = server.bodies
    assert sorted(body["query"]) == ["Wer?\n\n你", "Why?\n\nBecause."]
    assert body["labels"] == ["", ""]
    assert [text.removeprefix(start) for text, start in zip(body["query"], body["prompts"], strict=True)] == [
        "Because.",
        "你",
    ]
    assert body.keys() == {"query", "prompts", "labels"}


def test_llama_factory(opened, server):
    model = opened(f"{server.url}/v1/score/evaluation?model=my-rm", max_length=512)
    assert model.score(["Why?"], ["Because."]).tolist() == [14.0]
    assert server.bodies == [{"model": "my-rm", "messages": ["Why?\n\nBecause."], "max_length": 512}]
    opened(f"{server.url}/v1/score/evaluation").score(["Why?"], ["Because."])
    assert server.bodies[1] == {"model": "default", "messages": ["Why?\n\nBecause."], "max_length": None}


@pytest.mark.parametrize(
    ("template", "prompt", "start", "text"),
    [
        ("plain", "Hi", "Hi\n\n", "Hi\n\nA"),
        ("<s>{prompt}\\n[/INST]{response}</s>", "Hi", "<s>Hi\n[/INST]", "<s>Hi\n[/INST]A</s>"),
        ("{prompt}{response}%26", "Hi", "Hi", "HiA&"),
        (
            "chatml",
            "System: Be brief.\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: Why?",
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
            "<|im_start|>assistant\nYes?<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n",
            None,
        ),
    ],
)
def test_templates(opened, server, template, prompt, start, text):
    opened(f"{server.url}/get_reward?template={template}").score([prompt], ["A"])
    [body] = server.bodies
    assert body["prompts"] == [start]
    assert body["query"] == [text or f"{start}A<|im_end|>\n"]


def test_the_schema_can_be_named_and_the_rest_of_the_query_is_sent(opened, server):
    opened(f"{server.url}/rm?token=t&schema=llama-factory&x=1").score(["a"], ["b"])
    assert server.paths == ["/rm?token=t&x=1"]
    assert "messages" in server.bodies[0]


def test_a_name_and_password_are_sent_and_never_shown(opened, server):
    model = opened(f"http://user:p%40ss@127.0.0.1:{server.server_port}/get_reward")
    assert "user" not in model.name
    assert model.score(["a"], ["b"]).tolist() == [4.0]
    assert server.secrets == ["Basic dXNlcjpwQHNz"]
    recorded = ScoreConfig(reward_model=("a=http://user:p%40ss@host:1/get_reward?x=@",)).record()
    assert recorded["reward_model"] == ["a=http://host:1/get_reward?x=@"]


def test_texts_are_sent_in_slices(opened, server):
    texts = [f"{i}" for i in range(150)]
    assert opened(f"{server.url}/get_reward").score(texts, texts).tolist() == [2 * len(text) + 2.0 for text in texts]
    assert [len(body["query"]) for body in server.bodies] == [64, 64, 22]


def test_with_a_version_scores_are_kept(opened, server):
    for settings in ("", "", "?version=1", "?version=1", "?version=1&template=chatml"):
        opened(f"{server.url}/get_reward{settings}").score(["a"], ["b"])
    assert len(server.bodies) == 4


def test_a_server_in_trouble_is_asked_again(opened, server):
    def hang_up(handler):
        handler.connection.shutdown(socket.SHUT_RDWR)
        return True

    server.troubles = [
        lambda handler: handler.say(503, b"busy"),
        hang_up,
        lambda handler: handler.say(429, b"slowly"),
        lambda handler: handler.say(500, b"oh"),
    ]
    assert opened(f"{server.url}/get_reward").score(["a"], ["b"]).tolist() == [4.0]
    assert len(server.bodies) == 5


def test_pauses_grow(opened, server, monkeypatch):
    pauses = []
    monkeypatch.setattr("dehusk.rewards.http.time.sleep", pauses.append)
    server.troubles = [lambda handler: handler.say(500, b"oh")] * 5
    with pytest.raises(BackendError):
        opened(f"{server.url}/get_reward").score(["a"], ["b"])
    assert pauses == [0.001, 0.002, 0.004, 0.008]


@pytest.mark.parametrize(
    ("answer", "said", "requests"),
    [
        ((500, b"CUDA out\n of memory"), "HTTP 500 CUDA out of memory (tried 5 times)", 5),
        ((404, b'{"detail":"Not Found"}'), 'HTTP 404 {"detail":"Not Found"}', 1),
        ((200, b"<html>\n"), "answered <html>; expected JSON", 1),
        ((200, b"\xff\xfe"), "answered ��; expected JSON", 1),
        ((200, b""), "answered nothing; expected JSON", 1),
        ((200, {"scores": [1.0, 2.0]}), "answered {\"scores\": [1.0, 2.0]}; expected {'rewards': […]} (openrlhf)", 1),
        ((200, [1.0, 2.0]), "answered [1.0, 2.0]; expected {'rewards': […]} (openrlhf)", 1),
        ((200, {"rewards": [1.0]}), "answered 1 scores for 2 texts", 1),
        ((200, {"rewards": [1.0, None]}), "no score for text 2 of 2, but None", 1),
        ((200, b'{"rewards": [NaN, 1.0]}'), "no score for text 1 of 2, but nan", 1),
        ((200, {"rewards": [[1.0], [2.0]]}), "no score for text 1 of 2, but [1.0]", 1),
        ((200, {"rewards": None}), "answered None; expected 2 scores", 1),
    ],
)
def test_a_failure_is_one_line(opened, server, answer, said, requests):
    server.troubles = [lambda handler: handler.say(*answer)] * 5
    with pytest.raises(BackendError) as failure:
        opened(f"mine=http://user:pass@127.0.0.1:{server.server_port}/get_reward?token=secret").score(
            ["a", "b"], ["a", "b"]
        )
    assert str(failure.value) == f"{server.url}/get_reward: {said}"
    assert len(server.bodies) == requests


def test_nobody_there(opened, server):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(
        BackendError, match=rf"http://127.0.0.1:{port}/get_reward: connection refused \(tried 5 times\)"
    ):
        opened(f"http://127.0.0.1:{port}/get_reward").score(["a"], ["b"])


def test_no_answer_in_time(opened, server):
    server.troubles = [lambda handler: time.sleep(0.3)] * 5
    with pytest.raises(BackendError, match=r"no answer within 0.05 s \(tried 5 times\)"):
        opened(f"{server.url}/get_reward?timeout=0.05").score(["a"], ["b"])


def test_the_names_of_models(opened):
    assert opened("http://h:1/get_reward").name == "h:1/get_reward"
    assert opened("https://u:p@h/get_reward?x=1").name == "h/get_reward"
    assert opened("http:http://h:1/get_reward").name == "h:1/get_reward"
    assert opened("https:https://h:1/get_reward").model.url == "https://h:1/get_reward"
    assert opened("rm=http://h:1/get_reward").name == "rm"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("http:host/get_reward", "'http:host/get_reward' is no address; expected http://HOST:PORT/get_reward"),
        ("http://", "'http://' is no address"),
        ("http://host:port/get_reward", "'http://host:port/get_reward' is no address"),
        ("http://a b/get_reward", "is no address"),
        ("http://[::1/get_reward", "is no address"),
        ("http://host/打分/get_reward", "is no address"),
        (
            "http://h:1",
            "what does http://h:1 speak?; expected /get_reward or /v1/score/evaluation. Try: http://h:1?schema=",
        ),
        ("http://h:1/rm?t=1", "Try: http://h:1/rm?t=1&schema=openrlhf"),
        ("http://h:1/rm?schema=openrlfh", "unknown schema 'openrlfh'; did you mean openrlhf"),
        ("http://h:1/get_reward?timeout=soon", "timeout=soon; expected seconds"),
        ("http://h:1/get_reward?timeout=-1", "timeout=-1; expected seconds"),
        ("http://h:1/get_reward?template=llama3", "template=llama3; expected plain, chatml, or a text with {prompt}"),
        ("http://h:1/get_reward?template={response}{prompt}", "expected plain, chatml, or a text with {prompt}"),
    ],
)
def test_a_mistake_is_one_line(opened, spec, said):
    with pytest.raises(InputError) as mistake:
        opened(spec)
    assert str(mistake.value).startswith("--reward-model: ")
    assert said in str(mistake.value)
    assert "\n" not in str(mistake.value)
