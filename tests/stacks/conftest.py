"""One synth of one project for all tests of templates: it takes seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stacks.projects import Assembly, bedrock, blueprint, synthesise, write_project

KEY_ARN = "arn:aws:kms:us-east-1:111111111111:key/11111111-2222-3333-4444-555555555555"
PRODUCTION_KEY_ARN = "arn:aws:kms:eu-central-1:222222222222:key/11111111-2222-3333-4444-555555555555"
BOUNDARY_ARN = "arn:aws:iam::222222222222:policy/strict/Boundary"
LONGEST_ID = "x" * 32

AGENTS = [
    blueprint("a"),
    blueprint("a-b", model_api_key_env="KEY"),
    blueprint("a_c", model_api_key_env="KEY_2"),
    blueprint("ab", model_api_key_env="KEY2", model_extra_headers_env={"X-Tenant": "KEY_2_HEADER"}),
    blueprint(
        "direct",
        model_base_url="https://llm.example.com/v1",
        model_api_key_env="KEY",
        model_extra_headers_env={"X-One": "HEADER_VALUE", "X-Two": "HEADER_VALUE"},
    ),
    blueprint("lite", model_base_url=None, model_model_id="openai/gpt-5-mini", model_api_key_env="LITE_KEY"),
    blueprint("private", model_base_url="https://llm.example.com/v1", runtime={"network_mode": "PRIVATE"}),
    blueprint("only-simulation", execution_modes={"simulation": True}),
    blueprint(LONGEST_ID, runtime={"idle_timeout_minutes": 60}),
    bedrock("rock", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
    bedrock("rock-profile", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"),
]
ENVIRONMENTS = {
    "local": {"account": "000000000000", "region": "us-east-1"},
    "simulation": {
        "account": "111111111111",
        "region": "us-east-1",
        "permissions_boundary": "Boundary",
        "tags": {"team": "agents"},
    },
    "staging": {"account": "111111111111", "region": "us-east-1", "kms_key_arn": KEY_ARN},
    "production": {
        "account": "222222222222",
        "region": "eu-central-1",
        "kms_key_arn": PRODUCTION_KEY_ARN,
        "permissions_boundary": BOUNDARY_ARN,
        "log_retention_days": 365,
        "gateway": {"cpu": 2048, "memory_mib": 4096, "tasks": 2},
        "network": {
            "vpc": "vpc-0abc0abc0abc0abc0",
            "subnets": ["subnet-0aaaaaaaaaaaaaaaa", "subnet-0bbbbbbbbbbbbbbbb"],
            "availability_zones": ["eu-central-1a", "eu-central-1b"],
        },
    },
}


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """Every kind of agent in four environments, two of which share account and region."""
    root = write_project(tmp_path_factory.mktemp("project"), AGENTS, ENVIRONMENTS)
    return synthesise(root, tmp_path_factory.mktemp("assembly"))


@pytest.fixture(scope="session")
def stage_names() -> list[str]:
    return [name.capitalize() for name in ENVIRONMENTS]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that a test may change."""
    return write_project(tmp_path, [blueprint("a"), blueprint("b")], {"simulation": ENVIRONMENTS["simulation"]})
