"""The dense-prediction benchmark: `collection` of scenes, `training` on them, `comparison`."""
