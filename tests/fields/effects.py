"""Whether a change of a blueprint can be seen from outside, and from which side."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import InputError, Problem
from agent_runtime.notices import find_notices
from stacks.project import load_project
from tests.fields.documents import Addresses
from tests.fields.running import handled
from tests.fields.schema_fields import dotted
from tests.fields.templates import synthesised
from tests.support.openai_server import Reply, ToolCall

if TYPE_CHECKING:
    from agent_runtime.loader import LoadedBlueprint
    from agent_runtime.yaml_nodes import Path
    from tests.fields.site import Site

REFUSED, WHEREABOUTS, TEMPLATE, ANSWER = "refusal", "where it runs", "template", "answer"
PRODUCTION, TOOLS, FAILING, SLOW = "template of production", "calls of tools", "failing model", "slow model"
SIDES = (REFUSED, WHEREABOUTS, TEMPLATE, ANSWER, PRODUCTION, TOOLS, FAILING, SLOW)

_TEXT = Reply(text="At six; bob@example.com knows more.")
_CALL = Reply(text="", tool_calls=(ToolCall("forecast", {"place": "Cork"}),))
_SLOW_SECONDS = 1.3

Document = Callable[[Addresses], dict[str, Any]]
"""A blueprint by where the world is: on loopback for the handler and `local`, elsewhere for the other environments."""


class Observer:
    """Looks at blueprints from every side.

    Args:
        site: The world around them.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._seen: dict[str, dict[str, Any]] = {}
        self._looks: dict[str, Callable[[Document], Any]] = {
            REFUSED: self._refusals,
            WHEREABOUTS: self._whereabouts,
            TEMPLATE: partial(self._template, environment="local"),
            ANSWER: partial(self._handler, reply=_TEXT),
            PRODUCTION: partial(self._template, environment="production"),
            TOOLS: partial(self._handler, reply=_CALL),
            FAILING: partial(self._handler, reply=_TEXT, status=500),
            SLOW: partial(self._handler, reply=_TEXT, delay=_SLOW_SECONDS),
        }

    @property
    def addresses(self) -> Addresses:
        """Where the world is."""
        return self._site.addresses

    def look(self, document: Document, side: str) -> Any:
        """Tells what a blueprint looks like from one side."""
        return self._looks[side](document)

    def seen(self, document: Document, side: str) -> Any:
        """The same, looked at only once however often it is asked."""
        sides = self._seen.setdefault(json.dumps(document(Addresses())), {})
        if side not in sides:
            sides[side] = self.look(document, side)
        return sides[side]

    def is_told(self, document: Document, path: Path) -> bool:
        """Whether the blueprint's author is told that a field, or the block that it is in, does nothing yet."""
        places = {one.path for one in find_notices(self._agents(document, "local"))}
        return any(dotted(path[:length]) in places for length in range(1, len(path) + 1))

    def difference(self, before: Document, after: Document, sides: Sequence[str] = SIDES) -> str | None:
        """Finds the first side from which two blueprints look different.

        Args:
            before: A blueprint that is valid.
            after: The blueprint with one field changed.
            sides: Where to look from, the cheapest first.

        Returns:
            The side; nothing when the change has no effect.
        """
        return next((side for side in sides if self.look(after, side) != self.seen(before, side)), None)

    def _agents(self, document: Document, environment: str) -> list[LoadedBlueprint]:
        addresses = self._site.addresses if environment == "local" else Addresses()
        self._site.write(document(addresses))
        return load_project(self._site.root).agents_of(self._site.environments[environment])

    def _refusals(self, document: Document) -> dict[str, list[tuple[str, str]]]:
        return {name: self._problems(document, name) for name in self._site.environments}

    def _problems(self, document: Document, environment: str) -> list[tuple[str, str]]:
        try:
            self._agents(document, environment)
        except InputError as error:
            return [(one.path, one.message) if isinstance(one, Problem) else ("", one) for one in error.problems]
        return []

    def _whereabouts(self, document: Document) -> list[str]:
        return [name for name in self._site.environments if self._agents(document, name)]

    def _template(self, document: Document, environment: str) -> Any:
        agents = self._agents(document, environment)
        return [synthesised(agent, self._site.environments[environment]) for agent in agents]

    def _handler(self, document: Document, **world: Any) -> Any:
        return [handled(self._site, agent, **world) for agent in self._agents(document, "local")]
