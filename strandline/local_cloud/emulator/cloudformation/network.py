# mypy: disable-error-code="import-not-found"

"""EC2 types that MiniStack's CloudFormation lacks: EIP, NatGateway, SecurityGroupIngress and SecurityGroupEgress."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from ministack.core.responses import now_iso
from ministack.services import ec2

from .registry import Made, Properties, ResourceType, inherited, wrap

if TYPE_CHECKING:
    from ..context import Context

_VPC = "AWS::EC2::VPC"
_RULE_IDENTITY = (
    "IpProtocol",
    "FromPort",
    "ToPort",
    "CidrIp",
    "CidrIpv6",
    "GroupId",
    "SourceSecurityGroupId",
    "DestinationSecurityGroupId",
    "SourcePrefixListId",
    "DestinationPrefixListId",
)


def types(context: Context) -> dict[str, ResourceType]:
    """The types of this module."""
    del context
    _mend_vpc()
    ingress, egress = Rule("IpPermissions", "Source"), Rule("IpPermissionsEgress", "Destination")
    return {
        "AWS::EC2::EIP": ResourceType(create_address, delete_address, update_address, replacing=("Domain",)),
        "AWS::EC2::NatGateway": ResourceType(
            create_gateway, delete_gateway, update_gateway, replacing=("SubnetId", "AllocationId", "ConnectivityType")
        ),
        "AWS::EC2::SecurityGroupIngress": ResourceType(ingress.create, ingress.delete, replacing=_RULE_IDENTITY),
        "AWS::EC2::SecurityGroupEgress": ResourceType(egress.create, egress.delete, replacing=_RULE_IDENTITY),
    }


def _mend_vpc() -> None:
    """MiniStack's VPC lacks attributes that `Fn::GetAtt` may name, CidrBlock among them."""
    handlers = inherited(_VPC)

    def create(*arguments: Any) -> Made:
        return _with_vpc_attributes(handlers["create"](*arguments))

    def update(*arguments: Any) -> Made:
        return _with_vpc_attributes(handlers["update"](*arguments))

    wrap(_VPC, create=create, **({"update": update} if "update" in handlers else {}))


def _with_vpc_attributes(made: Made) -> Made:
    vpc_id, attributes = made
    block = ec2._vpcs[vpc_id]["CidrBlock"]
    return vpc_id, attributes | {"CidrBlock": block, "CidrBlockAssociations": [f"vpc-cidr-assoc-{vpc_id[4:]}"]}


def create_address(_logical_id: str, properties: Properties, _stack: str) -> Made:
    """An address; `Ref` is the address itself."""
    before = set(ec2._addresses)
    ec2._allocate_address({"Domain": [properties.get("Domain", "vpc")]})
    allocation_id = next(key for key in ec2._addresses if key not in before)
    ec2._tags[allocation_id] = properties.get("Tags", [])
    return _address_made(ec2._addresses[allocation_id])


def update_address(public_ip: str, _old: Properties, new: Properties, _stack: str) -> Made:
    """Tags."""
    record = _address(public_ip)
    ec2._tags[record["AllocationId"]] = new.get("Tags", [])
    return _address_made(record)


def delete_address(public_ip: str, _properties: Properties) -> None:
    """Release it."""
    for allocation_id in [key for key, record in ec2._addresses.items() if record["PublicIp"] == public_ip]:
        ec2._release_address({"AllocationId": [allocation_id]})


def _address(public_ip: str) -> dict[str, Any]:
    record: dict[str, Any] = next(record for record in ec2._addresses.values() if record["PublicIp"] == public_ip)
    return record


def _address_made(record: dict[str, Any]) -> Made:
    return record["PublicIp"], {"PublicIp": record["PublicIp"], "AllocationId": record["AllocationId"]}


def create_gateway(_logical_id: str, properties: Properties, _stack: str) -> Made:
    """A NAT gateway; the subnet must be there."""
    subnet = ec2._subnets.get(properties.get("SubnetId", ""))
    if subnet is None:
        raise ValueError(f"The subnet ID '{properties.get('SubnetId')}' does not exist")
    gateway_id = f"nat-{secrets.token_hex(9)[:17]}"
    ec2._nat_gateways[gateway_id] = {
        "NatGatewayId": gateway_id,
        "SubnetId": subnet["SubnetId"],
        "VpcId": subnet["VpcId"],
        "AllocationId": properties.get("AllocationId"),
        "ConnectivityType": properties.get("ConnectivityType", "public"),
        "State": "available",
        "CreateTime": now_iso(),
        "Tags": properties.get("Tags", []),
    }
    ec2._tags[gateway_id] = properties.get("Tags", [])
    return gateway_id, {"NatGatewayId": gateway_id, "EniId": f"eni-{secrets.token_hex(9)[:17]}"}


def update_gateway(gateway_id: str, _old: Properties, new: Properties, _stack: str) -> Made:
    """Tags."""
    ec2._tags[gateway_id] = new.get("Tags", [])
    return gateway_id, {"NatGatewayId": gateway_id}


def delete_gateway(gateway_id: str, _properties: Properties) -> None:
    """Gone already is gone."""
    ec2._nat_gateways.pop(gateway_id, None)
    ec2._tags.pop(gateway_id, None)


class Rule:
    """A rule of a security group, in the list of one direction."""

    def __init__(self, permissions: str, peer: str) -> None:
        self._permissions = permissions
        self._peer = peer

    def create(self, _logical_id: str, properties: Properties, _stack: str) -> Made:
        """Add the rule to its group."""
        group = ec2._security_groups.get(properties.get("GroupId", ""))
        if group is None:
            raise ValueError(f"The security group '{properties.get('GroupId')}' does not exist")
        rule_id = f"sgr-{secrets.token_hex(9)[:17]}"
        # The stores of MiniStack give copies under persistence: write the record back.
        rules = [*group.get(self._permissions, []), self._permission(properties, rule_id)]
        ec2._security_groups[properties["GroupId"]] = {**group, self._permissions: rules}
        return rule_id, {"Id": rule_id}

    def delete(self, rule_id: str, properties: Properties) -> None:
        """Take the rule out of its group; a group that is gone took it along."""
        group = ec2._security_groups.get(properties.get("GroupId", ""))
        if group is None:
            return
        rules = [rule for rule in group.get(self._permissions, []) if rule.get("_rule_id") != rule_id]
        ec2._security_groups[properties["GroupId"]] = {**group, self._permissions: rules}

    def _permission(self, properties: Properties, rule_id: str) -> dict[str, Any]:
        note = {"Description": properties["Description"]} if properties.get("Description") else {}
        permission: dict[str, Any] = {
            "IpProtocol": str(properties.get("IpProtocol", "-1")),
            "IpRanges": [{"CidrIp": properties["CidrIp"], **note}] if properties.get("CidrIp") else [],
            "Ipv6Ranges": [{"CidrIpv6": properties["CidrIpv6"], **note}] if properties.get("CidrIpv6") else [],
            "PrefixListIds": [],
            "UserIdGroupPairs": [],
            "_rule_id": rule_id,
        }
        peer = properties.get(f"{self._peer}SecurityGroupId")
        if peer:
            permission["UserIdGroupPairs"] = [{"GroupId": peer, **note}]
        for port in ("FromPort", "ToPort"):
            if properties.get(port) is not None:
                permission[port] = int(properties[port])
        return permission
