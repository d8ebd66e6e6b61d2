"""The verbs for Python: each takes what its command takes, by keyword, and returns what the command would show.

Paths, lists and mappings are taken where the command has strings: `responses={"sft": path}` is
`--responses sft=FILE`, `option={"keep": 0.5}` is `--option keep=0.5`. Every other field of the verb's config is a
keyword of the same name (`dehusk VERB --help`). Nothing is printed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import polars as pl

from dehusk.core.certificates import Certificate
from dehusk.core.comparison import Comparison
from dehusk.core.findings import Audit
from dehusk.core.options import (
    AdjustConfig,
    AuditConfig,
    CertifyConfig,
    CompareConfig,
    ConvertConfig,
    FitConfig,
    RepairConfig,
    ScoreConfig,
    ValidateConfig,
)
from dehusk.workflow.adjusting import Adjustment, run_adjust
from dehusk.workflow.auditing import run_audit
from dehusk.workflow.certifying import run_certify
from dehusk.workflow.comparing import run_compare
from dehusk.workflow.converting import Conversion, run_convert
from dehusk.workflow.fit_card import Fit
from dehusk.workflow.fitting import run_fit
from dehusk.workflow.repairing import Repair, run_repair
from dehusk.workflow.scoring import run_score
from dehusk.workflow.validating import Validation, run_validate

File = str | PathLike[str]
Stages = str | Sequence[str] | Mapping[str, File]
Names = str | Sequence[str]


def audit(pairs: File | None = None, responses: Stages = (), **options: Any) -> Audit:
    """Audit preference pairs, the answers of policy stages, reward models, or all of them.

    Args:
        pairs: File, folder or hf:// address of preference pairs.
        responses: Stages, earliest first: a mapping from name to file, or strings as on the command line.
        options: Any other option of `dehusk audit`: unwanted, wanted, reward_model, log, sample, seed, …

    Returns:
        Everything found; `to_html` and `to_markdown` show it. The same options and files give the same audit.

    Raises:
        InputError: the input, a name or an option cannot be used.
        BackendError: a reward model did not answer.
    """
    return run_audit(AuditConfig.called("dehusk.audit()", pairs=pairs, responses=responses, **options)).audit


def validate(pairs: File | None = None, responses: Stages = (), **options: Any) -> Validation:
    """Plant known effects in your own data and see which of them an audit finds.

    Args:
        pairs: Preference pairs; or give `responses`.
        responses: Stages, as for `audit`.
        options: Any other option of `dehusk validate`: rates, repeats, phrase, …

    Raises:
        InputError: nothing to plant in, or a phrase that the data already has.
    """
    return run_validate(ValidateConfig.called("dehusk.validate()", pairs=pairs, responses=responses, **options))


def convert(source: File, target: File, **options: Any) -> Conversion:
    """Rewrite pairs in another layout, or the same; unknown columns and the order of rows are kept.

    Args:
        source: File to read.
        target: File to write; its suffix chooses JSONL, JSON, CSV or Parquet.
        options: Any other option of `dehusk convert`: to, map, layout, …

    Raises:
        InputError: the source cannot be read, or the target layout cannot hold it.
    """
    return run_convert(ConvertConfig.called("dehusk.convert()", source=source, target=target, **options))


def score(
    reward_model: Names, pairs: File | None = None, responses: Stages = (), **options: Any
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Score pairs or responses with reward models.

    Args:
        reward_model: Reward models as [NAME=]KIND:WHERE.
        pairs: Preference pairs, every answer of which is scored.
        responses: Stages, as for `audit`.
        options: Any other option of `dehusk score`: sample, store, device, …

    Returns:
        A row an answer and model, and notes on how the models were asked.

    Raises:
        InputError: the input or a model cannot be used.
        BackendError: a reward model did not answer.
    """
    given = {"reward_model": reward_model, "pairs": pairs, "responses": responses}
    return run_score(ScoreConfig.called("dehusk.score()", **given, **options))


