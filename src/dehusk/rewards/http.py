"""`http:` and `https:`, a server that speaks the schema of OpenRLHF or of LLaMA-Factory."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from dehusk.core.errors import BackendError, InputError, UnknownName
from dehusk.core.kinds import reward_models
from dehusk.core.options import Scoring
from dehusk.core.tables import Floats
from dehusk.io.layouts.messages import OPENAI_ROLES, split_turns
from dehusk.rewards.answers import as_scores
from dehusk.rewards.opening import split_settings

SCHEMAS = {"openrlhf": "/get_reward", "llama-factory": "/v1/score/evaluation"}  # name -> where its servers listen
PLAIN, CHATML = "{prompt}\n\n{response}", "chatml"
TRIES = 5
PAUSE = 0.5  # seconds before the second try, twice as long before each further one
_SETTINGS = ("schema", "template", "timeout", "model", "version")
_LATER = (408, 429)  # codes below 500 that mean "try again"
_LOCAL = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Server:
    """A reward model behind an address; neither schema knows chat templates, so finished texts are sent."""

    name: str
    url: str
    headers: Mapping[str, str]
    schema: str
    template: str  # "chatml", or a text with {prompt} and {response}
    timeout: float  # seconds an answer may take
    model: str
    max_length: int | None
    identity: str | None

    @property
    def shown(self) -> str:
        """The address without its query, which may be secret."""
        return self.url.partition("?")[0]

    def score(self, prompts: Sequence[str], responses: Sequence[str]) -> Floats:  # noqa: D102 - see the protocol
        pairs = zip(prompts, responses, strict=True)
        texts = [rendered(self.template, prompt, response) for prompt, response in pairs]
        whole = [text for _, text in texts]
        if self.schema == "openrlhf":  # its servers take the response to be what follows the prompt
            body = {"query": whole, "prompts": [before for before, _ in texts], "labels": [""] * len(texts)}
            answer = self._answer(body, "rewards")
        else:
            answer = self._answer({"model": self.model, "messages": whole, "max_length": self.max_length}, "scores")
        return as_scores(answer, len(texts), self.shown)

    def _answer(self, body: Mapping[str, Any], name: str) -> Any:
        said = self._post(json.dumps(body).encode())
        try:
            answer = json.loads(said)
        except ValueError:
            raise BackendError(f"{self.shown}: answered {_short(said)}; expected JSON") from None
        if not isinstance(answer, dict) or name not in answer:
            raise BackendError(f"{self.shown}: answered {_short(said)}; expected {{{name!r}: […]}} ({self.schema})")
        return answer[name]

    def _post(self, data: bytes) -> bytes:
        """Post it, again after a pause while the server cannot be reached or is in trouble.

        Raises:
            BackendError: the server refused, or none of `TRIES` tries worked.
        """
        direct = urlsplit(self.url).hostname in _LOCAL  # a proxy would look for it on its own machine
        opener = urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if direct else []))
        # Only http and https addresses get here.
        request = urllib.request.Request(self.url, data, dict(self.headers))  # noqa: S310
        reason = ""
        for attempt in range(TRIES):
            if attempt:
                time.sleep(PAUSE * 2 ** (attempt - 1))
            try:
                with opener.open(request, timeout=self.timeout) as reply:
                    whole: bytes = reply.read()
                    return whole
            except urllib.error.HTTPError as error:
                with error:
                    reason = f"HTTP {error.code} {_short(error.read(2000))}"
                if error.code < 500 and error.code not in _LATER:
                    raise BackendError(f"{self.shown}: {reason}") from None
            except TimeoutError:
                reason = f"no answer within {self.timeout:g} s"
            except (OSError, http.client.HTTPException) as error:
                reason = _reason(error)
        raise BackendError(f"{self.shown}: {reason} (tried {TRIES} times)")


def rendered(template: str, prompt: str, response: str) -> tuple[str, str]:
    r"""What is sent of the prompt, and the whole text, which begins with it.

    >>> rendered("{prompt}\n\n{response}", "Why?", "Because.")
    ('Why?\n\n', 'Why?\n\nBecause.')
    """
    if template == CHATML:
        turns = [(OPENAI_ROLES[speaker], said) for speaker, said in split_turns(prompt)]
        before = "".join(f"<|im_start|>{role}\n{said}<|im_end|>\n" for role, said in turns) + "<|im_start|>assistant\n"
        return before, f"{before}{response}<|im_end|>\n"
    head, _, tail = template.partition("{response}")
    before = head.replace("{prompt}", prompt)
    return before, before + response + tail


@reward_models.add("http")
def open_http(name: str | None, where: str, options: Scoring) -> Server:
    """A server at http://HOST:PORT/get_reward (OpenRLHF) or /v1/score/evaluation (LLaMA-Factory).

    Another path needs ?schema=openrlhf or ?schema=llama-factory. The server is sent finished texts: prompt, blank line,
    response; or with ?template=chatml, or a text of one's own in which {prompt} and {response} stand. Further settings:
    timeout (seconds), model (a name that LLaMA-Factory's schema has room for) and version, with which the scores are
    kept from run to run. What else follows the question mark is sent as it is.

    Raises:
        InputError: no such address, schema or template.
    """
    return _server(name, where if where.startswith("http") else f"http:{where}", options)


@reward_models.add("https")
def open_https(name: str | None, where: str, options: Scoring) -> Server:
    """The same as http, encrypted.

    Raises:
        InputError: as for http.
    """
    return _server(name, where if where.startswith("https") else f"https:{where}", options)


def _server(name: str | None, address: str, options: Scoring) -> Server:
    url, settings = split_settings(address, _SETTINGS)
    parts, host = _parts(url)
    ends = (found for found, path in SCHEMAS.items() if parts.path.rstrip("/").endswith(path))
    schema = settings.get("schema") or next(ends, None)
    if schema is None:
        fix = f"{url}{'&' if parts.query else '?'}schema=openrlhf"
        known = " or ".join(SCHEMAS.values())
        raise InputError(f"what does {url} speak?", where="--reward-model", expected=known, fix=fix)
    if schema not in SCHEMAS:
        raise UnknownName("schema", schema, SCHEMAS, where="--reward-model")
    headers = {"Content-Type": "application/json"}
    if parts.username is not None:
        secret = b64encode(unquote(f"{parts.username}:{parts.password or ''}").encode()).decode()
        headers["Authorization"] = f"Basic {secret}"
    url = parts._replace(netloc=host, fragment="").geturl()
    template, model, version = _template(settings.get("template")), settings.get("model"), settings.get("version")
    identity = version and " ".join(map(str, (url, schema, template, model, options.max_length, version)))
    return Server(
        name=name or f"{host}{parts.path}",
        url=url,
        headers=headers,
        schema=schema,
        template=template,
        timeout=_seconds(settings.get("timeout", "180")),  # as long as OpenRLHF's own client waits
        model=model or "default",
        max_length=options.max_length,
        identity=identity,
    )


def _parts(url: str) -> tuple[SplitResult, str]:
    """The parts of an address, and its host and port."""
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0 and url.isascii() and url.isprintable() and " " not in url
    except ValueError:
        usable = False
    if not usable:
        raise InputError(f"{url!r} is no address", where="--reward-model", expected="http://HOST:PORT/get_reward")
    return parts, parts.netloc.rpartition("@")[2]


def _template(given: str | None) -> str:
    if given in (None, "plain"):
        return PLAIN
    if given == CHATML or (given.count("{response}") == 1 and "{prompt}" in given.partition("{response}")[0]):
        return given.replace("\\n", "\n")
    expected = "plain, chatml, or a text with {prompt} and after it {response}"
    raise InputError(f"template={given}", where="--reward-model", expected=expected)


def _seconds(given: str) -> float:
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise InputError(f"timeout={given}", where="--reward-model", expected="seconds, such as timeout=180")
    return seconds


def _reason(error: Exception) -> str:
    cause = getattr(error, "reason", error)
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    return " ".join((getattr(cause, "strerror", None) or str(cause) or type(cause).__name__).split()).lower()


def _short(said: bytes) -> str:
    return " ".join(said.decode(errors="replace").split())[:120] or "nothing"
