"""What gives an agent its model, request by request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from strands.models import Model


class ModelSource(Protocol):
    """Gives the model for a request."""

    async def current(self) -> Model:
        """Gives the model, with secrets as fresh as the cache promises.

        Raises:
            SecretError: A secret that the model needs cannot be read.
        """
        ...


class ReadyModel:
    """A model that is built when the process starts; it reads secrets and connects at each call, by itself.

    Attributes:
        model: The model.
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    async def current(self) -> Model:
        """Gives the one model."""
        return self.model
