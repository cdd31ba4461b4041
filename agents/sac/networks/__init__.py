"""Networks that actor and critics are made of: one file each."""

from __future__ import annotations

from robomtl.agents.sac.networks.care import Care
from robomtl.agents.sac.networks.encoded import Encoded
from robomtl.agents.sac.networks.multi_head import MultiHead
from robomtl.agents.sac.networks.network import Sizes, TaskNetwork
from robomtl.agents.sac.networks.one_hot import OneHot
from robomtl.agents.sac.networks.one_hot_multi_head import OneHotMultiHead
from robomtl.agents.sac.networks.separate import Separate
from robomtl.agents.sac.networks.shared import Shared
from robomtl.agents.sac.networks.soft_modular import SoftModular

__all__ = ["NETWORKS", "Sizes", "TaskNetwork"]

NETWORKS: dict[str, type[TaskNetwork]] = {
    "shared": Shared,
    "one_hot": OneHot,
    "encoded": Encoded,
    "multi_head": MultiHead,
    "one_hot_multi_head": OneHotMultiHead,
    "soft_modular": SoftModular,
    "care": Care,
    "separate": Separate,
}
"""Every network by name; it is made from its `Sizes`."""
