"""Run by an environment of its own, which has clients that nobody here wrote: asks the API at argv[1], prints JSON."""

import asyncio
import json
import subprocess
import sys
from typing import Any

import litellm
from langchain_openai import ChatOpenAI

url, key, folder = sys.argv[1:4]
found: dict[str, Any] = {}

chat = ChatOpenAI(model="monthly", base_url=url, api_key=key)
answer = chat.invoke([("system", "直す"), ("user", "原稿")])
found["langchain"] = [answer.content, answer.usage_metadata["output_tokens"]]
found["langchain-stream"] = "".join(str(piece.content) for piece in chat.stream("原稿"))
found["langchain-async"] = asyncio.run(chat.ainvoke("原稿")).content

asked: dict[str, Any] = {"model": "openai/monthly", "api_base": url, "api_key": key}
asked["messages"] = [{"role": "user", "content": "原稿"}]
found["litellm"] = litellm.completion(**asked).choices[0].message.content
pieces = litellm.completion(**asked, stream=True)
found["litellm-stream"] = "".join(piece.choices[0].delta.content or "" for piece in pieces)
try:
    litellm.completion(**{**asked, "api_key": "tsk-wrong"})
except litellm.AuthenticationError as error:
    found["litellm-refused"] = "API key" in str(error)

model = {"model_id": "tensaku", "model_name": "monthly", "api_base": url, "api_key_name": "tensaku"}
with open(f"{folder}/extra-openai-models.yaml", "w", encoding="utf-8") as file:  # noqa: PTH123
    json.dump([model], file)
words = [sys.executable, "-m", "llm", "-m", "tensaku", "--key", key, "原稿"]
done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
found["llm"] = done.stdout.strip() or done.stderr
print(json.dumps(found))
