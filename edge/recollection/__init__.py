"""What a node remembers of what it saw (回溯): ways of what was followed, thinned, for questions that are asked later."""
