"""A Ray cluster (the extra `cluster`): the one that RAY_ADDRESS names, else one of this machine, as long as it is used.

The workspace must lie where all of its machines see it under the same path, with the same Tensaku installed on each.
Ray is told not to report its use, and to show no dashboard.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from tensaku.errors import MissingExtra

__all__ = ["in_ray"]

_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_TRAIN_V2_ENABLED": "1", "RAY_DISABLE_IMPORT_WARNING": "1"}


@contextmanager
def in_ray(*also: str) -> Iterator[Any]:
    """The module `ray`, connected; `also` names more of its modules that are needed.

    Raises:
        MissingExtra: Ray is not installed.
    """
    before = {name: os.environ.get(name) for name in _QUIET}
    os.environ.update(_QUIET)
    try:
        try:
            ray: Any = import_module("ray")
            for name in also:
                import_module(name)
        except ModuleNotFoundError as error:
            raise MissingExtra(error.name or "ray", "cluster") from None
        if os.environ.get("RAY_ADDRESS"):
            ray.init(log_to_driver=False)
        else:  # of this machine: reachable from this machine alone
            ray.init(include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1")
        try:
            yield ray
        finally:
            ray.shutdown()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
