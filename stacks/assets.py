"""Puts files that are already content-addressed into the cloud assembly, under their own hash.

`aws_s3_assets.Asset` would hash every file again and make a construct for each; a thousand agents feel that.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import aws_cdk as cdk

from stacks.names import partition

if TYPE_CHECKING:
    from stacks.base import EnvironmentStack
    from stacks.packaging import CodeArtefact


@dataclass(frozen=True, slots=True)
class S3Object:
    """Where the CDK CLI uploads a file before it deploys the stack.

    Attributes:
        bucket: Name of the bucket.
        key: Key of the object, its SHA-256 and its suffix, in a folder or not.
        partition: AWS partition of the bucket.
    """

    bucket: str
    key: str
    partition: str

    @property
    def uri(self) -> str:
        """The object as `s3://bucket/key`."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def arn(self) -> str:
        """The ARN of this one object."""
        return f"arn:{self.partition}:s3:::{self.bucket}/{self.key}"

    @property
    def folder_arn(self) -> str:
        """The ARN of all objects of its folder."""
        return f"{self.arn.rpartition('/')[0]}/*"


@dataclass(frozen=True, slots=True)
class AssetFolder:
    """Where a stage keeps its assets; asked of the stage once, because each question is a call into Node.

    Attributes:
        staging: Folder of the files.
        seen_from: The stage's own folder, whose manifest names them.
    """

    staging: Path
    seen_from: Path

    @classmethod
    def of(cls, stage: cdk.Stage) -> AssetFolder:
        """Finds the folder of a stage."""
        if stage not in _folders:
            _folders[stage] = cls(Path(stage.asset_outdir), Path(stage.outdir))
        return _folders[stage]


_folders: WeakKeyDictionary[cdk.Stage, AssetFolder] = WeakKeyDictionary()


def add_bytes(stack: EnvironmentStack, content: bytes, *, sha256: str, suffix: str, folder: str = "") -> S3Object:
    """Adds a small file to a stack's assets.

    Args:
        stack: The stack that needs the file.
        content: The file.
        sha256: Hash of the content.
        suffix: Suffix of the key, such as `.json`.
        folder: What the key begins with, such as `bundles/local_hello/`; nothing for what all share.

    Returns:
        Where the file will lie.
    """
    staged = stack.asset_folder.staging / f"asset.{sha256}{suffix}"
    if not staged.exists():
        staged.write_bytes(content)
    return _register(stack, staged, f"{folder}{sha256}")


def add_code_artefact(stack: EnvironmentStack, artefact: CodeArtefact) -> S3Object:
    """Adds the code artefact to a stack's assets; the assembly holds it once, however many stacks add it.

    Args:
        stack: The stack that needs the artefact.
        artefact: The built zip.

    Returns:
        Where the zip will lie.
    """
    staged = stack.asset_folder.staging / f"asset.{artefact.sha256}.zip"
    if not staged.exists():
        try:
            os.link(artefact.path, staged)
        except OSError:  # another file system
            shutil.copyfile(artefact.path, staged)
    return _register(stack, staged, artefact.sha256)


def _register(stack: EnvironmentStack, staged: Path, sha256: str) -> S3Object:
    location = stack.asset_registry.add_file_asset(
        source_hash=sha256,
        # The manifest is read from the stage's folder; a relative path keeps the assembly portable.
        file_name=os.path.relpath(staged, stack.asset_folder.seen_from),
        packaging=cdk.FileAssetPackaging.FILE,
    )
    return S3Object(location.bucket_name, location.object_key, partition(stack.target))
