"""Files and the tables made from them: layouts of every framework, row checks, writing."""
