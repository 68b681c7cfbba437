"""The OpenAPI document of the API: made from what the doors themselves check requests by."""

from __future__ import annotations

from functools import cache
from typing import Any

from tensaku import __version__
from tensaku.serve.asks import Ask, ChatAsk, CompletionAsk, EmbeddingAsk, ReviseAsk

__all__ = ["document"]

_DOORS: tuple[tuple[str, type[Ask], str], ...] = (
    ("/v1/chat/completions", ChatAsk, "Answer a conversation"),
    ("/v1/completions", CompletionAsk, "Continue a text"),
    ("/v1/embeddings", EmbeddingAsk, "Turn texts into vectors"),
    ("/v1/revise", ReviseAsk, "Revise a draft"),
)
_READS = (
    ("/v1/models", "Every model that may be asked for"),
    ("/metrics", "Counts for Prometheus"),
    ("/healthz", "Whether the process answers"),
    ("/readyz", "Whether it is ready to answer, and if not, why"),
)
_STATUSES = {
    "400": "The request is wrong",
    "401": "No API key, or one that opens nothing",
    "403": "The key does not open this model, or the page is another site's",
    "404": "No such model",
    "413": "The request is too large",
    "415": "The body is no JSON",
    "429": "A budget is used up or the line is full; Retry-After says when to try again",
    "500": "The model failed",
    "503": "Not now; Retry-After says when to try again",
    "504": "The answer took too long",
}


@cache
def document() -> dict[str, Any]:
    """The document, as JSON values."""
    schemas: dict[str, Any] = {"Error": _ERROR}
    paths: dict[str, Any] = {}
    for path, kind, summary in _DOORS:
        schema = kind.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {})
        schema["properties"].pop("without_effect", None)
        schemas[kind.__name__] = schema
        body = {"required": True, "content": _json({"$ref": f"#/components/schemas/{kind.__name__}"})}
        paths[path] = {"post": {"summary": summary, "requestBody": body, "responses": _responses()}}
    for path, summary in _READS:
        paths[path] = {"get": {"summary": summary, "responses": _responses("401", "403", "503")}}
    name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    one = {"summary": "One model", "parameters": [name], "responses": _responses("401", "403", "404")}
    paths["/v1/models/{name}"] = {"get": one}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tensaku", "version": __version__},
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
        "security": [{}, {"key": []}],
    }


_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _responses(*statuses: str) -> dict[str, Any]:
    wrong = {"$ref": "#/components/schemas/Error"}
    errors = {status: {"description": _STATUSES[status], "content": _json(wrong)} for status in statuses or _STATUSES}
    return {"200": {"description": "The answer"}, **errors}
