"""`dehusk`: turns words into a config, runs the verb, turns errors into one line and an exit code."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

from cyclopts import App, CycloptsError, Parameter
from cyclopts.config import Dict
from rich.console import Console

from dehusk.cli.verbs import VERBS
from dehusk.core.errors import DehuskError, InputError, UnknownName
from dehusk.core.messages import visible

INTERRUPTED = 130  # what a shell reports for ctrl-C


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the `dehusk` command."""
    given = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal that knows ASCII only gets question marks, not a traceback
            stream.reconfigure(errors="replace")
    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    try:
        with _interruptible():
            code = run(given)
            sys.stdout.flush()
    except DehuskError as error:
        errors.print(f"dehusk: {visible(str(error))}")
        code = error.exit_code
    except CycloptsError as error:
        errors.print(f"dehusk: {visible(_one_line(error))}")
        code = InputError.exit_code
    except KeyboardInterrupt:
        errors.print("dehusk: interrupted; nothing was left half written")
        code = INTERRUPTED
    except BrokenPipeError:  # the reader of our output went away
        sys.stderr.close()
        code = 0
    except OSError as error:  # a full disk behind standard output, say; files have errors of their own
        errors.print(f"dehusk: cannot write: {visible(str(error))}")
        code = InputError.exit_code
    sys.exit(code)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Keep ctrl-C what it is: compiled code that it interrupts may come back with some error of its own instead."""
    if threading.current_thread() is not threading.main_thread():  # no other gets signals, or may ask for them
        yield
        return
    interrupted = False

    def interrupt(*_: object) -> None:
        nonlocal interrupted
        interrupted = True
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except BaseException:
        if interrupted:
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGINT, before)


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    words, options = _with_config(arguments)
    result = build_app(options)(words, exit_on_error=False, print_error=False, result_action="return_value")
    return int(result or 0)


def build_app(options: dict[str, object] | None = None) -> App:
    """The command-line program, one command a row of `VERBS`; `options` come from a config file, a table a verb."""
    app = App(
        name="dehusk",
        help="Follow a surface feature from preference data to reward model to policy.",
        help_format="plaintext",
        version=_version,
        default_parameter=Parameter(negative="", show_default=lambda value: value if value not in ((), None) else None),
        config=Dict(options) if options else None,
        help_epilogue="Every verb: dehusk VERB --help. Options may stand in a TOML file: --config FILE.",
    )
    for verb in VERBS:
        app.command(verb.run, name=verb.name, help=verb.about)
    return app


def _with_config(arguments: list[str]) -> tuple[list[str], dict[str, object]]:
    """Take `--config FILE` out of the command line and read it."""
    if not any(word == "--config" or word.startswith("--config=") for word in arguments):
        return arguments, {}
    at = next(i for i, word in enumerate(arguments) if word == "--config" or word.startswith("--config="))
    name, equals, path = arguments[at].partition("=")
    rest = arguments[at + 1 :]
    if not equals:
        if not rest:
            raise InputError("--config needs a file", fix="--config dehusk.toml")
        path, rest = rest[0], rest[1:]
    words = arguments[:at] + rest
    verb = next((row for row in VERBS if row.name in words), None)
    if verb is None:
        raise InputError("--config needs a verb", fix=f"dehusk audit {name} {path}")
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise InputError(f"cannot be read: {reason.lower()}", where=path, expected="a TOML file") from None
    return words, {verb.name: verb.config.options_in(text, path)}


def _one_line(error: CycloptsError) -> str:
    """Say what is wrong with the command line, and what was probably meant."""
    kind, verb = type(error).__name__, " ".join(error.command_chain or ())
    word = next(iter(error.unused_tokens or ()), "")
    if kind == "UnknownCommandError" and word:
        return str(UnknownName("verb", word, [verb.name for verb in VERBS]))
    if kind == "UnusedCliTokensError" and word:
        fix = f"--pairs {word}" if verb in ("audit", "validate", "repair", "fit", "score") else f"dehusk {verb} --help"
        return str(InputError(f"{word!r} belongs to no option", fix=fix))
    line = " ".join(str(error).split())
    return f"{line} Try: dehusk {verb} --help" if kind == "MissingArgumentError" else line


def _version() -> str:
    from dehusk.core.run import versions  # noqa: PLC0415 - numpy is not needed for --help

    return versions()["dehusk"]
