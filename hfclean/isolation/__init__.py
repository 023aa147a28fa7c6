"""Code of strangers, run where it reaches nothing: the processes, the walls around them, and what is told of a run."""
