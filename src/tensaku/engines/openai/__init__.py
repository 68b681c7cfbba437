"""Models behind another server that speaks OpenAI's wire: vLLM, NIM, TensorRT-LLM, Azure, or Tensaku itself."""

from tensaku.engines.openai.engine import OpenAIEngine

__all__ = ["OpenAIEngine"]
