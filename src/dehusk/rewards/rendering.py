"""From a prompt and an answer to the text, and the tokens, that a model was trained on.

Training frameworks disagree about the last tokens of a text, and a reward is read at the last token:

- TRL renders conversations by the chat template and leaves them as they are; to plain text it appends EOS.
- OpenRLHF strips line feeds from the end and makes sure of EOS, for both, and lets the tokenizer add nothing.
- LLaMA-Factory and ms-swift render by templates of their own, which end like the chat template.

Plain text is `Human: PROMPT`, a blank line, `Assistant: ANSWER`, unless the user says otherwise. A text that is too
long loses its beginning (all but BOS): what was answered, and the token that the reward is read at, are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dehusk.core.errors import InputError
from dehusk.core.messages import Text, say
from dehusk.io.layouts.messages import OPENAI_ROLES, split_turns

JOIN = "Human: {prompt}\n\nAssistant: {response}"
_NO_LIMIT = 1_000_000  # tokens; tokenizers without a limit say something like 10^30
Ending = Literal["template", "eos"]


@dataclass(frozen=True)
class Rendering:
    """How one model's texts look."""

    tokenizer: Any
    join: str | None = None  # plain text with {prompt} and {response}; the chat template when None
    ending: Ending = "template"  # "eos": no line feeds at the end, and EOS as the last token (OpenRLHF)
    max_length: int | None = None  # tokens

    @property
    def settings(self) -> tuple[object, ...]:
        """What the texts and their tokens depend on besides the tokenizer."""
        return self.join, self.ending, self.max_length

    def remark(self) -> Text:
        """How texts look, in a sentence."""
        how = say("models.chat") if self.join is None else say("models.plain", join=repr(self.join))
        return say("models.ends_in_eos", how=how) if self.ending == "eos" else how

    def text(self, prompt: str | None, response: str) -> str:
        """What is scored."""
        if self.join is None:
            rendered = self._chat([*turns(prompt or ""), ("assistant", response)])
        else:
            before, after = self._around(prompt or "")
            rendered = before + response + after
        eos = self.tokenizer.eos_token
        if self.ending == "eos":
            rendered = rendered.rstrip("\n")
            return rendered if not eos or rendered.endswith(eos) else f"{rendered} {eos}"
        if self.join is None or not eos or self.tokenizer.sep_token or rendered.endswith(eos):
            return rendered  # tokenizers of models with a separator close the text themselves
        return rendered + str(eos)

    def opening(self, prompt: str | None) -> str:
        """What stands before the answer."""
        if self.join is None:
            return self._chat(turns(prompt or ""), asking=True)
        return self._around(prompt or "")[0]

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokens of rendered texts as the model gets them: BOS and EOS once, too long texts cut at the beginning."""
        return [self.cut(whole) for whole in self._whole(texts)]

    def parts(self, prompts: Sequence[str | None], responses: Sequence[str]) -> tuple[list[list[int]], list[int]]:
        """Tokens of each text, and where among them the answer begins (before their last)."""
        openings = {prompt: self.opening(prompt) for prompt in dict.fromkeys(prompts)}
        opened = dict(zip(openings, self._whole(list(openings.values())), strict=True))
        found, starts = [], []
        texts = self._whole([self.text(prompt, said) for prompt, said in zip(prompts, responses, strict=True)])
        for prompt, whole in zip(prompts, texts, strict=True):
            # The last token before the answer may have merged with its first, so only what is the same counts.
            pairs = enumerate(zip(opened[prompt], whole, strict=False))
            same = next((i for i, (one, other) in pairs if one != other), min(len(opened[prompt]), len(whole)))
            found.append(self.cut(whole))
            starts.append(min(max(same - len(whole) + len(found[-1]), 0), len(found[-1]) - 1))
        return found, starts

    def _whole(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        special = self.join is not None and self.ending == "template"  # a chat template writes them itself
        found = self.tokenizer(list(texts), add_special_tokens=special, verbose=False)["input_ids"]
        return [self._once(list(ids)) for ids in found]

    def _once(self, ids: list[int]) -> list[int]:
        """Without a second BOS or EOS, which a tokenizer adds to a text that has its own."""
        bos, eos = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
        if bos is not None and ids[:2] == [bos, bos]:
            ids = ids[1:]
        if eos is not None and ids[-2:] == [eos, eos]:
            ids = ids[:-1]
        return ids or [next((i for i in (eos, bos, self.tokenizer.pad_token_id) if i is not None), 0)]

    def cut(self, ids: list[int]) -> list[int]:
        """Tokens of one text, the beginning left out (all but BOS) if they are too many."""
        if self.max_length is None or len(ids) <= self.max_length:
            return ids
        kept = int(ids[0] in (self.tokenizer.bos_token_id, self.tokenizer.cls_token_id) and self.max_length > 1)
        return ids[:kept] + ids[len(ids) - self.max_length + kept :]

    def _around(self, prompt: str) -> tuple[str, str]:
        """What stands before and after the answer in plain text; a dialogue is continued."""
        if self.join == JOIN and len(said := turns(prompt)) > 1:
            speakers = {role: speaker for speaker, role in OPENAI_ROLES.items()}
            return "".join(f"{speakers[role]}: {words}\n\n" for role, words in said) + "Assistant: ", ""
        before, _, after = (self.join or "").partition("{response}")
        return before.replace("{prompt}", prompt), after.replace("{prompt}", prompt)

    def _chat(self, said: list[tuple[str, str]], *, asking: bool = False) -> str:
        from jinja2 import TemplateError

        for attempt in (said, _without_system(said)):
            messages = [{"role": role, "content": words} for role, words in attempt]
            try:
                return str(self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=asking))
            except TemplateError as error:  # some templates know no system message
                reason = error
        raise InputError(
            f"its chat template refuses a conversation: {reason}",
            where=str(self.tokenizer.name_or_path),
            fix="hf:PATH?join=plain",
        )


def rendering_for(
    tokenizer: Any,
    config: Mapping[str, Any],
    join: str | None,
    max_length: int | None,
    *,
    ending: Ending = "template",
    causal: bool = True,
) -> Rendering:
    """How a model's texts look, from its tokenizer and configuration and what the user said.

    Args:
        tokenizer: Its tokenizer.
        config: Its config.json.
        join: "plain", or a text with {prompt} and {response}; the chat template, if there is one, when None.
        max_length: Tokens of a text; what the model was made for when None.
        ending: How its texts end.
        causal: False for an encoder, which takes prompt and answer with separators between them.

    Raises:
        InputError: a join that names no answer.
    """
    limits = (tokenizer.model_max_length, config.get("max_position_embeddings", _NO_LIMIT))
    length = min(max_length or _NO_LIMIT, *limits)
    if join not in (None, "plain") and "{response}" not in str(join):
        raise InputError(f"join={join}", where="hf:", expected="a text with {prompt} and {response}, or plain")
    if (join is None and not tokenizer.chat_template) or join == "plain":
        join = JOIN if causal else "{prompt}" + _between(tokenizer) + "{response}"
    return Rendering(tokenizer, join, ending, None if length >= _NO_LIMIT else int(length))


def _between(tokenizer: Any) -> str:
    """What an encoder's tokenizer puts between two texts: one separator, or two as RoBERTa's does."""
    between: int = tokenizer("a", "b")["input_ids"][1:-1].count(tokenizer.sep_token_id)
    return str(tokenizer.sep_token or "\n\n") * max(between, 1)


def turns(prompt: str) -> list[tuple[str, str]]:
    r"""The turns of a prompt as (role, what was said), of which the last is the user's.

    A conversation that was written out as `Human: …`, `Assistant: …` is taken apart again if that is unambiguous: an
    optional system message, then the two in turn, none of them empty. Anything else is one question.

    >>> turns("Human: hi\n\nAssistant: hello\n\nHuman: bye\n\nAssistant:")
    [('user', 'hi'), ('assistant', 'hello'), ('user', 'bye')]
    >>> turns("Human: hi\n\nHuman: bye")
    [('user', 'Human: hi\n\nHuman: bye')]
    """
    said = [(OPENAI_ROLES[speaker], words) for speaker, words in split_turns(prompt)]
    if said[-1] == ("assistant", ""):  # where the answer goes
        said.pop()
    talk = said[1:] if said and said[0][0] == "system" else said
    in_turn = all(role == ("assistant" if i % 2 else "user") for i, (role, _) in enumerate(talk))
    return said if len(talk) % 2 and in_turn and all(words.strip() for _, words in said) else [("user", prompt)]


def _without_system(said: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The system message as the beginning of the first question."""
    if len(said) < 2 or said[0][0] != "system":
        return said
    return [("user", f"{said[0][1]}\n\n{said[1][1]}"), *said[2:]]
