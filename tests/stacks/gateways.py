"""What tests ask of a gateway's template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.stacks.projects import Assembly

LISTENER = "AWS::ElasticLoadBalancingV2::Listener"
RULE = "AWS::ElasticLoadBalancingV2::ListenerRule"
GROUP = "AWS::ElasticLoadBalancingV2::TargetGroup"
BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
SECURITY_GROUP = "AWS::EC2::SecurityGroup"


def properties(assembly: Assembly, stack: str, kind: str) -> dict[str, dict[str, Any]]:
    """Properties of all resources of a type in one stack, by logical id."""
    return {name: found.get("Properties", {}) for path, name, found in assembly.resources(kind, stack) if path == stack}


def task_of(assembly: Assembly, stack: str) -> dict[str, Any]:
    """The task definition that the service runs."""
    name = assembly.one(stack, "AWS::ECS::Service")["TaskDefinition"]["Ref"]
    return properties(assembly, stack, "AWS::ECS::TaskDefinition")[name]


def container_of(assembly: Assembly, stack: str, name: str = "LiteLLM") -> dict[str, Any]:
    """One container of the service's tasks."""
    (found,) = [each for each in task_of(assembly, stack)["ContainerDefinitions"] if each["Name"] == name]
    definition: dict[str, Any] = found
    return definition


def variables_of(container: dict[str, Any]) -> dict[str, Any]:
    """The variables of a container."""
    return {variable["Name"]: variable["Value"] for variable in container.get("Environment", [])}


def attributes(resource: dict[str, Any], name: str) -> dict[str, str]:
    """Key and value pairs of a balancer or target group."""
    return {pair["Key"]: pair["Value"] for pair in resource[name]}


def ingress_of(assembly: Assembly, stack: str) -> set[tuple[str, str, int]]:
    """Every rule by which something is let in: into what, from what, at which port; groups by part of their name."""
    rules = set()
    for rule in properties(assembly, stack, "AWS::EC2::SecurityGroupIngress").values():
        source = rule.get("SourceSecurityGroupId") or rule["CidrIp"]
        rules.add((_name(rule["GroupId"]), _name(source), rule["FromPort"]))
        assert rule["FromPort"] == rule["ToPort"]
    for name, group in properties(assembly, stack, SECURITY_GROUP).items():
        for rule in group.get("SecurityGroupIngress", []):
            rules.add((_name(name), _name(rule.get("CidrIp") or rule["SourceSecurityGroupId"]), rule["FromPort"]))
    return rules


def _name(value: Any) -> str:
    if isinstance(value, dict) and "Fn::GetAtt" in value:
        return _name(value["Fn::GetAtt"][0])
    if isinstance(value, dict) and "Fn::ImportValue" in value:
        value = value["Fn::ImportValue"]
    text = str(value)
    known = ("AgentSecurityGroup", "InternalSecurityGroup", "PublicSecurityGroup", "TaskSecurityGroup")
    return next((name for name in known if name in text), text)
