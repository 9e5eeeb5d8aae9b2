"""Moving in: a bar's database of the old product becomes Kaunta's, in one command that can be tried, stopped, undone.

shape       what is there: which generation, which tables and columns
old         its rows, read as they are
tabs, money, people, menus, credentials    what becomes of them: pure, so that a dry run says exactly what will be
plan        the whole of it, told table by table, with what a person must decide
apply       the steps, each with its commit; Kaunta's tables grow in a schema of their own beside the live ones
switch      the one short moment: the old tables into `legacy`, Kaunta's into `public`; and back again
"""
