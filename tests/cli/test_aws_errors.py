"""What AWS refuses is told by its code: its own words may quote what was sent."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError

from agent_runtime.errors import EnvironmentFault, InputError
from strandline.aws_errors import told

REFUSED = ClientError({"Error": {"Code": "AccessDenied", "Message": "canary-7 is not allowed"}}, "GetObject")
ABSENT = ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "canary-7"}}, "GetSecretValue")


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (REFUSED, "S3 does not give it (AccessDenied): ask for it."),
        (EndpointConnectionError(endpoint_url="http://canary-7"), "S3 cannot be reached (EndpointConnectionError)."),
        (ReadTimeoutError(endpoint_url="http://canary-7"), "S3 cannot be reached (ReadTimeoutError)."),
        (NoCredentialsError(), "S3 does not give it (NoCredentialsError): ask for it."),
    ],
)
def test_a_refusal_has_its_code_and_what_mends_it_and_no_word_of_awss_own(raised, message):
    with pytest.raises(EnvironmentFault) as fault, told("S3", "S3 does not give it", hint=": ask for it"):
        raise raised

    assert str(fault.value) == message


def test_what_is_not_there_is_the_callers_to_mend_where_that_is_known():
    with (
        pytest.raises(InputError, match=r"^There is no such secret$"),
        told("S3", "no", absent="There is no such secret"),
    ):
        raise ABSENT
    with pytest.raises(EnvironmentFault, match=r"^no \(ResourceNotFoundException\)\.$"), told("S3", "no"):
        raise ABSENT
