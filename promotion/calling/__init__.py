"""Another repository that calls promotion's workflows: the lines that do it, who owns what judges, and what has to be protected."""
