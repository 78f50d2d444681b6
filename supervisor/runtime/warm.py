"""Imported by every worker of a Ray of ours as it starts, while Ray itself is still starting."""

from ...actors.imports import spare_pandas

spare_pandas()

from ...actors.judge import Judge  # noqa: E402 - what every worker needs, after the above

__all__ = ["Judge"]
