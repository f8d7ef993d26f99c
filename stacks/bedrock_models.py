"""Which ARNs a Bedrock model id stands for, so that a role names its models and nothing else."""

from __future__ import annotations

import re

# "Supported cross-Region inference profiles", Amazon Bedrock user guide: a profile's id is a geography, then a model's.
_PROFILE = re.compile(r"(?:us-gov|us|eu|apac|jp|au|ca|global)\.(?P<model>[a-z0-9-]+\..+)")


def model_arns(model_id: str, *, partition: str, region: str, account: str) -> list[str]:
    """Lists what `bedrock:InvokeModel` is needed on for a model id.

    Args:
        model_id: A foundation model's id, a cross-Region inference profile's id, or an ARN.
        partition: AWS partition.
        region: Region of the caller.
        account: Account of the caller.

    Returns:
        The ARNs. A cross-Region profile needs the model in each Region that it routes to, which AWS may extend.
    """
    if model_id.startswith("arn:"):
        return [model_id]
    profile = _PROFILE.fullmatch(model_id)
    if profile:
        return [
            f"arn:{partition}:bedrock:{region}:{account}:inference-profile/{model_id}",
            f"arn:{partition}:bedrock:*::foundation-model/{profile['model']}",
        ]
    return [f"arn:{partition}:bedrock:{region}::foundation-model/{model_id}"]
