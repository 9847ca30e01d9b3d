"""The Hub as it stands: repositories, and the rules by which it takes and gives files.

It is asked over HTTP (`serving.py`) by the real client, and trusts nothing that comes: checksums and sizes of large
files, the parent of a commit, tokens and their rights are checked as the Hub checks them. `meanwhile` and `tampered`
make it fail, or lie.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

TOKEN = "hf_" + "W" * 34
READ_TOKEN = "hf_" + "R" * 34
MAY_WRITE = {TOKEN: True, READ_TOKEN: False}
"""By token. Both may read what is private."""
THEIRS = "them"
"""An account that no token may write to."""
LARGE = (".parquet", ".bin")
"""Endings that a new repository has in its .gitattributes."""
SMALL_BYTES = 10 * 2**20
"""A larger file is stored as a large one, whatever its ending."""
METHODS = (
    "create_repo",
    "repo_info",
    "list_repo_refs",
    "list_repo_tree",
    "preupload",
    "create_commit",
    "create_tag",
)
"""Every publication of a version asks for them, in this order."""
SPACE_METHODS = ("get_space_variables", "add_space_variable")
_TAG = re.compile(r"\w[\w.+-]*", re.ASCII)
_FILE = re.compile(r"[^/]+(/[^/]+)*")


def oid(number: int) -> str:
    """The name of a commit by its number."""
    return f"{number:040x}"


@dataclass
class Request:
    """What came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""
    rest: Callable[[], bytes] = bytes
    """Reads what of the body has not come yet: half of an upload."""
    groups: Mapping[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def token(self) -> str | None:
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        return token if kind == "Bearer" else None


@dataclass(frozen=True)
class Answer:
    """What is sent."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    stop_after: int | None = None
    """Bytes of the body after which the connection breaks."""


def as_json(value: Any, status: int = 200, **headers: str) -> Answer:
    """An answer of the API."""
    return Answer(json.dumps(value).encode(), status, {"Content-Type": "application/json", **headers})


class RefusedError(Exception):
    """An answer that is none, as the Hub words it."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        headers = {"X-Error-Message": message} if message.isprintable() else {}
        self.answer = as_json(
            {"error": message}, status, **headers, **({"X-Error-Code": code} if code else {})
        )


class BrokenConnectionError(Exception):
    """No answer: the line breaks, in the middle of an upload where there is one."""


@dataclass
class Repository:
    """Commits as trees, tags, what its settings say, and its large files."""

    private: bool = False
    commits: list[dict[str, bytes]] = field(default_factory=lambda: [{".gitattributes": b"x"}])
    tags: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    stored: dict[str, bytes] = field(default_factory=dict)
    """Large files by their SHA-256, committed or not yet."""

    @property
    def head(self) -> str:
        return oid(len(self.commits) - 1)

    def commit(self, revision: str) -> str:
        commit = self.tags.get(revision, self.head if revision == "main" else revision)
        if commit not in map(oid, range(len(self.commits))):
            raise RefusedError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return commit

    def tree(self, revision: str) -> dict[str, bytes]:
        return self.commits[int(self.commit(revision), 16)]


def is_large(path: str, size: int) -> bool:
    """Whether a file is stored as a large one."""
    return path.endswith(LARGE) or size > SMALL_BYTES


def described(path: str, content: bytes) -> dict[str, Any]:
    """A file as the Hub lists it; the checksum of a large one's pointer stands for git's own."""
    sha256 = hashlib.sha256(content).hexdigest()
    large = is_large(path, len(content))
    named = (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n"
        % (sha256.encode(), len(content))
        if large
        else content
    )
    blob = hashlib.sha1(b"blob %d\0" % len(named) + named).hexdigest()  # noqa: S324 - as git names a file
    entry = {"type": "file", "path": path, "size": len(content), "oid": blob}
    if large:
        entry["lfs"] = {"oid": sha256, "size": len(content), "pointerSize": len(named)}
    return entry


def write_files(tree: Mapping[str, bytes], folder: Path) -> Path:
    """Files of a tree as local files."""
    for name, content in tree.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@dataclass
class StandInHub:
    """Repositories by type and name, and every call that came."""

    repositories: dict[tuple[str, str], Repository] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    """As in 'create_commit'; of a Space as in 'space create_commit'."""
    requests: list[Request] = field(default_factory=list)
    """In the same order."""
    meanwhile: dict[str, Callable[[Request], object]] = field(default_factory=dict)
    """What happens just before a call, which it may keep from being answered."""
    tampered: dict[str, Callable[[Answer], Answer]] = field(default_factory=dict)
    """What is sent in the place of an answer."""
    mistakes: list[BaseException | None] = field(default_factory=list)
    """Of this Hub itself, or requests that it does not know."""
    part_bytes: int | None = None
    """Larger files come in parts of so many bytes."""
    url: str = ""
    storage: str = ""
    """Where large files are: another host, which must not see a token."""
    uploads: dict[str, tuple[Repository, str, int, dict[int, bytes]]] = field(default_factory=dict)
    """Uploads under way by their address: where to, SHA-256, size, and the parts that came."""

    # ---- what tests tell it

    def refuse(self, call: str, status: int, message: str = "no") -> None:
        """Refuse a call from now on."""

        def refused(_: object) -> None:
            raise RefusedError(status, message)

        self.meanwhile[call] = refused

    def break_line(self, call: str, times: int | None = None) -> None:
        """Break the connection of a call, so many times or always."""
        left = itertools.repeat(None) if times is None else iter(range(times))

        def broken(_: object) -> None:
            if next(left, "whole") != "whole":
                raise BrokenConnectionError

        self.meanwhile[call] = broken

    # ---- the way of a request

    def answer(self, request: Request) -> Answer:
        for method, pattern, name in ROUTES:
            match = re.fullmatch(pattern, urlsplit(request.path).path)
            if match is not None and request.method == method:
                request.groups = match.groupdict()
                return self._answered(name, request)
        raise AssertionError(f"the client asks what this Hub does not know: {request.method} {request.path}")

    def _answered(self, name: str, request: Request) -> Answer:
        kind = request.groups.get("type") or (request.json["type"] if name == "create_repo" else "")
        call = f"space {name}" if kind.startswith("space") else name
        self.calls.append(call)
        self.requests.append(request)
        try:
            self.meanwhile.get(call, bool)(request)
            request.body += request.rest()
            answer: Answer = getattr(self, f"_{name}")(request)
        except RefusedError as refused:
            answer = refused.answer
        return self.tampered.get(call, lambda sent: sent)(answer)

    def _found(self, request: Request, *, writes: bool = False) -> Repository:
        """A repository of which this token may know."""
        kind, repo_id, token = request.groups["type"].removesuffix("s"), request.groups["id"], request.token
        _check_token(token, writes=writes)
        found = self.repositories.get((kind, repo_id))
        if found is None or (found.private and token is None):
            raise RefusedError(404 if token else 401, "Repository not found", "RepoNotFound")
        if writes and repo_id.split("/")[0] == THEIRS:
            raise RefusedError(403, "Forbidden: you must have write access to this repository")
        return found

    # ---- repositories

    def _create_repo(self, request: Request) -> Answer:
        asked = request.json
        _check_token(request.token, writes=True)
        kind, name, account = asked["type"], asked["name"], asked["organization"]
        if account == THEIRS:
            raise RefusedError(403, f"You don't have the rights to create a {kind} under {account!r}")
        if kind == "space" and asked.get("sdk") != "gradio":
            raise RefusedError(400, "sdk is missing")
        url, key = f"{self.url}/{kind}s/{account}/{name}", (kind, f"{account}/{name}")
        if key in self.repositories:
            return as_json({"error": f"You already created this {kind} repo", "url": url}, 409)
        self.repositories[key] = Repository(private=asked.get("visibility") == "private")
        return as_json({"url": url})

    def _repo_info(self, request: Request) -> Answer:
        found = self._found(request)
        commit = found.commit(request.groups["revision"] or "main")
        with_sizes = "blobs=" in request.path
        files = []
        for path, content in found.tree(commit).items():
            entry = described(path, content)
            lfs = entry.get("lfs")
            sizes = {"size": entry["size"], "blobId": entry["oid"]}
            if lfs:
                sizes["lfs"] = {"sha256": lfs["oid"], "size": lfs["size"], "pointerSize": lfs["pointerSize"]}
            files.append({"rfilename": path, **(sizes if with_sizes else {})})
        return as_json(
            {"id": request.groups["id"], "sha": commit, "private": found.private, "siblings": files}
        )

    def _list_repo_refs(self, request: Request) -> Answer:
        found = self._found(request)
        tags = [
            {"name": name, "ref": f"refs/tags/{name}", "targetCommit": commit}
            for name, commit in found.tags.items()
        ]
        main = {"name": "main", "ref": "refs/heads/main", "targetCommit": found.head}
        return as_json({"branches": [main], "converts": [], "tags": tags})

    def _list_repo_tree(self, request: Request) -> Answer:
        tree = self._found(request).tree(request.groups["revision"])
        inside = request.groups["path"] or ""
        files = [
            described(path, content)
            for path, content in tree.items()
            if not inside or path.startswith(inside + "/")
        ]
        folders = {path.rpartition("/")[0] for path in tree} - {""}
        return as_json(
            [*files, *({"type": "directory", "path": each, "oid": oid(0)} for each in sorted(folders))]
        )

    def _get_paths_info(self, request: Request) -> Answer:
        tree = self._found(request).tree(request.groups["revision"])
        asked = parse_qs(request.body.decode())["paths"]
        if len(asked) > 1000:
            raise RefusedError(413, "too many parameters")
        return as_json([described(path, tree[path]) for path in asked if path in tree])

    # ---- files that come

    def _validate_yaml(self, request: Request) -> Answer:
        parts = request.json["content"].split("---\n", 2)
        try:
            matter = yaml.safe_load(parts[1]) if len(parts) == 3 else None
        except yaml.YAMLError as error:
            return as_json({"errors": [{"message": str(error)}], "warnings": []}, 400)
        if matter is not None and request.json["repoType"] == "space" and "sdk" not in matter:
            return as_json({"errors": [{"message": '"sdk" is required'}], "warnings": []}, 400)
        warnings = [{"message": "empty or missing yaml metadata in repo card"}] if not matter else []
        return as_json({"errors": [], "warnings": warnings})

    def _preupload(self, request: Request) -> Answer:
        self._found(request, writes=True).commit(request.groups["revision"])
        files = [
            {
                "path": each["path"],
                "uploadMode": "lfs" if is_large(each["path"], each["size"]) else "regular",
                "shouldIgnore": False,
            }
            for each in request.json["files"]
        ]
        return as_json({"files": files})

    def _xet_token(self, request: Request) -> Answer:
        """For the other way of large files, which nobody here speaks."""
        raise RefusedError(404, "no xet here")

    def _lfs_batch(self, request: Request) -> Answer:
        found = self._found(request, writes=True)
        assert request.json["operation"] == "upload" and request.json["hash_algo"] == "sha256"
        return as_json(
            {
                "transfer": "basic",
                "objects": [self._where(found, request, each) for each in request.json["objects"]],
            }
        )

    def _where(self, found: Repository, request: Request, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Where a large file is to be sent: nowhere, if it is there already."""
        sha256, size = asked["oid"], asked["size"]
        if sha256 in found.stored:
            return dict(asked)
        name = str(len(self.uploads))
        self.uploads[name] = (found, sha256, size, {})
        parts = math.ceil(size / self.part_bytes) if self.part_bytes and size > self.part_bytes else 0
        upload: dict[str, Any] = {"href": f"{self.storage}/upload/{name}/0"}
        if parts:
            addresses = {f"{number:05}": f"{self.storage}/upload/{name}/{number}" for number in range(parts)}
            header = {"chunk_size": str(self.part_bytes), **addresses}
            upload = {"href": f"{self.url}/complete/{name}", "header": header}
        kind, repo_id = request.groups["type"], request.groups["id"]
        verify = {"href": f"{self.url}/api/{kind}/{repo_id}/verify/{name}"}
        return {**asked, "actions": {"upload": upload, "verify": verify}}

    def _lfs_put(self, request: Request) -> Answer:
        if request.token is not None:
            raise RefusedError(400, "Only one auth mechanism allowed: the token belongs to the Hub")
        self.uploads[request.groups["upload"]][-1][int(request.groups["part"])] = request.body
        return Answer(headers={"ETag": f'"{hashlib.sha256(request.body).hexdigest()}"'})

    def _lfs_complete(self, request: Request) -> Answer:
        parts = self.uploads[request.groups["upload"]][-1]
        etags = [f'"{hashlib.sha256(parts[number]).hexdigest()}"' for number in sorted(parts)]
        if [each["etag"] for each in request.json["parts"]] != etags:
            raise RefusedError(400, "these are not the parts that came")
        return as_json({})

    def _lfs_verify(self, request: Request) -> Answer:
        self._found(request, writes=True)
        repository, sha256, size, parts = self.uploads[request.groups["upload"]]
        came = b"".join(parts[number] for number in sorted(parts))
        if (len(came), hashlib.sha256(came).hexdigest()) != (size, sha256):
            raise RefusedError(422, "the file that came is not the file that was announced")
        repository.stored[sha256] = came
        return as_json({})

    def _create_commit(self, request: Request) -> Answer:
        found = self._found(request, writes=True)
        header, *operations = (json.loads(line) for line in request.body.splitlines())
        assert header["key"] == "header" and header["value"]["summary"] and operations
        if header["value"]["parentCommit"] != found.head:
            raise RefusedError(412, "A commit has happened since. Please refresh and try again.")
        tree = dict(found.commits[-1])
        for operation in operations:
            _apply(operation["key"], operation["value"], tree, found.stored)
        found.commits.append(tree)
        address = f"{self.url}/{request.groups['type']}/{request.groups['id']}/commit/{found.head}"
        return as_json({"commitUrl": address, "commitOid": found.head})

    def _create_tag(self, request: Request) -> Answer:
        found, tag = self._found(request, writes=True), request.json["tag"]
        commit = found.commit(request.groups["revision"])
        if tag in found.tags:
            raise RefusedError(409, "Tag reference exists already")
        if not _TAG.fullmatch(tag):
            raise RefusedError(400, "not a valid name of a tag")
        found.tags[tag] = commit
        return as_json({})

    # ---- variables of a Space

    def _get_space_variables(self, request: Request) -> Answer:
        variables = self._found(request, writes=True).variables
        return as_json({name: {"key": name, "value": value} for name, value in variables.items()})

    def _add_space_variable(self, request: Request) -> Answer:
        self._found(request, writes=True).variables[request.json["key"]] = request.json["value"]
        return self._get_space_variables(request)

    # ---- files that go

    def _resolve(self, request: Request) -> Answer:
        found, path = self._found(request), request.groups["path"]
        commit = found.commit(request.groups["revision"])
        if path not in found.tree(commit):
            raise RefusedError(404, "Entry not found", "EntryNotFound")
        content = found.tree(commit)[path]
        entry = described(path, content)
        headers = {"X-Repo-Commit": commit, "ETag": f'"{entry["oid"]}"'}
        if "lfs" not in entry:
            return Answer(content, headers=headers)
        found.stored[entry["lfs"]["oid"]] = content
        linked = {"X-Linked-ETag": f'"{entry["lfs"]["oid"]}"', "X-Linked-Size": str(len(content))}
        kind, repo_id = request.groups["type"], request.groups["id"]
        address = f"{self.storage}/stored/{kind}/{repo_id}/{entry['lfs']['oid']}"
        return Answer(status=302, headers={**headers, **linked, "Location": address})

    def _stored(self, request: Request) -> Answer:
        if request.token is not None:
            raise RefusedError(400, "Only one auth mechanism allowed: the token belongs to the Hub")
        groups = request.groups
        content = self.repositories[groups["type"].removesuffix("s"), groups["id"]].stored[groups["sha256"]]
        since = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range") or "")
        if since is None:
            return Answer(content)
        start = int(since[1])
        span = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return Answer(content[start:], 206, {"Content-Range": span})

    def _elsewhere(self, request: Request) -> Answer:
        """Another host of somebody's, to which nothing should ever come."""
        return as_json([])


_REPO = r"/api/(?P<type>datasets|spaces)/(?P<id>[^/]+/[^/]+)"
_FILES = r"/(?P<type>datasets|spaces)/(?P<id>[^/]+/[^/]+)"
_AT = r"/(?P<revision>[^/]+)"
ROUTES = (
    ("POST", "/api/repos/create", "create_repo"),
    ("POST", "/api/validate-yaml", "validate_yaml"),
    ("GET", rf"{_REPO}(?:/revision{_AT})?", "repo_info"),
    ("GET", rf"{_REPO}/refs", "list_repo_refs"),
    ("GET", rf"{_REPO}/tree{_AT}(?:/(?P<path>.+))?", "list_repo_tree"),
    ("POST", rf"{_REPO}/paths-info{_AT}", "get_paths_info"),
    ("POST", rf"{_REPO}/preupload{_AT}", "preupload"),
    ("GET", rf"{_REPO}/xet-write-token{_AT}", "xet_token"),
    ("POST", rf"{_FILES}\.git/info/lfs/objects/batch", "lfs_batch"),
    ("PUT", r"/upload/(?P<upload>\d+)/(?P<part>\d+)", "lfs_put"),
    ("POST", r"/complete/(?P<upload>\d+)", "lfs_complete"),
    ("POST", rf"{_REPO}/verify/(?P<upload>\d+)", "lfs_verify"),
    ("POST", rf"{_REPO}/commit{_AT}", "create_commit"),
    ("POST", rf"{_REPO}/tag{_AT}", "create_tag"),
    ("GET", rf"{_REPO}/variables", "get_space_variables"),
    ("POST", rf"{_REPO}/variables", "add_space_variable"),
    ("HEAD", rf"{_FILES}/resolve{_AT}/(?P<path>.+)", "resolve"),
    ("GET", rf"{_FILES}/resolve{_AT}/(?P<path>.+)", "resolve"),
    ("GET", rf"/stored{_FILES}/(?P<sha256>[0-9a-f]+)", "stored"),
    *((method, "/elsewhere/.*", "elsewhere") for method in ("GET", "HEAD", "POST", "PUT")),
)
"""Method, path, and what the client calls it; the first one that fits."""


def _check_token(token: str | None, *, writes: bool) -> None:
    if token is not None and token not in MAY_WRITE:
        raise RefusedError(401, "Invalid credentials in Authorization header")
    if writes and token is None:
        raise RefusedError(401, "Invalid username or password.")
    if writes and not MAY_WRITE[str(token)]:
        raise RefusedError(403, "Forbidden: this token may only read")


def _apply(key: str, value: Mapping[str, Any], tree: dict[str, bytes], stored: Mapping[str, bytes]) -> None:
    """One operation of a commit."""
    path = value["path"]
    if not _FILE.fullmatch(path) or ".." in path.split("/"):
        raise RefusedError(400, f"not the path of a file: {path}")
    if key == "file":
        tree[path] = base64.b64decode(value["content"], validate=True)
        if is_large(path, len(tree[path])):
            raise RefusedError(400, f"{path} is a large file, and came as a small one")
    elif key == "lfsFile":
        content = stored.get(value["oid"])
        if content is None or len(content) != value["size"]:
            raise RefusedError(400, f"{path} points to a large file that never came")
        tree[path] = content
    elif key == "deletedFile":
        if path not in tree:
            raise RefusedError(404, "A file with this name doesn't exist", "EntryNotFound")
        del tree[path]
    else:
        raise RefusedError(400, f"unknown operation {key}")
