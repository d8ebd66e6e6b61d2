"""Running the command line as a user does, in a process of its own."""

import os
import subprocess
import sys

MAIN = "import sys; from dehusk.cli.main import main; sys.exit(main())"


def dehusk(*arguments, python=sys.executable, cwd=None):
    """Run `dehusk ARGUMENTS`; returns the finished process, output as text."""
    quiet = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return subprocess.run(
        [str(python), "-c", MAIN, *map(str, arguments)],
        capture_output=True,
        check=False,
        cwd=cwd,
        env={**quiet, "PYTHONUTF8": "1", "COLUMNS": "200", "NO_COLOR": "1"},
        encoding="utf-8",
    )
