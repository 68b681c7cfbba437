"""The API: the wire that the OpenAI clients speak, over any engine, many adapters by request.

build_app    the ASGI app: /v1/models, /v1/chat/completions, /healthz, /readyz
Served       one release under the names it is asked for by
listen, run  take the port first, then serve until Ctrl-C
flow         a blocking stream as an asynchronous one
"""

from tensaku.errors import MissingExtra

try:
    from tensaku.serve.app import build_app
    from tensaku.serve.server import address, hosts_of, listen, run
except ModuleNotFoundError as error:
    if error.name is None or error.name.startswith("tensaku"):
        raise
    raise MissingExtra(error.name, "serve") from None
from tensaku.serve.flow import flow
from tensaku.serve.guard import LOOPBACK, Guard
from tensaku.serve.models import Served

__all__ = ["LOOPBACK", "Guard", "Served", "address", "build_app", "flow", "hosts_of", "listen", "run"]
