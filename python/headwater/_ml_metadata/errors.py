"""What calls raise: one class for each status code. See `headwater.errors`."""

from headwater.errors import *  # noqa: F403
