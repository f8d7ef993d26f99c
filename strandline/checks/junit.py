"""Writes a report of checks as JUnit XML, which CI systems show."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as XML

if TYPE_CHECKING:
    from stacks.custom_resources.check_run import Report


def render_junit(report: Report, *, agent: str, environment: str) -> str:
    """Writes a report.

    Args:
        report: How the checks went.
        agent: Id of the agent.
        environment: Where they ran.

    Returns:
        The XML: one test case for each check.
    """
    failures = sum(not case.passed for case in report.cases)
    suite = XML.Element(
        "testsuite", name=f"{agent} in {environment}", tests=str(len(report.cases)), failures=str(failures), errors="0"
    )
    for case in report.cases:
        seconds = f"{(case.latency_ms or 0) / 1000:.3f}"
        element = XML.SubElement(suite, "testcase", classname=f"{environment}.{agent}", name=case.name, time=seconds)
        if not case.passed:
            message = case.reasons[0] if case.reasons else "no repetition was made"
            failure = XML.SubElement(element, "failure", message=message)
            failure.text = "\n".join([f"{case.passes} of {case.runs} runs passed", *case.reasons])
    document = XML.Element("testsuites")
    document.append(suite)
    XML.indent(document)
    return XML.tostring(document, encoding="unicode", xml_declaration=True) + "\n"
