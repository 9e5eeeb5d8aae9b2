"""What is held on a person, told to them, and erased when they ask."""
