"""Which ARNs a Bedrock model id stands for, so that a role names its models and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass

# "Supported cross-Region inference profiles", Amazon Bedrock user guide: a profile's id is a geography, then a model's.
_PROFILE = re.compile(r"(?:us-gov|us|eu|apac|jp|au|ca|global)\.(?P<model>[a-z0-9-]+\..+)")
_PROFILE_ARN = re.compile(r"arn:[a-z-]+:bedrock:[a-z0-9-]+:[0-9]{12}:inference-profile/(?P<id>.+)")


@dataclass(frozen=True, slots=True)
class BedrockModel:
    """What `bedrock:InvokeModel` is needed on for one model id.

    Attributes:
        arn: The model or inference profile that the agent names.
        behind_profile: The model in each Region that a cross-Region profile routes to, which AWS may extend; to be
            granted through the profile only.
    """

    arn: str
    behind_profile: str | None = None


def find_model(model_id: str, *, partition: str, region: str, account: str) -> BedrockModel:
    """Finds what a model id stands for.

    Args:
        model_id: A foundation model's id, a cross-Region inference profile's id, or an ARN.
        partition: AWS partition.
        region: Region of the caller.
        account: Account of the caller.

    Returns:
        The ARNs.
    """
    by_arn = _PROFILE_ARN.fullmatch(model_id)
    profile = _PROFILE.fullmatch(by_arn["id"] if by_arn else model_id)
    if profile:
        own = f"arn:{partition}:bedrock:{region}:{account}:inference-profile/{model_id}"
        model = f"arn:{partition}:bedrock:*::foundation-model/{profile['model']}"
        return BedrockModel(model_id if by_arn else own, model)
    if model_id.startswith("arn:"):
        return BedrockModel(model_id)
    return BedrockModel(f"arn:{partition}:bedrock:{region}::foundation-model/{model_id}")
