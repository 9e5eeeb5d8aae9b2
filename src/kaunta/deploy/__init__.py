"""Putting a version into the world: is all ready, and does it do well once it is there?"""
