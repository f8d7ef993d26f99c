"""The record of rotations: what it says, and that it stops none."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from botocore.exceptions import EndpointConnectionError

from strandline.rotation.audit import open_record

OPERATOR = "arn:aws:iam::111111111111:user/operator"


class Tokens:
    """STS; without an ARN it cannot be reached."""

    def __init__(self, arn):
        self._arn = arn

    def get_caller_identity(self):
        if self._arn is None:
            raise EndpointConnectionError(endpoint_url="https://sts.us-east-1.amazonaws.com")
        return {"Arn": self._arn}


def target(arn):
    return SimpleNamespace(environment=SimpleNamespace(name="staging"), client={"sts": Tokens(arn)}.__getitem__)


@pytest.mark.parametrize(("arn", "who"), [(OPERATOR, OPERATOR), (None, "unknown")])
def test_each_step_is_a_line_with_who_took_it_where_aws_tells(tmp_path, arn, who):
    record = open_record(tmp_path / "audit", target(arn))

    record("staged", {"KEY": "version-1"})
    record("promoted", {"KEY": "version-1"})

    lines = [json.loads(line) for line in (tmp_path / "audit" / "staging.jsonl").read_text().splitlines()]
    assert [(line["who"], line["step"], line["versions"]) for line in lines] == [
        (who, "staged", {"KEY": "version-1"}),
        (who, "promoted", {"KEY": "version-1"}),
    ]


def test_a_step_that_cannot_be_written_down_is_told_and_the_rotation_goes_on(tmp_path, capsys):
    (tmp_path / "audit").write_text("a file where the folder would be")
    record = open_record(tmp_path / "audit", target(OPERATOR))

    record("promoted", {"KEY": "version-1"})

    told, _, line = capsys.readouterr().err.partition("Keep its line yourself: ")
    assert "staging.jsonl cannot be written" in told
    assert json.loads(line)["versions"] == {"KEY": "version-1"}
