"""The gateway of an environment as its operators ask it: where it is, with which key, and what a refusal means."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from agent_runtime.errors import EnvironmentFault, InputError
from gateway.proxy.keys import MASTER_KEY
from strandline.aws_errors import told
from strandline.deployed_stacks import stack_outputs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx

    from strandline.targets import Target

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 60.0
_KEY_REFUSED = (401, 403)
_KEY_REFUSED_TYPE = "no_db_connection"  # how LiteLLM without a database refuses a key, with status 400
_LONGEST_TYPE = 64


class GatewayRefusal(EnvironmentFault):
    """Raised when the gateway answers with a failure; holds nothing of the text that LiteLLM or a provider wrote.

    Attributes:
        status: HTTP status.
        type: LiteLLM's type of the error, in OpenAI's shape; empty where the answer has none.
        call_id: LiteLLM's id of the call, by which its log finds it.
    """

    def __init__(self, path: str, *, status: int, type: str, call_id: str | None, key_name: str) -> None:
        self.status = status
        self.type = type
        self.call_id = call_id
        told = ", ".join(part for part in (f"status {status}", type, f"call {call_id}" if call_id else "") if part)
        super().__init__(f"The gateway refuses {path} ({told}): {self._mend(key_name)}")

    @property
    def is_about_the_key(self) -> bool:
        """Whether the gateway does not take the key."""
        return self.status in _KEY_REFUSED or self.type == _KEY_REFUSED_TYPE

    def _mend(self, key_name: str) -> str:
        if self.is_about_the_key:
            return (
                f"it takes a new value of {key_name} once its tasks are started again, and answers admin routes only "
                "in its operators' network (gateway.operator_cidrs in environments.yaml)."
            )
        return "its log has the reason, under that call where there is one."


class GatewayClient:
    """Asks one gateway.

    Args:
        url: Its address.
        key: The key; it leaves this object in the headers of its requests only.
        key_name: Name of the variable that holds the key, for messages.
    """

    def __init__(self, url: str, key: str, *, key_name: str = MASTER_KEY) -> None:
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"}
        self._key_name = key_name

    def get(self, path: str, *, timeout: float = _ANSWER_SECONDS, **query: object) -> Any:
        """Asks for an object.

        Args:
            path: Path of the route.
            timeout: Seconds to wait for the answer.
            **query: The query.

        Returns:
            The parsed answer.

        Raises:
            EnvironmentFault: The gateway cannot be reached, refuses, or is none.
        """
        with self.stream("GET", path, timeout=timeout, params={name: str(value) for name, value in query.items()}) as (
            answer
        ):
            body = answer.read()
        try:
            return json.loads(body)
        except ValueError:
            raise EnvironmentFault(f"{self.url}{path} does not answer as LiteLLM does: is it the gateway?") from None

    @contextmanager
    def stream(self, method: str, path: str, *, timeout: float, **content: Any) -> Iterator[httpx.Response]:
        """Sends a request whose answer is read inside the context.

        Args:
            method: HTTP method.
            path: Path of the route.
            timeout: Seconds to wait for each piece of the answer.
            **content: `params` or `json`, as httpx takes them.

        Yields:
            The answer, a good one.

        Raises:
            EnvironmentFault: The gateway cannot be reached.
            GatewayRefusal: It answers with a failure.
        """
        import httpx

        limits = httpx.Timeout(timeout, connect=_CONNECT_SECONDS)
        # A proxy of the machine's environment is for the way out, and must not see a key in plain text.
        is_encrypted = self.url.startswith("https:")
        try:
            with (
                httpx.Client(timeout=limits, trust_env=is_encrypted) as client,
                client.stream(method, f"{self.url}{path}", headers=self._headers, **content) as answer,
            ):
                if not answer.is_success:
                    raise self._refusal(path, answer)
                yield answer
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise EnvironmentFault(_unreachable(self.url, type(error).__name__)) from None
        except httpx.HTTPError as error:
            raise EnvironmentFault(
                f"The gateway at {self.url} broke off its answer to {path} ({type(error).__name__}): try again, or "
                "look at its tasks (`strandline gateway health`)."
            ) from None

    def _refusal(self, path: str, answer: httpx.Response) -> GatewayRefusal:
        return GatewayRefusal(
            path,
            status=answer.status_code,
            type=_error_type(answer.read()),
            call_id=answer.headers.get("x-litellm-call-id"),
            key_name=self._key_name,
        )


def open_gateway(target: Target, url: str | None = None) -> GatewayClient:
    """Opens an environment's gateway for its operators: with the master key, at the door for admin routes.

    Args:
        target: The environment.
        url: Address of a tunnel; default: the address that the gateway's stack tells.

    Returns:
        The client. The key was read from Secrets Manager with the operator's own rights.

    Raises:
        InputError: There is no gateway, it has no door for operators, its key has no value, or the address would carry
            the key in plain text.
        EnvironmentFault: AWS refuses.
    """
    return GatewayClient(_checked(url) if url else _admin_url(target), _read_key(target, MASTER_KEY))


def open_inference(target: Target, url: str | None = None) -> GatewayClient:
    """Opens an environment's gateway to ask its models.

    Args:
        target: The environment.
        url: Address of a tunnel; default: the address that the gateway's stack tells.

    Returns:
        The client: with the environment's key for inference, or where each agent has its own with the master key.

    Raises:
        InputError: As `open_gateway` does.
        EnvironmentFault: AWS refuses.
    """
    from stacks.names import ENVIRONMENT_KEY

    if not url:
        outputs = _outputs(target)
        url = outputs.get("PublicUrl") or outputs["Url"]
    else:
        url = _checked(url)
    key_name = MASTER_KEY if target.environment.gateway.is_managed else ENVIRONMENT_KEY
    return GatewayClient(url, _read_key(target, key_name), key_name=key_name)


def _admin_url(target: Target) -> str:
    from stacks.names import GATEWAY_PUBLIC_ADMIN_PORT

    outputs = _outputs(target)
    hosting = target.environment.gateway
    if "PublicUrl" in outputs and hosting.operator_cidrs:
        return f"{outputs['PublicUrl']}:{GATEWAY_PUBLIC_ADMIN_PORT}"
    if "AdminUrl" in outputs:
        return outputs["AdminUrl"]
    if hosting.entry == "service_discovery":  # one door for all, and the key decides
        return outputs["Url"]
    raise InputError(
        f"The gateway of {target.environment.name} has no door for operators: write gateway: {{operator_cidrs: [...]}} "
        f"with the blocks of their network in environments.yaml, and deploy."
    )


def _outputs(target: Target) -> Mapping[str, str]:
    """What the gateway's stack tells of its addresses."""
    name = target.environment.name
    values = stack_outputs(target, target.stack_name("Gateway"))
    if "Url" not in values:
        raise InputError(
            f"No gateway is deployed in {name}: see `strandline status --env {name}`, or deploy it with "
            f"`strandline deploy --env {name}` (its models stand in blueprints/gateway.yaml)."
        )
    return values


