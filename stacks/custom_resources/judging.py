"""The judge as who runs checks asks it: a function of the environment."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .check_run import Judge


def judge_by(client: Any, function: str | None, model: str | None) -> Judge | None:
    """Gives what judges answers.

    Args:
        client: A client of Lambda; for any thread.
        function: Name or ARN of the environment's judge, if it has one.
        model: Model of the gateway that judges.

    Returns:
        The judge; nothing where there is none.
    """
    if not function or not model:
        return None

    def ask(question: str, answer: str, criterion: str) -> list[str]:
        told = {"model": model, "question": question, "answer": answer, "criterion": criterion}
        sent = client.invoke(FunctionName=function, Payload=json.dumps(told).encode())
        verdict = json.loads(sent["Payload"].read())
        if sent.get("FunctionError"):
            return ["there is no verdict of the judge: its function failed, and its log says why"]
        if "fault" in verdict:
            return [f"there is no verdict of the judge: {verdict['fault']}"]
        return [] if verdict["passes"] else [f"the judge finds that the answer does not keep: {criterion}"]

    return ask
