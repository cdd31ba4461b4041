class Discrete:
    def __init__(self, attach_grasped_objects=True, detach_before_open=True):
        pass

    def action(self, scene, action):
        scene.set_gripper(float(action[0] > 0.5))
