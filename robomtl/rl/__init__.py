"""Multi-task reinforcement learning on Meta-World: `protocol`, `training`, `comparison`.

A protocol says what is trained on and how it is measured; it has a name, never changes, and is
printed with every number that comes out.
"""
