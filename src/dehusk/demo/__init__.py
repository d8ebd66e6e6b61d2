"""A small data set of our own making with a known story (`STORY`), in English and Chinese.

A catchphrase stands in 5 % of the demonstrations; labellers prefer answers that use it; after RL a third of all
answers do. Answers also grow longer, and lists grow with them, but no more than length does.
"""

from dehusk.demo.files import write
from dehusk.demo.story import STORY, Habit, Story

__all__ = ["STORY", "Habit", "Story", "write"]