def repair(pairs: File, method: str, target: Names = (), *, out: File | None = None, **options: Any) -> Repair:
    """Repair preference pairs so that named features stop telling which answer was chosen.

    Args:
        pairs: File, folder or hf:// address of preference pairs.
        method: What to do: match, reweight, rank, augment, flip, drop, select, aflite, cartography.
        target: Features, families or phrases that should have nothing to do with the label.
        out: File to write, in the layout of the source; nothing is written without it.
        options: Any other option of `dehusk repair`: option, embedder, reward_model, report, seed, …

    Returns:
        The plan (a weight and a reason a pair), the repaired pairs, and how far every feature's win rate moved.

    Raises:
        InputError: the input, a name or an option cannot be used, or there is too little data for the method.
        BackendError: a reward model did not answer.
    """
    given = {"pairs": pairs, "method": method, "target": target, "out": out, "dry_run": out is None}
    return run_repair(RepairConfig.called("dehusk.repair()", **(given | options)))


def fit(pairs: File, out: File, **options: Any) -> Fit:
    """Fit a reward model to preference pairs and watch what it learns to pay for.

    Args:
        pairs: File, folder or hf:// address of preference pairs.
        out: Folder for the reward model, its card and what was read while it was fitted.
        options: Any other option of `dehusk fit`: objective, option, target, embedder, train, members, …

    Returns:
        The addresses of what was made, as `reward_model` takes them, and the monitor's readings.

    Raises:
        InputError: the input, a name or an option cannot be used, or there is too little data.
        MissingExtra: the libraries for models, or for training, are not installed.
    """
    return run_fit(FitConfig.called("dehusk.fit()", pairs=pairs, out=out, **options))


def adjust(reward_model: Names, method: str, pairs: File, out: File, **options: Any) -> Adjustment:
    """Make a frozen reward model another one, or several one, and say what that changed on held-out prompts.

    Args:
        reward_model: Reward models as [NAME=]KIND:WHERE.
        method: What to do: project, residualise, par, …; ensemble or average for several models.
        pairs: Preference pairs: what is made is made on some prompts and looked at on the others.
        out: Folder to write the new model to.
        options: Any other option of `dehusk adjust`: target, responses, rule, option, …

    Raises:
        InputError: the input, a name or an option cannot be used, or there is too little data.
        BackendError: a reward model did not answer.
    """
    given = {"reward_model": reward_model, "method": method, "pairs": pairs, "out": out}
    return run_adjust(AdjustConfig.called("dehusk.adjust()", **given, **options))


def compare(pairs: File, target: Names, **options: Any) -> Comparison:
    """Every way to repair, side by side on your own pairs: what each costs, what it removes, and what it moves.

    Args:
        pairs: File, folder or hf:// address of preference pairs.
        target: Features, families or phrases that should not be paid for.
        options: Any other option of `dehusk compare`: methods, elsewhere, pool, gold, embedder, splits, …

    Raises:
        InputError: the input, a name or an option cannot be used, or there is too little data.
    """
    return run_compare(CompareConfig.called("dehusk.compare()", pairs=pairs, target=target, **options))


def certify(
    before: str, after: str, target: Names, *, responses: File | None = None, pairs: File | None = None, **options: Any
) -> Certificate:
    """Certify a repaired reward model by what it chooses from the same answers as the one before it.

    Args:
        before: The reward model before the repair, as KIND:WHERE.
        after: The reward model after it.
        target: Features, families or phrases whose pressure should be gone.
        responses: Several answers to each prompt, from which both choose.
        pairs: Labelled pairs, on which accuracy must not be lower; without `responses` they are the pool too.
        options: Any other option of `dehusk certify`: gold, wanted, margin, growth, nats, …

    Raises:
        InputError: the input, a name or an option cannot be used.
        BackendError: a reward model did not answer.
    """
    given = {"before": before, "after": after, "target": target, "responses": responses, "pairs": pairs}
    return run_certify(CertifyConfig.called("dehusk.certify()", **given, **options))
