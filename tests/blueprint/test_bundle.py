"""The bundle: the same bytes for the same agent, and nothing but the agent that was deployed."""

import hashlib
import json
from dataclasses import replace

import pytest

from agent_runtime.bundle import build_bundle, read_bundle
from agent_runtime.errors import EnvironmentFault
from agent_runtime.loader import load_blueprint


@pytest.fixture
def agent(folder, valid):
    return load_blueprint(folder.agent("a", valid + "tags: [b, a]\ndescription: Grüße\n"))


def test_a_bundle_holds_the_agent(agent):
    bundle = build_bundle(agent)
    read = read_bundle(bundle.content, bundle.sha256)
    assert (read.blueprint, read.prompt) == (agent.blueprint, agent.prompt)
    assert read.prompt_sha256 == hashlib.sha256(agent.prompt.encode()).hexdigest()


def test_the_content_is_canonical_and_named_by_its_hash(agent):
    bundle = build_bundle(agent)
    document = json.loads(bundle.content)
    assert document["format"] == 1
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert bundle.content == canonical
    assert bundle.sha256 == hashlib.sha256(bundle.content).hexdigest()


def test_the_order_of_keys_and_comments_in_the_file_make_no_difference(folder, agent, valid):
    lines = (valid + "tags: [b, a]\ndescription: Grüße\n").splitlines()
    model = lines.index("model:")
    moved = ["# a comment", *lines[model : model + 6], *lines[:model], *lines[model + 6 :]]
    assert build_bundle(load_blueprint(folder.agent("b", "\n".join(moved)))) == build_bundle(agent)


def test_a_change_of_the_prompt_changes_the_name(agent):
    assert build_bundle(replace(agent, prompt="Other")).sha256 != build_bundle(agent).sha256


def test_where_the_file_lies_makes_no_difference(agent):
    assert build_bundle(replace(agent, source="/elsewhere/a.yaml")) == build_bundle(agent)


def test_other_bytes_than_those_deployed_are_refused(agent):
    bundle = build_bundle(agent)
    with pytest.raises(EnvironmentFault, match="not the one that was deployed") as caught:
        read_bundle(bundle.content.replace(b"kindly", b"rudely"), bundle.sha256)
    assert bundle.sha256 in str(caught.value)


def changed(agent, **changes) -> tuple[bytes, str]:
    content = json.dumps({**json.loads(build_bundle(agent).content), **changes}).encode()
    return content, hashlib.sha256(content).hexdigest()


def test_a_bundle_of_another_format_is_refused(agent):
    with pytest.raises(EnvironmentFault, match="has format 2, this runtime reads 1"):
        read_bundle(*changed(agent, format=2))


def test_a_bundle_of_another_schema_is_refused_without_its_values(agent):
    with pytest.raises(EnvironmentFault, match="another version of Strandline") as caught:
        read_bundle(*changed(agent, blueprint={"id": "canary value"}))
    assert "canary value" not in str(caught.value)
