"""What `environments.yaml` says of the data behind a managed gateway: its database and its Redis."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from agent_runtime.strict import StrictModel, broken_rule

# Amazon RDS: db.<family>.<size>; Aurora Serverless v2 has no class to choose. Graviton is the cheapest of each size.
InstanceClass = Annotated[str, StringConstraints(pattern=r"^db\.[a-z0-9-]{2,12}\.[a-z0-9]{2,12}$")]
NodeType = Annotated[str, StringConstraints(pattern=r"^cache\.[a-z0-9-]{2,12}\.[a-z0-9]{2,12}$")]

_OF_POSTGRES = ("instance_class", "storage_gib")
_OF_AURORA = ("min_acu", "max_acu")
_ACU_STEP = 0.5


class Database(StrictModel):
    """PostgreSQL for keys, budgets and spend."""

    engine: Literal["postgres", "aurora"] = Field(
        default="postgres", description="postgres is one RDS instance; aurora is Aurora Serverless v2."
    )
    instance_class: InstanceClass = Field(default="db.t4g.micro", description="Class of the instance; postgres only.")
    storage_gib: int = Field(default=20, ge=20, le=65_536, description="Storage that grows by itself; postgres only.")
    min_acu: float = Field(
        default=0.5, ge=0, le=256, description="Least capacity; 0 lets it pause when idle. aurora only."
    )
    max_acu: float = Field(default=2, ge=1, le=256, description="Most capacity; aurora only.")
    multi_az: bool | None = Field(
        default=None, description="Whether a second zone takes over. Default: true in production, else false."
    )
    backup_days: int = Field(default=7, ge=1, le=35, description="Days to which it can be put back.")

    @model_validator(mode="after")
    def _check_engine(self) -> Self:
        of_the_other = _OF_AURORA if self.engine == "postgres" else _OF_POSTGRES
        for name in of_the_other:
            if name in self.model_fields_set:
                other = "aurora" if self.engine == "postgres" else "postgres"
                raise broken_rule(
                    f"{name} belongs to engine: {other}, not to {self.engine}", f"remove {name}", at=(name,)
                )
        if self.max_acu < self.min_acu:
            raise broken_rule(
                f"is less than min_acu, {self.min_acu:g}", "raise max_acu, or lower min_acu", at=("max_acu",)
            )
        for name in _OF_AURORA:
            if getattr(self, name) % _ACU_STEP:
                raise broken_rule("is no multiple of 0.5, the step of Aurora's capacity", "round it", at=(name,))
        return self


class Redis(StrictModel):
    """Redis (Valkey) that several tasks share for limits, cooldowns and cache."""

    node_type: NodeType = Field(default="cache.t4g.micro", description="Type of the ElastiCache nodes.")
