"""One commit with its tag, and the variables of a Space; what is in the way is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.hub.files_to_publish import Files, Kind, Published, same
from lm_eval_sensitivity.hub.session import check_repo_id, publishing
from lm_eval_sensitivity.text.escape import quoted

_FRESH = (".gitattributes", "README.md")
"""What a repository has that nobody has put anything into."""


def publish(
    repo_id: str,
    files: Files,
    kind: Kind,
    *,
    message: str,
    tag: str | None = None,
    private: bool = False,
    delete_former: bool = False,
) -> Published:
    """Publish files as one commit of a repository, which is made if need be, and tag it.

    The token comes from the environment or the login. Files of the same name are replaced; former
    versions keep theirs under their tags. Files that only a former version has are deleted if
    `delete_former`, else the commit is refused, and other files are left alone.

    Args:
        repo_id: `ORG/NAME`.
        files: content by path inside the repository.
        kind: what they are.
        message: of the commit.
        tag: name of the version; without one the commit is the version.
        private: the repository must be private; a new one is made so.
        delete_former: delete files of a former version that this one no longer has.

    Returns:
        Repository, tag and commit, and whether anything was changed: what is there already is left as it is.

    Raises:
        InputError: the tag exists with other content, the repository is public and must not be, former
            files are in the way, or the Hub refuses; one sentence says which.
    """
    check_repo_id(repo_id)
    with publishing(repo_id, kind) as api:
        at = {"repo_id": repo_id, "repo_type": kind.repo_type}
        info = _made(api, at, kind, private)
        tags = {ref.name: ref.target_commit for ref in api.list_repo_refs(**at).tags}
        if tag is not None and tag in tags:
            _check_tagged(_tree(api, at, tag), files, kind, repo_id, tag)
            return Published(repo_id, tag, tags[tag], bool(info.private), changed=False)
        tree = _tree(api, at, info.sha)
        _refuse_something_else(tree, files, kind, repo_id)
        former = _former(tree, files, kind)
        if former and not delete_former:
            _refuse_former(former, kind, repo_id)
        commit = info.sha
        if former or _differing(tree, files):
            operations = _operations(files, former)
            # Refused if somebody else committed since the files were listed.
            done = api.create_commit(
                **at, operations=operations, commit_message=message, parent_commit=info.sha
            )
            commit = done.oid
        if tag is not None:
            api.create_tag(**at, tag=tag, revision=commit)
        changed = tag is not None or commit != info.sha
        return Published(repo_id, tag, commit, bool(info.private), changed)


def set_variables(space_id: str, variables: Mapping[str, str], kind: Kind) -> bool:
    """Set variables of a Space, which restarts it.

    Args:
        space_id: `ORG/NAME`.
        variables: name -> value.
        kind: what the Space is, for messages.

    Returns:
        False where all of them were set so already.

    Raises:
        InputError: the Hub refuses; one sentence says why.
    """
    check_repo_id(space_id)
    with publishing(space_id, kind) as api:
        found = {name: each.value for name, each in api.get_space_variables(space_id).items()}
        missing = {name: value for name, value in variables.items() if found.get(name) != value}
        for name, value in missing.items():
            api.add_space_variable(space_id, name, value)
    return bool(missing)


# ---- what stands there


def _made(api: Any, at: Mapping[str, str], kind: Kind, private: bool) -> Any:
    """What the Hub says about the repository, which exists now."""
    api.create_repo(**at, private=private or None, exist_ok=True, space_sdk=kind.space_sdk)
    info = api.repo_info(**at)
    if private and not info.private:
        raise InputError(
            f"`--private` was given, but the {kind.place} {at['repo_id']!r} exists and is public. Make it private in "
            "its settings on the Hub, or choose another name."
        )
    return info


def _tree(api: Any, at: Mapping[str, str], revision: str) -> dict[str, Any]:
    """The files of a revision by path."""
    entries = api.list_repo_tree(**at, revision=revision, recursive=True)
    return {entry.path: entry for entry in entries if hasattr(entry, "blob_id")}


def _operations(files: Files, former: Sequence[str]) -> list[Any]:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    added = [CommitOperationAdd(path, content) for path, content in files.items()]
    return [*added, *(CommitOperationDelete(path) for path in former)]


def _check_tagged(tree: Mapping[str, Any], files: Files, kind: Kind, repo_id: str, tag: str) -> None:
    """Raise InputError unless a tagged tree has these files, and no other of this kind."""
    differing = _differing(tree, files) + _former(tree, files, kind)
    if differing:
        raise InputError(
            f"The {kind.place} {repo_id!r} has the tag {tag!r} already, with other content ({_named(differing)}). A "
            f"published version does not change: {kind.new_version}."
        )


def _refuse_something_else(tree: Mapping[str, Any], files: Files, kind: Kind, repo_id: str) -> None:
    """A repository that holds files, but not the one that tells this kind, serves somebody's other purpose."""
    if kind.telling is None or kind.telling not in _differing(tree, files):
        return
    others = [path for path in tree if path not in _FRESH]
    if others:
        raise InputError(
            f"The {kind.place} {repo_id!r} is something else: it has {_named(others)}, and not the `{kind.telling}` "
            f"of this {kind.noun}. Choose another name, or delete those files on the Hub first."
        )


def _refuse_former(former: Sequence[str], kind: Kind, repo_id: str) -> NoReturn:
    raise InputError(
        f"The {kind.place} {repo_id!r} has {kind.noun} files that this version has not: {_named(former)}. Give "
        "`--delete-former` to delete them in the same commit (tagged versions keep theirs), or choose another name."
    )


def _former(tree: Mapping[str, Any], files: Files, kind: Kind) -> list[str]:
    """Files of this kind that stand there, and that these files have not."""
    return [path for path in tree if kind.is_file(path) and path not in files]


def _differing(tree: Mapping[str, Any], files: Files) -> list[str]:
    """Files that do not stand there, or not with this content."""
    return [path for path, content in files.items() if path not in tree or not same(tree[path], content)]


def _named(paths: Sequence[str]) -> str:
    shown = ", ".join(map(quoted, paths[:5]))
    return shown if len(paths) <= 5 else f"{shown} and {len(paths) - 5} more"
