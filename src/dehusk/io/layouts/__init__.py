"""How preference pairs are laid out in files, one class a layout, most specific first.

Importing this package fills `dehusk.core.kinds.layouts`.
"""

from dehusk.io.layouts import frameworks, paired, choice, lists, spread  # noqa: F401, I001  (order = precedence)
from dehusk.io.layouts.reading import Layout, Reading

__all__ = ["Layout", "Reading"]
