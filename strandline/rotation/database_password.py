"""The password of the managed gateway's database: RDS makes it, keeps it and rotates it; here it is asked to, now.

Nobody who serves has it: the gateway's tasks connect as a role of their own, with IAM tokens of fifteen minutes
("Password management with Amazon RDS and AWS Secrets Manager", Amazon RDS User Guide). Only a migration reads it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import EnvironmentFault, InputError
from strandline.aws_errors import told
from strandline.deployed_stacks import ids_by_kind, stack_resources

if TYPE_CHECKING:
    from collections.abc import Callable

    from strandline.rotation.rotate import Progress
    from strandline.targets import Target

_ACTIVE = "active"
_POLL_SECONDS = 5.0
_MOST_SECONDS = 1800.0
# An instance of a cluster has the cluster's password, so clusters come first.
_KINDS = {"AWS::RDS::DBCluster": ("db_cluster", "DBCluster"), "AWS::RDS::DBInstance": ("db_instance", "DBInstance")}
# RDS says `rotating` at once; a rotation that nobody saw at work has been done by then.
_LOOKS_BEFORE_DONE = 6


def rotate_database_password(target: Target, progress: Progress, *, sleep: Callable[[float], None] = time.sleep) -> str:
    """Has RDS give the database's administrator another password, and waits until it has.

    Args:
        target: The environment.
        progress: Told what is waited for.
        sleep: Waits between two looks.

    Returns:
        ARN of the secret that holds it.

    Raises:
        InputError: The environment has no database.
        EnvironmentFault: AWS refuses, or it takes too long.
    """
    rds = target.client("rds")
    with told("RDS", "RDS does not rotate the database's password"):
        kind, database = _find(target)
        operation, member = _KINDS[kind]
        named = {f"{member}Identifier": database}

        def look() -> dict[str, Any]:
            (described,) = getattr(rds, f"describe_{operation}s")(**named)[f"{member}s"]
            if not described.get("MasterUserSecret"):
                raise EnvironmentFault(f"The password of {database} is not RDS's to rotate: deploy again.")
            return dict(described["MasterUserSecret"])

        look()
        getattr(rds, f"modify_{operation}")(**named, RotateMasterUserPassword=True, ApplyImmediately=True)
        was_at_work = False
        for looks in range(int(_MOST_SECONDS / _POLL_SECONDS)):
            secret = look()
            is_active = secret["SecretStatus"] == _ACTIVE
            was_at_work = was_at_work or not is_active
            if is_active and (was_at_work or looks >= _LOOKS_BEFORE_DONE):
                return str(secret["SecretArn"])
            progress(f"database: {secret['SecretStatus']}")
            sleep(_POLL_SECONDS)
    raise EnvironmentFault(f"RDS has not rotated the password after {_MOST_SECONDS:.0f} s: look at {database} there.")


def _find(target: Target) -> tuple[str, str]:
    stack = target.stack_name("Data")
    found = ids_by_kind(stack_resources(target, stack))
    for kind in _KINDS:
        if kind in found:
            return kind, found[kind]
    raise InputError(f"{target.environment.name} has no database (stack {stack}).")
