"""A whole model trained on preference pairs, all of it or added low-rank matrices, with the objective of one's choice.

The result is a standard folder: a sequence classifier with one output, which transformers, TRL and OpenRLHF load and
which needs nothing of ours. TRL's `RewardTrainer` does the training, so `accelerate launch` runs it on several devices.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dehusk.core.errors import InputError, MissingExtra
from dehusk.core.kinds import objectives
from dehusk.core.messages import Text, say
from dehusk.core.options.training import Training
from dehusk.core.run import stream
from dehusk.core.tables import Bools, Floats, Ints, Measures, Pairs
from dehusk.fitting.classifier_folder import (
    close_at_end_of_text,
    linear_layer,
    load_classifier,
    open_base,
    pad_apart,
    save_classifier,
)
from dehusk.fitting.ground import even
from dehusk.fitting.launching import (
    Monitor,
    Watch,
    arguments,
    datasets,
    fingerprint,
    last_checkpoint,
    number,
    onlookers,
)
from dehusk.fitting.objectives.objective import Objective
from dehusk.fitting.reward_trainer import Beside, HeldOut, collate, make_trainer, score_layer, trained_score
from dehusk.fitting.token_pairs import Lengths, TokenPairs, token_pairs
from dehusk.fitting.training_set import feature_values
from dehusk.rewards.checkpoints import Checkpoint, load_tokenizer, quiet
from dehusk.rewards.rendering import rendering_for
from dehusk.text.foreign import foreign_rows

CHECKPOINTS = "checkpoints"


@dataclass(frozen=True, eq=False)
class Trained:
    """A model that was trained and saved, and what it says of the m held-out pairs."""

    folder: Path
    rows: Ints  # (m,), held-out pairs
    chosen: Floats  # (m,), their rewards
    rejected: Floats
    lengths: Lengths
    pairs: int  # that were trained on
    steps: int
    seconds: float
    readings: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))  # of the objective
    notes: tuple[Text, ...] = ()


def train_model(
    pairs: Pairs,
    measures: Measures,
    how: Training,
    objective: Objective,
    *,
    held_out: Bools,
    folder: Path,
    monitor: Monitor | None = None,
    watch: Watch = lambda *_: None,
) -> Trained:
    """Train a decoder with a linear head on preference pairs, and save it as a standard classifier.

    Args:
        pairs: n preference pairs; `margin`, if there is such a column, is the margin to reach.
        measures: Features of both sides; `how.target` of them are standardised on the training pairs.
        how: What is trained, from which model, with which steps.
        objective: What is minimised; its head must be linear.
        held_out: Pairs that only the monitor sees, shape (n,).
        folder: Where the model goes; its checkpoints are in a folder in it until it is done.
        monitor: Called after every evaluation; true stops the training.
        watch: Called with "training", the steps done and the steps in all.

    Raises:
        InputError: a base or an objective that cannot become a standard classifier; checkpoints of another run.
        MissingExtra: the libraries that training needs are not installed.
        NotEnoughData: no pairs.
    """
    start = time.perf_counter()
    _require()
    base = open_base(how.embedder)
    tokenizer, needs = load_tokenizer(base), _needs(objective)
    tokens, lengths, notes = _tokens(pairs, how, base, tokenizer, held_out, needs)
    apart = held_out[tokens.rows]
    beside = _beside(pairs, measures, how.target, tokens.rows[~apart])
    seen = HeldOut()
    with quiet():
        model, told = _model(base, how, objective, beside)
        trainer = make_trainer(
            objective,
            beside,
            seen,
            words=_words(base) if "text" in needs else None,
            model=model,
            processing_class=tokenizer,
            args=arguments(how, folder / CHECKPOINTS, evaluated=bool(apart.any())),
            data_collator=collate(tokenizer.pad_token_id),
            callbacks=[onlookers(seen, monitor, watch)],
            **datasets(tokens, apart, foreign="foreign" in needs),
        )
        run = fingerprint(base, pairs, how, objective, held_out)
        trainer.train(resume_from_checkpoint=last_checkpoint(folder / CHECKPOINTS, run, resume=how.resume))
        readings, constant = _finish(trainer, how, objective, folder)
    chosen, rejected, _ = seen.sides()
    return Trained(
        folder=folder,
        rows=tokens.rows[apart],
        chosen=chosen - constant,
        rejected=rejected - constant,
        lengths=lengths,
        pairs=int((~apart).sum()),
        steps=int(trainer.state.global_step),
        seconds=time.perf_counter() - start,
        readings=readings,
        notes=notes + told,
    )


def _finish(trainer: Any, how: Training, objective: Objective, folder: Path) -> tuple[Mapping[str, float], float]:
    """Look at the held-out pairs once more and save the model; what the objective says, and the head's constant."""
    state = trainer.state
    looked = any("eval_loss" in row and row["step"] == state.global_step for row in state.log_history)
    if trainer.eval_dataset is not None and not looked:
        trainer.evaluate()
    model = trainer.accelerator.unwrap_model(trainer.model)
    model = model.merge_and_unload() if how.train == "lora" else model
    head = trained_score(model).head
    weight, constant = linear_layer(objective, head)
    if trainer.is_world_process_zero():
        save_classifier(model, weight, trainer.processing_class, folder)
        trainer.state.save_to_json(str(folder / "trainer_state.json"))  # `dehusk audit --log` reads it
        shutil.rmtree(folder / CHECKPOINTS)
    return objective.readings(head), constant


