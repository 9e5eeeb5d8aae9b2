"""Statements: Safaricom's own list of a business's money, read from the export and laid beside our books.

`reading` turns a file into lines, `importing` keeps them, `placing` sees to it that every payment among them ends on
a tab or before a person, and `result` says what matches and what does not.
"""
