"""What the tests of the house stand on: a runtime, seeded bars, a stand-in for Safaricom, and the served application.

Fixtures, by module: runtime (`settings`, `clock`, `rt`), safaricom (`simulator`, `pushes`), bars (`bar`, `other_bar`),
door (`application`, `application_with_worker`, `http`). Nothing of ours is mocked.
"""
