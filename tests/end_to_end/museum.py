"""Strings that break programs, and tables full of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

NASTY = (
    "😀👩‍👩‍👧‍👦🏳️‍🌈",
    "\u202eevil\u202c \u2066x\u2069",
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "</title></style></script><svg onload=alert(1)>",
    "<!-- ]]> -->",
    "&lt;&amp;&#60;",
    "$",
    "$x^2$ \\( \\[ $$",
    "{{7*7}}",
    "{% raw %}{{ ''.__class__ }}${7*7}",
    "{feature} {0} {value:.1%} }{",
    "%s %d %0A %n",
    "`rm -rf`",
    "```",
    "*" * 40,
    "**bold** _x_ ~~y~~ [l](javascript:alert(1)) ![i](x)",
    "| a | b |\n|---|---|",
    "# h\n- x\n1. y\n> z",
    "@someone #1 https://example.org www.example.org",
    "[audit]\nq = 1\nout = 'x'",
    "(((",
    "[a-z",
    "(?P<x>.*)+$",
    "\\",
    "..\\..//etc/passwd",
    "=cmd|'/c calc'!A1",
    "+1",
    "-1",
    "@SUM(A1)",
    'a,b;c\td"e',
    "::error title=x::y",
    "[bold red]rich[/]",
    "\x1b[31mred\x1b[0m \x9b31m",
    "\x00",
    "a\x00b",
    "\ud800",
    "\udfff x",
    "\ufffe\uffff\ufdd0\ufdd1\ufdd2",
    "\x02 \x03",
    " ",
    "\n\t ",
    "\u3000\u00a0\u2028\u2029\x85\x0b\x0c",
    "a\r\nb\r\n",
    "a\u200bb\u200c\u200d\ufeff",
    "e\u0301\u0327" * 20,
    "Z̸̢͎͍a̷l̶g̵o̴",
    "สวัสดีครับ ผมชื่อ",
    "السلام عليكم",
    "日本語のテキストです。カタカナ",
    "한국어",
    "一句狠但真实的话，不是问题，而是答案。",
    "x" * 3000,
    "NaN",
    "null",
    "1e999",
)
LONG = ("y" * 1_000_000, "word " * 200_000, "([" * 500_000, "\u0301" * 500_000, "好" * 300_000, "- " * 500_000)


def pairs(texts: Sequence[str], rows: int = 60) -> list[dict[str, object]]:
    """Pairs that hold the texts alone, and within answers that have a phrase to be mined."""

    def text(step: int, row: int) -> str:
        return texts[(step * row + step) % len(texts)]

    return [
        {
            "prompt": text(1, i) if i % 3 == 0 else f"q {i} {text(5, i)}",
            "chosen": text(7, i) if i % 4 == 0 else f"the best {text(1, i)} answer number {i} {text(1, i)}",
            "rejected": text(3, i) if i % 5 == 0 else f"a poor {text(2, i)} answer {i}",
            "source": text(1, i % 3),
            "chosen_model": text(1, i % 2),
            "rejected_model": text(2, i % 2),
            "lang": text(1, i % 3),
            "meta": {text(1, i): [text(2, i)]},
            text(1, i % 5) or "empty": text(1, i),
        }
        for i in range(rows)
    ]


def answers(texts: Sequence[str], stage: int, rows: int = 40) -> list[dict[str, object]]:
    """Answers of one stage to prompts that all stages share; the later, the more of one phrase."""
    return [
        {
            "prompt": f"p {i} {texts[i % len(texts)]}",
            "response": f"{'so it goes, ' if i % 3 < stage else ''}{texts[(i + stage) % len(texts)]} and {i}.",
            "score": i * 0.1 + stage,
        }
        for i in range(rows)
    ]


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")  # escaped: lone surrogates and all
    return path
