"""robomtl: multi-task imitation learning for robot manipulation, on MuJoCo.

The wings `robomtl.data`, `robomtl.envs` and `robomtl.agents` live beside this folder in a checkout
and inside it once installed. Importing the package starts nothing and imports no wing.
"""

from pathlib import Path as _Path

__version__ = "0.1.0"

# Python started inside a checkout finds this folder first, whatever is installed. The wings are
# then one level up, so that is where their import names have to be looked up.
if not (_Path(__file__).parent / "data").is_dir():
    __path__.append(str(_Path(__file__).parent.parent))
