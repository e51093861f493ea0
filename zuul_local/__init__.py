"""Run any Zuul job of any repository on throw-away nodes, with Zuul's own code and no server."""
