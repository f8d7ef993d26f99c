"""What an environment costs: every resource is priced or free, and the published figures are those of the templates."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from benchmarks.cost import PAGE, merge, price_assembly, verdicts, write_project
from benchmarks.cost_page import PROFILES, write_page
from benchmarks.table import RESULTS
from strandline.pricing import Bill, Prices, UnknownCost
from tests.stacks.projects import synthesise

HOURS = 730


@pytest.fixture(scope="module")
def prices():
    return Prices.load()


@pytest.fixture(scope="module")
def rows(tmp_path_factory, prices):
    """What the templates of today cost."""
    found = []
    for profile in PROFILES:
        root = tmp_path_factory.mktemp(profile)
        write_project(profile, root)
        found += price_assembly(synthesise(root, root / "out").folder, profile, prices)
    return merge(found)


def test_the_results_are_those_of_the_templates(rows):
    published = json.loads((RESULTS / "cost.json").read_text())

    assert published["rows"] == rows, "the stacks have changed: make bench-cost"


def test_the_page_is_that_of_the_templates(rows, prices):
    assert PAGE.read_text() == write_page(rows, prices), "the stacks or the prices have changed: make bench-cost"


def test_every_target_is_kept(rows):
    assert [told for told in verdicts(rows) if "MISSED" in told] == []


def bill(prices, **resources):
    parts = Counter()
    whole = Bill({("Stage/Stack", name): resource for name, resource in resources.items()}, prices)
    for part, usd in whole.charges():
        parts[part] += usd
    return {part: round(usd, 4) for part, usd in parts.items()}


def of(kind, **properties):
    return {"Type": f"AWS::{kind}", "Properties": properties}


def service(tasks, address="DISABLED", **more):
    network = {"AwsvpcConfiguration": {"AssignPublicIp": address}}
    return of("ECS::Service", DesiredCount=tasks, TaskDefinition={"Ref": "Task"}, NetworkConfiguration=network, **more)


def task(architecture):
    containers = [{"HealthCheck": {"Interval": 15}}]
    platform = {"CpuArchitecture": architecture}
    return of(
        "ECS::TaskDefinition", Cpu="512", Memory="1024", RuntimePlatform=platform, ContainerDefinitions=containers
    )


TASK = task("ARM64")


def test_tasks_are_billed_by_size_and_number(prices):
    # 0.5 vCPU and 1 GB on Graviton: 14.4 USD a month, by the facts that the targets were set on.
    found = bill(prices, Task=TASK, Service=service(2))

    assert found["tasks"] == pytest.approx(2 * 14.4176, abs=1e-3)
    assert "public addresses" not in found
    assert bill(prices, Task=TASK, Service=service(2, "ENABLED"))["public addresses"] == pytest.approx(2 * 3.65)


def test_spare_capacity_is_billed_at_its_share(prices):
    spot = [{"CapacityProvider": "FARGATE_SPOT", "Weight": 1}]

    assert bill(prices, Task=TASK, Service=service(1, CapacityProviderStrategy=spot))["tasks"] == pytest.approx(
        14.4176 / 2, abs=1e-3
    )
    mixed = [*spot, {"CapacityProvider": "FARGATE", "Base": 1}]
    with pytest.raises(UnknownCost, match="FARGATE_SPOT and FARGATE"):
        bill(prices, Task=TASK, Service=service(1, CapacityProviderStrategy=mixed))


def test_health_checks_are_billed_as_lines_of_the_log(prices):
    group = of("ElasticLoadBalancingV2::TargetGroup", HealthCheckIntervalSeconds=10)

    found = bill(prices, Task=TASK, Service=service(1), Group=group)

    # 4 a minute of the container and 6 of each of two zones, 200 bytes each, half a dollar for a gigabyte.
    assert found["logs"] == pytest.approx(16 * 60 * HOURS * 200 / 1e9 * 0.5, abs=1e-4)


def test_a_standby_is_billed_with_its_disk(prices):
    one = {"DBInstanceClass": "db.t4g.micro", "Engine": "postgres", "AllocatedStorage": "20"}

    single = bill(prices, Db=of("RDS::DBInstance", **one))
    double = bill(prices, Db=of("RDS::DBInstance", MultiAZ=True, ManageMasterUserPassword=True, **one))

    assert single == {"database": pytest.approx(11.68 + 2.30)}
    assert double == {"database": pytest.approx(2 * (11.68 + 2.30)), "secrets": pytest.approx(0.4)}


def test_aurora_is_billed_by_its_least_capacity_for_each_instance(prices):
    cluster = of("RDS::DBCluster", ServerlessV2ScalingConfiguration={"MinCapacity": 0.5, "MaxCapacity": 2})
    instance = of("RDS::DBInstance", DBInstanceClass="db.serverless", DBClusterIdentifier={"Ref": "Cluster"})

    found = bill(prices, Cluster=cluster, One=instance, Two=instance)

    assert found == {"database": pytest.approx(2 * 0.5 * 0.12 * HOURS + 0.10)}


def test_endpoints_are_billed_by_zone_and_those_of_gateways_not(prices):
    interface = of("EC2::VPCEndpoint", VpcEndpointType="Interface", SubnetIds=["a", "b"])

    assert bill(prices, A=interface, B=of("EC2::VPCEndpoint", VpcEndpointType="Gateway")) == {
        "interface endpoints": pytest.approx(2 * 0.01 * HOURS)
    }


def test_what_watches_is_billed_too(prices):
    found = bill(
        prices,
        Cluster=of("ECS::Cluster", ClusterSettings=[{"Name": "containerInsights", "Value": "enabled"}]),
        Quiet=of("ECS::Cluster", ClusterSettings=[{"Name": "containerInsights", "Value": "disabled"}]),
        Alarm=of("CloudWatch::Alarm", MetricName="m"),
        Rate=of("CloudWatch::Alarm", Metrics=[{"MetricStat": {}}, {"MetricStat": {}}, {"Expression": "a/b"}]),
        Filter=of("Logs::MetricFilter", MetricTransformations=[{"MetricName": "m"}]),
        Counted=of("Logs::MetricFilter", MetricTransformations=[{"MetricName": "m", "DefaultValue": 0}]),
        Scaling=of("ApplicationAutoScaling::ScalingPolicy", PolicyType="TargetTrackingScaling"),
        Board=of("CloudWatch::Dashboard"),
    )

    assert found == {"monitoring": pytest.approx(25 * 0.3 + 0.1 + 0.2 + 0.3 + 0.2 + 3.0)}


@pytest.mark.parametrize(
    "resource",
    [
        of("EC2::Instance", InstanceType="m5.large"),
        of("RDS::DBInstance", DBInstanceClass="db.r9z.huge", Engine="postgres", AllocatedStorage="20"),
        of("ElastiCache::ReplicationGroup", Engine="valkey", CacheNodeType="cache.r9z.huge", NumCacheClusters=1),
    ],
    ids=["type", "class", "node"],
)
def test_what_has_no_price_is_an_error_and_not_nothing(prices, resource):
    with pytest.raises(UnknownCost):
        bill(prices, Thing=resource)


def test_an_architecture_without_a_price_is_an_error(prices):
    with pytest.raises(UnknownCost, match="X86_64"):
        bill(prices, Task=task("X86_64"), Service=service(1))


def test_every_price_says_where_it_comes_from(prices):
    for name, price in prices.document["prices"].items():
        assert set(price) == {"usd", "page", "seen"}, name
        assert price["usd"] > 0
        assert price["page"].startswith("https://aws.amazon.com/")
    assert prices.document["as_of"]
