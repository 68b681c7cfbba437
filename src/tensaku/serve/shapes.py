"""The shapes of answers on the wire of OpenAI's clients, and of a revision."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from tensaku.engines.calls import CallPiece
from tensaku.engines.protocol import TokenScore
from tensaku.records import Change, Revision, ToolCall, Usage, to_dict
from tensaku.text import lost

__all__ = ["Shape", "chat", "completion", "embeddings", "revision", "usage_of"]


def usage_of(usage: Usage) -> dict[str, Any]:
    """The counts of one answer."""
    total = usage.prompt + usage.completion
    counts = {"prompt_tokens": usage.prompt, "completion_tokens": usage.completion, "total_tokens": total}
    details = {"accepted_prediction_tokens": usage.accepted, "rejected_prediction_tokens": usage.rejected}
    known = {"cached_tokens": usage.cached}
    return {**counts, "prompt_tokens_details": known, "completion_tokens_details": details}


def _token(score: TokenScore) -> dict[str, Any]:
    return {"token": score.text, "logprob": score.logprob, "bytes": list(score.text.encode())}


def _called(piece: CallPiece) -> dict[str, Any]:
    """A piece of a call: its first says which it is."""
    function = ({"name": piece.name} if piece.name else {}) | {"arguments": piece.arguments}
    first = {"id": piece.id, "type": "function"} if piece.id else {}
    return {"index": piece.number, **first, "function": function}


class Shape:
    """How one door words its answers."""

    name = ""
    """What the objects call themselves."""
    start = ""
    """How their ids begin."""

    def choice(
        self, number: int, text: str, finish: str, scores: Sequence[TokenScore] | None, calls: Sequence[ToolCall] = ()
    ) -> dict[str, Any]:
        """One whole answer, with the tools that it calls."""
        raise NotImplementedError

    def piece(
        self, number: int, text: str, scores: Sequence[TokenScore] | None, calls: Sequence[CallPiece] = ()
    ) -> dict[str, Any]:
        """A piece of one."""
        raise NotImplementedError

    def first(self, number: int) -> dict[str, Any] | None:
        """What a stream begins with."""
        return None

    def last(self, number: int, finish: str) -> dict[str, Any]:
        """What a stream ends with."""
        raise NotImplementedError

    @property
    def chunk(self) -> str:
        """What the pieces of a stream call themselves."""
        return self.name


class _Chat(Shape):
    name, start = "chat.completion", "chatcmpl-"

    def choice(
        self, number: int, text: str, finish: str, scores: Sequence[TokenScore] | None, calls: Sequence[ToolCall] = ()
    ) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        if calls:
            functions = [{"name": call.name, "arguments": call.arguments} for call in calls]
            listed = zip(calls, functions, strict=True)
            message["tool_calls"] = [{"id": c.id, "type": "function", "function": made} for c, made in listed]
            message["content"] = text or None
        return {"index": number, "message": message, "logprobs": self._logprobs(scores), "finish_reason": finish}

    def piece(
        self, number: int, text: str, scores: Sequence[TokenScore] | None, calls: Sequence[CallPiece] = ()
    ) -> dict[str, Any]:
        delta: dict[str, Any] = {"content": text} if text or not calls else {}
        if calls:
            delta["tool_calls"] = [_called(call) for call in calls]
        return self._delta(number, delta, None, scores)

    def first(self, number: int) -> dict[str, Any] | None:
        return self._delta(number, {"role": "assistant", "content": ""}, None, None)

    def last(self, number: int, finish: str) -> dict[str, Any]:
        return self._delta(number, {}, finish, None)

    @property
    def chunk(self) -> str:
        return "chat.completion.chunk"

    def _delta(
        self, number: int, delta: dict[str, Any], finish: str | None, scores: Sequence[TokenScore] | None
    ) -> dict[str, Any]:
        return {"index": number, "delta": delta, "logprobs": self._logprobs(scores), "finish_reason": finish}

    @staticmethod
    def _logprobs(scores: Sequence[TokenScore] | None) -> dict[str, Any] | None:
        if scores is None:
            return None
        tops = [[_token(TokenScore(text, value)) for text, value in score.top] for score in scores]
        listed = [{**_token(score), "top_logprobs": top} for score, top in zip(scores, tops, strict=True)]
        return {"content": listed, "refusal": None}


class _Completion(Shape):
    name, start = "text_completion", "cmpl-"

    def choice(
        self, number: int, text: str, finish: str, scores: Sequence[TokenScore] | None, calls: Sequence[ToolCall] = ()
    ) -> dict[str, Any]:
        return {"index": number, "text": text, "logprobs": self._logprobs(scores), "finish_reason": finish}

    def piece(
        self, number: int, text: str, scores: Sequence[TokenScore] | None, calls: Sequence[CallPiece] = ()
    ) -> dict[str, Any]:
        return {"index": number, "text": text, "logprobs": self._logprobs(scores), "finish_reason": None}

    def last(self, number: int, finish: str) -> dict[str, Any]:
        return {"index": number, "text": "", "logprobs": None, "finish_reason": finish}

    @staticmethod
    def _logprobs(scores: Sequence[TokenScore] | None) -> dict[str, Any] | None:
        if scores is None:
            return None
        offsets, at = [], 0
        for score in scores:
            offsets.append(at)
            at += len(score.text)
        return {
            "tokens": [score.text for score in scores],
            "token_logprobs": [score.logprob for score in scores],
            "top_logprobs": [dict(score.top) for score in scores],
            "text_offset": offsets,
        }


chat: Shape = _Chat()
completion: Shape = _Completion()


def embeddings(
    model: str, vectors: Sequence[Sequence[float]], tokens: int, made_by: Mapping[str, str], packed: bool
) -> dict[str, Any]:
    """Vectors as the wire has them: numbers, or 32-bit floats packed in base 64."""

    def written(vector: Sequence[float]) -> Any:
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode() if packed else list(vector)

    data = [{"object": "embedding", "index": i, "embedding": written(v)} for i, v in enumerate(vectors)]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model, "usage": usage, "tensaku": dict(made_by)}


def revision(head: Mapping[str, Any], made: Revision, changes: Sequence[Change]) -> dict[str, Any]:
    """A revision with what it changed, what the facts guard found, and who made it."""
    breaks = [{"what": broken.what, **broken.fact._asdict()} for broken in made.verdict.breaks]
    left_out = [sentence._asdict() for sentence in lost(made.draft, made.verdict)]
    return {
        **head,
        "object": "revision",
        "text": made.text,
        "changes": [to_dict(change) for change in changes],
        "facts": {"kept": made.verdict.kept, "breaks": breaks, "lost": left_out},
        "finish_reason": made.finish,
        "usage": usage_of(made.usage),
        "tensaku": dict(made.provenance),
    }
