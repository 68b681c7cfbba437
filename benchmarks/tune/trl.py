"""TRL's SFTTrainer with its defaults; only precision, batch and steps are set, and nothing is reported anywhere."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from benchmarks.tune.course import Course, Watch, main
from benchmarks.tune.peer import load


def _dataset(course: Course) -> Any:
    """Prompt and completion, tokenised beforehand, in the order of the steps."""
    from datasets import Dataset  # type: ignore[import-not-found,unused-ignore]

    lessons = [lesson for batch in course.batches for lesson in batch]
    masks = [[0] * len(lesson.prompt) + [1] * len(lesson.completion) for lesson in lessons]
    return Dataset.from_dict({"input_ids": [lesson.ids for lesson in lessons], "completion_mask": masks})


def _config(course: Course) -> Any:
    from trl import SFTConfig  # type: ignore[import-not-found,unused-ignore]

    return SFTConfig(
        output_dir=str(Path(course.folder) / "trl"),
        per_device_train_batch_size=len(course.batches[0]),
        max_steps=len(course.batches),
        learning_rate=course.rates[0],
        lr_scheduler_type="constant",
        adam_beta2=course.beta2,
        max_grad_norm=course.clip,
        max_length=max(len(lesson.ids) for batch in course.batches for lesson in batch),
        completion_only_loss=True,
        bf16=course.precision == "bf16",
        train_sampling_strategy="sequential",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        logging_strategy="no",
        dataloader_pin_memory=False,
        use_cpu=not torch.cuda.is_available(),  # without this word TRL refuses bf16 on a CPU
        **course.options,
    )


def run(course: Course, watch: Watch) -> None:
    """Take the course."""
    from torch.optim.lr_scheduler import LambdaLR
    from transformers import AutoTokenizer, TrainerCallback
    from trl import SFTTrainer

    logging.getLogger("transformers").setLevel(logging.ERROR)

    class Trainer(SFTTrainer):  # type: ignore[misc]
        """Lets the loss be seen; TRL's own log rounds."""

        def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
            loss = super().compute_loss(*args, **kwargs)
            self.seen = loss.item()
            return loss

    class Steps(TrainerCallback):
        """Takes the time."""

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            watch.start()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            watch.step(trainer.seen, trainer.model.save_pretrained)

    tokenizer = AutoTokenizer.from_pretrained(course.model, local_files_only=True)
    given = {"train_dataset": _dataset(course), "processing_class": tokenizer, "callbacks": [Steps()]}
    trainer = Trainer(model=load(course), args=_config(course), **given)
    trainer.create_optimizer()
    rates = [rate / course.rates[0] for rate in course.rates]
    trainer.lr_scheduler = LambdaLR(trainer.optimizer, lambda step: rates[min(step, len(rates) - 1)])
    trainer.train()


if __name__ == "__main__":
    main(run)
