"""The evaluator itself: a test that leans on it is worth what it is worth."""

import pytest

from tests.stacks.iam import Request, allows, matches

KEY = "arn:aws:secretsmanager:us-east-1:111111111111:secret:strandline/simulation/KEY"


def policy(effect: str = "Allow", action: object = "s3:GetObject", resource: object = "*", **more: object) -> dict:
    return {"Statement": [{"Effect": effect, "Action": action, "Resource": resource, **more}]}


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("*", "anything:at/all", True),
        (f"{KEY}-??????", f"{KEY}-AbCdEf", True),
        (f"{KEY}-??????", f"{KEY}-AbCdE", False),
        (f"{KEY}-??????", f"{KEY}_2-AbCdEf", False),
        (f"{KEY}*", f"{KEY}_2-AbCdEf", True),
        ("runtimes/a-*", "runtimes/a-0123456789-live", True),
        ("runtimes/a-*", "runtimes/a_b-0123456789-live", False),
        ("a.c", "abc", False),
    ],
)
def test_wildcards_match_as_in_iam(pattern: str, text: str, *, expected: bool) -> None:
    assert matches(pattern, text) is expected


def test_nothing_is_allowed_that_no_statement_allows() -> None:
    assert not allows([policy(action="s3:PutObject")], Request("s3:GetObject", "x"))


def test_actions_are_matched_whatever_their_case_and_resources_are_not() -> None:
    assert allows([policy(action="S3:getobject", resource="a")], Request("s3:GetObject", "a"))
    assert not allows([policy(resource="A")], Request("s3:GetObject", "a"))


def test_a_deny_wins_over_an_allow_of_another_policy() -> None:
    assert not allows([policy(), policy("Deny", resource="x")], Request("s3:GetObject", "x"))
    assert allows([policy(), policy("Deny", resource="x")], Request("s3:GetObject", "y"))


def test_a_condition_holds_only_when_its_key_is_there_and_fits() -> None:
    guarded = policy(Condition={"StringEquals": {"aws:SourceAccount": "1"}})

    assert allows([guarded], Request("s3:GetObject", context={"aws:sourceaccount": "1"}))
    assert not allows([guarded], Request("s3:GetObject", context={"aws:SourceAccount": "2"}))
    assert not allows([guarded], Request("s3:GetObject"))


def test_a_wildcard_of_arn_like_stays_within_its_part() -> None:
    guarded = policy(Condition={"ArnLike": {"aws:SourceArn": "arn:aws:ecs:*:1:*"}})

    assert allows([guarded], Request("s3:GetObject", context={"aws:SourceArn": "arn:aws:ecs:us-east-1:1:task/a"}))
    assert not allows([guarded], Request("s3:GetObject", context={"aws:SourceArn": "arn:aws:ecs:us-east-1:2:x:1:y"}))


def test_what_it_does_not_model_is_an_error() -> None:
    with pytest.raises(NotImplementedError, match="NotAction"):
        allows([policy(NotAction="x")], Request("s3:GetObject"))
    with pytest.raises(NotImplementedError, match="NumericLessThan"):
        allows([policy(Condition={"NumericLessThan": {"a": "1"}})], Request("s3:GetObject"))
