"""Files on the Hugging Face hub by their `hf://` address: the one reader on the network, because the user named it.

`HF_ENDPOINT` (a mirror) and `HF_TOKEN` (a gated or private data set) mean what they mean to every tool of the hub. The
token goes to that endpoint only, not to the server it redirects to. One attempt, and a bounded wait: who is offline
should not have to wait to hear it.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import shutil
import urllib.error
import urllib.request
from dataclasses import dataclass
from fnmatch import fnmatchcase
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.parse import quote, unquote

from dehusk.core.errors import InputError
from dehusk.io.atomic import TABLE_SUFFIXES, is_table

TIMEOUT = 20.0  # seconds without an answer, or without the next piece of it
_ADDRESS = re.compile(r"hf://(datasets/|spaces/|models/)?([^/@]+/[^/@]+)(?:@([^/]+))?(?:/(.*))?")
_IN_BROWSER = re.compile(r"https?://[^/]+/datasets/([^/]+/[^/]+)/(?:resolve|blob|raw)/([^/]+)/([^?#]+)")
_REVISIONS = {None: "main", "~parquet": "refs/convert/parquet"}


@dataclass(frozen=True)
class _Place:
    """A file, a folder or a pattern in a repository of the hub."""

    address: str
    kind: str  # "datasets", "spaces" or "models"
    repo: str
    revision: str
    path: str

    def url(self, path: str) -> str:
        prefix = "" if self.kind == "models" else f"{self.kind}/"
        return f"{_endpoint()}/{prefix}{self.repo}/resolve/{quote(self.revision, safe='')}/{quote(path)}"

    def listing(self) -> str:
        return f"{_endpoint()}/api/{self.kind}/{self.repo}/revision/{quote(self.revision, safe='')}"

    def sibling(self, path: str) -> str:
        """The address of another file of the same repository."""
        head = self.address.split(self.repo, 1)[0] + self.repo
        revision = "" if self.revision == "main" else "@" + quote(self.revision, safe="~")
        return f"{head}{revision}/{path}"


class _Missing(Exception):
    """The hub has no such file."""


def fetch(address: str, folder: Path) -> list[Path]:
    """Download what an address names into a folder: one file, or all that a pattern with `*` matches, in their order.

    Raises:
        InputError: not an address of a file, no such file (with the nearest one), no permission, or no answer.
    """
    place = _parsed(address)
    if set("*?[") & {*place.path}:
        names = [name for name in _files(place) if fnmatchcase(name, place.path) and is_table(name)]
        if not names:
            raise InputError("nothing matches", where=address, expected=_some(_tables(place)))
    else:
        names = [place.path if is_table(place.path) else _only_table(place)]
    return [_download(place, name, folder / f"{number:05d}-{Path(name).name}") for number, name in enumerate(names)]


def refuse_address(path: str) -> None:
    """Refuse an address that is not `hf://`; pages of the hub are translated.

    Raises:
        InputError: always, if `path` is one.
    """
    if "://" not in path:
        return
    page = _IN_BROWSER.match(path)
    expected = "a file, or hf://datasets/OWNER/NAME/FILE"
    if page is None:
        raise InputError("an address", where=path, expected=expected, fix="download it and name the file")
    repo, revision, name = page.groups()
    at = "" if revision == "main" else f"@{revision}"
    raise InputError("an address", where=path, expected=expected, fix=f"hf://datasets/{repo}{at}/{name}")


def _parsed(address: str) -> _Place:
    found = _ADDRESS.fullmatch(address)
    if found is None:
        expected = "hf://datasets/OWNER/NAME/FILE, with @REVISION after NAME if it is not main"
        raise InputError("not an address on the hub", where=address, expected=expected)
    kind, repo, revision, path = found.groups()
    revision = _REVISIONS.get(revision, revision) or "main"
    return _Place(address, (kind or "models/")[:-1], repo, unquote(revision), (path or "").strip("/"))


def _endpoint() -> str:
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def _download(place: _Place, name: str, to: Path) -> Path:
    try:
        with _opened(place, place.url(name)) as answer, to.open("wb") as file:
            shutil.copyfileobj(answer, file, 1 << 20)
            size = answer.headers.get("Content-Length")
            if size is not None and file.tell() != int(size):
                raise HTTPException(f"it broke off after {file.tell():,} of {int(size):,} bytes")
    except _Missing:
        near = difflib.get_close_matches(name, _tables(place), n=1, cutoff=0.5)
        fix = place.sibling(near[0]) if near else None
        raise InputError("no such file on the hub", where=place.address, fix=fix) from None
    except (OSError, HTTPException) as error:
        raise _unreachable(place, error) from None
    return to


def _files(place: _Place) -> list[str]:
    """Every file of the repository, sorted."""
    try:
        with _opened(place, place.listing()) as answer:
            return sorted(str(item["rfilename"]) for item in json.load(answer)["siblings"])
    except _Missing:
        raise InputError("no such data set on the hub", where=place.address) from None
    except (OSError, HTTPException) as error:
        raise _unreachable(place, error) from None
    except (ValueError, KeyError, TypeError):
        raise InputError("an answer that is not the hub's", where=place.address, expected=place.listing()) from None


def _tables(place: _Place) -> list[str]:
    return [name for name in _files(place) if is_table(name)]


def _only_table(place: _Place) -> str:
    """The table of a repository or folder that has just one; training rows first among those that are offered."""
    names = [name for name in _tables(place) if f"{name}/".startswith(f"{place.path}/" if place.path else "")]
    if len(names) == 1:
        return names[0]
    if not names:
        raise InputError(
            "no table in it", where=place.address, expected=f"a file ending in {', '.join(TABLE_SUFFIXES)}"
        )
    first = next((name for name in names if "train" in name), names[0])
    raise InputError("several files", where=place.address, expected=_some(names), fix=place.sibling(first))


def _some(names: list[str]) -> str:
    return f"one of {', '.join(names[:6])}" + (f", … ({len(names)} in all)" if len(names) > 6 else "")


def _opened(place: _Place, url: str) -> HTTPResponse:
    """The answer to a request.

    Raises:
        _Missing: the repository is there, the file is not.
        InputError: the repository is not there, or not for everyone.
        OSError: no answer.
    """
    if not url.startswith(("https://", "http://")):
        raise InputError(f"HF_ENDPOINT={_endpoint()}", where=place.address, expected="https://…")
    request = urllib.request.Request(url, headers={"User-Agent": "dehusk"})  # noqa: S310 - checked above
    if token := os.environ.get("HF_TOKEN"):
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    try:
        answer: HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT)  # noqa: S310
    except urllib.error.HTTPError as error:
        error.close()
        code = error.headers.get("X-Error-Code", "")
        if error.code == 404 and code != "RepoNotFound":
            raise _Missing from None
        if error.code in (401, 403, 404):  # the hub says 401 for what does not exist, too
            what = "a gated data set" if code == "GatedRepo" else "no such data set on the hub, or a private one"
            raise InputError(
                what, where=place.address, fix="export HF_TOKEN=… of an account that may read it"
            ) from None
        raise
    return answer


def _unreachable(place: _Place, error: Exception) -> InputError:
    cause = getattr(error, "reason", None) or error
    reason = str(getattr(cause, "strerror", None) or cause or type(cause).__name__).splitlines()[0]
    fix = "download the file and name it, or let HF_ENDPOINT name a mirror"
    return InputError(f"{_endpoint()} cannot be reached: {reason}", where=place.address, fix=fix)
