"""The release bucket: the code artefacts that were promoted to an environment, each written once under its hash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.base import EnvironmentStack
from stacks.constructs.record_bucket import add_record_bucket
from stacks.names import release_bucket

if TYPE_CHECKING:
    import aws_cdk as cdk

    from stacks.environments import Environment


class ReleasesStack(EnvironmentStack):
    """The bucket.

    Args:
        scope: The environment's stage.
        construct_id: Id in the stage.
        environment: The environment.
    """

    def __init__(self, scope: cdk.Stage, construct_id: str, *, environment: Environment) -> None:
        super().__init__(scope, construct_id, environment=environment, description="releases", stateful=True)
        # By name: what was promoted is referred to by whoever knows the environment, and no export holds it.
        add_record_bucket(self, "Bucket", name=release_bucket(environment), written_once="artefacts/*")
