"""The command line, as people and as programs meet it: what it prints, its one JSON object, its exit codes."""
