"""environments.yaml: typed, strict, and with defaults that fit the environment's name."""

import json
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


@pytest.mark.parametrize(
    ("name", "profile", "size", "tasks", "entry", "redis", "simulates"),
    [
        ("local", "stateless", (512, 1024), (1, 1), "load_balancer", False, False),
        ("simulation", "stateless", (512, 1024), (1, 1), "service_discovery", False, True),
        ("staging", "managed", (512, 2048), (1, 1), "load_balancer", False, False),
        ("production", "managed", (1024, 2048), (2, 4), "load_balancer", True, False),
    ],
)
def test_the_gateways_defaults_follow_the_name(tmp_path, name, profile, size, tasks, entry, redis, simulates):
    gateway = one(tmp_path, "tags: {}", name).gateway

    assert (gateway.profile, gateway.is_managed) == (profile, profile == "managed")
    assert (gateway.cpu, gateway.memory_mib) == size
    assert (gateway.tasks, gateway.max_tasks) == tasks
    assert (gateway.entry, gateway.redis is not None, gateway.simulate_endpoints) == (entry, redis, simulates)
    assert (gateway.reachability, gateway.scales) == ("private", tasks[1] > tasks[0])
    assert gateway.database.multi_az is (True if name == "production" else False if name == "staging" else None)


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("cpu: 256", (256, 2048)),
        ("cpu: 4096", (4096, 8192)),
        ("memory_mib: 16384", (2048, 16384)),
        ("profile: stateless", (512, 1024)),
        ("profile: stateless, cpu: 256", (256, 1024)),
    ],
)
def test_half_of_a_size_brings_the_other_half(tmp_path, written, size):
    gateway = one(tmp_path, f"gateway: {{{written}}}").gateway
    assert (gateway.cpu, gateway.memory_mib) == size


def test_a_gateway_for_operators_gets_a_balancer_that_tells_them_from_agents(tmp_path):
    assert one(tmp_path, "gateway: {operator_cidrs: [10.8.0.0/16]}", "simulation").gateway.entry == "load_balancer"


def test_tasks_that_share_limits_get_a_cache(tmp_path):
    assert one(tmp_path, "gateway: {max_tasks: 2}").gateway.redis is not None
    assert one(tmp_path, "gateway: {tasks: 2, profile: stateless}").gateway.redis is None
    assert one(tmp_path, "gateway: {tasks: 2, profile: stateless, redis: {}}").gateway.redis is not None


CERTIFICATE = "certificate_arn: 'arn:aws:acm:eu-central-1:111111111111:certificate/12-ab'"


def test_a_public_gateway_has_a_name_and_a_certificate(tmp_path):
    gateway = one(tmp_path, f"gateway: {{reachability: public, hostname: llm.example.com, {CERTIFICATE}}}").gateway
    assert (gateway.reachability, gateway.hostname) == ("public", "llm.example.com")


@pytest.mark.parametrize(
    ("gateway", "part"),
    [
        (
            "reachability: public, hostname: a.example.com",
            "gateway.reachability: reachability: public needs certificate",
        ),
        (f"reachability: public, {CERTIFICATE}", "public needs hostname"),
        (f"hostname: a.example.com, {CERTIFICATE}", "gateway.hostname: hostname belongs to reachability: public"),
        ("hostname: https://a.example.com", "must match"),
        ("certificate_arn: arn:aws:iam::1:server-certificate/x", "must match"),
        ("tasks: 3, max_tasks: 2", "gateway.max_tasks: is less than the 3 tasks that always run"),
        ("operator_cidrs: [10.8.0.1/16]", "is not an IPv4 block"),
        ("operator_cidrs: [0.0.0.0/0]", "wider than /8"),
        ("operator_cidrs: [10.8.0.0/16, 10.8.0.0/16]", "names the same block twice"),
        ("entry: service_discovery", "the profile managed serves admin routes"),
        ("profile: stateless, entry: service_discovery, operator_cidrs: [10.8.0.0/16]", "tells operators from agents"),
        ("profile: stateless, database: {}", "gateway.database: the profile stateless has no database"),
        ("database: {engine: aurora, instance_class: db.t4g.micro}", "instance_class belongs to engine: postgres"),
        ("database: {engine: aurora, min_acu: 4}", "gateway.database.max_acu: is less than min_acu, 4"),
        ("database: {engine: mysql}", "allowed: postgres, aurora"),
        ("profile: stateful", "allowed: stateless, managed"),
        ("memory_mib: 100", "set memory_mib to one of 1024"),
    ],
)
def test_faults_of_a_gateway_name_their_place(tmp_path, gateway, part):
    assert part in refusal(tmp_path, f"gateway: {{{gateway}}}")


