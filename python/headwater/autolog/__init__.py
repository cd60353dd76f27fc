"""Records what libraries train, without another word in the script.

>>> import headwater as hw
>>> hw.autolog()
>>> hw.autolog(False)
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable
from typing import Any, Union

from headwater.autolog import (
    hooks,
    keras,
    lightgbm,
    lightning,
    sklearn,
    torch,
    transformers,
    xgboost,
)

LIBRARIES = ("sklearn", "xgboost", "lightgbm", "torch", "lightning", "keras", "transformers")
_FILES = (sklearn, xgboost, lightgbm, torch, lightning, keras, transformers)


def autolog(
    enable: bool = True,
    *,
    libraries: Union[str, Iterable[str], None] = None,
    log_models: bool = True,
    log_data: bool = True,
) -> None:
    """Records parameters, metrics, data and models of what is trained from now on.

    A training is recorded in the run around it, or else in a run of its own, which ends with it.
    What trains inside a training, such as the steps of a pipeline, is part of it. Libraries are
    patched when they are imported, before or after this call; those that are not here cost nothing.

    Args:
      enable: False stops it, and puts the libraries back as they were.
      libraries: which of ``"sklearn"``, ``"xgboost"``, ``"lightgbm"``, ``"torch"``,
        ``"lightning"``, ``"keras"`` and ``"transformers"``; all of them.
      log_models: whether trained models are saved and recorded.
      log_data: whether data is hashed and recorded: up to 128 MiB of it, beyond that its shape.

    Raises:
      ValueError: a library is none of these.
    """
    named = [libraries] if isinstance(libraries, str) else list(libraries or LIBRARIES)
    unknown = [name for name in named if name not in LIBRARIES]
    if unknown:
        raise ValueError(
            f"cannot log `{unknown[0]}` by itself\nhint: libraries are {', '.join(LIBRARIES)}"
        )
    for name in named:
        hooks.settings[name] = hooks.Settings(bool(enable), log_models, log_data)
    hooks.apply({place.module: place for file in _FILES for place in file.PLACES})


class _Module(types.ModuleType):
    """`headwater.autolog` is this module once it is imported, and the function all the same."""

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        autolog(*args, **kwargs)


sys.modules[__name__].__class__ = _Module