def _checked(url: str) -> str:
    parts = urlsplit(url)
    is_loopback = parts.hostname in _LOOPBACK
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise InputError("--url is not an address: write one such as http://127.0.0.1:4000.")
    if parts.scheme == "http" and not is_loopback:
        raise InputError(
            f"--url: {parts.hostname} is not this machine, and http would carry the key to it in plain text: "
            "use https, or forward a port of this machine."
        )
    return url


def _read_key(target: Target, key_name: str) -> str:
    from stacks.names import secret_name

    secret = secret_name(target.environment, key_name)
    absent = (
        f"{target.environment.name} has no value of {secret}: deploy the environment first "
        f"(`strandline deploy --env {target.environment.name}`)."
    )
    hint = ": asking the gateway takes secretsmanager:GetSecretValue on it"
    with told("Secrets Manager", f"Secrets Manager refuses {secret}", hint=hint, absent=absent):
        return str(target.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"])


def _error_type(body: bytes) -> str:
    """The type in an error of OpenAI's shape; a word and not a text, so that it quotes nothing."""
    try:
        error = json.loads(body).get("error", {})
    except (ValueError, AttributeError):
        return ""
    told = error.get("type") if isinstance(error, dict) else None
    return told if isinstance(told, str) and told.replace("_", "").isalnum() and len(told) <= _LONGEST_TYPE else ""


def _unreachable(url: str, reason: str) -> str:
    parts = urlsplit(url)
    if parts.hostname and (parts.hostname in _LOOPBACK or parts.hostname.startswith("127.")):
        return f"Nothing answers at {url} ({reason}): does the gateway, or the tunnel to it, run?"
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return (
        f"The gateway at {url} cannot be reached from here ({reason}). A private gateway answers inside its VPC only: "
        "run the command there (a VPN, or CloudShell in the VPC), from an address in gateway.operator_cidrs; or "
        "forward a port through an instance there: `aws ssm start-session --target <instance id> --document-name "
        f'AWS-StartPortForwardingSessionToRemoteHost --parameters host="{parts.hostname}",portNumber="{port}",'
        f'localPortNumber="4000"`, and add --url {parts.scheme}://127.0.0.1:4000.'
    )
