"""What the proxy does at our behest around each call: the object that `litellm_settings.callbacks` names.

LiteLLM may execute this file a second time under the same name, so it holds no state and nothing else imports it.
"""

from __future__ import annotations

from litellm.integrations.custom_logger import CustomLogger


class Hooks(CustomLogger):
    """Our callbacks ("Call Hooks" and "Custom Callbacks", LiteLLM)."""


hooks = Hooks()
