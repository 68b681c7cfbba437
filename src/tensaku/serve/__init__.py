"""The API: the wire that the OpenAI clients speak, over any engine, many adapters by request.

build_app    the ASGI app: models, chat, completions, embeddings, revise, health, metrics
Rules        its bounds, and what is recorded
Served       one release under the names it is asked for by
Lineup       the releases that answer, exchanged while requests run
listen, run  take the port first, then serve until Ctrl-C
Tls          a certificate and its key
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
from tensaku.serve.models import Lineup, Served
from tensaku.serve.rules import Rules
from tensaku.serve.tls import Tls

__all__ = [
    "LOOPBACK",
    "Guard",
    "Lineup",
    "Rules",
    "Served",
    "Tls",
    "address",
    "build_app",
    "flow",
    "hosts_of",
    "listen",
    "run",
]
