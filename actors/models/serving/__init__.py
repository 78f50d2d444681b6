"""A Messages API server over simulated agents: what any client can be pointed at, for free."""

from .app import serve_app as serve_app
from .world import World as World
