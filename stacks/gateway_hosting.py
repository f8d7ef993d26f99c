"""How an environment hosts its gateway: the block `gateway` of `environments.yaml`, typed and strict.

    gateway: {profile: managed, tasks: 2, max_tasks: 4}

What is left out follows from the environment's name (`complete_hosting`). What the gateway serves is another file,
`blueprints/gateway.yaml`, and the same in all environments.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from agent_runtime.strict import Fault, Rules, StrictModel, broken_rule
from stacks.gateway_data import Database, Redis

if TYPE_CHECKING:
    from agent_runtime.blueprint import EnvironmentName

Profile = Literal["stateless", "managed"]
Reachability = Literal["private", "public"]
Entry = Literal["load_balancer", "service_discovery"]

# CPU units to the MiB that Fargate offers with them (Amazon ECS, "Task CPU and memory").
_FARGATE_MEMORY: dict[int, tuple[int, ...]] = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4096 + 1, 1024)),
    1024: tuple(range(2048, 8192 + 1, 1024)),
    2048: tuple(range(4096, 16384 + 1, 1024)),
    4096: tuple(range(8192, 30720 + 1, 1024)),
}
# The security group of the balancer has a rule for each, and a group takes 60.
_MOST_OPERATOR_CIDRS = 20
_WIDEST_OPERATOR_BLOCK = 8


def _check_operator_cidr(cidr: str) -> str:
    try:
        block = ipaddress.IPv4Network(cidr)
    except ValueError:
        raise broken_rule("is not an IPv4 block", "write the first address and its size, such as 10.8.0.0/16") from None
    if block.prefixlen < _WIDEST_OPERATOR_BLOCK:
        raise broken_rule("is wider than /8: it is nobody's own network", "write the blocks of the operators' network")
    return cidr


def _distinct(items: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(items)) != len(items):
        raise broken_rule("names the same block twice", "name each once")
    return items


OperatorCidr = Annotated[str, AfterValidator(_check_operator_cidr)]
OperatorCidrs = Annotated[
    tuple[OperatorCidr, ...], Field(strict=False, max_length=_MOST_OPERATOR_CIDRS), AfterValidator(_distinct)
]
CertificateArn = Annotated[
    str, StringConstraints(pattern=r"^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[A-Za-z0-9-]{1,64}$")
]
TopicArn = Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$")]
Hostname = Annotated[
    str,
    StringConstraints(
        pattern=r"^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])$", max_length=253
    ),
]


class GatewayHosting(StrictModel):
    """The LiteLLM proxy in one environment: what it runs on and who reaches it."""

    profile: Profile | None = Field(
        default=None,
        description="stateless has no database: routing, fallbacks, cost headers. managed adds virtual keys, budgets "
        "and spend. Default: managed in staging and production, else stateless.",
    )
    cpu: Literal[256, 512, 1024, 2048, 4096] | None = Field(
        default=None,
        description="CPU units of a task; 1024 is one vCPU. Default: 1024 in production, else 512.",
    )
    memory_mib: int | None = Field(
        default=None,
        description="Memory of a task in MiB, in a pair that Fargate offers. Default: 2048, for stateless 1024.",
    )
    tasks: int | None = Field(
        default=None, ge=1, le=100, description="Tasks that run at all times. Default: 2 in production, else 1."
    )
    max_tasks: int | None = Field(
        default=None,
        ge=1,
        le=100,
        description="Tasks under load. Default: twice the tasks where there are two or more, else one: no scaling.",
    )
    spot: bool | None = Field(
        default=None,
        description="Whether tasks run on Fargate's spare capacity, at about a third of the price; AWS ends them with "
        "two minutes' notice. Default: in simulation.",
    )
    entry: Entry | None = Field(
        default=None,
        description="What agents find the tasks by: load_balancer (allow-list of paths, scaling on requests) or "
        "service_discovery (a DNS name, the cheapest; stateless only). Default: service_discovery in simulation.",
    )
    reachability: Reachability = Field(
        default="private",
        description="private: from inside the VPC only. public: by TLS from anywhere too, behind a web firewall.",
    )
    certificate_arn: CertificateArn | None = Field(
        default=None, description="ACM certificate for the hostname, in the environment's region; with public only."
    )
    hostname: Hostname | None = Field(
        default=None,
        description="Name that clients outside use; let its DNS record point at the stack's output PublicBalancer.",
        examples=["gateway.example.com"],
    )
    operator_cidrs: OperatorCidrs = Field(
        default=(), description="Blocks of the operators' network; from there alone admin routes and the UI answer."
    )
    alarm_topic_arn: TopicArn | None = Field(
        default=None, description="SNS topic that alarms tell; without it they only show in CloudWatch."
    )
    database: Database = Field(default=Database(), description="The PostgreSQL of the profile managed.")
    redis: Redis | None = Field(
        default=None, description="A cache for all tasks. Default: one with managed and more than one task."
    )
    simulate_endpoints: bool | None = Field(
        default=None,
        description="Whether agents with somebody else's base_url ask the simulator too. Default: in simulation only.",
    )


def _check_size(hosting: CompleteHosting) -> Iterator[Fault]:
    offered = _FARGATE_MEMORY[hosting.cpu]
    if hosting.memory_mib not in offered:
        yield Fault(
            f"Fargate has no task of {hosting.cpu} CPU units with {hosting.memory_mib} MiB",
            f"with cpu {hosting.cpu}, set memory_mib to one of {', '.join(map(str, offered))}",
            ("memory_mib",),
        )


def _check_public(hosting: CompleteHosting) -> Iterator[Fault]:
    names: tuple[Literal["certificate_arn", "hostname"], ...] = ("certificate_arn", "hostname")
    for name in names:
        written = getattr(hosting, name) is not None
        if hosting.reachability == "public" and not written:
            yield Fault(
                f"reachability: public needs {name}: the gateway answers over TLS by its name",
                "add certificate_arn: arn:aws:acm:...:certificate/... and hostname: gateway.example.com",
                ("reachability",),
            )
        if hosting.reachability == "private" and written:
            yield Fault(f"{name} belongs to reachability: public", f"remove {name}", (name,))


def _check_tasks(hosting: CompleteHosting) -> Iterator[Fault]:
    if hosting.max_tasks < hosting.tasks:
        yield Fault(
            f"is less than the {hosting.tasks} tasks that always run",
            f"raise max_tasks to {hosting.tasks} or more, or lower tasks",
            ("max_tasks",),
        )


def _check_entry(hosting: CompleteHosting) -> Iterator[Fault]:
    if hosting.entry == "service_discovery" and hosting.profile == "managed":
        yield Fault(
            "the profile managed serves admin routes, and only a load balancer keeps agents from them",
            "write entry: load_balancer, or profile: stateless",
            ("entry",),
        )


def _check_operators(hosting: CompleteHosting) -> Iterator[Fault]:
    if hosting.entry == "service_discovery" and hosting.reachability == "private" and hosting.operator_cidrs:
        yield Fault(
            "with entry: service_discovery nothing tells operators from agents",
            "write entry: load_balancer, or remove operator_cidrs",
            ("operator_cidrs",),
        )


def _check_database(hosting: CompleteHosting) -> Iterator[Fault]:
    if hosting.profile == "stateless" and "database" in hosting.model_fields_set:
        yield Fault(
            "the profile stateless has no database", "remove database, or write profile: managed", ("database",)
        )


class CompleteHosting(GatewayHosting):
    """The hosting of one environment with every default filled in."""

    RULES: ClassVar[Rules] = (
        _check_size,
        _check_public,
        _check_tasks,
        _check_entry,
        _check_operators,
        _check_database,
    )

    profile: Profile
    cpu: Literal[256, 512, 1024, 2048, 4096]
    memory_mib: int
    tasks: int
    max_tasks: int
    spot: bool
    entry: Entry
    simulate_endpoints: bool

    @property
    def is_managed(self) -> bool:
        """Whether the gateway has a database."""
        return self.profile == "managed"

    @property
    def scales(self) -> bool:
        """Whether there are more tasks under load."""
        return self.max_tasks > self.tasks


def complete_hosting(environment: EnvironmentName, written: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in what follows from the environment's name, and from what is written.

    Args:
        environment: Name of the environment.
        written: What the file says of its gateway.

    Returns:
        What a `CompleteHosting` is made of; the values may still break its rules.
    """
    production = environment == "production"
    profile = written.get("profile") or ("managed" if environment in ("staging", "production") else "stateless")
    cpu, memory = _size(written.get("cpu"), written.get("memory_mib"), large=production, managed=profile == "managed")
    tasks = written.get("tasks") or (2 if production else 1)
    cheapest = environment == "simulation" and profile == "stateless" and not written.get("operator_cidrs")
    defaults: dict[str, Any] = {
        "profile": profile,
        "cpu": cpu,
        "memory_mib": memory,
        "tasks": tasks,
        "max_tasks": 1 if tasks == 1 else min(2 * tasks, 100),
        "spot": environment == "simulation",
        "entry": "service_discovery" if cheapest else "load_balancer",
        "simulate_endpoints": environment == "simulation",
    }
    completed = {**defaults, **written}
    if profile == "managed":
        completed["database"] = {"multi_az": production, **written.get("database", {})}
        if completed["max_tasks"] > 1:
            completed.setdefault("redis", {})
    return completed


