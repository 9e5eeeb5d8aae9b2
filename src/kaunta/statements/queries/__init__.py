"""This feature's SQL: the imports and their staged rows, the lines and where they belong, the comparison."""
