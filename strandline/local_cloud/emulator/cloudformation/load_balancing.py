# mypy: disable-error-code="import-not-found"
"""AWS::ElasticLoadBalancingV2::LoadBalancer with a DNS name that can be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ministack.services import alb

from .registry import Made, Properties, inherited, wrap

if TYPE_CHECKING:
    from ..context import Context

_TYPE = "AWS::ElasticLoadBalancingV2::LoadBalancer"


def install(context: Context) -> None:
    """MiniStack's own type, with an address of ours."""
    handlers = inherited(_TYPE)

    def create(logical_id: str, properties: Properties, stack: str) -> Made:
        arn, attributes = handlers["create"](logical_id, properties, stack)
        return arn, attributes | {"DNSName": context.balancers.give_address(alb._lbs[arn])}

    wrap(_TYPE, create=create)
