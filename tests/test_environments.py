"""environments.yaml: typed, strict, and with defaults that fit the environment's name."""

from pathlib import Path

import pytest

from agent_runtime.errors import InputError
from stacks.environments import load_environments

REPOSITORY = Path(__file__).parents[1]
ACCOUNT = 'account: "111111111111", region: eu-central-1'
EXISTING = "vpc: vpc-0abc0abc0, subnets: [subnet-0abc0abc0, subnet-0abc0abc1]"


def load(tmp_path: Path, text: str):
    path = tmp_path / "environments.yaml"
    path.write_text(text)
    return load_environments(path)


def one(tmp_path: Path, settings: str, name: str = "staging"):
    return load(tmp_path, f"environments: {{{name}: {{{ACCOUNT}, {settings}}}}}")[name]


def refusal(tmp_path: Path, settings: str) -> str:
    with pytest.raises(InputError) as caught:
        one(tmp_path, settings)
    return str(caught.value)


def test_the_sample_of_the_repository_loads():
    environments = load_environments(REPOSITORY / "environments.yaml")
    assert list(environments) == ["local", "simulation", "staging", "production"]
    assert environments["local"].account == "000000000000"


@pytest.mark.parametrize(
    ("name", "mode", "policy", "stage"),
    [
        ("local", "simulation", "destroy", "Local"),
        ("simulation", "simulation", "destroy", "Simulation"),
        ("staging", "staging", "retain", "Staging"),
        ("production", "production", "retain", "Production"),
    ],
)
def test_defaults_follow_the_name(tmp_path, name, mode, policy, stage):
    environment = one(tmp_path, "tags: {}", name)
    assert (environment.name, environment.stage_id) == (name, stage)
    assert (environment.execution_mode, environment.removal_policy) == (mode, policy)
    assert environment.retains == (policy == "retain")
    assert environment.network.is_own
    assert environment.availability_zones == ("eu-central-1a", "eu-central-1b")


def test_what_is_written_wins_over_the_defaults(tmp_path):
    environment = one(tmp_path, "execution_mode: staging, removal_policy: retain", "local")
    assert (environment.execution_mode, environment.removal_policy) == ("staging", "retain")


def test_everything_can_be_written(tmp_path):
    environment = one(
        tmp_path,
        "network: {vpc: own, cidr: 10.1.0.0/20, max_azs: 3, nat_gateways: 0, "
        "availability_zones: [eu-central-1a, eu-central-1b, eu-central-1c]}, "
        "gateway: {cpu: 4096, memory_mib: 30720, tasks: 4}, tags: {team: a b, 'cost:centre': '7'}, "
        "permissions_boundary: arn:aws:iam::111111111111:policy/path/Boundary, log_retention_days: 365, "
        "kms_key_arn: 'arn:aws:kms:eu-central-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab', "
        "variables: {MODEL: gpt}",
    )
    assert environment.gateway.tasks == 4
    assert environment.tags == {"team": "a b", "cost:centre": "7"}
    assert environment.availability_zones[-1] == "eu-central-1c"


def test_an_existing_vpc_brings_its_zones(tmp_path):
    network = f"network: {{{EXISTING}, availability_zones: [eu-central-1b, eu-central-1c]}}"
    environment = one(tmp_path, network)
    assert not environment.network.is_own
    assert environment.availability_zones == ("eu-central-1b", "eu-central-1c")


def test_two_environments_may_share_account_and_region(tmp_path):
    text = f"environments:\n  staging: &x {{{ACCOUNT}}}\n  production: *x\n"
    assert len(load(tmp_path, text)) == 2


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ("network: {vpc: own, subnets: [subnet-0abc0abc0]}", "subnets belongs to an existing VPC"),
        (f"network: {{{EXISTING}, cidr: 10.0.0.0/16}}", "cidr belongs to a VPC of our own"),
        (f"network: {{{EXISTING}}}", "one availability zone for each of its 2 subnets"),
        ("network: {vpc: vpc-0abc0abc0}", "subnets in two zones"),
        ("network: {vpc: default}", "must match"),
        ("network: {cidr: 10.0.0.1/16}", "is not an IPv4 block"),
        ("network: {cidr: 8.0.0.0/16}", "not a private block"),
        ("network: {cidr: 10.0.0.0/28}", "size /16 to /24"),
        ("network: {nat_gateways: 3}", "each of the 2 zones"),
        ("network: {availability_zones: [eu-central-1a]}", "names 1 zones, max_azs is 2"),
        ("network: {availability_zones: [eu-central-1a, eu-central-1a]}", "twice"),
        ("gateway: {cpu: 256, memory_mib: 4096}", "set memory_mib to one of 512, 1024, 2048"),
        ("gateway: {cpu: 300}", "allowed: 256, 512, 1024, 2048, 4096"),
        ("gateway: {tasks: 0}", "must be at least 1"),
        ("execution_mode: live", "allowed: simulation, staging, production"),
        ("removal_policy: retains", "did you mean retain?"),
        ("log_retention_days: 31", "allowed: 1, 3, 5, 7"),
        ("tags: {'aws:x': y}", "not a valid tag"),
        ("permissions_boundary: 'arn:aws:iam::1:policy/x'", "must match"),
        ("kms_key_arn: alias/x", "must match"),
        ("variables: {model: gpt}", "not the name of an environment variable"),
        ("name: staging", "unknown key 'name'"),
        ("acount: x", "did you mean account?"),
    ],
)
def test_faults_say_what_is_allowed(tmp_path, settings, part):
    assert part in refusal(tmp_path, settings)


def test_an_account_without_quotes_is_told_to_get_them(tmp_path):
    with pytest.raises(InputError) as caught:
        load(tmp_path, "environments:\n  staging: {account: 012345678901, region: us-east-1}\n")
    (problem,) = caught.value.problems
    assert str(problem).endswith(
        """:2:22: environments.staging.account: wants a text, found a number: '012345678901' """
        """(put it in quotes: "012345678901")"""
    )


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("environments: {}\n", "must not be empty"),
        ("environments: {prod: {}}\n", "unknown key 'prod'"),
        ("environments: {stagin: {}}\n", "did you mean staging?"),
        ("environments: {staging: {region: us-east-1}}\n", 'add account: "111111111111"'),
        ("staging: {}\n", "environments is missing"),
        ("environments: {staging: {}}\nenvironments: {}\n", "stands twice"),
    ],
)
def test_the_file_as_a_whole_is_checked(tmp_path, text, part):
    with pytest.raises(InputError) as caught:
        load(tmp_path, text)
    assert part in str(caught.value)