def faults_of_hosting(environment: EnvironmentName, hosting: GatewayHosting) -> Iterator[Fault]:
    """Find what is wrong with a hosting once its defaults are filled in.

    Args:
        environment: Name of the environment.
        hosting: What the file says.

    Yields:
        The faults, with their paths from the block `gateway`.
    """
    try:
        CompleteHosting.model_validate(
            complete_hosting(environment, hosting.model_dump(exclude_unset=True, exclude_none=True))
        )
    except ValidationError as error:
        for details in error.errors():
            for fault in details["ctx"]["faults"]:
                yield replace(fault, at=(*details["loc"], *fault.at))


def _size(cpu: int | None, memory: int | None, *, large: bool, managed: bool) -> tuple[int, int]:
    """A pair that Fargate offers: what is written, and the smallest that fits beside it."""
    usual = 2048 if managed or large else 1024
    if cpu is None:
        least = 1024 if large else 512
        cpu = least if memory is None else max(least, _smallest_cpu_with(memory))
    if memory is None:
        memory = next((size for size in _FARGATE_MEMORY[cpu] if size >= usual), _FARGATE_MEMORY[cpu][-1])
    return cpu, memory


def _smallest_cpu_with(memory: int) -> int:
    """The fewest CPU units that Fargate offers with an amount of memory; 0 where it offers none."""
    return next((cpu for cpu, offered in _FARGATE_MEMORY.items() if memory in offered), 0)
