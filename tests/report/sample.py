"""Two audits made by hand: a rich one, hostile wherever a string can be, and an empty one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from dehusk.core import messages
from dehusk.core.findings import STAGES, Audit, Curve, Estimate, Evidence, Finding, GlossaryEntry, Skipped, TraceRow
from dehusk.core.messages import Text, say
from dehusk.core.run import InputRecord, RunRecord

SCRIPT = "<script>document.title='owned';document.body.dataset.owned='1'</script>"
IMAGE = "\"'><img src=x onerror=\"document.title='owned'\">"
HOSTILE = (
    SCRIPT,
    IMAGE,
    "$\\alpha$ {{ 7 * 7 }} {% raw %} ${x}",
    "\u202eevil\u202c \x00 \x1b[31m \x07",
    "]]> --> </style>",
)
LONG = "unbroken" * 300
RTL = "مرحبا بالعالم، هذه جملة عربية"
ZH_PHRASE = "一句狠但真实的话"
EN_PHRASE = "it's essential to"

# Words of the sample's own: the catalogue of the real probes may change without touching the golden files.
_EN = {
    "sample.chosen": "{feature}: in {more:.1%} of pairs the chosen answer has more of it, in {less:.1%} less.",
    "sample.grew": "“{feature}” grew from {before:.1%} of answers ({earlier}) to {after:.1%} ({later}).",
    "sample.auc": "The label can be guessed without reading the prompt: AUC {auc:.2f}.",
    "sample.rows": "{count:,} rows have the chosen answer equal to the rejected one.",
    "sample.steady": "{feature}: no change beyond chance.",
    "sample.hostile": "A sentence about {thing} and nothing else.",
    "sample.rebalance": "Rebalance “{feature}” across chosen and rejected, or add counterfactual pairs.",
    "sample.needs": "needs a reward model: --reward-model {flag}",
    "features.characters.label": "characters",
    "features.lists.label": "lists",
}
_ZH = {
    "sample.chosen": "{feature}：{more:.1%} 的样本对里 chosen 更多，{less:.1%} 里更少。",
    "sample.grew": "“{feature}”从 {before:.1%} 的回答（{earlier}）涨到 {after:.1%}（{later}）。",
    "sample.auc": "不看 prompt 就能猜出标签：AUC {auc:.2f}。",
    "sample.rows": "{count:,} 行的 chosen 与 rejected 完全相同。",
    "sample.steady": "{feature}：变化没有超出随机波动。",
    "sample.hostile": "一句关于 {thing} 的话。",
    "sample.rebalance": "在 chosen 和 rejected 两侧配平“{feature}”，或补充反事实样本对。",
    "sample.needs": "需要奖励模型 --reward-model {flag}",
    "features.characters.label": "字符数",
    "features.characters.about": "回答里的字符数。",
    "features.lists.label": "列表",
    "features.lists.about": "回答里是否有 Markdown 列表。",
}


def catalogue(lang: str) -> Mapping[str, str]:
    """The report's own words and the sample's, nothing of other areas."""
    real = _real_catalogue(lang)
    own = {key: words for key, words in real.items() if key.startswith(("report.", "core."))}
    return MappingProxyType({**own, **(_ZH if lang == "zh" else _EN)})


_real_catalogue = messages.catalogue


def empty() -> Audit:
    """An audit in which nothing was found and nothing could run."""
    run = RunRecord("audit", {}, 0, "en", {"dehusk": "0.1.0"})
    return Audit(run, (), (), (), (), (), ())


def rich() -> Audit:
    """An audit with every kind of finding, sixty trace rows, and hostile strings everywhere."""
    return Audit(
        run=RunRecord(
            "audit",
            {"pairs": "prefs.jsonl", "unwanted": [ZH_PHRASE, SCRIPT], "seed": 7, IMAGE: LONG, "sample": None},
            7,
            "en",
            {"dehusk": "0.1.0", "python": "3.11.9", SCRIPT: IMAGE},
        ),
        inputs=(
            InputRecord("pairs", "prefs.jsonl", "TRL, explicit prompt", 20_000, "a" * 64, ("124 rows dropped: empty",)),
            InputRecord("responses", "sft=偏好/sft.jsonl", "one file a stage", 805, "b" * 64),
            InputRecord("responses", HOSTILE[0] + LONG, IMAGE, 805, HOSTILE[3], tuple(HOSTILE)),
        ),
        findings=(*_data(), *_policy(), *_hostile()),
        trace=tuple(_trace_row(place) for place in range(60)),
        skipped=(
            Skipped("reward_model.dose", say("sample.needs", flag="hf:path")),
            Skipped("data.ceiling", say("core.needs_data", needs=SCRIPT + LONG)),
            Skipped(IMAGE, say("core.no_reason")),
        ),
        evidence=tuple(_evidence()),
        glossary=(
            GlossaryEntry("characters", "characters", "length", "Number of characters of the answer.", False),
            GlossaryEntry("lists", "presence", "layout", "Whether the answer has a Markdown list.", False),
            GlossaryEntry(EN_PHRASE, "presence", "phrase", "A phrase found in the data.", True),
            GlossaryEntry(ZH_PHRASE, "presence", "phrase", "A phrase found in the data.", True),
            GlossaryEntry(SCRIPT, IMAGE, HOSTILE[2], LONG, True),
        ),
    )


def estimate(value: float, half: float = 0.02, unit: str = "share", n: int = 805, method: str = "paired") -> Estimate:
    """A symmetric estimate."""
    return Estimate(value, value - half, value + half, n, unit, method, p=0.0004 if abs(value) > half else 0.4)


def _curve(name: str, axis: str, unit: str = "share") -> Curve:
    """Eight points that rise, the first without an interval."""
    x = tuple(float(2**place) for place in range(8))
    value = tuple(0.04 + 0.02 * place for place in range(8))
    low, high = (tuple(None if at == 0 else one + way for at, one in enumerate(value)) for way in (-0.015, 0.02))
    return Curve(name, axis, unit, x, value, low, high)


def _data() -> list[Finding]:
    unit = "win-rate shift"
    shifts = {"characters": 0.31, "lists": 0.154, "bold": 0.12, "hedges": -0.08, EN_PHRASE: 0.035, "emoji": 0.004}
    found = [
        Finding(
            "data.association",
            "data",
            say("sample.chosen", feature=name, more=0.5 + shift / 2, less=0.5 - shift / 2),
            "fail" if shift > 0.3 else "warn" if shift > 0.1 else "inform" if abs(shift) > 0.02 else "pass",
            feature=name,
            family="length" if name == "characters" else "layout",
            estimate=estimate(shift, 0.021, unit, 19_876),
            q=0.0002 if abs(shift) > 0.02 else 0.61,
            intent="unwanted" if name == "characters" else "wanted" if name == "bold" else "unstated",
            remedy=say("sample.rebalance", feature=name) if shift > 0.1 else None,
            details={
                "reading": "association",
                "adjusted": estimate(shift / 3, 0.03, unit, 19_876),
                "standardised": estimate(2 * shift, 0.05, "SD"),
                "counts": {"chosen_more": 9_000, "rejected_more": 4_000, "equal": 7_000},
                "by": [
                    {"column": "source", "level": part, "estimate": estimate(shift / 2, 0.04, unit)} for part in "ab"
                ],
                "absent": {"length_conditional": say("core.no_reason")},
            },
            evidence=("pair:1", "pair:2", "pair:3") if name in ("lists", EN_PHRASE) else (),
        )
        for name, shift in shifts.items()
    ]
    terms = [
        {"term": term, "weight": 2.1 - 0.4 * place} for place, term in enumerate(["comprehensive", "首先", SCRIPT])
    ]
    separable = Finding(
        "data.separability",
        "data",
        say("sample.auc", auc=0.91),
        "warn",
        estimate=Estimate(0.91, 0.9, 0.92, 20_000, "AUC", "five folds by prompt"),
        details={
            "curves": [_curve("accuracy", "n"), _curve("gold", "n"), _curve(EN_PHRASE, "step", "SD")],
            "terms": [*terms, {"term": "sorry", "weight": -1.7}, {"term": "抱歉", "weight": -0.9}],
            "folds": 5,
        },
    )
    hygiene = Finding("data.hygiene", "data", say("sample.rows", count=124), "inform", details={"rows": [4, 17, 4217]})
    return [*found, separable, hygiene]


def _policy() -> list[Finding]:
    levels = {ZH_PHRASE: (0.05, 0.11, 0.34), "lists": (0.21, 0.3, 0.45), "emoji": (0.02, 0.02, 0.021)}
    return [
        Finding(
            "policy.amplification",
            "policy",
            say("sample.steady", feature=name)
            if name == "emoji"
            else say("sample.grew", feature=name, before=path[0], after=path[2], earlier="base", later="rl"),
            "fail" if name == ZH_PHRASE else "inform" if name == "lists" else "pass",
            feature=name,
            family="phrase" if name == ZH_PHRASE else "layout",
            estimate=estimate(path[2] - path[0], 0.03),
            q=0.0001 if name != "emoji" else 0.9,
            intent="unwanted" if name == ZH_PHRASE else "unstated",
            remedy=say("sample.rebalance", feature=name) if name == ZH_PHRASE else None,
            details={
                "length_matched": estimate((path[2] - path[0]) * (0.9 if name == ZH_PHRASE else 0.1), 0.04),
                "log_odds": estimate(1.9, 0.3, "log odds"),
                "stages": [
                    {"stage": stage, "rate": rate, "low": rate - 0.02, "high": rate + 0.02, "n": 805}
                    for stage, rate in zip(("base", "sft", "rl"), path, strict=True)
                ],
                "variants": ["一句狠但真实的话", "一句狠但真话"] if name == ZH_PHRASE else [],
                "position": "opening",
                "matching": {"coverage": 0.83, "strata": 40},
            },
            evidence=("answer:1", "answer:2", "answer:3") if name == ZH_PHRASE else (),
        )
        for name, path in levels.items()
    ]


def _hostile() -> list[Finding]:
    bad = Finding(
        "policy.amplification",
        "policy",
        say("sample.hostile", thing=" ".join(HOSTILE) + LONG),
        "inform",
        feature=HOSTILE[3] + SCRIPT,
        family=IMAGE,
        estimate=Estimate(0.02, -math.inf, math.inf, 3, "share", IMAGE),
        remedy=say("sample.hostile", thing=RTL + SCRIPT),
        details={
            "subset": LONG,
            "stages": [{"stage": SCRIPT, "mean": 1.0}, {"stage": RTL, "mean": 2.0, "low": None, "high": None}],
            SCRIPT: IMAGE,
            "nested": {"deep": {"deeper": {"estimate": estimate(0.1), IMAGE: [LONG, None, True]}}},
            "empty": {},
            "numbers": list(range(40)),
            "curves": [_curve(SCRIPT, IMAGE), Curve(LONG, "n", "share", (1.0,), (math.nan,), (None,), (None,))],
        },
        evidence=("hostile", "no such evidence"),
    )
    odd: dict[str, Any] = {
        "stages": "not a list",
        "curves": [],
        "terms": [{"term": None}],
        "adjusted": "later",
        "length_matched": 3,
    }
    plug_in = Finding("mine.own", SCRIPT, say("sample.hostile", thing=IMAGE), "warn", details=odd)
    return [bad, plug_in]


def _evidence() -> list[Evidence]:
    chosen = "Of course! Here is a list:\n- it's essential to rest\n- it's essential to drink water"
    span = (chosen.index(EN_PHRASE), chosen.index(EN_PHRASE) + len(EN_PHRASE))
    chinese = f"给你{ZH_PHRASE}：你不是懒，你是累了。先睡一觉，再谈理想。" * 3
    pair = {"prompt": "How do I get well?", "chosen": chosen, "rejected": "Rest and drink water."}
    spans = {"prompt": (), "chosen": (span,), "rejected": ()}
    place = chinese.index(ZH_PHRASE)
    return [
        *(Evidence(f"pair:{row}", "example", row, pair, spans) for row in (1, 2)),
        Evidence("pair:3", "counter", 3, {**pair, "chosen": "Rest.", "rejected": chosen}, {"rejected": (span,)}),
        Evidence(
            "answer:1",
            "example",
            12,
            {"prompt": "最近很丧怎么办?", "response": chinese},
            {"response": ((place, place + len(ZH_PHRASE)),)},
            "rl",
        ),
        Evidence("answer:2", "example", 40, {"prompt": RTL, "response": RTL * 4}, {"response": ((0, 5),)}, "rl"),
        Evidence("answer:3", "counter", 13, {"prompt": "最近很丧怎么办?", "response": "早点睡。"}, {}, "base"),
        Evidence(
            "hostile",
            IMAGE,
            4217,
            {SCRIPT: LONG, "response": " ".join(HOSTILE) + LONG, "prompt": ""},
            {"response": ((-5, 30), (20, 60), (9_000, 9_001), (99, 3))},
            SCRIPT,
        ),
    ]


def _trace_row(place: int) -> TraceRow:
    named = ["characters", "lists", EN_PHRASE, ZH_PHRASE, SCRIPT, HOSTILE[3], LONG, RTL, "bold", "emoji"]
    name = named[place] if place < len(named) else f"feature_{place}"
    size = 0.31 * math.cos(place) / (1 + place / 8)
    data = {"raw": estimate(size, 0.03, "win-rate shift"), "length_conditional": estimate(size / 3, 0.04)}
    policy = {"raw": estimate(size / 2), "length_matched": estimate(size / 4, 0.03)}
    cells: dict[str, Mapping[str, Estimate] | Text] = dict.fromkeys(STAGES, say("sample.needs", flag="hf:path"))
    if place % 7 != 3:
        cells["data"] = data if place % 5 else {"raw": data["raw"]}
    if place % 3 != 2:
        cells["policy"] = policy
    verdict = ("fail", "warn", "inform", "pass")[min(3, place // 3)]
    intent = ("unwanted", "unstated", "wanted")[min(2, place)]
    return TraceRow(name, "length" if place == 0 else "phrase", verdict, intent, cells)
