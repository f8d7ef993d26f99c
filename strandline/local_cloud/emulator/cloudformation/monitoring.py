# mypy: disable-error-code="import-not-found"
"""AWS::CloudWatch::Alarm on metric math, which MiniStack refuses: kept, and never in alarm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ministack.services.cloudformation import provisioners

if TYPE_CHECKING:
    from .registry import Properties

# A metric that nobody writes: the alarm stays without data.
_UNEVALUATED = {"Namespace": "Strandline/Unevaluated", "MetricName": "MetricMath"}


def install() -> None:
    """Take alarms on metric math."""
    record_of = provisioners._cw_metric_alarm_record

    def metric_alarm_record(name: str, properties: Properties) -> Any:
        if properties.get("Metrics"):
            single = {key: value for key, value in properties.items() if key != "Metrics"}
            return record_of(name, single | _UNEVALUATED)
        return record_of(name, properties)

    provisioners._cw_metric_alarm_record = metric_alarm_record
