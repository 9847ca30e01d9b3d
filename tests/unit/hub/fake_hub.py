"""The Hub as a dictionary: what stands in place of the client's methods, and every call that came.

Calls must fit the signatures of the real client, and its own objects describe what is added and deleted.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, SpaceVariable, errors
from huggingface_hub.utils import filter_repo_objects

METHODS = ("create_repo", "repo_info", "list_repo_refs", "list_repo_tree", "create_commit", "create_tag")
"""Every publication calls them."""
SPACE_METHODS = ("get_space_variables", "add_space_variable")


def oid(number: int) -> str:
    """The name of a commit by its number."""
    return f"{number:040x}"


@dataclass
class Repository:
    """Commits as trees, tags, and what the settings say."""

    private: bool = False
    commits: list[dict[str, bytes]] = field(default_factory=lambda: [{".gitattributes": b"x"}])
    tags: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def head(self) -> str:
        return oid(len(self.commits) - 1)

    def commit(self, revision: str) -> str:
        commit = self.tags.get(revision, revision)
        if commit not in map(oid, range(len(self.commits))):
            raise http_error(404, "Revision Not Found")
        return commit

    def tree(self, revision: str) -> dict[str, bytes]:
        return self.commits[int(self.commit(revision), 16)]


@dataclass
class FakeHub:
    """Repositories by type and name."""

    repositories: dict[tuple[str, str], Repository] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    """As in 'create_commit'; of a Space as in 'space create_commit'."""
    failure: Exception | None = None
    fail_at: str = ""
    """A call; every one where it is empty."""
    meanwhile: dict[str, Callable[[], object]] = field(default_factory=dict)
    """What somebody else does just before a call."""

    def called(self, name: str, repo_type: str) -> None:
        assert repo_type in ("dataset", "space")
        call = f"space {name}" if repo_type == "space" else name
        self.calls.append(call)
        self.meanwhile.get(call, bool)()
        if self.failure is not None and self.fail_at in ("", call):
            raise self.failure

    def found(self, repo_id: str, repo_type: str) -> Repository:
        if (repo_type, repo_id) not in self.repositories:
            raise http_error(404, "Repository Not Found")
        return self.repositories[repo_type, repo_id]

    def create_repo(
        self, repo_id: str, *, repo_type: str, private: bool | None, exist_ok: bool, space_sdk: str | None
    ) -> None:
        self.called("create_repo", repo_type)
        assert exist_ok
        assert space_sdk == ("gradio" if repo_type == "space" else None)
        self.repositories.setdefault((repo_type, repo_id), Repository(private=bool(private)))

    def repo_info(
        self, repo_id: str, *, repo_type: str, revision: str | None = None, files_metadata: bool = False
    ) -> Any:
        self.called("repo_info", repo_type)
        found = self.found(repo_id, repo_type)
        sha = found.head if revision is None else found.commit(revision)
        files = [
            SimpleNamespace(rfilename=path, size=len(content) if files_metadata else None)
            for path, content in found.tree(sha).items()
        ]
        return SimpleNamespace(private=found.private, sha=sha, siblings=files)

    def list_repo_refs(self, repo_id: str, *, repo_type: str) -> Any:
        self.called("list_repo_refs", repo_type)
        tags = self.found(repo_id, repo_type).tags
        return SimpleNamespace(
            tags=[SimpleNamespace(name=name, target_commit=commit) for name, commit in tags.items()]
        )

    def list_repo_tree(
        self, repo_id: str, *, repo_type: str, revision: str, recursive: bool
    ) -> Iterable[Any]:
        self.called("list_repo_tree", repo_type)
        assert recursive
        for path, content in self.found(repo_id, repo_type).tree(revision).items():
            blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()  # noqa: S324
            is_large = path.endswith(".parquet")
            sha256 = SimpleNamespace(sha256=hashlib.sha256(content).hexdigest())
            yield SimpleNamespace(
                path=path, blob_id="pointer" if is_large else blob, lfs=sha256 if is_large else None
            )
        yield SimpleNamespace(path="full")  # a folder has no blob

    def create_commit(
        self,
        repo_id: str,
        operations: Iterable[Any],
        *,
        commit_message: str,
        repo_type: str,
        parent_commit: str,
    ) -> Any:
        self.called("create_commit", repo_type)
        assert commit_message
        found = self.found(repo_id, repo_type)
        if parent_commit != found.head:
            raise http_error(412, "A commit has happened since. Please refresh and try again")
        tree = dict(found.commits[-1])
        for operation in operations:
            if isinstance(operation, CommitOperationDelete):
                del tree[operation.path_in_repo]
            else:
                assert isinstance(operation, CommitOperationAdd)
                with operation.as_file() as stream:
                    tree[operation.path_in_repo] = stream.read()
        found.commits.append(tree)
        return SimpleNamespace(oid=found.head)

    def create_tag(self, repo_id: str, *, tag: str, revision: str, repo_type: str) -> None:
        self.called("create_tag", repo_type)
        tags = self.found(repo_id, repo_type).tags
        assert tag not in tags
        tags[tag] = revision

    def get_space_variables(self, repo_id: str) -> dict[str, Any]:
        self.called("get_space_variables", "space")
        variables = self.found(repo_id, "space").variables
        return {name: SpaceVariable(name, {"value": value}) for name, value in variables.items()}

    def add_space_variable(self, repo_id: str, key: str, value: str) -> None:
        self.called("add_space_variable", "space")
        self.found(repo_id, "space").variables[key] = value

    def snapshot_download(
        self, repo_id: str, *, repo_type: str, revision: str, allow_patterns: list[str], local_dir: str
    ) -> str:
        self.called("snapshot_download", repo_type)
        tree = self.found(repo_id, repo_type).tree(revision)
        return str(
            write_files(tree, Path(local_dir), set(filter_repo_objects(tree, allow_patterns=allow_patterns)))
        )


def write_files(tree: dict[str, bytes], folder: Path, names: Iterable[str]) -> Path:
    """Files of a tree as local files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(tree[name])
    return folder


def install(monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    """An empty Hub in the place of the network."""
    fake = FakeHub()
    for name in (*METHODS, *SPACE_METHODS):
        monkeypatch.setattr(HfApi, name, _checked(getattr(HfApi, name), getattr(fake, name), of_client=True))
    real = huggingface_hub.snapshot_download
    monkeypatch.setattr(huggingface_hub, "snapshot_download", _checked(real, fake.snapshot_download))
    return fake


def _checked(
    real: Callable[..., Any], fake: Callable[..., Any], *, of_client: bool = False
) -> Callable[..., Any]:
    signature = inspect.signature(real)

    def call(*args: Any, **options: Any) -> Any:
        try:
            signature.bind(*args, **options)
        except TypeError as error:
            pytest.fail(f"{real.__qualname__}: {error}")  # no Exception, so that nobody can catch it
        return fake(*args[of_client:], **options)

    return call


def http_error(status: int, message: str) -> Exception:
    """What the client raises for an answer of the Hub."""
    error = errors.HfHubHTTPError.__new__(errors.HfHubHTTPError)
    Exception.__init__(error, message)
    error.response = SimpleNamespace(status_code=status)  # type: ignore[assignment]
    error.args = (message,)
    return error
