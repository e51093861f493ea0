"""What a library of jobs and roles promises beyond what Zuul asks: its parts tell the same story. One check a module.

Nothing here needs a tenant or Zuul: a check reads files below a root and returns one line for each problem.
"""
