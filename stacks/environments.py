"""Where agents are deployed: `environments.yaml`, typed and strict.

    environments:
      production:
        account: "111111111111"
        region: us-east-1

Four environments are known: local, simulation, staging and production. Everything but account and region has a default
that fits the environment's name. Differences between environments are fields here, and never a comparison with a name
in a stack.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from agent_runtime.blueprint import EnvironmentName, ExecutionMode
from agent_runtime.rules import VariableName, VariableValue
from agent_runtime.strict import Fault, Rules, StrictModel, broken_rule
from agent_runtime.validation import validate
from agent_runtime.yaml_reader import read_yaml
from stacks.canary import Canary
from stacks.gateway_hosting import CompleteHosting, GatewayHosting, complete_hosting, faults_of_hosting

RemovalPolicy = Literal["retain", "destroy"]
Cloud = Literal["aws", "local"]
ReleaseSource = Literal["working-tree", "locked"]
# What CloudWatch Logs accepts in PutRetentionPolicy.
LogRetentionDays = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]
OWN_VPC = "own"
EMULATED_ACCOUNT = "000000000000"
_LOCKED = ("staging", "production")

_TAG = re.compile(r"[\w .:/=+@-]*")  # Tag Editor: letters, digits and spaces of any language, and _ . : / = + - @
_BLOCK_SIZES = range(16, 25)  # a VPC is /16 to /28; below /24 the subnets of two zones have no room for endpoints


def _check_cidr(cidr: str) -> str:
    try:
        block = ipaddress.IPv4Network(cidr)
    except ValueError:
        raise broken_rule("is not an IPv4 block", "write the first address and its size, such as 10.0.0.0/16") from None
    if block.prefixlen not in _BLOCK_SIZES or not block.is_private:
        raise broken_rule("is not a private block of size /16 to /24", "write one such as 10.0.0.0/16")
    return cidr


def _check_tag(text: str) -> str:
    if not _TAG.fullmatch(text) or text.lower().startswith("aws:"):
        raise broken_rule(
            "is not a valid tag", "use letters, digits, spaces and _ . : / = + - @, not starting with aws:"
        )
    return text


def _distinct(items: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(items)) != len(items):
        raise broken_rule("names the same thing twice", "name each once")
    return items


Account = Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
Region = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$")]
AvailabilityZone = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}[a-z]$")]
AvailabilityZones = Annotated[
    tuple[AvailabilityZone, ...], Field(strict=False, max_length=6), AfterValidator(_distinct)
]
SubnetId = Annotated[str, StringConstraints(pattern=r"^subnet-[0-9a-f]{8,17}$")]
SubnetIds = Annotated[tuple[SubnetId, ...], Field(strict=False, max_length=6), AfterValidator(_distinct)]
PolicyReference = Annotated[
    str, StringConstraints(pattern=r"^(arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/)?[A-Za-z0-9_+=,.@/-]{1,512}$")
]
KeyArn = Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]{1,128}$")]
ProfileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.@/+-]{1,128}$")]
# "RotationRules", AWS Secrets Manager: whole days.
RotationPeriod = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,2}d$")]
TagKey = Annotated[str, StringConstraints(min_length=1, max_length=128), AfterValidator(_check_tag)]
TagValue = Annotated[str, StringConstraints(max_length=256), AfterValidator(_check_tag)]


class Network(StrictModel):
    """The VPC of the gateway and of agents in network mode PRIVATE: one of our own, or one that exists."""

    vpc: Annotated[str, StringConstraints(pattern=r"^(own|vpc-[0-9a-f]{8,17})$")] = Field(
        default=OWN_VPC, description="own creates a VPC; the id of an existing one (vpc-...) uses that."
    )
    cidr: Annotated[str, AfterValidator(_check_cidr)] = Field(
        default="10.0.0.0/16", description="Addresses of our own VPC, /16 to /24."
    )
    # An internal load balancer wants subnets in two zones.
    max_azs: int = Field(default=2, ge=2, le=3, description="Zones that our own VPC spans.")
    nat_gateways: int | None = Field(
        default=None,
        ge=0,
        le=3,
        description="NAT gateways of our own VPC. Default: one if an agent inside the VPC calls the internet itself, "
        "else none; the gateway's tasks then have addresses of their own.",
    )
    subnets: SubnetIds = Field(default=(), description="Private subnets of the existing VPC, one for each zone.")
    availability_zones: AvailabilityZones = Field(
        default=(),
        description="Zones, in the order of the subnets. Required with an existing VPC: synth asks AWS nothing.",
    )

    @model_validator(mode="after")
    def _check_one_kind(self) -> Self:
        foreign = ("subnets",) if self.is_own else ("cidr", "max_azs", "nat_gateways")
        for name in foreign:
            if name in self.model_fields_set:
                kind = "an existing VPC" if self.is_own else "a VPC of our own"
                raise broken_rule(f"{name} belongs to {kind}, not to vpc: {self.vpc}", f"remove {name}", at=(name,))
        if self.is_own:
            self._check_own()
        else:
            self._check_existing()
        return self

    def _check_own(self) -> None:
        if self.availability_zones and len(self.availability_zones) != self.max_azs:
            raise broken_rule(
                f"names {len(self.availability_zones)} zones, max_azs is {self.max_azs}",
                "name as many zones as max_azs, or leave them out",
                at=("availability_zones",),
            )
        if (self.nat_gateways or 0) > self.max_azs:
            raise broken_rule(
                f"is more than one for each of the {self.max_azs} zones", "lower nat_gateways", at=("nat_gateways",)
            )

    def _check_existing(self) -> None:
        if len(self.subnets) < 2:  # noqa: PLR2004 - an internal load balancer wants subnets in two zones
            raise broken_rule(
                "an existing VPC needs subnets in two zones or more", "add subnets: [subnet-..., subnet-...]"
            )
        if len(self.availability_zones) != len(self.subnets):
            raise broken_rule(
                f"an existing VPC needs one availability zone for each of its {len(self.subnets)} subnets",
                "add availability_zones in the order of subnets; synth makes no look-up in AWS",
            )

    @property
    def is_own(self) -> bool:
        """Whether Strandline creates the VPC."""
        return self.vpc == OWN_VPC


def _check_public_subnets(settings: EnvironmentSettings) -> Iterator[Fault]:
    if settings.gateway.reachability == "public" and not settings.network.is_own:
        yield Fault(
            f"reachability: public needs public subnets, and those of {settings.network.vpc} are not known",
            "write reachability: private, or leave the VPC to us (vpc: own)",
            ("gateway", "reachability"),
        )


def _check_profile(settings: EnvironmentSettings) -> Iterator[Fault]:
    if settings.profile and settings.cloud == "local":
        yield Fault("the local cloud takes no profile", "remove profile", ("profile",))


class EnvironmentSettings(StrictModel):
    """What `environments.yaml` says of one environment."""

    RULES: ClassVar[Rules] = (_check_public_subnets, _check_profile)

    account: Account = Field(description="AWS account: 12 digits in quotes.", examples=["111111111111"])
    region: Region = Field(description="AWS region, such as us-east-1.", examples=["us-east-1"])
    cloud: Cloud | None = Field(
        default=None,
        description="local: its AWS is the one on this machine, to rehearse releases. Default: aws; local for local.",
    )
    profile: ProfileName | None = Field(
        default=None,
        description="Profile of the AWS CLI with the account's credentials. Default: the credentials at hand.",
    )
    releases: ReleaseSource | None = Field(
        default=None,
        description="What is deployed: the working tree, or what releases/<environment>.yaml names. "
        "Default: locked in staging and production, else working-tree.",
    )
    execution_mode: ExecutionMode | None = Field(
        default=None, description="How agents run there. Default: the environment's name; simulation for local."
    )
    network: Network = Field(default=Network(), description="The VPC.")
    gateway: GatewayHosting = Field(default=GatewayHosting(), description="What the LiteLLM proxy runs on.")
    removal_policy: RemovalPolicy | None = Field(
        default=None,
        description="What happens to data on destroy. Default: retain in staging and production, else destroy.",
    )
    tags: Mapping[TagKey, TagValue] = Field(default_factory=dict, max_length=45, description="Tags on every resource.")
    permissions_boundary: PolicyReference | None = Field(
        default=None, description="Name or ARN of the managed policy that bounds every role."
    )
    kms_key_arn: KeyArn | None = Field(default=None, description="Key for secrets and logs; default: AWS's own keys.")
    log_retention_days: LogRetentionDays = Field(default=30, description="Days that logs are kept.")
    rotation: RotationPeriod | None = Field(
        default=None,
        description="How often every key that nobody types is replaced, in days, such as 30d: the gateway's own, "
        "and those that it mints for agents.",
        examples=["30d"],
    )
    canary: Canary | None = Field(
        default=None,
        description="A new version first takes a share of new sessions. Default: it takes all once its checks passed.",
    )
    secret_age: RotationPeriod | Literal["never"] | None = Field(
        default=None,
        description="The age, in days, at which a secret whose value people set is an alarm, such as 90d; never: none. "
        "Default: 90d in staging and production, else never.",
        examples=["90d"],
    )
    variables: Mapping[VariableName, VariableValue] = Field(
        default_factory=dict, max_length=40, description="Values for blueprints of this environment; never secrets."
    )


class Environment(EnvironmentSettings):
    """One environment with every default filled in."""

    name: EnvironmentName = Field(description="Name of the environment, and prefix of what is made for it.")
    cloud: Cloud = Field(description="Whose AWS it is.")
    releases: ReleaseSource = Field(description="What is deployed.")
    execution_mode: ExecutionMode = Field(description="How agents run there.")
    gateway: CompleteHosting = Field(description="What the LiteLLM proxy runs on.")
    removal_policy: RemovalPolicy = Field(description="What happens to data when a stack is destroyed.")
    secret_age: RotationPeriod | Literal["never"] = Field(description="The age at which a secret is an alarm.")

    @property
    def stage_id(self) -> str:
        """Id of the environment's CDK stage, as in `cdk deploy 'Production/*'`."""
        return self.name.capitalize()

    @property
    def is_emulated(self) -> bool:
        """Whether its AWS runs on this machine."""
        return self.cloud == "local"

    @property
    def is_locked(self) -> bool:
        """Whether it deploys what its release lock names, and nothing else."""
        return self.releases == "locked"

    @property
    def retains(self) -> bool:
        """Whether data outlives its stack."""
        return self.removal_policy == "retain"

    @property
    def rotation_days(self) -> int | None:
        """Days after which minted keys are replaced; nothing where nobody asked for it."""
        return _days(self.rotation)

    @property
    def secret_age_days(self) -> int | None:
        """Days after which a value that people set is an alarm; nothing where it never is."""
        return None if self.secret_age == "never" else _days(self.secret_age)  # noqa: S105 - a duration

    @property
    def availability_zones(self) -> tuple[str, ...]:
        """Zones of the VPC, known without asking AWS: those of the file, or the region's first by letter."""
        letters = "abc"[: self.network.max_azs]
        return self.network.availability_zones or tuple(self.region + letter for letter in letters)


def _days(period: str | None) -> int | None:
    return int(period.removesuffix("d")) if period else None


def _check_hosting(file: EnvironmentsFile) -> Iterator[Fault]:
    for name, settings in file.environments.items():
        for fault in faults_of_hosting(name, settings.gateway):
            yield replace(fault, at=("environments", name, "gateway", *fault.at))


def _check_releases(file: EnvironmentsFile) -> Iterator[Fault]:
    for name, settings in file.environments.items():
        if name not in _LOCKED and settings.releases == "locked":
            yield Fault(
                f"{name} is where a release comes from, and deploys the working tree",
                "remove releases",
                ("environments", name, "releases"),
            )


class EnvironmentsFile(StrictModel):
    """The whole of `environments.yaml`."""

    RULES: ClassVar[Rules] = (_check_hosting, _check_releases)

    environments: Mapping[EnvironmentName, EnvironmentSettings] = Field(
        min_length=1, description="Environments by name: local, simulation, staging, production."
    )


def complete(name: EnvironmentName, settings: EnvironmentSettings) -> Environment:
    """Fill in the defaults that follow from an environment's name."""
    on_this_machine = name == "local" or settings.account == EMULATED_ACCOUNT
    defaults: dict[str, Any] = {
        "cloud": "local" if on_this_machine else "aws",
        "releases": "locked" if name in _LOCKED else "working-tree",
        "execution_mode": "simulation" if name == "local" else name,
        "removal_policy": "retain" if name in _LOCKED else "destroy",
        "secret_age": "90d" if name in _LOCKED else "never",
    }
    written = settings.model_dump(exclude_unset=True, exclude_none=True)
    hosting = complete_hosting(name, written.pop("gateway", {}))
    return Environment.model_validate({**defaults, **written, "gateway": hosting, "name": name})


def load_environments(path: Path) -> dict[str, Environment]:
    """Read `environments.yaml`.

    Args:
        path: The file.

    Returns:
        Environments by name, in the order of the file.

    Raises:
        InputError: The file cannot be read or breaks the schema; carries every problem.
    """
    file = validate(EnvironmentsFile, read_yaml(path))
    return {name: complete(name, settings) for name, settings in file.environments.items()}
