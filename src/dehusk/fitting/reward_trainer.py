"""TRL's `RewardTrainer` with the loss of an objective; everything else is TRL's own.

The objective's head stands in the place of the model's `score` layer, with whatever is trained beside it, so the
optimiser, the checkpoints and the launcher of several devices see one model and need to know nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dehusk.core.tables import Floats
from dehusk.fitting.objectives.objective import Batch, Objective

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Beside:
    """What lies beside the tokens of n training pairs, looked up by row."""

    chosen: Floats  # (n, k) standardised features
    rejected: Floats  # (n, k)
    weight: Floats  # (n,), mean one
    margin: Floats | None = None  # (n,)


@dataclass
class HeldOut:
    """What the model said of the held-out pairs in the last evaluation.

    By row: the rewards of chosen and rejected answer, and their difference under another prompt.
    """

    rewards: dict[int, tuple[float, ...]] = field(default_factory=dict)

    def sides(self) -> tuple[Floats, Floats, Floats]:
        """Rewards of the chosen and of the rejected answers and margins under another prompt, shape (m,) each."""
        table = np.array([self.rewards[row] for row in sorted(self.rewards)]).reshape(-1, 3)
        return table[:, 0], table[:, 1], table[:, 2]


def score_layer(objective: Objective, head: nn.ModuleDict) -> nn.Module:
    """The objective's head as a module that can stand in the place of a classifier's `score`."""
    import torch

    class Score(torch.nn.Module):
        """Rewards, shape (b, t, 1), of hidden states, shape (b, t, d), which it keeps for the loss."""

        def __init__(self) -> None:
            super().__init__()
            self.head = head
            self.given: Any = None
            self.still = [name for name, value in head.named_parameters() if not value.requires_grad]

        def forward(self, hidden: Any) -> Any:
            self.given = hidden
            with torch.autocast(hidden.device.type, enabled=False):  # the head is small and says the last word
                rewards = objective.reward(self.head, hidden.flatten(0, -2).float())
            return rewards.view(*hidden.shape[:-1], 1)

        def settle(self) -> None:
            """Keep the optimiser away from what the objective trains by itself: adapters let it go."""
            for name, value in self.head.named_parameters():
                value.requires_grad_(name not in self.still)

    return Score()


def trained_score(model: Any) -> Any:
    """The score layer that is trained: an adapter keeps an untouched one beside it."""
    return [layer for layer in model.modules() if type(layer).__name__ == "Score"][-1]


class ObjectiveLoss:
    """In training the loss of an objective, in evaluation TRL's own, so that objectives can be compared.

    `make_trainer` puts it before TRL's `RewardTrainer`, which is not imported unless something is trained.
    """

    objective: Objective
    beside: Beside
    held_out: HeldOut
    words: Tensor | None  # from states to words, where the objective asks for the likelihood of the chosen answers
    model: Any
    accelerator: Any
    processing_class: Any
    state: Any
    _metrics: Any

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **_: Any) -> Any:
        """See the trainer; `inputs` is what `collate` makes."""
        import torch

        trl: Any = super()
        loss, outputs = trl.compute_loss(model, _texts(inputs), return_outputs=True)
        score = trained_score(model)
        if not self.model.training:
            self._keep(inputs["row"], outputs.logits, self._elsewhere(model, inputs))
            return (loss, outputs) if return_outputs else loss
        said = self._text_loss(score.given, inputs)
        own = self._points(score.given, inputs["input_ids"])
        others = None
        if self._elsewhere(model, inputs) is not None:
            others = self._points(score.given, inputs["foreign_input_ids"])
        score.given = None
        batch = together(self.accelerator, self._batch(inputs["row"], own, others, said))
        progress = self.state.global_step / max(self.state.max_steps, 1)
        self.objective.before(score.head, detached(batch), progress)
        terms = self.objective.terms(score.head, batch, progress)
        for name, value in terms.items():
            self._metrics["train"][f"terms/{name}"].append(value.item())
        loss = torch.stack(list(terms.values())).sum()
        return (loss, outputs) if return_outputs else loss

    def _elsewhere(self, model: Any, inputs: Any) -> Any:
        """Rewards of the same answers under another prompt, shape (2b, 1), if the batch has them."""
        if "foreign_input_ids" not in inputs:
            return None
        return model(**_texts(inputs, "foreign_"), use_cache=False).logits

    def _points(self, states: Tensor, ids: Tensor) -> tuple[Tensor, ...]:
        return last_states(states, ids, self.processing_class.pad_token_id).chunk(2)

    def _text_loss(self, states: Tensor, inputs: Any) -> Tensor | None:
        if self.words is None:
            return None
        return text_loss(states, self.words, inputs["input_ids"], inputs["attention_mask"], inputs["answer"])

    def _batch(self, row: Tensor, own: Any, others: Any, said: Tensor | None) -> Batch:
        import torch

        def of(values: Floats | None) -> Any:
            return None if values is None else torch.tensor(values[row.cpu().numpy()]).float().to(row.device)

        return Batch(
            chosen=own[0],
            rejected=own[1],
            chosen_features=of(self.beside.chosen),
            rejected_features=of(self.beside.rejected),
            weight=of(self.beside.weight),
            row=row,
            foreign_chosen=None if others is None else others[0],
            foreign_rejected=None if others is None else others[1],
            margin=of(self.beside.margin),
            text_loss=said,
        )

    def _keep(self, row: Tensor, own: Tensor, foreign: Tensor) -> None:
        import torch

        chosen, rejected = own.squeeze(-1).float().chunk(2)
        elsewhere = foreign.squeeze(-1).float().chunk(2)
        values = torch.stack([chosen, rejected, elsewhere[0] - elsewhere[1]], dim=1)
        rows, values = (self.accelerator.gather(part) for part in (row, values))
        self.held_out.rewards |= dict(zip(rows.tolist(), map(tuple, values.tolist()), strict=True))

    def _send_telemetry(self) -> None:
        """Nothing leaves the machine."""


def make_trainer(
    objective: Objective, beside: Beside, held_out: HeldOut, *, words: Tensor | None, **options: Any
) -> Any:
    """A `RewardTrainer` that minimises an objective.

    Args:
        objective: Its head is the model's `score` (see `score_layer`).
        beside: Features, weights and margins of the training pairs.
        held_out: Gets what the model says in evaluations.
        words: The layer from states to words, shape (vocabulary, d), for the likelihood of the chosen answers; None
            where the objective does not ask for it.
        options: Of the `RewardTrainer`.
    """
    import trl
    from transformers import PrinterCallback

    library: Any = trl
    given = {"objective": objective, "beside": beside, "held_out": held_out, "words": None}
    trainer = type("ObjectiveTrainer", (ObjectiveLoss, library.RewardTrainer), given)(**options)
    trainer.words = None if words is None else words.to(trainer.args.device)
    trainer.remove_callback(PrinterCallback)  # standard output is for results
    return trainer


def _texts(inputs: Any, kind: str = "") -> dict[str, Any]:
    """The tokens and the mask of a batch."""
    return {name: inputs[f"{kind}{name}"] for name in ("input_ids", "attention_mask")}


def collate(pad: int) -> Any:
    """What makes a batch of rows: TRL's collator, with the row numbers, answer lengths and foreign texts beside it."""
    import torch
    from trl.trainer.reward_trainer import DataCollatorForPreference

    plain = DataCollatorForPreference(pad_token_id=pad)

    def collated(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = plain(rows)
        found |= {name: torch.tensor([row[name] for row in rows]) for name in ("row", "answer")}
        if "foreign_chosen_ids" in rows[0]:
            others = [{name: row[f"foreign_{name}"] for name in ("chosen_ids", "rejected_ids")} for row in rows]
            found |= {f"foreign_{name}": value for name, value in plain(others).items()}
        return found

    return collated


def last_states(states: Tensor, ids: Tensor, pad: int) -> Tensor:
    """States, shape (b, d), of shape (b, t, d), at the last token that is not the pad token, where rewards are read."""
    import torch

    places = torch.arange(ids.shape[1], device=ids.device)
    return states[torch.arange(len(ids), device=ids.device), (places * (ids != pad)).argmax(-1)].float()


def text_loss(states: Tensor, words: Tensor, ids: Tensor, mask: Tensor, answer: Tensor) -> Tensor:
    """Mean −log π a token of the chosen answers, shape (b,).

    Args:
        states: Of chosen above rejected texts, shape (2b, t, d).
        words: From states to words, shape (vocabulary, d).
        ids: Shape (2b, t).
        mask: 1 for tokens, 0 for padding on the right, shape (2b, t).
        answer: Tokens at the end of each chosen text that are its answer, shape (b,); fewer than the text has.
    """
    import torch
    from torch.nn.functional import cross_entropy

    length = mask[: len(answer)].sum(1)[:, None]
    places = torch.arange(ids.shape[1], device=ids.device)
    rows, at = torch.nonzero((places >= length - answer[:, None]) & (places < length), as_tuple=True)
    each = cross_entropy(states[rows, at - 1].float() @ words.float().T, ids[rows, at], reduction="none")
    return each.new_zeros(len(answer)).index_add(0, rows, each) / answer.clamp_min(1)


def detached(batch: Batch) -> Batch:
    """The same batch, without gradients."""
    values = {item.name: getattr(batch, item.name) for item in fields(batch)}
    return replace(batch, **{name: value.detach() for name, value in values.items() if value is not None})


def together(accelerator: Any, batch: Batch) -> Batch:
    """The batch of all devices: a correlation, or a queue, is that of all pairs of a step.

    Gradients flow to a device's own share alone. It counts once for each of w devices: the mean that is then taken over
    devices divides by w, while each of them had the whole gradient of the head but only its share of the rest.
    """
    import torch

    devices = accelerator.num_processes
    if devices == 1:
        return batch

    def everybodys(own: Tensor) -> Tensor:
        found: Tensor = accelerator.gather(own.detach().contiguous())
        if not own.requires_grad:
            return found
        start = accelerator.process_index * len(own)
        louder = devices * own - ((devices - 1) * own).detach()
        return torch.cat([found[:start], louder, found[start + len(own) :]])

    values = {item.name: getattr(batch, item.name) for item in fields(batch)}
    return replace(batch, **{name: everybodys(value) for name, value in values.items() if value is not None})