def test_minted_keys_are_replaced_after_so_many_days_where_there_are_any(tmp_path):
    assert one(tmp_path, "rotation: 30d").rotation_days == 30
    assert one(tmp_path, "tags: {}").rotation_days is None
    assert "rotation: must match" in refusal(tmp_path, "rotation: 30 days")
    # A stateless gateway has keys of its own.
    assert one(tmp_path, "rotation: 30d, gateway: {profile: stateless}").rotation_days == 30


def test_a_canary_has_defaults_and_limits_that_the_function_reads(tmp_path: Path) -> None:
    assert one(tmp_path, "tags: {}").canary is None
    default = one(tmp_path, "canary: {}").canary
    assert default is not None
    assert json.loads(default.encode()) == {
        "share": 0.1,
        "seconds": 1800,
        "limits": {
            "max_error_increase": 0.02,
            "max_fallback_increase": 0.1,
            "max_latency_ratio": 1.5,
            "max_cost_ratio": 1.5,
            "min_sessions": 20,
        },
    }
    written = one(tmp_path, "canary: {share: 50%, duration: 7d, max_error_increase: 0.5%, max_cost_ratio: 2}").canary
    assert written is not None
    told = json.loads(written.encode())
    assert (told["share"], told["seconds"]) == (0.5, 7 * 86_400)
    assert (told["limits"]["max_error_increase"], told["limits"]["max_cost_ratio"]) == (0.005, 2.0)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ("share: 0%", "canary.share"),
        ("share: 51%", "canary.share"),
        ("share: 0.1", "canary.share"),
        ("duration: 4m", "canary.duration"),
        ("duration: 8d", "canary.duration"),
        ("min_sessions: 4", "canary.min_sessions"),
        ("max_latency_ratio: 0.9", "canary.max_latency_ratio"),
        ("max_error_increase: 100%", "canary.max_error_increase"),
        ("shares: 10%", "canary.shares"),
    ],
)
def test_a_canary_that_cannot_be_is_refused_by_its_place(tmp_path: Path, wrong: str, field: str) -> None:
    assert field in refusal(tmp_path, f"canary: {{{wrong}}}")


def test_a_gateway_in_a_foreign_vpc_is_not_public(tmp_path):
    public = f"gateway: {{reachability: public, hostname: llm.example.com, {CERTIFICATE}}}"
    network = f"network: {{{EXISTING}, availability_zones: [eu-central-1b, eu-central-1c]}}"
    message = refusal(tmp_path, f"{public}, {network}")
    assert "gateway.reachability: reachability: public needs public subnets, and those of vpc-0abc0abc0" in message


def test_faults_of_two_gateways_are_told_together(tmp_path):
    text = f"environments: {{local: {{{ACCOUNT}, gateway: {{tasks: 2, max_tasks: 1}}}}, "
    text += f"staging: {{{ACCOUNT}, gateway: {{entry: service_discovery}}}}}}"
    with pytest.raises(InputError) as caught:
        load(tmp_path, text)
    assert len(caught.value.problems) == 2


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
        ("cloud: azure", "allowed: aws, local"),
        ("cloud: local, profile: staging", "profile: the local cloud takes no profile"),
        ("releases: newest", "allowed: working-tree, locked"),
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


def test_staging_and_production_deploy_what_was_promoted_and_the_others_the_working_tree(tmp_path):
    names = ("local", "simulation", "staging", "production")
    text = "".join(f"  {name}: {{{ACCOUNT}}}\n" for name in names)
    environments = load(tmp_path, f"environments:\n{text}")
    assert [environments[name].is_locked for name in names] == [False, False, True, True]
    assert not one(tmp_path, "releases: working-tree", "production").is_locked
    with pytest.raises(
        InputError, match=r"environments\.simulation\.releases: simulation is where a release comes from"
    ):
        one(tmp_path, "releases: locked", "simulation")


def test_any_environment_may_be_rehearsed_on_this_machine(tmp_path):
    assert one(tmp_path, "cloud: local", "production").is_emulated
    assert one(tmp_path, "tags: {}", "local").is_emulated
    assert not one(tmp_path, "tags: {}", "production").is_emulated


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
