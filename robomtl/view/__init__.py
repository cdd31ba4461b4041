"""Looking at one demonstration, or at one episode of a policy."""

from robomtl.view.command import view
from robomtl.view.config import ViewConfig

__all__ = ["ViewConfig", "view"]