def _tokens(
    pairs: Pairs, how: Training, base: Checkpoint, tokenizer: Any, held_out: Bools, needs: tuple[str, ...]
) -> tuple[TokenPairs, Lengths, tuple[Text, ...]]:
    """The pairs as tokens, what was too long, and what the user should know."""
    closed = close_at_end_of_text(tokenizer)
    rendering = rendering_for(tokenizer, base.config, None, how.max_length)
    pad_apart(tokenizer, rendering)
    others = foreign_rows(pairs.frame["prompt"].to_list(), pairs.groups, stream(how.seed, "fit.foreign"))
    wanted = held_out | ("foreign" in needs)
    prompts = pairs.frame["prompt"].gather(others).to_list()
    foreign = [prompt if asked else None for prompt, asked in zip(prompts, wanted, strict=True)]
    tokens, lengths = token_pairs(
        pairs, rendering, how.overlong, stay=held_out, answers="text" in needs, foreign=foreign
    )
    said = [rendering.remark(), *lengths.notes()]
    if closed:
        said.append(say("training.closed", token=tokenizer.eos_token))
    if tokenizer.pad_token_id == tokenizer.eos_token_id:
        said.append(say("models.pad_is_eos", token=tokenizer.eos_token))
    return tokens, lengths, tuple(said)


def _needs(objective: Objective) -> tuple[str, ...]:
    """What an objective asks for beside points: "features", "foreign" prompts, the "text" of the chosen answers."""
    return next((tuple(row.options.get("needs", ())) for row in objectives if row.thing is type(objective)), ())


def _beside(pairs: Pairs, measures: Measures, features: Sequence[str], rows: Ints) -> Beside:
    """Features, weights and margins of the training pairs, standardised once on both their sides."""
    values = even(feature_values(measures, features).reshape(2, len(pairs), -1)[:, rows])
    frame = pairs.frame[rows]
    margin = frame["margin"].fill_null(0).to_numpy() if "margin" in frame.columns else None
    weight = frame["weight"].to_numpy()
    return Beside(values[0], values[1], weight / weight.mean(), margin)


def _model(base: Checkpoint, how: Training, objective: Objective, beside: Beside) -> tuple[Any, tuple[Text, ...]]:
    """The classifier with the objective's head as its score, and with low-rank matrices if those are trained.

    Returns:
        The model, and what became of the head of a base that is a reward model already.

    Raises:
        InputError: the objective's head is not linear.
    """
    import torch

    added = how.train == "lora"
    half = added and how.dtype == "bfloat16"  # what is trained stays in float32
    model = load_classifier(base, torch.bfloat16 if half else torch.float32)
    told: tuple[Text, ...] = ()
    with torch.random.fork_rng():
        torch.manual_seed(number(how.seed, "fit.weights"))
        head = objective.build(model.score.in_features, beside.chosen.shape[1], len(beside.weight))
        linear_layer(objective, head)
        if (name := _own_score(base)) is not None:
            told = (_go_on_from(base.tensor(name), head),)
        model.score = score_layer(objective, head)
        model = _with_matrices(model, how) if added else model
    trained_score(model).settle()
    return model, told


def _own_score(base: Checkpoint) -> str | None:
    """The tensor with the head of a base that is a reward model already."""
    return next((name for name in base.tensors if name.endswith("score.weight")), None)


def _go_on_from(weight: Any, head: Any) -> Text:
    """Give an objective's linear head the weights, shape (1, d), that a reward model has: it is trained further.

    A head that was fitted on the frozen model first leaves its states less distorted (arXiv 2202.10054). One that is a
    product of two layers (InfoRM) starts anew.
    """
    import torch
    from torch import nn

    layers = [part for part in head["reward"].modules() if isinstance(part, nn.Linear)]
    if len(layers) > 1:
        return say("training.new_head")
    with torch.no_grad():
        layers[0].weight.copy_(weight)
        if layers[0].bias is not None:
            layers[0].bias.zero_()
    return say("training.own_head")


def _with_matrices(model: Any, how: Training) -> Any:
    """LoRA (Hu et al., arXiv 2106.09685) on every linear layer but the head, which is trained as it is."""
    import peft

    library: Any = peft
    layers = [name for name, layer in model.named_modules() if type(layer).__name__ in ("Linear", "Conv1D")]
    adapter = library.LoraConfig(
        r=how.lora_rank,
        lora_alpha=how.lora_alpha,
        target_modules=[name for name in layers if not name.startswith("score.")],
        modules_to_save=["score"],
    )
    return library.get_peft_model(model, adapter)


def _words(base: Checkpoint) -> Any:
    """The layer from states to words, shape (vocabulary, d), which stays as it is: often the embeddings.

    Raises:
        InputError: it has none.
    """
    names = ("lm_head.weight", "model.embed_tokens.weight", "transformer.wte.weight")
    name = next((name for name in names if name in base.tensors), None)
    if name is None:
        raise InputError("no layer from states to words (lm_head)", where=base.where, expected="a language model")
    return base.tensor(name)


def _require() -> None:
    """Make sure that the libraries for training are there.

    Raises:
        MissingExtra: one is not.
    """
    if any(find_spec(name) is None for name in ("trl", "peft", "accelerate", "datasets")):
        raise MissingExtra("train", "training a whole model")
