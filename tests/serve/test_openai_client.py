"""The real `openai` client against the API over a real server."""

from __future__ import annotations

import asyncio
import time

import openai
import pytest

from tensaku.testing import ScriptedEngine


def client(api: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{api}/v1", api_key="none", max_retries=0, timeout=10)


def test_an_answer_in_one_piece_says_who_made_it(api: str, engine: ScriptedEngine) -> None:
    with client(api) as ask:
        raw = ask.chat.completions.with_raw_response.create(
            model="monthly-comment", messages=[{"role": "user", "content": "原稿"}]
        )
    answer = raw.parse()
    assert answer.choices[0].message.content == "修正案:原稿"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (2, 6, 8)
    made_by = {
        "release": "release-3fa9c1d2b0aa",
        "adapter": engine.adapters()["comment"],
        "base": engine.identity(None)["base"],
        "engine": "scripted",
        "version": "1",
        "trial": "yes",
    }
    assert answer.model_extra == {"tensaku": made_by}
    assert {key: raw.headers[f"x-tensaku-{key}"] for key in made_by} == made_by


def test_names_of_a_model(api: str) -> None:
    with client(api) as ask:
        assert [m.id for m in ask.models.list()] == ["monthly-comment", "release-3fa9c1d2b0aa", "base"]
        assert ask.models.retrieve("monthly-comment").created == 1_790_000_000
        said = {
            name: ask.chat.completions.create(model=name, messages=[{"role": "user", "content": "x"}])
            for name in ("release-3fa9c1d2b0aa", "base")
        }
    assert said["release-3fa9c1d2b0aa"].choices[0].message.content == "修正案:x"
    assert said["base"].choices[0].message.content == "答え:x"
    extra = said["base"].model_extra
    assert extra is not None
    assert (extra["tensaku"]["adapter"], extra["tensaku"]["release"]) == ("", "")
    assert said["base"].system_fingerprint != said["release-3fa9c1d2b0aa"].system_fingerprint


def test_streaming_with_usage_at_the_end(api: str) -> None:
    with client(api) as ask:
        chunks = list(
            ask.chat.completions.create(
                model="monthly-comment",
                messages=[{"role": "user", "content": "来月の見通し"}],
                stream=True,
                stream_options={"include_usage": True},
            )
        )
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "修正案:来月の見通し"
    assert len(chunks) == 4 + 3  # role, four pieces of up to three characters, finish, usage
    assert [c.choices[0].finish_reason for c in chunks if c.choices] == [None] * 5 + ["stop"]
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 10
    assert len({c.id for c in chunks}) == 1


def test_streaming_arrives_as_it_is_written(api: str, engine: ScriptedEngine) -> None:
    engine.delay = 0.1
    with client(api) as ask:
        stream = ask.chat.completions.create(
            model="base", messages=[{"role": "user", "content": "一二三四五六七八九"}], stream=True
        )
        times = [time.monotonic() for c in stream if c.choices[0].delta.content]
    assert len(times) == 4
    assert times[-1] - times[0] > 0.25


def test_stop_and_length(api: str) -> None:
    with client(api) as ask:
        stopped = ask.chat.completions.create(
            model="base", messages=[{"role": "user", "content": "上昇。下落。"}], stop=["。", "下"]
        )
        cut = ask.chat.completions.create(
            model="base", messages=[{"role": "user", "content": "上昇した"}], max_tokens=5
        )
        cut_too = ask.chat.completions.create(
            model="base", messages=[{"role": "user", "content": "上昇した"}], max_completion_tokens=4
        )
        bounded = ask.chat.completions.create(model="base", messages=[{"role": "user", "content": "long"}])
    assert (stopped.choices[0].message.content, stopped.choices[0].finish_reason) == ("答え:上昇", "stop")
    assert (cut.choices[0].message.content, cut.choices[0].finish_reason) == ("答え:上昇", "length")
    assert cut_too.choices[0].message.content == "答え:上"
    assert len(bounded.choices[0].message.content or "") == 1024
    assert bounded.choices[0].finish_reason == "length"


def test_the_prediction_reaches_the_engine(api: str, engine: ScriptedEngine) -> None:
    with client(api) as ask:
        ask.chat.completions.create(
            model="base",
            messages=[{"role": "user", "content": "原稿"}],
            prediction={"type": "content", "content": "原稿のまま"},
        )
    assert engine.requests[-1].prediction == "原稿のまま"


def test_many_at_once_with_the_asynchronous_client(api: str, engine: ScriptedEngine) -> None:
    engine.delay = 0.02

    async def one(ask: openai.AsyncOpenAI, i: int) -> str:
        model = "base" if i % 2 else "monthly-comment"
        stream = await ask.chat.completions.create(
            model=model, messages=[{"role": "user", "content": f"第{i}番"}], stream=True
        )
        return "".join([c.choices[0].delta.content or "" async for c in stream])

    async def all_of_them() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{api}/v1", api_key="none", max_retries=0) as ask:
            return await asyncio.gather(*(one(ask, i) for i in range(24)))

    assert asyncio.run(all_of_them()) == [f"{'答え' if i % 2 else '修正案'}:第{i}番" for i in range(24)]


@pytest.mark.parametrize("name", ["monthly-coment", "bass"])
def test_an_unknown_model_names_the_nearest(api: str, name: str) -> None:
    with client(api) as ask, pytest.raises(openai.NotFoundError) as caught:
        ask.chat.completions.create(model=name, messages=[{"role": "user", "content": "x"}])
    assert caught.value.code == "model_not_found"
    assert "Did you mean " + {"monthly-coment": "monthly-comment", "bass": "base"}[name] in caught.value.message


def test_a_text_that_does_not_fit(api: str) -> None:
    with client(api) as ask, pytest.raises(openai.BadRequestError) as caught:
        ask.chat.completions.create(model="base", messages=[{"role": "user", "content": "長" * 100_000}])
    assert caught.value.code == "context_length_exceeded"
    assert "100000 tokens, and the model holds 5000" in caught.value.message


def test_a_model_that_fails(api: str) -> None:
    with client(api) as ask:
        with pytest.raises(openai.InternalServerError) as caught:
            ask.chat.completions.create(model="base", messages=[{"role": "user", "content": "fail"}])
        assert caught.value.status_code == 503
        with pytest.raises(openai.APIError, match="the model broke"):
            list(ask.chat.completions.create(model="base", messages=[{"role": "user", "content": "fail"}], stream=True))


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_ends_the_answer(api: str, engine: ScriptedEngine, stream: bool) -> None:
    engine.delay = 0.05
    with client(api) as ask:
        if stream:
            answer = ask.chat.completions.create(
                model="base", messages=[{"role": "user", "content": "long"}], stream=True
            )
            next(iter(answer))
            assert engine.running == 1
            answer.close()
        else:
            with pytest.raises(openai.APITimeoutError):
                ask.with_options(timeout=0.3).chat.completions.create(
                    model="base", messages=[{"role": "user", "content": "long"}]
                )
    until = time.monotonic() + 2  # the whole answer would take 17 s
    while engine.running and time.monotonic() < until:
        time.sleep(0.02)
    assert engine.running == 0
