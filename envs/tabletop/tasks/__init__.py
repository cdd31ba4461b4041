"""The ten tasks of Auto-lambda's robot experiment, a file each."""

from __future__ import annotations

from robomtl.envs.tabletop.task import Task
from robomtl.envs.tabletop.tasks.pick_and_lift import PickAndLift
from robomtl.envs.tabletop.tasks.pick_up_cup import PickUpCup
from robomtl.envs.tabletop.tasks.push_button import PushButton
from robomtl.envs.tabletop.tasks.put_knife_on_chopping_board import PutKnifeOnChoppingBoard
from robomtl.envs.tabletop.tasks.put_money_in_safe import PutMoneyInSafe
from robomtl.envs.tabletop.tasks.reach_target import ReachTarget
from robomtl.envs.tabletop.tasks.slide_block_to_target import SlideBlockToTarget
from robomtl.envs.tabletop.tasks.stack_wine import StackWine
from robomtl.envs.tabletop.tasks.take_money_out_safe import TakeMoneyOutSafe
from robomtl.envs.tabletop.tasks.take_umbrella_out_of_umbrella_stand import (
    TakeUmbrellaOutOfUmbrellaStand,
)

#: The tasks by name, in the papers' order.
TASKS: dict[str, type[Task]] = {
    task.name: task
    for task in (
        ReachTarget,
        PushButton,
        PickAndLift,
        PickUpCup,
        PutKnifeOnChoppingBoard,
        TakeMoneyOutSafe,
        PutMoneyInSafe,
        TakeUmbrellaOutOfUmbrellaStand,
        StackWine,
        SlideBlockToTarget,
    )
}
