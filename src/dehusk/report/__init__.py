"""An `Audit` as a page, as Markdown and in the terminal."""
