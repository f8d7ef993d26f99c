"""What `strandline promote` refuses before it asks AWS anything."""

from __future__ import annotations

import pytest

from agent_runtime.errors import InputError
from strandline.cli import app


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Name the agents to promote, or say --all."),
        (("tide", "--all"), "Name the agents to promote, or say --all."),
        (("--all", "--force"), "--force and --reason go together"),
        (("--all", "--reason", "the tide is out"), "--force and --reason go together"),
        (("--all",), "has no environment 'simulation'"),
    ],
)
def test_what_is_asked_for_has_to_be_clear(tmp_path, arguments, said):
    environments = tmp_path / "environments.yaml"
    environments.write_text('environments: {production: {account: "222222222222", region: us-east-1}}\n')
    where = ["--from", "simulation", "--to", "production", "--environments", str(environments)]
    with pytest.raises(InputError) as caught:
        app(["promote", *arguments, *where], standalone_mode=False)
    assert said in str(caught.value)
